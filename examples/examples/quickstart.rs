//! The one line that makes a slow function fast the second time.
//!
//! ```text
//! cargo run -p cached-examples --example quickstart
//! REDIS_URL=redis://127.0.0.1:6379 cargo run -p cached-examples --example quickstart
//! ```
//!
//! Without `CACHE_URL` or `REDIS_URL` the values live in this process's memory and end with it.
//! With one they live in Redis, where every process that runs this function finds them.

#![allow(clippy::print_stdout, reason = "an example speaks to its reader")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use cached_runtime::cache_result;
use serde::{Deserialize, Serialize};

/// How often the body of `weather` ran, to tell who answered. Your code needs no such thing.
static BODY_RUNS: AtomicU32 = AtomicU32::new(0);

/// What is cached is `Serialize + Deserialize`; nothing else is asked of it.
#[derive(Debug, Serialize, Deserialize)]
struct Weather {
    city: String,
    celsius: i32,
}

/// A slow function. The line above it is all that there is to write: its results are kept for
/// a minute, each under a key made of the function's name and its arguments.
#[cache_result(ttl = 60)]
async fn weather(city: &str) -> Result<Weather, std::io::Error> {
    BODY_RUNS.fetch_add(1, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(300)).await; // a service far away
    let celsius = i32::try_from(city.len()).unwrap_or(i32::MAX) + 12;
    Ok(Weather { city: city.to_owned(), celsius })
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    println!("Values live in {:?}\n", cached_runtime::global());

    // The function's name is a type as well, with verbs for its entries. Here: forget what an
    // earlier run may have left in Redis.
    weather::invalidate("Lisbon").await?;
    weather::invalidate("Oslo").await?;

    call("first call", "Lisbon").await?;
    call("second call", "Lisbon").await?;
    call("other argument", "Oslo").await?;

    println!("\nThe key of the first two calls: {}", weather::key("Lisbon"));
    weather::invalidate("Lisbon").await?;
    println!("weather::invalidate(\"Lisbon\") removed its entry.\n");

    call("after that", "Lisbon").await?;
    call("and again", "Lisbon").await?;

    println!("\nWhat happened, by function:\n{}", cached_runtime::global().stats());
    Ok(())
}

/// Calls the function as one would without a cache, and prints who answered.
async fn call(what: &str, city: &str) -> anyhow::Result<()> {
    let (runs, start) = (BODY_RUNS.load(Ordering::Relaxed), Instant::now());
    let Weather { city, celsius } = weather(city).await?;
    let took = start.elapsed();
    let from_body = BODY_RUNS.load(Ordering::Relaxed) > runs;
    let who = if from_body { "from the body " } else { "from the cache" };
    println!("{what:<15} {city:<7} {celsius} °C  {who} in {:>7.2} ms", took.as_secs_f64() * 1e3);
    Ok(())
}
