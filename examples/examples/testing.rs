//! How to test code that is cached: a cache per test, and a clock that moves by hand.
//!
//! ```text
//! cargo run -p cached-examples --example testing     tells what is checked
//! cargo test -p cached-examples --example testing    the same functions, as tests
//! ```
//!
//! `scope` puts a cache of the test's own in place of the installed one, so that tests run in
//! parallel without seeing each other's entries. They need no server and leave `CACHE_URL`
//! alone: what the code does on the embedded store it does on Redis.

#![allow(clippy::print_stdout, reason = "an example speaks to its reader")]

use std::time::Duration;

use cached_runtime::{Cache, Clock, cache_invalidate, cache_result, scope, scope_sync};

/// The code under test: what would stand in your program.
mod shop {
    use super::*;

    #[cache_result(ttl = "5m", none_ttl = "10s")]
    pub(crate) async fn price(product: &str) -> Option<u32> {
        (product != "unicorn").then_some(100)
    }

    #[cache_invalidate(price(product))]
    pub(crate) async fn set_price(product: &str, cents: u32) -> Result<(), std::io::Error> {
        if cents == 0 { Err(std::io::Error::other("not for free")) } else { Ok(()) }
    }

    #[cache_result(ttl = 60)]
    pub(crate) fn vat(country: &str) -> u32 {
        if country == "PT" { 23 } else { 20 }
    }
}

/// In your tests this line is `#[tokio::test]` alone; here `main` calls the function as well.
#[cfg_attr(test, tokio::test)]
async fn the_second_call_is_a_hit() {
    let cache = Cache::memory();
    scope(cache.clone(), async {
        assert_eq!(shop::price("lamp").await, Some(100));
        assert_eq!(shop::price("lamp").await, Some(100));
    })
    .await;

    let stats = cache.stats().total;
    assert_eq!((stats.calls(), stats.misses, stats.hits()), (2, 1, 1));
}

#[cfg_attr(test, tokio::test)]
async fn a_price_that_was_set_is_read_anew() -> anyhow::Result<()> {
    let cache = Cache::memory();
    scope(cache.clone(), async {
        shop::price("lamp").await;
        shop::set_price("lamp", 90).await?;
        assert_eq!(shop::price::peek("lamp").await?, None, "the entry is gone");

        // A write that failed has changed nothing, and removes nothing.
        shop::price("lamp").await;
        assert!(shop::set_price("lamp", 0).await.is_err());
        assert_eq!(shop::price::peek("lamp").await?, Some(100), "the entry is still there");
        Ok(())
    })
    .await
}

/// Each `none_ttl` and `ttl` on its day, without one `sleep`.
#[cfg_attr(test, tokio::test)]
async fn entries_expire_by_a_clock_moved_by_hand() -> anyhow::Result<()> {
    let clock = Clock::manual();
    let cache = Cache::builder().url("memory:").clock(clock.clone()).build().await?;
    let loads = || cache.stats().total.loads;
    scope(cache.clone(), async {
        shop::price("lamp").await;
        shop::price("unicorn").await;
        assert_eq!(loads(), 2);

        clock.advance(Duration::from_secs(11)); // past `none_ttl`
        shop::price("lamp").await;
        assert_eq!(loads(), 2, "the lamp is still cached");
        shop::price("unicorn").await;
        assert_eq!(loads(), 3, "that there is no unicorn is not");

        clock.advance(Duration::from_secs(5 * 60)); // past `ttl`
        shop::price("lamp").await;
        assert_eq!(loads(), 4);
        Ok(())
    })
    .await
}

/// What a function makes of a given value: put it, and the body never runs.
#[cfg_attr(test, tokio::test)]
async fn a_value_can_be_planted() -> anyhow::Result<()> {
    let cache = Cache::memory();
    scope(cache.clone(), async {
        shop::price::put("unicorn", &1_000_000).await?;
        assert_eq!(shop::price("unicorn").await, Some(1_000_000));
        assert_eq!(shop::price::stats().loads, 0);
        Ok(())
    })
    .await
}

#[cfg_attr(test, test)]
fn sync_functions_take_scope_sync() {
    let cache = Cache::memory();
    let sum = scope_sync(cache.clone(), || shop::vat("PT") + shop::vat("PT") + shop::vat("FR"));
    assert_eq!(sum, 66);
    assert_eq!((cache.stats().total.misses, cache.stats().total.hits()), (2, 1));
}

#[cfg(not(test))]
#[tokio::main]
async fn main() -> anyhow::Result<()> {
    the_second_call_is_a_hit().await;
    println!("ok  scope + Cache::memory(): the second call is a hit, as stats() shows");
    a_price_that_was_set_is_read_anew().await?;
    println!("ok  a write removes the entry, a write that failed does not, as peek() shows");
    entries_expire_by_a_clock_moved_by_hand().await?;
    println!("ok  Clock::manual(): five minutes pass, entries expire, and nobody slept");
    a_value_can_be_planted().await?;
    println!("ok  put() plants a value, and the body does not run");
    sync_functions_take_scope_sync();
    println!("ok  scope_sync: the same for functions that are not async");
    println!("\nAs tests: cargo test -p cached-examples --example testing");
    Ok(())
}
