//! Bytes of others under each name that is read: an entry's, the lease's beside it, a tag's version.
//! They cost their own callers a miss at most, are overwritten, and nobody else notices.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cached_runtime::{Cache, Fault, HealthState, cache_result, scope};
use cached_tests::{RedisServer, eventually};

use super::patient::{self, LONG};

static GROUPED: AtomicU64 = AtomicU64::new(0);
static AGEING: AtomicU64 = AtomicU64::new(0);

#[cache_result(ttl = 600)]
async fn innocent(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 600, local)]
async fn at_hand(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 600, tags = ["group", "user:{id}"])]
async fn grouped(id: u64) -> u64 {
    GROUPED.fetch_add(1, Ordering::SeqCst);
    id
}

#[cache_result(ttl = 0.05, stale_while_revalidate = "10m")]
async fn ageing() -> u64 {
    AGEING.fetch_add(1, Ordering::SeqCst) + 1
}

/// Something that no version of this library wrote, under a key and without an end.
enum Foreign {
    Text(Vec<u8>),
    Other(&'static [&'static str]),
}

fn kinds(lengths: impl IntoIterator<Item = usize>) -> Vec<Foreign> {
    let mut kinds: Vec<_> =
        lengths.into_iter().map(|length| Foreign::Text(vec![b'x'; length])).collect();
    kinds.extend([
        Foreign::Text(b"garbage".to_vec()),
        Foreign::Text(b"L\x01".repeat(9)),
        Foreign::Text(b"V\x01".repeat(60)),
        Foreign::Text(b"V\x20".repeat(60)),
        Foreign::Other(&["RPUSH", "KEY", "a"]),
        Foreign::Other(&["HSET", "KEY", "a", "b"]),
        Foreign::Other(&["SADD", "KEY", "a"]),
        Foreign::Other(&["ZADD", "KEY", "1", "a"]),
        Foreign::Other(&["XADD", "KEY", "*", "a", "b"]),
        Foreign::Other(&["SETBIT", "KEY", "100", "1"]),
        Foreign::Other(&["PFADD", "KEY", "a"]),
    ]);
    kinds
}

impl Foreign {
    /// Says what it is.
    fn put(&self, server: &RedisServer, key: &str) -> String {
        server.cmd(&["DEL", key]);
        match self {
            Self::Text(text) => {
                server.cmd(&[b"SET".as_slice(), key.as_bytes(), text]);
                format!("{} bytes under {key}", text.len())
            }
            Self::Other(command) => {
                let with_key = |&part: &&'static str| if part == "KEY" { key } else { part };
                let command: Vec<&str> = command.iter().map(with_key).collect();
                server.cmd(&command);
                format!("{} {key}", command[0])
            }
        }
    }
}

/// Ids of the library's connections.
fn clients(server: &RedisServer) -> Vec<String> {
    let list = server.text(&["CLIENT", "LIST", "TYPE", "normal"]).unwrap();
    let ids = list.lines().filter(|line| !line.contains("cmd=client"));
    let mut ids: Vec<_> =
        ids.filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
    ids.sort();
    ids
}

/// Nobody but whom it was put before has noticed.
async fn assert_unharmed(cache: &Cache, before: &[String], server: &RedisServer, what: &str) {
    let hits = cache.stats().total.hits();
    assert_eq!((innocent(1).await, at_hand(1).await), (1, 1), "{what}");
    let total = cache.stats().total;
    assert_eq!(total.hits() - hits, 2, "others are served: {what}");
    assert_eq!(total.bypasses, 0, "{what}: {total}");
    assert_eq!(cache.health().state, HealthState::Coherent, "{what}: {}", cache.health());
    assert_eq!(clients(server), before, "the connections are those of before: {what}");
}

#[tokio::test]
async fn under_entries_and_tags_they_are_overwritten_and_nobody_else_notices() {
    let server = RedisServer::start();
    let cache = patient::cache(&server).await;
    scope(cache.clone(), async {
        for _ in 0..2 {
            innocent(1).await;
            at_hand(1).await;
            grouped(1).await;
        }
        let before = clients(&server);
        assert!(!before.is_empty());
        let entry = format!("cache:{}", grouped::key(1));
        for key in ["cache#t:group", "cache#t:user:1", &entry] {
            for foreign in kinds((0..40).filter(|length| *length != 16).chain([100, 5_000])) {
                let what = foreign.put(&server, key);
                GROUPED.store(0, Ordering::SeqCst);
                for _ in 0..3 {
                    assert_eq!(grouped(1).await, 1, "{what}");
                }
                assert_eq!(GROUPED.load(Ordering::SeqCst), 1, "a miss, then hits: {what}");
                assert!(server.int(&["PTTL", key]) > 0, "overwritten, with an end: {what}");
                assert_unharmed(&cache, &before, &server, &what).await;
                cache.invalidate_tag("group").await.unwrap();
                assert_eq!(grouped::peek(1).await.unwrap(), None, "it is a tag again: {what}");
                grouped(1).await;
            }
        }
        // Both tags at once, and what a value is put under.
        for foreign in kinds([1]) {
            let what =
                foreign.put(&server, "cache#t:group") + &foreign.put(&server, "cache#t:user:1");
            grouped::put(1, &7).await.unwrap();
            assert_eq!(grouped::peek(1).await.unwrap(), Some(7), "{what}");
            assert_unharmed(&cache, &before, &server, &what).await;
            foreign.put(&server, "cache#t:group");
            assert_eq!(grouped::refresh(1).await, 1, "{what}");
            assert_eq!(grouped::peek(1).await.unwrap(), Some(1), "{what}");
        }
    })
    .await;
}

