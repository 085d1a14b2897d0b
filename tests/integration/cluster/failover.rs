//! Primaries that go away, and those that take their place.

use std::time::{Duration, Instant};

use cached_runtime::{Cache, HealthState, Source, scope};
use cached_tests::{RedisCluster, eventually};

use super::super::patient::LONG;
use super::{Database, cache, hits, name_with_stripe, near, one_at_each, row, turns_new};

#[tokio::test]
async fn calls_follow_a_failover_and_miss_nothing() {
    let (cluster, db) = (RedisCluster::start(3, 1), Database::default());
    scope(cache(&cluster).await, async {
        let at_each = one_at_each(&cluster);
        for (_, id) in &at_each {
            row(&db, *id).await;
        }
        let (primary, id) = at_each[0];
        cluster.fail_over(primary);
        for (_, id) in &at_each {
            hits(&db, *id).await;
        }
        let new = db.write();
        row::invalidate(id).await.unwrap();
        assert_eq!(row(&db, id).await, new);
    })
    .await;
}

#[tokio::test]
async fn a_primary_that_dies_costs_its_own_slots_alone() {
    let (cluster, db) = (RedisCluster::start(3, 1), Database::default());
    // The usual deadlines: what is asked of the dead must not wait.
    let cache = Cache::builder().url(cluster.url()).build().await.unwrap();
    let at_each = one_at_each(&cluster);
    let ((dead, lost), others) = (at_each[0], &at_each[1..]);
    scope(cache.clone(), async {
        for (_, id) in &at_each {
            row(&db, *id).await;
            hits(&db, *id).await;
        }
        cluster.nodes()[dead].kill();
        let old = db.write();
        let refused = row::invalidate(lost).await;
        if let Err(error) = &refused {
            assert!(error.queued(), "{error}");
        }
        for (_, id) in others {
            assert_eq!(row::fetch(&db, *id).await.source, Source::Store, "the others serve");
        }
        assert_ne!(cache.health().state, HealthState::Bypass);
        assert_eq!(row(&db, lost).await, old, "the dead one's run their bodies");
        cluster.settle();
        hits(&db, lost).await;
        let new = db.write();
        row::invalidate(lost).await.unwrap();
        assert_eq!(row(&db, lost).await, new);
        let well = || async {
            let health = cache.health();
            health.state == HealthState::Coherent && health.queued_invalidations == 0
        };
        eventually(LONG, well).await;
    })
    .await;
}

/// It is not asked again and again by those that wait for it.
#[tokio::test]
async fn a_primary_that_is_halted_is_left_for_its_successor() {
    let (cluster, db) = (RedisCluster::start(3, 1), Database::default());
    let cache = Cache::builder().url(cluster.url()).build().await.unwrap();
    let (halted, id) = one_at_each(&cluster)[0];
    scope(cache.clone(), async {
        row(&db, id).await;
        hits(&db, id).await;
        cluster.fail_over_by_halt(halted);
        hits(&db, id).await;
        let new = db.write();
        row::invalidate(id).await.unwrap();
        cluster.nodes()[halted].cont();
        for _ in 0..20 {
            assert_eq!(row(&db, id).await, new, "whatever the old one says");
            // Over the time in which it learns that it is no primary any more.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

/// The link to it is tried again and again, and nothing that others have is forgotten for that.
#[tokio::test]
async fn what_others_have_stays_in_memory_while_one_primary_is_away() {
    let (cluster, db) = (RedisCluster::start(3, 0), Database::default());
    let cache = Cache::builder().url(cluster.url()).build().await.unwrap();
    scope(cache.clone(), async {
        for id in 0..24 {
            super::local::warm(&db, id).await;
        }
        let gone = cluster.owner_of(cluster.slot_of(&name_with_stripe(&cluster, "cluster.near:0")));
        let elsewhere = |id: &u64| {
            let name = name_with_stripe(&cluster, &format!("cluster.near:{id}"));
            cluster.owner_of(cluster.slot_of(&name)) != gone
        };
        let kept: Vec<u64> = (0..24).filter(elsewhere).collect();
        assert!(!kept.is_empty() && kept.len() < 24);
        cluster.nodes()[gone].kill();
        for id in &kept {
            super::local::warm(&db, *id).await;
        }
        let (before, calls) = (cache.stats().total, 200);
        for _ in 0..calls {
            for id in &kept {
                near(&db, *id).await;
            }
            // Over several attempts to reach it.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let asked = cache.stats().total.hits_remote - before.hits_remote;
        assert!(asked <= 2 * kept.len() as u64, "{asked} lookups of {}", kept.len());
    })
    .await;
}

#[tokio::test]
async fn what_is_in_memory_does_not_outlive_its_primary() {
    let (cluster, db) = (RedisCluster::start(3, 1), Database::default());
    let (ours, other) = (cache(&cluster).await, cache(&cluster).await);
    scope(ours.clone(), super::local::warm(&db, 1)).await;
    let slot = cluster.slot_of(&name_with_stripe(&cluster, "cluster.near:1"));
    let primary = cluster.owner_of(slot);
    for halted in [false, true] {
        let primary = if halted {
            let primary = cluster.owner_of(slot);
            cluster.fail_over_by_halt(primary);
            Some(primary)
        } else {
            cluster.fail_over(primary);
            None
        };
        let new = db.write();
        scope(other.clone(), near::invalidate(1)).await.unwrap();
        let done = Instant::now();
        scope(ours.clone(), async {
            turns_new("an invalidation at its successor", (&db, 1), new, done).await;
            super::local::warm(&db, 1).await;
        })
        .await;
        if let Some(primary) = primary {
            cluster.nodes()[primary].cont();
            cluster.settle();
        }
    }
}
