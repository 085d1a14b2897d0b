//! A process that is halted for a minute under 100,000 writes a second: what the server holds back
//! for its link, when it drops that, and what the process serves once it goes on.
//!
//! ```text
//! cargo run --release -p cached-benches --bin stopped -- --seconds 60
//! ```
//!
//! The process keeps a thousand values in memory and calls for them all the time, also while the
//! load begins before the halt and while it goes on for 10 s after it. Each value it ever returns is
//! compared with the database's history. The server's limits are the default ones; with `--control`
//! it has none for links that subscribe, and the run must show what the limit is good for. In fewer
//! than 15 s the limit is not reached, and the run shows nothing: that counts as missed, too.
//!
//! It starts two redis-servers of its own: the cache, and one that is the database.
#![allow(clippy::print_stdout, reason = "a benchmark prints its table")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "it fails loudly")]
#![allow(clippy::cast_precision_loss, reason = "figures for people")]

mod outcome;
mod process;
mod sample;
mod writer;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use cached_benches::fleet::since_epoch;
use cached_tests::{RedisServer, eventually_blocking};

use outcome::Outcome;
use process::Process;
use sample::{Limit, Sample};
use writer::Writer;

/// How many values the process keeps.
const KEPT: usize = 1_000;
/// What is meant to be written, in commands a second.
const RATE: usize = 100_000;
/// The coherence bound, the default one.
const BOUND: Duration = Duration::from_secs(1);
/// How long there is load before the halt, and after it.
const BEFORE: Duration = Duration::from_secs(3);
const AFTER: Duration = Duration::from_secs(10);
/// Whatever takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut words = arguments.iter().map(String::as_str);
    let (mut seconds, mut control) = (60, false);
    while let Some(word) = words.next() {
        match word {
            "process" => {
                process::work(words.next().unwrap(), words.next().unwrap());
                return ExitCode::SUCCESS;
            }
            "--control" => control = true,
            "--seconds" => seconds = words.next().unwrap().parse().expect("a number"),
            _ => panic!("usage: stopped [--seconds N] [--control]"),
        }
    }
    let outcome = measure(Duration::from_secs(seconds), control);
    if outcome.table(control) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn measure(halted: Duration, control: bool) -> Outcome {
    let unlimited = ["--client-output-buffer-limit", "pubsub", "0", "0", "0"];
    let cache = RedisServer::start_with(if control { &unlimited } else { &[] });
    let database = RedisServer::start();
    let limit = Limit::of(&cache);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("a process with {KEPT} values in memory, halted for {halted:?}, {cores} cores");
    println!("the server's limit for its link: {limit}\n");

    writer::fill(&cache, &database);
    let process = Process::start(&cache.url(), &database.url());
    eventually_blocking(PATIENCE, || {
        process.calls().iter().filter(|call| call.memory).count() > KEPT
    });
    let writer = Writer::start(&cache, &database);
    std::thread::sleep(BEFORE);
    let (before, clients) = (Sample::take(&cache), cache.connected_clients());
    assert!(before.link.is_some(), "the process has no link");

    process.signal("-STOP");
    let (stopped, began, written) = (since_epoch(), Instant::now(), writer.written());
    let mut samples = Vec::new();
    while began.elapsed() < halted {
        std::thread::sleep(Duration::from_secs(1).min(halted));
        let sample = Sample::take(&cache);
        let at = began.elapsed();
        samples.push((at, sample));
        if samples.len() % (halted.as_secs() as usize).div_ceil(10).max(1) == 0 {
            println!("{:>4.0} s: {sample}", at.as_secs_f64());
        }
    }
    let rate = (writer.written() - written) as f64 / began.elapsed().as_secs_f64();
    let continued = since_epoch();
    process.signal("-CONT");
    std::thread::sleep(AFTER);
    // A wait for another's load may just have one more.
    let until = Instant::now() + PATIENCE;
    while cache.connected_clients() != clients && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(100));
    }
    let clients = (clients, cache.connected_clients());
    let history = writer.end();
    let calls = process.end(&database);
    Outcome { limit, before, samples, rate, stopped, continued, history, calls, clients }
}
