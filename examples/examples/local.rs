//! Values in the process's own memory, and another process that changes what they are about.
//!
//! ```text
//! cargo run -p cached-examples --example local
//! REDIS_URL=redis://127.0.0.1:6379 cargo run -p cached-examples --example local
//! ```
//!
//! The first hit comes from the store and is kept, the others from memory. With a Redis, a second
//! cache stands for another process: what it invalidates is gone from this one's memory within the
//! coherence bound, a second unless the builder says otherwise, whatever happens to the network.

#![allow(clippy::print_stdout, reason = "an example speaks to its reader")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use cached_runtime::{Cache, LocalHealth, Source, cache_result, global};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
struct Settings {
    theme: String,
    revision: u32,
}

/// What the database has.
static REVISION: AtomicU32 = AtomicU32::new(1);

/// Kept for ten minutes in the store, and for as long in memory. An `Arc` is given away as it is:
/// `Settings` need not be `Clone`.
#[cache_result(ttl = "10m", local)]
async fn settings(tenant: u32) -> Arc<Settings> {
    println!("    (the database is asked for tenant {tenant})");
    let revision = REVISION.load(Ordering::Relaxed);
    Arc::new(Settings { theme: "dark".to_owned(), revision })
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let here = global();
    println!("Values live in {here:?}\n");
    settings::invalidate(7).await?;
    coherent(&here).await;

    until_in_memory().await;
    let began = Instant::now();
    for _ in 0..100_000 {
        settings(7).await;
    }
    println!("100,000 more calls in {:.0?}", began.elapsed());

    // Another process: with a Redis it only shares that with this one.
    let there = match std::env::var("CACHE_URL").or_else(|_| std::env::var("REDIS_URL")) {
        Ok(url) => Cache::connect(&url).await?,
        Err(_) => here.clone(),
    };
    REVISION.store(2, Ordering::Relaxed);
    there.invalidate_global(there.invalidate_key(settings::key(7))).await?;
    println!("after the other's invalidation: revision {}", settings(7).await.revision);

    println!("\n{}", settings::stats());
    println!("in memory: {:?}", here.stats().local);
    here.shutdown().await;
    Ok(())
}

/// The link that tells of changes is made in the background, at the first call of a function with
/// `local`; until it stands, values come from the store.
async fn coherent(cache: &Cache) {
    settings(7).await;
    while cache.health().local != LocalHealth::Coherent {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A fill is not kept, since the server's word of it comes a moment later; the next hit is.
async fn until_in_memory() {
    loop {
        let fetched = settings::fetch(7).await;
        println!("{} in {:?}", fetched.value.theme, fetched.source);
        if fetched.source == Source::Local {
            return;
        }
    }
}
