//! What an entry takes of the server's memory, beside the same JSON under a key of the same length that
//! is written by hand with `SETEX`.
//!
//! ```text
//! cargo run --release -p cached-benches --bin entry
//! ```
//!
//! It starts a redis-server of its own, and prints `MEMORY USAGE` of both. The server rounds up to what
//! its allocator has, so that a few bytes more or less may be none, or a step.
#![allow(clippy::print_stdout, reason = "it prints what it measures")]
#![allow(clippy::unwrap_used, reason = "it fails loudly")]
#![allow(clippy::cast_precision_loss, reason = "figures for people")]

use std::time::Duration;

use cached_runtime::{Cache, cache_result, scope};
use cached_tests::RedisServer;

/// Of JSON, and the goal for ours / by hand.
const SIZES: [(usize, f64); 3] = [(60, 1.4), (113, 1.2), (400, 1.05)];

fn text(json: usize) -> String {
    "x".repeat(json - 2)
}

#[cache_result(ttl = "1h", name = "plain")]
async fn plain(json: usize) -> String {
    text(json)
}

#[cache_result(ttl = "1h", name = "stale", stale_while_revalidate = "1h")]
async fn stale(json: usize) -> String {
    text(json)
}

#[cache_result(ttl = "1h", name = "tagged", tags = ["text:{json}"])]
async fn tagged(json: usize) -> String {
    text(json)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let server = RedisServer::start();
    let cache = Cache::builder().url(server.url()).lookup_deadline(Duration::from_secs(5));
    let cache = cache.build().await.unwrap();
    scope(cache, async {
        println!("| JSON | entry | bytes | by hand | ours / by hand | goal |");
        println!("|---|---|---|---|---|---|");
        for (json, goal) in SIZES {
            plain(json).await;
            stale(json).await;
            tagged(json).await;
            for (what, key) in [
                ("plain", plain::key(json)),
                ("with a stale window", stale::key(json)),
                ("with a tag", tagged::key(json)),
            ] {
                let key = format!("cache:{key}");
                let by_hand = format!("byme_{}", &key[5..]);
                let value = format!("\"{}\"", text(json));
                assert_eq!((value.len(), by_hand.len()), (json, key.len()));
                server.cmd(&["SETEX", &by_hand, "3600", &value]);
                let [ours, hand] =
                    [&key, &by_hand].map(|key| server.int(&["MEMORY", "USAGE", key]));
                let (ratio, goal) = (ours as f64 / hand as f64, (what == "plain").then_some(goal));
                let goal = goal.map_or_else(String::new, |goal| {
                    format!("≤ {goal} {}", if ratio <= goal { "✓" } else { "✗" })
                });
                println!("| {json} B | {what} | {ours} | {hand} | **{ratio:.2}** | {goal} |");
            }
        }
    })
    .await;
}
