//! A hit asks nobody, and a fill tells nobody.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cached_runtime::{LocalHealth, Source, cache_result, scope};
use cached_tests::{Ability, RedisServer, eventually, server_can};
use redis::{AsyncConnectionConfig, PushInfo, PushKind, cmd};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::super::patient::{self, LONG, on_each_store};
use super::{Database, coherent, row, warm};

#[cache_result(ttl = 60, local, skip(db))]
fn row_now(db: &Database, id: u64) -> Arc<u64> {
    Arc::new(db.read())
}

#[tokio::test]
async fn a_value_that_was_read_from_the_store_is_a_local_hit_from_then_on() {
    on_each_store(async |cache| {
        let db = Database::default();
        scope(cache.clone(), async {
            row(&db, 0).await;
            coherent(&cache).await;
            assert_eq!(row::fetch(&db, 1).await.source, Source::Loaded);
            // News of the store's own change, when the value was stored, may still be on the way.
            warm(&db, 1).await;
            let before = row::stats();
            for _ in 0..100 {
                assert_eq!(row(&db, 1).await, 0);
            }
            let after = row::stats();
            assert_eq!(after.hits_local - before.hits_local, 100);
            assert_eq!((after.hits_remote, after.loads), (before.hits_remote, before.loads));
            assert!(cache.stats().local.entries >= 1 && cache.stats().local.bytes > 0);
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn blocking_functions_hit_locally_and_by_reference() {
    let server = RedisServer::start();
    let cache = patient::cache(&server).await;
    let db = Database::default();
    scope(cache.clone(), async {
        eventually(LONG, || async { row_now::fetch(&db, 1).source == Source::Local }).await;
        let (one, two) = (row_now(&db, 1), row_now(&db, 1));
        assert!(Arc::ptr_eq(&one, &two), "one value in memory");
        assert_eq!(db.reads(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_thousand_hits_send_the_server_nothing_but_the_heartbeat() {
    let server = RedisServer::start();
    let cache = patient::cache(&server).await;
    let db = Database::default();
    scope(cache.clone(), async {
        warm(&db, 1).await;
        server.reset_stats();
        for _ in 0..1_000 {
            assert_eq!(row(&db, 1).await, 0);
        }
        let mut calls = server.command_calls();
        let heartbeat = calls.remove("role").unwrap_or(0);
        assert_eq!(calls, BTreeMap::new());
        assert!(heartbeat <= 8, "{heartbeat} of them in a moment");
    })
    .await;
}

#[tokio::test]
async fn a_loop_of_hits_lets_other_tasks_run() {
    let server = RedisServer::start();
    let cache = patient::cache(&server).await;
    let db = Database::default();
    let turns = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&turns);
    let other = tokio::spawn(async move {
        loop {
            counted.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
    });
    scope(cache.clone(), async {
        warm(&db, 1).await;
        let (before, hits) = (turns.load(Ordering::Relaxed), row::stats().hits_local);
        let hits = || row::stats().hits_local - hits;
        while hits() < 1_000_000 {
            for _ in 0..10_000 {
                row(&db, 1).await;
            }
        }
        let got = turns.load(Ordering::Relaxed) - before;
        assert!(got > 100, "{got} turns");
    })
    .await;
    other.abort();
}

/// What each fill costs is known from elsewhere; here it is that others hear of it only what the
/// server tells them by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_fills_publish_to_nobody_and_cost_no_command_of_their_own() {
    if !server_can(Ability::FusedLookup) {
        return;
    }
    const FILLS: u64 = 10_000;
    let server = RedisServer::start();
    let cache = patient::cache(&server).await;
    let (pushes, mut pushed) = mpsc::unbounded_channel::<PushInfo>();
    let client = redis::Client::open(format!("{}?protocol=resp3", server.url())).unwrap();
    let config = AsyncConnectionConfig::new().set_push_sender(pushes);
    let mut raw = client.get_multiplexed_async_connection_with_config(&config).await.unwrap();
    let mut tracking = cmd("CLIENT");
    tracking.arg(&["TRACKING", "ON", "BCAST", "PREFIX", "cache:"]);
    tracking.exec_async(&mut raw).await.unwrap();
    let db = Arc::new(Database::default());
    // Its own memory, its link, and the scripts are there.
    scope(cache.clone(), warm(&db, 0)).await;
    server.reset_stats();
    let mut tasks = JoinSet::new();
    for task in 0..50 {
        let db = Arc::clone(&db);
        tasks.spawn(scope(cache.clone(), async move {
            for n in 0..FILLS / 50 {
                bare(&db, task * FILLS + n).await;
            }
        }));
    }
    tasks.join_all().await;
    let mut calls = server.command_calls();
    assert_eq!(db.reads(), FILLS + 1);
    calls.remove("role");
    // The script that stores compares first, and rings for those who wait: there is nobody.
    let expected =
        [("pttl", 1), ("set", 2), ("evalsha", 1), ("eval", 0), ("get", 1), ("publish", 1)];
    for (name, each) in expected {
        let count = calls.remove(name).unwrap_or(0);
        // A script that the server has to learn is sent twice.
        assert!(count.abs_diff(each * FILLS) <= 50, "{name}: {count}");
    }
    assert_eq!(calls, BTreeMap::new(), "nothing else");
    let heard = |info: PushInfo| {
        let keys = match info.data.as_slice() {
            [redis::Value::Array(keys)] => keys.len(),
            _ => 0,
        };
        assert_eq!(info.kind, PushKind::Invalidate, "{info:?}");
        keys as u64
    };
    // The lease and the value are changes of the key.
    let mut keys = 0;
    while keys < FILLS {
        keys += heard(pushed.recv().await.unwrap());
    }
    assert_eq!(cache.health().local, LocalHealth::Coherent);
}

#[cache_result(ttl = 60, local, skip(db))]
async fn bare(db: &Database, id: u64) -> u64 {
    db.read()
}
