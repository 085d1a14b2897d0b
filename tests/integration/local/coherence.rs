//! Nothing that was invalidated is served from memory: at once in the process that did it, within
//! the bound in all others, and whoever changed the store.

use std::time::Instant;

use cached_runtime::{Cache, cache_result, scope};
use cached_tests::{RedisServer, eventually};

use super::super::patient::{self, LONG, on_each_store};
use super::{BOUND, Database, ROW, coherent, row, turns_new, warm};

/// A way to change what is cached of the row. What the next call is to return.
const WAYS: [&str; 9] = [
    "invalidate",
    "put",
    "refresh",
    "invalidate_tag",
    "invalidate_tags",
    "invalidate_key",
    "invalidate_pattern",
    "clear",
    "invalidate_all",
];

async fn change(way: &str, cache: &Cache, db: &Database) -> u64 {
    let new = db.write();
    let key = ROW.strip_prefix("cache:").unwrap();
    match way {
        "invalidate" => row::invalidate(1).await.unwrap(),
        "put" => {
            row::put(1, &(1_000 + new)).await.unwrap();
            return 1_000 + new;
        }
        "refresh" => assert_eq!(row::refresh(db, 1).await, new),
        "invalidate_tag" => cache.invalidate_tag("row:1").await.unwrap(),
        "invalidate_tags" => cache.invalidate_tags(["rows", "others"]).await.unwrap(),
        "invalidate_key" => assert_eq!(cache.invalidate_key(key).await.unwrap(), 1),
        "invalidate_pattern" => assert_eq!(cache.invalidate_pattern("*.row:1").await.unwrap(), 1),
        "clear" => assert!(cache.clear().await.unwrap() >= 1),
        "invalidate_all" => assert!(row::invalidate_all().await.unwrap() >= 1),
        other => unreachable!("{other}"),
    }
    new
}

#[tokio::test]
async fn the_very_next_call_in_the_process_is_not_served_the_old_value() {
    on_each_store(async |cache| {
        let db = Database::default();
        scope(cache.clone(), async {
            for way in WAYS {
                warm(&db, 1).await;
                row(&db, 1).await;
                let new = change(way, &cache, &db).await;
                for call in 0..4 {
                    assert_eq!(row(&db, 1).await, new, "{way}, call {call}");
                }
            }
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn another_process_serves_the_old_value_for_the_bound_at_most() {
    let server = RedisServer::start();
    // Two caches of one namespace know no more of each other than two processes do.
    let (one, other) = (patient::cache(&server).await, patient::cache(&server).await);
    let db = Database::default();
    for way in WAYS {
        scope(other.clone(), warm(&db, 1)).await;
        let new = scope(one.clone(), change(way, &one, &db)).await;
        let done = Instant::now();
        scope(other.clone(), turns_new(way, &db, new, done, BOUND)).await;
    }
}

#[tokio::test]
async fn a_global_invalidation_returns_when_every_process_is_clean() {
    let server = RedisServer::start();
    let (one, other) = (patient::cache(&server).await, patient::cache(&server).await);
    let db = Database::default();
    for by_tag in [false, true] {
        scope(other.clone(), warm(&db, 1)).await;
        let new = db.write();
        if by_tag {
            one.invalidate_global(one.invalidate_tag("rows")).await.unwrap();
        } else {
            let invalidation = scope(one.clone(), row::invalidate(1));
            one.invalidate_global(invalidation).await.unwrap();
        }
        scope(other.clone(), async {
            assert_eq!(row(&db, 1).await, new);
        })
        .await;
    }
}

#[tokio::test]
async fn what_anybody_does_to_the_key_removes_it_from_memory() {
    let server = RedisServer::start();
    let cache = patient::cache(&server).await;
    let db = Database::default();
    let evict = || {
        server.cmd(&["CONFIG", "SET", "maxmemory-policy", "allkeys-random"]);
        server.cmd(&["CONFIG", "SET", "maxmemory", "1"]);
        // The server has got rid of everything before it refuses this.
        assert!(server.try_cmd(&["SET", "another", "1"]).is_err());
        server.cmd(&["CONFIG", "SET", "maxmemory", "0"]);
    };
    let ways: [(&str, &dyn Fn()); 6] = [
        ("DEL", &|| assert_eq!(server.int(&["DEL", ROW]), 1)),
        ("SET", &|| drop(server.cmd(&["SET", ROW, "of another program"]))),
        ("FLUSHALL", &|| drop(server.cmd(&["FLUSHALL"]))),
        ("FLUSHDB ASYNC", &|| drop(server.cmd(&["FLUSHDB", "ASYNC"]))),
        ("PEXPIRE", &|| assert_eq!(server.int(&["PEXPIRE", ROW, "1"]), 1)),
        ("eviction", &evict),
    ];
    scope(cache.clone(), async {
        for (way, change) in ways {
            warm(&db, 1).await;
            let new = db.write();
            change();
            let done = Instant::now();
            turns_new(way, &db, new, done, BOUND).await;
        }
    })
    .await;
}

#[cache_result(ttl = 60, local, skip(db))]
async fn untagged(db: &Database, id: u64) -> u64 {
    db.read()
}

#[tokio::test]
async fn what_others_do_to_other_keys_leaves_it_in_memory() {
    let server = RedisServer::start();
    let (one, other) = (patient::cache(&server).await, patient::cache(&server).await);
    let db = Database::default();
    scope(other.clone(), warm(&db, 1)).await;
    scope(one.clone(), async {
        row::invalidate(2).await.unwrap();
        one.invalidate_tag("row:2").await.unwrap();
        for id in 0..20 {
            untagged(&db, id).await;
            row(&db, 100 + id).await;
        }
    })
    .await;
    server.cmd(&["SET", "another program's", "1"]);
    let reads = db.reads();
    scope(other.clone(), async {
        coherent(&other).await;
        let hits = row::stats().hits_local;
        eventually(LONG, || async {
            row(&db, 1).await;
            row::stats().hits_local > hits
        })
        .await;
    })
    .await;
    assert_eq!(db.reads(), reads);
}
