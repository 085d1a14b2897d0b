//! The local tier under a churn of values of very different size: whether its bytes stay within its
//! capacity and near it, and what the process has allocated stays flat. What it holds (resident) is
//! told as well: that is the allocator's affair too, which may keep gaps between values of such
//! different size.
//!
//! ```text
//! cargo run --release -p cached-benches --bin churn -- --minutes 10
//! ```
//!
//! Values of 100 bytes to 200 KB, small ones more often, under 200,000 keys; half of the calls are for
//! a hundredth of the keys. It runs on the embedded store, held small, and prints a line every tenth
//! of the time.
#![allow(clippy::print_stdout, reason = "it prints what it measures")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "it fails loudly")]
#![allow(clippy::cast_precision_loss, reason = "figures for people")]

use std::fs;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cached_benches::live_bytes;
use cached_runtime::{Cache, cache_result};

const CAPACITY: usize = 64 << 20;
const KEYS: u64 = 200_000;

#[cache_result(ttl = "1h", local, codec = cached_runtime::Json)]
async fn blob(id: u64) -> Arc<String> {
    // The same size for the same key: 100 bytes to 200 KB, evenly over the magnitudes.
    let magnitude = (id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as f64 / f64::from(u32::MAX);
    Arc::new("x".repeat((100.0 * 2_000_f64.powf(magnitude)) as usize))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let seconds = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => 20,
        ["--seconds", n] => n.parse::<u64>().expect("a number"),
        ["--minutes", n] => n.parse::<u64>().expect("a number") * 60,
        _ => panic!("usage: churn [--seconds N | --minutes N]"),
    };
    let cache = Cache::builder()
        .url("memory:")
        .memory_capacity(32 << 20)
        .local_capacity(CAPACITY)
        .build()
        .await
        .unwrap();
    cache.install().unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    let total = Duration::from_secs(seconds);
    let (started, mut lines) = (Instant::now(), 0);
    let (mut fullest, mut emptiest) = (0.0_f64, f64::INFINITY);
    let (mut live, mut resident) = (Vec::new(), Vec::new());
    while started.elapsed() < total {
        for _ in 0..1_000 {
            let keys = if random.bool() { KEYS / 100 } else { KEYS };
            blob(random.u64(..keys)).await;
        }
        let full = cache.stats().local.bytes as f64 / CAPACITY as f64;
        fullest = fullest.max(full);
        // Once it was filled.
        if started.elapsed() > total / 10 {
            emptiest = emptiest.min(full);
        }
        if started.elapsed() > total * (lines + 1) / 10 {
            lines += 1;
            let stats = cache.stats();
            live.push(live_bytes() as f64 / f64::from(1 << 20));
            resident.push(resident_mib());
            println!(
                "{:>4.0} s: {:.1} % of the capacity, {} entries, {:.0} MiB allocated, {:.0} resident, \
                 {:.1} % local hits",
                started.elapsed().as_secs_f64(),
                full * 100.0,
                stats.local.entries,
                live.last().unwrap(),
                resident.last().unwrap(),
                stats.total.hits_local as f64 * 100.0 / stats.total.calls() as f64
            );
        }
    }
    let growth = |mib: &[f64]| {
        let middle = mib.get(mib.len() / 3).copied().unwrap_or(f64::NAN);
        mib.last().copied().unwrap_or(f64::NAN) / middle - 1.0
    };
    println!(
        "fullest {:.1} %, emptiest {:.1} % of the capacity; over the last two thirds allocated \
         {:+.1} %, resident {:+.1} %",
        fullest * 100.0,
        emptiest * 100.0,
        growth(&live) * 100.0,
        growth(&resident) * 100.0
    );
    if fullest <= 1.0 && emptiest >= 0.9 && growth(&live) < 0.05 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// What the kernel says this process holds (Linux).
fn resident_mib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or(f64::NAN) / 1024.0
}
