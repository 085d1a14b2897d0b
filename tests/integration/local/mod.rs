//! `local`: values in the process's own memory, and that nothing is served from there that another
//! process has invalidated, for longer than the coherence bound.

use std::time::{Duration, Instant};

use cached_runtime::{Cache, LocalHealth, Source, cache_result};
use cached_tests::eventually;

use super::database::Database;
use super::patient::LONG;

mod coherence;
mod denied;
mod hits;
mod lifetime;
mod link;
mod stopped;

/// The bound of caches that say nothing else.
const BOUND: Duration = Duration::from_secs(1);

#[cache_result(ttl = 60, local, skip(db), tags = ["rows", "row:{id}"])]
async fn row(db: &Database, id: u64) -> u64 {
    db.read()
}

/// The key of the entry of `row(1)`.
const ROW: &str = "cache:integration.local.row:1";

/// Until `row(id)` is in the memory of the cache in scope.
async fn warm(db: &Database, id: u64) {
    let is_local = || async { row::fetch(db, id).await.source == Source::Local };
    eventually(LONG, is_local).await;
}

/// Until this cache's memory may serve.
async fn coherent(cache: &Cache) {
    eventually(LONG, || async { cache.health().local == LocalHealth::Coherent }).await;
}

/// Calls of `row(1)` in the cache in scope until one yields `new`: an older value, until so long
/// after `done` and not later. `what` was done then.
async fn turns_new(what: &str, db: &Database, new: u64, done: Instant, bound: Duration) {
    loop {
        let called = Instant::now();
        if row(db, 1).await == new {
            break;
        }
        let late = called - done;
        assert!(late <= bound, "an old value {late:?} after {what}");
        tokio::task::yield_now().await;
    }
    assert_eq!(row(db, 1).await, new, "and it stays away after {what}");
}
