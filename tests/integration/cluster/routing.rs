//! Where commands go, and how many there are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cached_runtime::{Cache, HealthState, cache_result, scope};
use cached_tests::{Ability, Logs, RedisCluster, eventually, server_can};
use tracing::Level;

use super::super::patient::{self, LONG};
use super::{Database, cache, hits, one_at_each, row, tagged};

fn commands(calls: &[(&str, u64)]) -> BTreeMap<String, u64> {
    calls.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

/// What a call sends, over all nodes, but what is asked of the cluster itself.
async fn cost<T>(cluster: &RedisCluster, call: impl Future<Output = T>) -> BTreeMap<String, u64> {
    cluster.reset_stats();
    call.await;
    let mut calls = cluster.command_calls();
    // Nor what makes a connection, which may be lost at any time.
    calls.retain(|name, _| !["cluster", "hello", "client"].iter().any(|it| name.starts_with(it)));
    calls
}

#[tokio::test]
async fn each_kind_of_call_costs_what_it_does_on_one_server() {
    if !server_can(Ability::FusedLookup) {
        return;
    }
    let (cluster, db) = (RedisCluster::start(3, 0), Database::default());
    scope(cache(&cluster).await, async {
        // Connections, and scripts, at each.
        for (_, id) in one_at_each(&cluster) {
            row(&db, id).await;
            row::invalidate(id).await.unwrap();
        }
        for (_, id) in one_at_each(&cluster) {
            let miss = [("evalsha", 1), ("get", 1), ("publish", 1), ("set", 2)];
            assert_eq!(cost(&cluster, row(&db, id)).await, commands(&miss), "miss");
            assert_eq!(cost(&cluster, row(&db, id)).await, commands(&[("set", 1)]), "hit");
        }
        let hits = cost(&cluster, async {
            for _ in 0..100 {
                row(&db, 1).await;
            }
        });
        assert!(hits.await["set"] >= 100);
        tagged(&db, 1).await;
        let hit = commands(&[("mget", 1), ("pttl", 1), ("set", 1)]);
        let seen = cost(&cluster, tagged(&db, 1)).await;
        assert!(seen == hit || seen == commands(&[("mget", 1), ("set", 1)]), "{seen:?}");
        // Its plain name, and the one in its stripe: a key does not tell whether it has tags.
        assert_eq!(cost(&cluster, row::invalidate(1)).await, commands(&[("del", 2)]));
    })
    .await;
}

/// The number of stripes is a promise of what it costs.
#[tokio::test]
async fn a_tag_is_one_deletion_a_stripe_however_many_entries_it_has() {
    let (cluster, db) = (RedisCluster::start(3, 0), Database::default());
    let cache = cache(&cluster).await;
    scope(cache.clone(), async {
        for id in 0..100 {
            tagged(&db, id).await;
        }
        assert_eq!(db.new_reads(), 100);
        for id in 0..100 {
            tagged(&db, id).await;
        }
        assert_eq!(db.new_reads(), 0);
        let removed = cost(&cluster, cache.invalidate_tag("rows")).await;
        assert_eq!(removed, commands(&[("del", 16)]));
        let new = db.write();
        for id in 0..100 {
            assert_eq!(tagged(&db, id).await, new);
        }
        assert_eq!(db.new_reads(), 100);
    })
    .await;
    let at_each: Vec<_> = cluster.nodes().iter().map(|node| node.keys().len()).collect();
    assert!(at_each.iter().all(|keys| *keys > 10), "spread over all: {at_each:?}");
}

#[cache_result(ttl = 60, skip(db))]
async fn slow(db: Arc<Database>, id: u64) -> u64 {
    // The time in which the others come.
    tokio::time::sleep(Duration::from_millis(200)).await;
    db.read()
}

#[tokio::test]
async fn callers_of_several_caches_load_once() {
    let cluster = RedisCluster::start(3, 0);
    let db = Arc::<Database>::default();
    let caches = [cache(&cluster).await, cache(&cluster).await];
    for (_, id) in one_at_each(&cluster) {
        let calls = (0..40).map(|at| {
            let db = Arc::clone(&db);
            tokio::spawn(scope(caches[at % 2].clone(), async move { slow(db, id).await }))
        });
        for call in calls.collect::<Vec<_>>() {
            assert_eq!(call.await.unwrap(), 0);
        }
        assert_eq!(db.new_reads(), 1, "two caches, forty callers, one load");
    }
}

#[tokio::test]
async fn patterns_reach_every_primary() {
    let (cluster, db) = (RedisCluster::start(3, 0), Database::default());
    let cache = cache(&cluster).await;
    scope(cache.clone(), async {
        for id in 0..60 {
            row(&db, id).await;
            tagged(&db, id).await;
        }
        assert_eq!(cache.invalidate_pattern("*cluster.row:*").await.unwrap(), 60);
        assert_eq!(cache.invalidate_pattern("*cluster.tagged:1?").await.unwrap(), 10);
        assert_eq!(tagged::invalidate_all().await.unwrap(), 50);
        db.new_reads();
        for id in 0..60 {
            row(&db, id).await;
        }
        assert_eq!(db.new_reads(), 60);
        assert_eq!(cache.clear().await.unwrap(), 60);
    })
    .await;
    let left = cluster.keys();
    assert!(left.iter().all(|key| key.contains("#t:")), "versions of tags alone: {left:?}");
}

/// One that is reachable is enough to find the others.
#[tokio::test]
async fn any_server_of_the_cluster_leads_to_all() {
    let (cluster, db) = (RedisCluster::start(3, 0), Database::default());
    let url = format!("redis+cluster://127.0.0.1:1,127.0.0.1:{}", cluster.port(2));
    scope(patient::builder(&url).build().await.unwrap(), async {
        for (_, id) in one_at_each(&cluster) {
            row(&db, id).await;
            hits(&db, id).await;
        }
    })
    .await;
}

#[tokio::test]
async fn without_any_server_each_call_runs_its_body_and_the_log_says_why() {
    let (logs, db) = (Logs::capture_process(), Database::default());
    let cache = Cache::builder().url("redis+cluster://127.0.0.1:1").build().await.unwrap();
    scope(cache.clone(), async {
        for _ in 0..3 {
            row(&db, 1).await;
        }
    })
    .await;
    assert_eq!(db.new_reads(), 3);
    assert_eq!(cache.stats().total.bypasses, 3);
    assert_eq!(cache.health().state, HealthState::Bypass);
    assert!(logs.contains(Level::WARN, "no server of the cluster tells"), "{:?}", logs.lines());
}

/// A server that is no cluster is not taken for one, and says what is wrong.
#[tokio::test]
async fn a_single_server_is_no_cluster() {
    let (server, db) = (cached_tests::RedisServer::start(), Database::default());
    let logs = Logs::capture_process();
    let url = server.url().replace("redis://", "redis+cluster://");
    let cache = Cache::builder().url(url).build().await.unwrap();
    scope(cache.clone(), row(&db, 1)).await;
    eventually(LONG, || async { cache.health().state == HealthState::Bypass }).await;
    assert!(logs.contains(Level::WARN, "cluster support disabled"), "{:?}", logs.lines());
}

#[tokio::test]
async fn a_password_is_for_all_of_them() {
    let cluster = RedisCluster::start_with(3, 0, &["--requirepass", "sesame"]);
    let db = Database::default();
    let url = cluster.url().replace("redis+cluster://", "redis+cluster://:sesame@");
    scope(patient::builder(&url).build().await.unwrap(), async {
        for (_, id) in one_at_each(&cluster) {
            row(&db, id).await;
            hits(&db, id).await;
            row::invalidate(id).await.unwrap();
        }
    })
    .await;
}
