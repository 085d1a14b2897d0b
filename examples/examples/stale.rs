//! Old values, served on purpose: while the backend is down, and while a new value is on its way.
//!
//! ```text
//! cargo run -p cached-examples --example stale
//! REDIS_URL=redis://127.0.0.1:6379 cargo run -p cached-examples --example stale
//! ```
//!
//! `stale_if_error` keeps a value beyond its ttl for the case that the body fails;
//! `stale_while_revalidate` serves it beyond its ttl while a new one is loaded in the background.
//! The verb `fetch` is the call itself, and tells where its value came from and how old it is.

#![allow(clippy::print_stdout, reason = "an example speaks to its reader")]

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use cached_runtime::{Fetched, cache_result};

/// A service far away, and what it answers: a new rate each time it is asked.
static BACKEND_IS_UP: AtomicBool = AtomicBool::new(true);
static ASKED: AtomicU32 = AtomicU32::new(0);

async fn ask_the_backend() -> Result<u32, String> {
    let rate = 100 + ASKED.fetch_add(1, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(50)).await; // the way there and back
    if BACKEND_IS_UP.load(Ordering::Relaxed) { Ok(rate) } else { Err("no route".to_owned()) }
}

/// Fresh for a second (yours is for a minute), and good enough for an hour if the
/// backend fails.
#[cache_result(ttl = 1, stale_if_error = "1h")]
async fn exchange_rate(currency: &str) -> Result<u32, String> {
    println!("    (the backend is asked for {currency})");
    ask_the_backend().await
}

/// Fresh for a second; for an hour after that nobody waits for the backend.
#[cache_result(ttl = 1, stale_while_revalidate = "1h")]
async fn headlines(paper: String) -> Result<u32, String> {
    println!("    (the backend is asked for {paper})");
    ask_the_backend().await
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    println!("Values live in {:?}\n", cached_runtime::global());
    exchange_rate::invalidate("EUR").await?;
    headlines::invalidate("Times".to_owned()).await?;

    println!("stale_if_error: the backend fails, the callers don't.");
    tell("at first", &exchange_rate::fetch("EUR").await);
    tell("within the ttl", &exchange_rate::fetch("EUR").await);
    past_the_ttl().await;
    BACKEND_IS_UP.store(false, Ordering::Relaxed);
    tell("past it, and down", &exchange_rate::fetch("EUR").await);
    BACKEND_IS_UP.store(true, Ordering::Relaxed);
    tell("up again", &exchange_rate::fetch("EUR").await);

    // What is out of date because something changed is never served, whatever the backend does.
    BACKEND_IS_UP.store(false, Ordering::Relaxed);
    exchange_rate::invalidate("EUR").await?;
    tell("invalidated, and down", &exchange_rate::fetch("EUR").await);
    BACKEND_IS_UP.store(true, Ordering::Relaxed);

    println!("\nstale_while_revalidate: nobody waits for a new value.");
    let paper = || "Times".to_owned();
    tell("the first one waits", &headlines::fetch(paper()).await);
    past_the_ttl().await;
    let old = headlines::fetch(paper()).await;
    tell("past the ttl", &old);
    while headlines::fetch(paper()).await.value == old.value {
        tokio::time::sleep(Duration::from_millis(5)).await; // until the new value is there
    }
    tell("a moment later", &headlines::fetch(paper()).await);

    println!("\n{}", cached_runtime::global().stats());
    Ok(())
}

fn tell(what: &str, fetched: &Fetched<Result<u32, String>>) {
    let Fetched { value, source, age, .. } = fetched;
    let age = age.map_or("-".to_owned(), |age| format!("{} ms", age.as_millis()));
    println!(
        "  {what:<22} {value:<16} {source:<8} age {age}",
        value = format!("{value:?}"),
        source = format!("{source:?}")
    );
}

async fn past_the_ttl() {
    tokio::time::sleep(Duration::from_millis(1100)).await;
}