/// What comes while a body runs: its value is not stored, its lease is given up, the next call
/// loads.
#[tokio::test]
async fn while_a_body_runs_they_cost_its_callers_a_miss() {
    #[cache_result(ttl = 600, tags = ["under way"], skip(server, key, foreign))]
    async fn slow(id: u64, server: &RedisServer, key: &str, foreign: &Foreign) -> u64 {
        if !key.is_empty() {
            foreign.put(server, key);
        }
        id
    }

    let server = RedisServer::start();
    let cache = patient::cache(&server).await;
    scope(cache.clone(), async {
        innocent(1).await;
        let entry = format!("cache:{}", slow::key(1));
        for key in ["cache#t:under way", &entry] {
            for foreign in kinds([0, 16, 19, 100]) {
                slow::invalidate(1).await.unwrap();
                assert_eq!(slow(1, &server, key, &foreign).await, 1);
                // Its lease is given up behind it.
                cache.shutdown().await;
                let start = Instant::now();
                for _ in 0..2 {
                    assert_eq!(slow(1, &server, "", &foreign).await, 1);
                }
                assert!(start.elapsed() < Duration::from_secs(2), "nobody waits for a lease");
                assert_eq!(slow::peek(1).await.unwrap(), Some(1), "stored again under {key}");
                assert_eq!(cache.health().state, HealthState::Coherent, "{}", cache.health());
            }
        }
        assert_eq!(cache.stats().total.bypasses, 0);
    })
    .await;
}

#[tokio::test]
async fn beside_an_entry_they_keep_no_load_in_the_background_from_being_made() {
    let server = RedisServer::start();
    let cache = patient::cache(&server).await;
    scope(cache.clone(), async {
        innocent(1).await;
        at_hand(1).await;
        at_hand(1).await;
        // The first load in the background opens connections of its own.
        let loaded = async |loads| {
            eventually(LONG, || async {
                ageing().await;
                AGEING.load(Ordering::SeqCst) > loads
            })
            .await;
            cache.shutdown().await;
        };
        loaded(1).await;
        let before = clients(&server);
        let beside = format!("cache#r:{}", ageing::key());
        for foreign in kinds([0, 1, 18, 20, 5_000]) {
            let what = foreign.put(&server, &beside);
            let loads = AGEING.load(Ordering::SeqCst);
            // Each call serves what is there, and asks for a new value once that is old.
            loaded(loads).await;
            assert_unharmed(&cache, &before, &server, &what).await;
        }
    })
    .await;
}

/// Whatever a call was not served for, while others are: the health names it, and is well again
/// once calls are.
#[tokio::test]
async fn whenever_a_call_is_not_served_the_health_says_why() {
    #[cache_result(ttl = 600, tags = ["group"])]
    async fn tagged(id: u64) -> u64 {
        id
    }

    let server = RedisServer::start();
    server.cmd(&["ACL", "SETUSER", "shop", "on", ">pw", "~*", "&*", "+@all", "-mget"]);
    let url = server.url().replace("redis://", "redis://shop:pw@");
    let cache = patient::builder(&url).build().await.unwrap();
    scope(cache.clone(), async {
        for _ in 0..3 {
            innocent(1).await;
            tagged(1).await;
            let health = cache.health();
            assert_eq!(health.state, HealthState::Degraded, "{health}");
            assert_eq!(health.cause, Some(Fault::Forbidden), "{health}");
        }
        let total = cache.stats().total;
        assert_eq!((total.hits(), total.bypasses), (2, 3), "{total}");
        server.cmd(&["ACL", "SETUSER", "shop", "+@all"]);
        eventually(LONG, || async { cache.health().state == HealthState::Coherent }).await;
        tagged(1).await;
        tagged(1).await;
        assert_eq!(cache.stats().total.hits(), 3);
    })
    .await;
}
