//! The store on a primary that sentinels watch over: found wherever they say that it is, and found
//! again when another takes its place.

use cached_runtime::{Cache, HealthState, Source, cache_result, scope};
use cached_tests::{Watched, eventually};

use super::database::Database;
use super::patient::{self, LONG};

mod failover;
mod local;
mod lookup;

#[cache_result(ttl = 600, skip(db))]
async fn row(db: &Database, id: u64) -> u64 {
    db.read()
}

/// A cache on the primary that these sentinels name.
async fn cache(watched: &Watched) -> Cache {
    patient::builder(&watched.url()).build().await.unwrap()
}

/// Until calls of `row(1)` come from the store, and all is well.
async fn hits(cache: &Cache, db: &Database) {
    scope(cache.clone(), async {
        let is_hit = || async { row::fetch(db, 1).await.source == Source::Store };
        eventually(LONG, is_hit).await;
    })
    .await;
    eventually(LONG, || async { cache.health().state == HealthState::Coherent }).await;
}
