//! The cache by hand, without the attribute: for keys that no function's arguments make.
//!
//! ```text
//! cargo run -p cached-examples --example cache_aside
//! REDIS_URL=redis://127.0.0.1:6379 cargo run -p cached-examples --example cache_aside
//! ```
//!
//! `get_or_load` is the whole pattern in one call, with the attribute's promise: a value whose
//! load began before an invalidation is not stored after it. `get`, `set` and `remove` are its
//! parts.

#![allow(clippy::print_stdout, reason = "an example speaks to its reader")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cached_runtime::{Cache, Policy};
use serde::{Deserialize, Serialize};

/// How often the bank was asked.
static ASKED: AtomicU32 = AtomicU32::new(0);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Rate {
    pair: String,
    mid: f64,
}

/// A slow service that is counted, and knows two currencies.
async fn ask_the_bank(pair: &str) -> anyhow::Result<Rate> {
    ASKED.fetch_add(1, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mid = match pair {
        "EUR:USD" => 1.08,
        "EUR:GBP" => 0.84,
        _ => anyhow::bail!("the bank does not know {pair}"),
    };
    Ok(Rate { pair: pair.to_owned(), mid })
}

/// Five minutes, less up to a tenth by chance: rates that were loaded together then don't all
/// expire together.
const POLICY: Policy = Policy::ttl(Duration::from_secs(300)).jitter(0.1);

/// From the cache, else from the bank. The errors are those of the bank, never of the cache.
async fn rate(cache: &Cache, pair: &str) -> anyhow::Result<Rate> {
    cache.get_or_load(format!("rate:{pair}"), POLICY, || ask_the_bank(pair)).await
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cache = Cache::builder().namespace("example-cache-aside").build().await?;
    cache.clear().await?; // what an earlier run may have left in Redis
    println!("Values live in {cache:?}\n");

    println!("get_or_load, five times for two pairs:");
    for pair in ["EUR:USD", "EUR:USD", "EUR:GBP", "EUR:USD", "EUR:GBP"] {
        let before = ASKED.load(Ordering::Relaxed);
        let rate = rate(&cache, pair).await?;
        let asked = ASKED.load(Ordering::Relaxed) > before;
        println!("  {pair} = {}  from {}", rate.mid, if asked { "the bank" } else { "the cache" });
    }

    println!("\nAn error is passed on and not stored:");
    for _ in 0..2 {
        if let Err(error) = rate(&cache, "EUR:???").await {
            println!("  {error} (asked {} times so far)", ASKED.load(Ordering::Relaxed));
        }
    }

    println!("\nThe parts, one by one:");
    let found: Option<Rate> = cache.get("rate:EUR:USD").await?;
    println!("  get     {found:?}");

    let fresh = Rate { pair: "EUR:USD".to_owned(), mid: 1.09 };
    cache.set("rate:EUR:USD", &fresh, Duration::from_secs(60)).await?;
    println!("  set     1.09, for a minute");
    println!("  get     {:?}", cache.get::<Rate>("rate:EUR:USD").await?);

    println!("  remove  there was one: {}", cache.remove("rate:EUR:USD").await?);
    println!("  get     {:?}", cache.get::<Rate>("rate:EUR:USD").await?);

    // A value of another type under the same key is not found, rather than misread.
    cache.set("rate:EUR:USD", &1.1, Duration::from_secs(60)).await?;
    println!(
        "  get     {:?}, where a plain number stands",
        cache.get::<Rate>("rate:EUR:USD").await?
    );

    println!("\nThe bank was asked {} times.", ASKED.load(Ordering::Relaxed));
    println!("\n{}", cache.stats());
    Ok(())
}
