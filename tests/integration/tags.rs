//! One command makes all entries of a tag invalid, however many there are.

use std::sync::Arc;
use std::time::Duration;

use cached_runtime::{cache_invalidate, cache_result, scope};
use cached_tests::{RedisServer, eventually};
use tokio::sync::Semaphore;

use super::database::Database;
use super::patient::{self, LONG, on_each_store};

#[cache_result(ttl = 60, skip(db), tags = ["user:{id}", "users"])]
async fn profile(db: &Database, id: u64) -> u64 {
    db.read()
}

#[cache_result(ttl = 60, skip(db), tags = ["user:{user}"])]
async fn order(db: &Database, user: u64, number: u64) -> u64 {
    db.read()
}

#[cache_result(ttl = 60, skip(db), invalidate_all)]
async fn setting(db: &Database, name: &str) -> u64 {
    db.read()
}

#[cache_invalidate(tags = ["user:{id}"])]
async fn rename(db: &Database, id: u64) {
    db.write();
}

#[tokio::test]
async fn an_invalidated_tag_makes_all_its_entries_misses_and_no_others() {
    on_each_store(async |cache| {
        let db = Database::default();
        scope(cache.clone(), async {
            let all = async || {
                for id in [1, 2] {
                    profile(&db, id).await;
                    for number in [1, 2, 3] {
                        order(&db, id, number).await;
                    }
                }
            };
            all().await;
            assert_eq!(db.new_reads(), 8);
            all().await;
            assert_eq!(db.new_reads(), 0, "hits");
            cache.invalidate_tag("user:1").await.unwrap();
            all().await;
            assert_eq!(db.new_reads(), 4, "the profile of the one and its orders");
            cache.invalidate_tags(["users", "no such tag"]).await.unwrap();
            all().await;
            assert_eq!(db.new_reads(), 2, "both profiles");
            rename(&db, 2).await;
            assert_eq!(profile(&db, 2).await, 1, "what the write left");
            all().await;
            assert_eq!(db.new_reads(), 4);
            all().await;
            assert_eq!(db.new_reads(), 0, "and all of it is stored again");
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn peek_and_put_respect_tags() {
    on_each_store(async |cache| {
        let db = Database::default();
        scope(cache.clone(), async {
            profile::put(1, &42).await.unwrap();
            assert_eq!(profile::peek(1).await.unwrap(), Some(42));
            assert_eq!(profile(&db, 1).await, 42, "a value that was put is valid");
            cache.invalidate_tag("users").await.unwrap();
            assert_eq!(profile::peek(1).await.unwrap(), None);
            assert_eq!(profile(&db, 1).await, 0);
            profile::put(1, &7).await.unwrap();
            assert_eq!(profile::refresh(&db, 1).await, 0);
            assert_eq!(profile::peek(1).await.unwrap(), Some(0));
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn all_entries_of_a_function_go_with_its_tag() {
    on_each_store(async |cache| {
        let db = Database::default();
        scope(cache.clone(), async {
            for name in ["a", "b", "c"] {
                setting(&db, name).await;
            }
            profile(&db, 1).await;
            setting::invalidate_all().await.unwrap();
            db.new_reads();
            for name in ["a", "b", "c"] {
                assert_eq!(setting::peek(name).await.unwrap(), None);
                setting(&db, name).await;
            }
            profile(&db, 1).await;
            assert_eq!(db.new_reads(), 3, "another function's entry is not touched");
        })
        .await;
    })
    .await;
}

/// A fill that is under way when its tag is invalidated is not stored; the control shows that the
/// same race leaves the old value with a plain write.
#[tokio::test]
async fn a_fill_under_way_is_revoked_by_its_tag() {
    #[cache_result(ttl = 60, skip(db, begun, go_on), tags = ["rows"])]
    async fn slow(db: Arc<Database>, begun: Arc<Semaphore>, go_on: Arc<Semaphore>) -> u64 {
        let row = db.read();
        begun.add_permits(1);
        go_on.acquire().await.unwrap().forget();
        row
    }

    on_each_store(async |cache| {
        for naive in [false, true] {
            let db = Arc::<Database>::default();
            let (begun, go_on) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
            cache.clear().await.unwrap();
            let call = || slow(db.clone(), begun.clone(), go_on.clone());
            let loading = tokio::spawn(scope(cache.clone(), call()));
            begun.acquire().await.unwrap().forget();
            db.write();
            cache.invalidate_tag("rows").await.unwrap();
            go_on.add_permits(100);
            let old = loading.await.unwrap();
            assert_eq!(old, 0, "its own caller began before");
            if naive {
                scope(cache.clone(), slow::put(&old)).await.unwrap();
            }
            let found = scope(cache.clone(), call()).await;
            assert_eq!(found, u64::from(!naive), "naive: {naive}");
        }
        assert_eq!(cache.stats().total.writes_refused, 2, "one in each round");
    })
    .await;
}

/// A version that is gone says nothing about what was invalidated meanwhile.
#[tokio::test]
async fn an_evicted_version_means_invalid() {
    let server = RedisServer::start();
    let cache = patient::cache(&server).await;
    let db = Database::default();
    scope(cache.clone(), async {
        profile(&db, 1).await;
        assert_eq!(server.cmd(&["DEL", "cache#t:users"]), redis::Value::Int(1));
        profile(&db, 1).await;
        assert_eq!(db.new_reads(), 2);
        profile(&db, 1).await;
        server.cmd(&["SET", "cache#t:users", "no version", "PX", "60000"]);
        assert_eq!(profile(&db, 1).await, 0);
        assert_eq!(profile(&db, 1).await, 0);
        assert_eq!(
            db.new_reads(),
            1,
            "something foreign in its place is none either, and overwritten"
        );
    })
    .await;
}

#[tokio::test]
async fn every_key_has_an_end() {
    let server = RedisServer::start();
    let cache = patient::cache(&server).await;
    let db = Database::default();
    scope(cache.clone(), async {
        for id in 0..10 {
            profile(&db, id).await;
            order(&db, id, 1).await;
            profile::put(id + 100, &1).await.unwrap();
            setting(&db, &id.to_string()).await;
        }
        cache.invalidate_tag("users").await.unwrap();
        profile(&db, 3).await;
    })
    .await;
    let keys = server.keys();
    assert!(keys.iter().any(|key| key == "cache#t:users"), "{keys:?}");
    for key in keys {
        let left = server.int(&["PTTL", &key]);
        assert!((1..=3_600_000).contains(&left), "{key}: {left}");
    }
}

/// A million entries, and a server that notes what takes it longer than 5 ms.
#[tokio::test]
async fn a_million_entries_go_with_one_command() {
    let server = RedisServer::start();
    let cache = patient::cache(&server).await;
    let db = Database::default();
    scope(cache.clone(), async {
        profile(&db, 1).await;
        // The same bytes, under other names: what makes them invalid is the tag's version.
        let script = "local value = redis.call('GET', KEYS[1]) \
             for i = 1, 1000000 do redis.call('SET', 'cache:entry:' .. i, value, 'PX', 600000) end";
        server.cmd(&["EVAL", script, "1", "cache:integration.tags.profile:1"]);
        assert!(server.int(&["DBSIZE"]) > 1_000_000);
        server.cmd(&["CONFIG", "SET", "slowlog-log-slower-than", "5000"]);
        server.cmd(&["SLOWLOG", "RESET"]);
        server.reset_stats();
        cache.invalidate_tag("users").await.unwrap();
        let calls = server.command_calls();
        assert_eq!(calls.into_iter().collect::<Vec<_>>(), [("del".to_owned(), 1)]);
        assert_eq!(server.int(&["SLOWLOG", "LEN"]), 0, "no command took 5 ms");
        db.new_reads();
        profile(&db, 1).await;
        assert_eq!(db.new_reads(), 1);
        // The control: what a tag without versions would have to do is noted.
        server.cmd(&[
            "EVAL",
            "for i = 1, 1000000 do redis.call('DEL', 'cache:entry:' .. i) end",
            "0",
        ]);
        assert!(server.int(&["SLOWLOG", "LEN"]) > 0);
    })
    .await;
}

/// What tags cost does not outlive them.
#[tokio::test]
async fn bookkeeping_goes_with_the_entries() {
    #[cache_result(ttl = 0.2, tags = ["session:{id}"])]
    async fn session(id: u64) -> String {
        format!("session {id}")
    }

    let server = RedisServer::start();
    // The server keeps times of each kind of command from its first on, and a lease is only renewed
    // when the machine is slow. Servers before 7 do not know the setting.
    let _ = server.try_cmd(&["CONFIG", "SET", "latency-tracking", "no"]);
    let cache = patient::builder(&server.url()).lease(Duration::from_millis(200));
    let cache = cache.build().await.unwrap();
    let memory = || {
        let info = server.text(&["INFO", "memory"]).unwrap();
        let line = info.lines().find_map(|line| line.strip_prefix("used_memory_dataset:"));
        // Below zero it has gone round.
        line.unwrap().trim().parse::<u64>().unwrap().cast_signed()
    };
    // The connections' buffers and the scripts are there before.
    scope(cache.clone(), session(0)).await;
    eventually(LONG, || async { server.keys().is_empty() }).await;
    let before = memory();
    let callers: Vec<_> = (0..20)
        .map(|caller| {
            tokio::spawn(scope(cache.clone(), async move {
                for id in 0..2_000 {
                    session(caller * 2_000 + id).await;
                }
            }))
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    let peak = memory() - before;
    assert!(peak > 1_000_000, "{peak}");
    eventually(2 * LONG, || async { server.int(&["DBSIZE"]) == 0 }).await;
    // A table that has grown keeps its buckets for a moment.
    eventually(LONG, || async { (memory() - before) * 100 < peak }).await;
}

/// Two functions that share entries and not tags share no load: a value is only good for whoever
/// asked for tags under which it was loaded.
#[tokio::test]
async fn a_load_without_a_tag_is_not_shared_with_a_call_that_has_it() {
    #[cache_result(ttl = 60, name = "tags.shared", skip(db, begun, go_on))]
    async fn bare(id: u64, db: Arc<Database>, begun: Arc<Semaphore>, go_on: Arc<Semaphore>) -> u64 {
        let row = db.read();
        begun.add_permits(1);
        go_on.acquire().await.unwrap().forget();
        row
    }

    #[cache_result(ttl = 60, name = "tags.shared", skip(db), tags = ["rows"])]
    async fn tagged(id: u64, db: Arc<Database>) -> u64 {
        db.read()
    }

    on_each_store(async |cache| {
        let db = Arc::<Database>::default();
        let (begun, go_on) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let call = bare(1, db.clone(), begun.clone(), go_on.clone());
        let loading = tokio::spawn(scope(cache.clone(), call));
        begun.acquire().await.unwrap().forget();
        db.write();
        cache.invalidate_tag("rows").await.unwrap();
        let joined = tokio::spawn(scope(cache.clone(), tagged(1, db.clone())));
        // Time in which it could join; who does not is not seen.
        tokio::time::sleep(Duration::from_millis(50)).await;
        go_on.add_permits(1);
        loading.await.unwrap();
        assert_eq!(joined.await.unwrap(), 1, "what was read after the invalidation");
    })
    .await;
}

/// Something that is no string in the entry's place does not make its tags forgotten.
#[tokio::test]
async fn a_claimed_key_is_loaded_under_its_tags() {
    let server = RedisServer::start();
    let cache = patient::cache(&server).await;
    let db = Database::default();
    scope(cache.clone(), async {
        let key = format!("cache:{}", profile::key(1));
        server.cmd(&["RPUSH", &key, "a list"]);
        profile(&db, 1).await;
        profile(&db, 1).await;
        assert_eq!(db.new_reads(), 1, "it is stored, and valid");
        cache.invalidate_tag("user:1").await.unwrap();
        profile(&db, 1).await;
        assert_eq!(db.new_reads(), 1);
    })
    .await;
}
