//! The store on a Redis Cluster: the same promises, wherever a key stands, and while it moves.

use std::time::{Duration, Instant};

use cached_runtime::{Cache, Source, cache_result};
use cached_tests::{RedisCluster, eventually};

use super::database::Database;
use super::patient::{self, LONG};

mod failover;
mod local;
mod migration;
mod routing;

#[cache_result(ttl = 60, skip(db))]
async fn row(db: &Database, id: u64) -> u64 {
    db.read()
}

#[cache_result(ttl = 60, skip(db), tags = ["rows"])]
async fn tagged(db: &Database, id: u64) -> u64 {
    db.read()
}

#[cache_result(ttl = 60, local, skip(db), tags = ["rows"])]
async fn near(db: &Database, id: u64) -> u64 {
    db.read()
}

/// A cache on this cluster.
async fn cache(cluster: &RedisCluster) -> Cache {
    patient::builder(&cluster.url()).build().await.unwrap()
}

/// The name of the entry of `row(id)` on the server.
fn name_of_row(id: u64) -> String {
    format!("cache:{}", row::key(id))
}

/// The name of the entry of `tagged(id)` or of `near(id)`, with its stripe, among the cluster's keys.
fn name_with_stripe(cluster: &RedisCluster, key: &str) -> String {
    let names = cluster.keys();
    let name = names.iter().find(|name| name.starts_with("{s") && name.ends_with(key));
    name.unwrap_or_else(|| panic!("no {key} in {names:?}")).clone()
}

/// Ids of rows whose entries stand at each of the primaries that there are now: one each.
fn one_at_each(cluster: &RedisCluster) -> Vec<(usize, u64)> {
    let mut found: Vec<(usize, u64)> = Vec::new();
    let primaries = cluster.primaries().len();
    for id in 0.. {
        let at = cluster.owner_of(cluster.slot_of(&name_of_row(id)));
        if found.iter().all(|(known, _)| *known != at) {
            found.push((at, id));
        }
        if found.len() == primaries {
            break;
        }
    }
    found
}

/// Until calls of `row(id)`, in the cache in scope, come from the store.
async fn hits(db: &Database, id: u64) {
    let is_hit = || async { row::fetch(db, id).await.source == Source::Store };
    eventually(LONG, is_hit).await;
}

/// Calls of `near(id)` in the cache in scope until one yields `new`: an older value, until so long
/// after `done` and not later. `what` was done then.
async fn turns_new(what: &str, (db, id): (&Database, u64), new: u64, done: Instant) {
    loop {
        let called = Instant::now();
        if near(db, id).await == new {
            break;
        }
        let late = called - done;
        assert!(late <= BOUND, "an old value {late:?} after {what}");
        tokio::task::yield_now().await;
    }
    assert_eq!(near(db, id).await, new, "and it stays away after {what}");
}

/// The coherence bound of these caches.
const BOUND: Duration = Duration::from_secs(1);
