//! The local tier over several primaries, each with a link of its own.

use std::time::Instant;

use cached_runtime::{Cache, LocalHealth, Source, scope};
use cached_tests::{RedisCluster, Wire, eventually};

use super::super::patient::LONG;
use super::{Database, cache, name_with_stripe, near, turns_new};

/// Until `near(id)` is in the memory of the cache in scope.
pub(super) async fn warm(db: &Database, id: u64) {
    let is_local = || async { near::fetch(db, id).await.source == Source::Local };
    eventually(LONG, is_local).await;
}

async fn becomes(cache: &Cache, wanted: impl Fn(LocalHealth) -> bool) {
    eventually(LONG, || async { wanted(cache.health().local) }).await;
}

#[tokio::test]
async fn changes_at_each_primary_are_heard_of() {
    let (cluster, db) = (RedisCluster::start(3, 0), Database::default());
    let (ours, other) = (cache(&cluster).await, cache(&cluster).await);
    let ids = 0..12;
    for id in ids.clone() {
        scope(ours.clone(), warm(&db, id)).await;
    }
    let at = |id: u64| {
        let name = name_with_stripe(&cluster, &format!("cluster.near:{id}"));
        cluster.owner_of(cluster.slot_of(&name))
    };
    let owners: std::collections::HashSet<_> = ids.clone().map(at).collect();
    assert_eq!(owners.len(), 3, "entries at each");
    for id in ids.clone() {
        let new = db.write();
        scope(other.clone(), near::invalidate(id)).await.unwrap();
        let done = Instant::now();
        scope(ours.clone(), turns_new("its invalidation", (&db, id), new, done)).await;
    }
    for id in ids.clone() {
        scope(ours.clone(), warm(&db, id)).await;
    }
    let new = db.write();
    other.invalidate_tag("rows").await.unwrap();
    let done = Instant::now();
    for id in ids {
        scope(ours.clone(), turns_new("its tag's", (&db, id), new, done)).await;
    }
}

#[tokio::test]
async fn own_changes_are_seen_at_once() {
    let (cluster, db) = (RedisCluster::start(3, 0), Database::default());
    let cache = cache(&cluster).await;
    scope(cache.clone(), async {
        for id in 0..6 {
            warm(&db, id).await;
            let new = db.write();
            near::invalidate(id).await.unwrap();
            assert_eq!(near(&db, id).await, new);
        }
        warm(&db, 1).await;
        let new = db.write();
        cache.clear().await.unwrap();
        assert_eq!(near(&db, 1).await, new);
    })
    .await;
}

/// One link of three: what is at that primary is not kept until it is back, all else is.
#[tokio::test]
async fn one_link_that_is_silent_costs_its_own_primary_alone() {
    let (cluster, db) = (RedisCluster::start_behind_proxies(3), Database::default());
    let ours = cache(&cluster).await;
    for id in 0..12 {
        scope(ours.clone(), warm(&db, id)).await;
    }
    let at = |id: u64| {
        let name = name_with_stripe(&cluster, &format!("cluster.near:{id}"));
        cluster.owner_of(cluster.slot_of(&name))
    };
    let silent = at(0);
    let elsewhere = (1..12).find(|id| at(*id) != silent).unwrap();
    let other = cache(&cluster).await;
    scope(other.clone(), near(&db, 0)).await;
    cluster.proxy(silent).set_tracking(Wire::BlackHole);
    let new = db.write();
    scope(other.clone(), near::invalidate(0)).await.unwrap();
    let done = Instant::now();
    scope(ours.clone(), turns_new("its invalidation", (&db, 0), new, done)).await;
    becomes(&ours, |local| matches!(local, LocalHealth::Incoherent(_))).await;
    scope(ours.clone(), async {
        warm(&db, elsewhere).await;
        for _ in 0..5 {
            let source = near::fetch(&db, 0).await.source;
            assert_ne!(source, Source::Local, "nobody would tell of its changes");
        }
    })
    .await;
    cluster.proxy(silent).set(Wire::Pass);
    becomes(&ours, |local| local == LocalHealth::Coherent).await;
    scope(ours.clone(), warm(&db, 0)).await;
}
