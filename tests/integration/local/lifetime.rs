//! How long a value stays in memory, and how much does.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cached_runtime::{Cache, Clock, LocalHealth, Source, cache_result, scope};
use cached_tests::{RedisServer, eventually};

use super::super::patient::{self, LONG, on_each_store};
use super::{Database, coherent, row, warm};

#[cache_result(ttl = 60, local = "100ms", skip(db))]
async fn briefly(db: &Database, id: u64) -> u64 {
    db.read()
}

#[cache_result(ttl = "300ms", local, skip(db))]
async fn short(db: &Database, id: u64) -> u64 {
    db.read()
}

#[cache_result(ttl = 60, none_ttl = 60, local, skip(db))]
async fn none(db: &Database, id: u64) -> Option<u64> {
    db.read();
    None
}

#[cache_result(ttl = 60, local, skip(db))]
async fn failing(db: &Database, id: u64) -> Result<u64, String> {
    Err(format!("read {} of {id}", db.read()))
}

#[tokio::test]
async fn the_store_is_asked_again_after_the_local_ttl() {
    let server = RedisServer::start();
    let cache = patient::cache(&server).await;
    let db = Database::default();
    scope(cache.clone(), async {
        eventually(LONG, || async { briefly::fetch(&db, 1).await.source == Source::Local }).await;
        let (start, before) = (Instant::now(), briefly::stats());
        let asked = || briefly::stats().hits_remote - before.hits_remote;
        while asked() < 4 {
            assert_eq!(briefly(&db, 1).await, 0);
        }
        // The clock of memory may be late by 20 ms, for which each stay is shorter.
        assert!(start.elapsed() > Duration::from_millis(3 * 60), "{:?}", start.elapsed());
        assert!(briefly::stats().hits_local - before.hits_local > 100);
        assert_eq!(db.reads(), 1, "the value itself is good for longer");
    })
    .await;
}

#[tokio::test]
async fn memory_keeps_a_value_no_longer_than_the_store_does() {
    let server = RedisServer::start();
    let cache = patient::cache(&server).await;
    let db = Database::default();
    scope(cache.clone(), async {
        short(&db, 0).await;
        coherent(&cache).await;
        assert_eq!(short(&db, 1).await, 0);
        let stored = Instant::now();
        db.write();
        let mut hits = 0;
        loop {
            let called = Instant::now();
            let fetched = short::fetch(&db, 1).await;
            if fetched.value == 1 {
                break;
            }
            hits += u64::from(fetched.source == Source::Local);
            assert!(called - stored <= Duration::from_millis(301), "{:?}", fetched.source);
        }
        assert!(hits > 0, "it was in memory meanwhile");
    })
    .await;
}

#[tokio::test]
async fn none_is_kept_and_an_error_is_not() {
    on_each_store(async |cache| {
        let db = Database::default();
        scope(cache.clone(), async {
            eventually(LONG, || async { none::fetch(&db, 1).await.source == Source::Local }).await;
            assert_eq!((none(&db, 1).await, db.reads()), (None, 1));
            for read in 1..10 {
                assert_eq!(failing(&db, 1).await, Err("read 0 of 1".to_owned()));
                assert_eq!(db.reads(), 1 + read);
            }
            assert_eq!(failing::stats().hits_local, 0);
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_capacity_of_zero_turns_it_off() {
    let server = RedisServer::start();
    let cache = patient::builder(&server.url()).local_capacity(0).build().await.unwrap();
    let db = Database::default();
    scope(cache.clone(), async {
        row(&db, 1).await;
        for _ in 0..20 {
            assert_eq!(row::fetch(&db, 1).await.source, Source::Store);
        }
        assert_eq!((row::stats().hits_local, db.reads()), (0, 1));
        assert_eq!(cache.health().local, LocalHealth::Unused);
    })
    .await;
    assert_eq!(server.command_calls().get("client|tracking"), None, "there is no link");
}

#[cache_result(ttl = 60, local)]
async fn blob(n: u64, bytes: usize) -> String {
    "x".repeat(bytes)
}

#[tokio::test]
async fn memory_is_full_and_never_fuller_whatever_the_sizes() {
    const CAPACITY: usize = 8 << 20;
    let cache = Cache::builder().url("memory:").local_capacity(CAPACITY).build().await.unwrap();
    scope(cache.clone(), async {
        let mut most = 0;
        for n in 0..3_000_u64 {
            let n = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 700;
            // 100 B to 200 KB, small ones more often.
            let bytes = 100 + (n * n * n % 200_000) as usize / (1 + n as usize % 7);
            assert_eq!(blob(n, bytes).await.len(), bytes);
            most = most.max(cache.stats().local.bytes);
            assert!(most <= CAPACITY as u64, "{most} after {n}");
        }
        let local = cache.stats().local;
        assert_eq!(local.capacity, CAPACITY as u64);
        assert!(local.bytes > CAPACITY as u64 * 3 / 4, "{local:?}");
        assert!(blob::stats().hits_local > 0);
    })
    .await;
}

#[tokio::test]
async fn a_clock_that_is_moved_by_hand_ends_what_the_embedded_store_has_in_memory() {
    let clock = Clock::manual();
    let cache = Cache::builder().url("memory:").clock(clock.clone()).build().await.unwrap();
    let db = Database::default();
    scope(cache.clone(), async {
        let sources =
            async || (row::fetch(&db, 1).await.source, briefly::fetch(&db, 1).await.source);
        assert_eq!(sources().await, (Source::Loaded, Source::Loaded));
        assert_eq!(sources().await, (Source::Store, Source::Store));
        assert_eq!(sources().await, (Source::Local, Source::Local), "nothing is waited for");
        clock.advance(Duration::from_millis(100));
        assert_eq!(sources().await, (Source::Local, Source::Store));
        assert_eq!(sources().await, (Source::Local, Source::Local));
        clock.advance(Duration::from_secs(60));
        assert_eq!(sources().await, (Source::Loaded, Source::Loaded));
    })
    .await;
    assert_eq!(cache.health().local, LocalHealth::Coherent);
}

/// A body that is told which value to make, so that a kept one can be told from a new one.
#[tokio::test]
async fn an_entry_in_memory_is_that_of_its_arguments() {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    #[cache_result(ttl = 60, local)]
    async fn numbered(name: &str, n: u64) -> u64 {
        NEXT.fetch_add(1, Ordering::SeqCst)
    }
    on_each_store(async |cache| {
        let db = Database::default();
        scope(cache.clone(), async {
            warm(&db, 1).await;
            let arguments = [("a", 1), ("a", 2), ("b", 1), ("ab", 1), ("", 11)];
            let mut values = Vec::new();
            for (name, n) in arguments {
                values.push(numbered(name, n).await);
            }
            for _ in 0..5 {
                for (at, (name, n)) in arguments.into_iter().enumerate() {
                    assert_eq!(numbered(name, n).await, values[at], "{name:?} {n}");
                }
            }
            assert!(numbered::stats().hits_local > 0);
        })
        .await;
    })
    .await;
}
