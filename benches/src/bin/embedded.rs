//! What the embedded store allocates beside its capacity, full of entries of one size; and what is left
//! when they have expired and nobody asks for them.
//!
//! ```text
//! cargo run --release -p cached-benches --bin embedded
//! ```
#![allow(clippy::print_stdout, reason = "it prints what it measures")]
#![allow(clippy::unwrap_used, reason = "it fails loudly")]
#![allow(clippy::cast_precision_loss, reason = "figures for people")]

use std::time::Duration;

use cached_benches::live_bytes;
use cached_runtime::Cache;

const CAPACITY: usize = 64 << 20;
/// Longer than it takes to fill the store.
const TTL: Duration = Duration::from_secs(20);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    println!("value   entries put   allocated / capacity   when expired");
    for size in [8, 100, 1_000, 10_000, 100_000] {
        let before = live_bytes();
        let cache =
            Cache::builder().url("memory:").memory_capacity(CAPACITY).build().await.unwrap();
        let value = "x".repeat(size);
        // A quarter more than fits, so that the oldest go.
        let entries = CAPACITY * 5 / 4 / (size + 250) + 1;
        for n in 0..entries {
            cache.set(&format!("entry:{n}"), &value, TTL).await.unwrap();
        }
        let share = |bytes: usize| bytes.saturating_sub(before) as f64 / CAPACITY as f64;
        let full = share(live_bytes());
        // The entries' own time, and a walk over all of them.
        tokio::time::sleep(TTL + Duration::from_secs(6)).await;
        println!("{size:>6} {entries:>13} {full:>22.2} {:>14.3}", share(live_bytes()));
        drop(cache);
    }
}
