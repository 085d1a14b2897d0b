//! A Redis hit of an annotated function against the same GET and decode written by hand on one
//! `MultiplexedConnection`, in one run: A, B, A, B, … with the medians of the rounds. A third
//! way shows what the fence's own command costs by hand.
//!
//! ```text
//! cargo bench -p cached-benches --bench redis_hit
//! ```
//!
//! It starts a redis-server of its own on a free loopback port. One thread (`current_thread`),
//! 1,000 keys in turn, the value is a user of about 150 bytes as JSON. Ratios are ours / by hand.
#![allow(clippy::print_stdout, reason = "a benchmark prints its table")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark fails loudly")]

use std::time::{Duration, Instant};

use cached_benches::user::{User, user};
use cached_benches::{Sample, Stretch, median};
use cached_runtime::{Cache, cache_result};
use cached_tests::RedisServer;
use redis::aio::MultiplexedConnection;

const ROUNDS: usize = 7;
const KEYS: u64 = 1_000;

#[cache_result(ttl = "1h")]
async fn get_user(id: u64) -> Result<User, redis::RedisError> {
    Ok(user(id))
}

async fn by_hand(
    connection: &mut MultiplexedConnection,
    id: u64,
) -> Result<User, redis::RedisError> {
    let bytes: Option<Vec<u8>> =
        redis::cmd("GET").arg(format!("hand:user:{id}")).query_async(connection).await?;
    let found = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    Ok(found.expect("all keys were filled"))
}

/// The same by hand with the command that a fenced cache needs: what of the difference is the
/// server's, which has five more arguments to read.
async fn leased_by_hand(
    connection: &mut MultiplexedConnection,
    id: u64,
) -> Result<User, redis::RedisError> {
    let mut cmd = redis::cmd("SET");
    cmd.arg(format!("hand:user:{id}")).arg("a lease of 19 bytes");
    let cmd = cmd.arg("NX").arg("GET").arg("PX").arg(5000);
    let bytes: Option<Vec<u8>> = cmd.query_async(connection).await?;
    let found = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    Ok(found.expect("all keys were filled"))
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Hand,
    Leased,
    Ours,
}

/// `total` calls by `callers` concurrent tasks.
async fn sample(way: Way, callers: u64, total: u64, connection: &MultiplexedConnection) -> Sample {
    let stretch = Stretch::begin();
    let tasks: Vec<_> = (0..callers)
        .map(|caller| {
            let mut connection = connection.clone();
            tokio::spawn(async move {
                let mut times = Vec::with_capacity(usize::try_from(total / callers).unwrap());
                for call in 0..total / callers {
                    let id = (caller * 7919 + call) % KEYS;
                    let started = Instant::now();
                    let found = match way {
                        Way::Hand => by_hand(&mut connection, id).await,
                        Way::Leased => leased_by_hand(&mut connection, id).await,
                        Way::Ours => get_user(id).await,
                    };
                    times.push(started.elapsed());
                    assert_eq!(found.unwrap().id, id);
                }
                times
            })
        })
        .collect();
    let mut times: Vec<Duration> = Vec::new();
    for task in tasks {
        times.extend(task.await.unwrap());
    }
    stretch.end(times)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let server = RedisServer::start();
    let cache = Cache::connect(&server.url()).await.unwrap();
    cache.install().unwrap();
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    for id in 0..KEYS {
        get_user(id).await.unwrap();
        let json = serde_json::to_vec(&user(id)).unwrap();
        let () = redis::cmd("SET")
            .arg(format!("hand:user:{id}"))
            .arg(json)
            .query_async(&mut connection)
            .await
            .unwrap();
    }

    println!("A Redis hit: annotated function against GET + decode by hand, {ROUNDS} rounds each");
    println!(
        "{:>8} {:>18} {:>12} {:>9} {:>9} {:>10} {:>12}",
        "callers", "", "calls/s", "p50 µs", "p99 µs", "CPU µs", "allocations"
    );
    for callers in [1, 16, 64, 256] {
        let total = if callers == 1 { 8_000 } else { 50_000 };
        let (mut hand, mut leased, mut ours) = (Vec::new(), Vec::new(), Vec::new());
        // One round to warm up, then A, B, A, B, …
        for round in 0..=ROUNDS {
            let a = sample(Way::Hand, callers, total, &connection).await;
            let b = sample(Way::Ours, callers, total, &connection).await;
            let c = sample(Way::Leased, callers, total, &connection).await;
            if round > 0 {
                hand.push(a);
                ours.push(b);
                leased.push(c);
            }
        }
        let (hand, leased, ours) = (median(&hand), median(&leased), median(&ours));
        row(&callers.to_string(), "GET by hand", &hand);
        row("", "SET NX GET by hand", &leased);
        row("", "ours", &ours);
        let ratio = Sample {
            throughput: ours.throughput / hand.throughput,
            p50: ours.p50 / hand.p50,
            p99: ours.p99 / hand.p99,
            cpu: ours.cpu / hand.cpu,
            allocations: ours.allocations / hand.allocations,
        };
        println!(
            "{:>8} {:>18} {:>12.2} {:>9.2} {:>9.2} {:>10.2} {:>12.2}",
            "",
            "ours / GET by hand",
            ratio.throughput,
            ratio.p50,
            ratio.p99,
            ratio.cpu,
            ratio.allocations
        );
    }
    commands(&server).await;
}

fn row(callers: &str, way: &str, sample: &Sample) {
    let Sample { throughput, p50, p99, cpu, allocations } = sample;
    println!(
        "{callers:>8} {way:>18} {throughput:>12.0} {p50:>9.1} {p99:>9.1} {cpu:>10.2} {allocations:>12.1}"
    );
}

/// What a thousand hits and a thousand misses cost, counted at the server.
async fn commands(server: &RedisServer) {
    server.reset_stats();
    for id in 0..KEYS {
        get_user(id).await.unwrap();
    }
    println!("\ncommands at the server for {KEYS} hits:   {:?}", server.command_calls());
    server.reset_stats();
    for id in KEYS..2 * KEYS {
        get_user(id).await.unwrap();
    }
    println!("commands at the server for {KEYS} misses: {:?}", server.command_calls());
    println!("(a miss is two round trips: SET … NX GET, then EVALSHA, which runs GET and SET)");
}
