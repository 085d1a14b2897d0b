//! Functions that are not async, called from plain threads, in a program without a runtime.
//!
//! ```text
//! cargo run -p cached-examples --example blocking
//! REDIS_URL=redis://127.0.0.1:6379 cargo run -p cached-examples --example blocking
//! ```
//!
//! The attribute is the same; the verbs of a sync function are sync. All threads, and every
//! async part that the program may have as well, share one cache.

#![allow(clippy::print_stdout, reason = "an example speaks to its reader")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use cached_runtime::cache_result;

/// How often the body of `count_primes` ran.
static BODY_RUNS: AtomicU32 = AtomicU32::new(0);

/// How many primes there are up to `limit`, found with more effort than wit.
#[cache_result(ttl = "10m")]
fn count_primes(limit: u32) -> usize {
    BODY_RUNS.fetch_add(1, Ordering::Relaxed);
    thread::sleep(Duration::from_millis(100)); // more effort still
    (2..=limit).filter(|n| (2..*n).take_while(|d| d * d <= *n).all(|d| n % d != 0)).count()
}

const LIMITS: [u32; 3] = [1_000, 5_000, 10_000];
const THREADS: usize = 8;
const CALLS: usize = 1_000;

fn main() -> anyhow::Result<()> {
    println!("Values live in {:?}\n", cached_runtime::global());
    count_primes::invalidate_all()?; // what an earlier run may have left in Redis

    println!("One thread, nothing cached yet:");
    for limit in LIMITS {
        let start = Instant::now();
        let primes = count_primes(limit);
        println!("  {primes:>5} primes up to {limit:>6}, in {:>7.2} ms", millis(start));
    }

    println!("\n{THREADS} threads with {CALLS} calls each:");
    let (before, start) = (BODY_RUNS.load(Ordering::Relaxed), Instant::now());
    thread::scope(|threads| {
        for first in 0..THREADS {
            threads.spawn(move || {
                for call in 0..CALLS {
                    count_primes(LIMITS[(first + call) % LIMITS.len()]);
                }
            });
        }
    });
    let runs = BODY_RUNS.load(Ordering::Relaxed) - before;
    println!("  {} calls in {:.0} ms, {runs} ran the body", THREADS * CALLS, millis(start));

    println!("\nThe verbs are sync as well:");
    println!("  key         {}", count_primes::key(1_000));
    println!("  peek        {:?}", count_primes::peek(1_000)?);
    count_primes::invalidate(1_000)?;
    println!("  invalidate  and peek: {:?}", count_primes::peek(1_000)?);
    count_primes::put(1_000, &168)?;
    println!("  put         and peek: {:?}", count_primes::peek(1_000)?);
    println!("  refresh     {} (the body runs and is stored)", count_primes::refresh(1_000));
    println!("  uncached    {} (the body runs, nothing else)", count_primes::uncached(1_000));

    let runs = BODY_RUNS.load(Ordering::Relaxed);
    println!("\nThe body ran {runs} times in all.\n\n{}", count_primes::stats());
    Ok(())
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}
