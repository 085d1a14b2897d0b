//! Whatever stands under a key: what is not this function's own, whole and undamaged value is a
//! miss, counted by its reason and overwritten.

use cached_runtime::{Cache, Fault, Json, Postcard, cache_result, scope, scope_sync};
use cached_tests::{Logs, RedisServer};
use redis::Value;
use serde::{Deserialize, Serialize};
use tracing::Level;

use super::patient;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct User {
    id: u64,
    name: String,
}

#[cache_result(ttl = 60)]
async fn user(id: u64) -> User {
    User { id, name: "ada".to_owned() }
}

#[cache_result(ttl = 60)]
fn user_now(id: u64) -> User {
    User { id, name: "ada".to_owned() }
}

#[cache_result(ttl = 60)]
async fn another(id: u64) -> User {
    User { id, name: "bob".to_owned() }
}

fn full(key: &cached_runtime::Key) -> String {
    format!("cache:{key}")
}

fn bytes(server: &RedisServer, key: &str) -> Vec<u8> {
    match server.cmd(&["GET", key]) {
        Value::BulkString(bytes) => bytes,
        other => panic!("no string under {key}: {other:?}"),
    }
}

fn put(server: &RedisServer, key: &str, bytes: &[u8]) {
    server.cmd(&[b"SET".as_slice(), key.as_bytes(), bytes]);
}

fn count(cache: &Cache, fault: Fault) -> u64 {
    cache.stats().total.errors.get(&fault).copied().unwrap_or(0)
}

/// What stands under `user(1)` now is a miss for this reason, and a hit after that.
async fn assert_miss(cache: &Cache, fault: Fault, what: &str) {
    let (before, counted) = (cache.stats().total, count(cache, fault));
    scope(cache.clone(), async {
        for _ in 0..2 {
            let expected = User { id: 1, name: "ada".to_owned() };
            assert_eq!(user(1).await, expected, "{what}");
        }
    })
    .await;
    let after = cache.stats().total;
    assert_eq!(count(cache, fault) - counted, 1, "{what}: {:?}", after.errors);
    let all = |stats: &cached_runtime::FunctionStats| stats.errors.values().sum::<u64>();
    assert_eq!(all(&after) - all(&before), 1, "{what}: {:?}", after.errors);
    let (misses, hits) = (after.misses - before.misses, after.hits() - before.hits());
    assert_eq!((misses, hits), (1, 1), "{what}: overwritten by the first call");
    assert_eq!(after.bypasses, before.bypasses, "{what}");
}

#[tokio::test]
async fn entries_of_others_are_misses() {
    let server = RedisServer::start();
    let cache = patient::cache(&server).await;
    let key = full(&user::key(1));
    scope(cache.clone(), async {
        another(1).await;
        server.cmd(&["COPY", &full(&another::key(1)), &key, "REPLACE"]);
    })
    .await;
    assert_miss(&cache, Fault::OtherOwner, "another function's").await;
    scope(cache.clone(), user(2)).await;
    server.cmd(&["COPY", &full(&user::key(2)), &key, "REPLACE"]);
    assert_miss(&cache, Fault::OtherOwner, "other arguments'").await;
}

/// One name, three lives of a program.
mod older {
    use super::*;

    pub(super) mod first {
        use super::*;
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        pub(in super::super) struct Account {
            pub(in super::super) id: u64,
        }
        #[cache_result(ttl = 60, name = "account", codec = Json)]
        pub(in super::super) async fn account(id: u64) -> Account {
            Account { id }
        }
    }

    pub(super) mod second {
        use super::*;
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        pub(in super::super) struct Account {
            pub(in super::super) id: u64,
            #[serde(default)]
            pub(in super::super) limit: Option<u64>,
        }
        #[cache_result(ttl = 60, name = "account", codec = Json)]
        pub(in super::super) async fn account(id: u64) -> Account {
            Account { id, limit: Some(10) }
        }
    }

    pub(super) mod third {
        use super::*;
        pub(in super::super) use second::Account;
        #[cache_result(ttl = 60, name = "account", codec = Postcard)]
        pub(in super::super) async fn account(id: u64) -> Account {
            Account { id, limit: Some(20) }
        }
    }
}

/// A field more, though serde would fill it in, and a codec changed: never a value of before.
#[tokio::test]
async fn entries_of_an_older_shape_or_codec_are_misses() {
    use older::{first, second, third};
    let server = RedisServer::start();
    for cache in [patient::cache(&server).await, Cache::memory()] {
        scope(cache.clone(), async {
            assert_eq!(first::account(1).await.id, 1);
            assert_eq!(second::account(1).await.limit, Some(10));
            assert_eq!(count(&cache, Fault::OtherOwner), 1);
            assert_eq!(second::account(1).await.limit, Some(10));
            assert_eq!(third::account(1).await.limit, Some(20));
            assert_eq!(count(&cache, Fault::OtherOwner), 2);
            assert_eq!(third::account(1).await.limit, Some(20));
        })
        .await;
        let total = cache.stats().total;
        assert_eq!((total.misses, total.hits()), (3, 2), "{total}");
    }
}

/// The control: decoding what is there, as a hand-written cache does, yields a value that the
/// function never returned.
#[test]
fn decoding_alone_takes_the_older_shape_for_the_newer() {
    let stored = serde_json::to_vec(&older::first::Account { id: 1 }).unwrap();
    let read: older::second::Account = serde_json::from_slice(&stored).unwrap();
    assert_eq!(read, older::second::Account { id: 1, limit: None });
}

/// The same key by hand with two types.
#[tokio::test]
async fn another_type_by_hand_is_a_miss() {
    patient::on_each_store(async |cache| {
        let minute = std::time::Duration::from_secs(60);
        cache.set("k", &5_u64, minute).await.unwrap();
        assert_eq!(cache.get::<u32>("k").await.unwrap(), None);
        assert_eq!(cache.get::<u64>("k").await.unwrap(), Some(5));
        let text = cache.get_or_load("k", minute, || async { Ok::<_, String>("five".to_owned()) });
        assert_eq!(text.await.unwrap(), "five");
        assert_eq!(cache.get::<u32>("k").await.unwrap(), None);
        assert_eq!(cache.get::<u64>("k").await.unwrap(), Some(5), "it stands beside");
        assert_eq!(count(&cache, Fault::OtherOwner), 1);
    })
    .await;
}

#[tokio::test]
async fn damaged_entries_are_misses() {
    let server = RedisServer::start();
    let cache = patient::cache(&server).await;
    scope(cache.clone(), user(1)).await;
    let key = full(&user::key(1));
    let whole = bytes(&server, &key);
    for length in (0..whole.len()).step_by(7).chain([1, 18, 37, 38, whole.len() - 1]) {
        put(&server, &key, &whole[..length]);
        assert_miss(&cache, Fault::Corrupt, &format!("cut to {length} bytes")).await;
    }
    put(&server, &key, &[&whole[..], b"x"].concat());
    assert_miss(&cache, Fault::Corrupt, "a byte more").await;
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        put(&server, &key, &flipped);
        // The write id is no part of the value: any bytes are as good.
        if !(2..18).contains(&at) {
            assert_miss(&cache, Fault::Corrupt, &format!("byte {at} flipped")).await;
        }
    }
}

#[tokio::test]
async fn foreign_bytes_are_misses() {
    let server = RedisServer::start();
    let cache = patient::cache(&server).await;
    let key = full(&user::key(1));
    let lease = |version: u8, length: usize| {
        let mut lease = vec![b'L', version];
        lease.resize(length, b'x');
        lease
    };
    let mut foreign = vec![
        Vec::new(),
        b"L".to_vec(),
        b"V".to_vec(),
        b"42".to_vec(),
        br#"{"id":1,"name":"eve"}"#.to_vec(),
        vec![0; 19],
        vec![0; 5_000],
        vec![0xff; 100],
        b"V\x01".repeat(60),
        b"V\x20".repeat(60),
        b"V\x2f".repeat(19),
        lease(1, 18),
        lease(1, 20),
        lease(1, 500),
        lease(2, 19),
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        // Xorshift (Marsaglia, 2003): the same bytes in each run.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for at in 0..100 {
        let length = usize::try_from(random() % 300).unwrap();
        let mut noise: Vec<u8> = (0..length).map(|_| random().to_le_bytes()[0]).collect();
        // Half of them begin like an entry.
        if at % 2 == 0 && length > 1 {
            noise[..2].copy_from_slice(b"V\x20");
        }
        foreign.push(noise);
    }
    for bytes in foreign {
        put(&server, &key, &bytes);
        assert_miss(&cache, Fault::Corrupt, &format!("{bytes:?}")).await;
        assert!(server.int(&["PTTL", &key]) > 0, "what replaced it has a ttl");
    }
}

#[tokio::test]
async fn what_is_no_string_is_a_miss() {
    let server = RedisServer::start();
    let cache = patient::cache(&server).await;
    let key = full(&user::key(1));
    let others: [&[&str]; 5] = [
        &["RPUSH", &key, "a"],
        &["HSET", &key, "a", "b"],
        &["SADD", &key, "a"],
        &["ZADD", &key, "1", "a"],
        &["XADD", &key, "*", "a", "b"],
    ];
    for other in others {
        server.cmd(&["DEL", &key]);
        server.cmd(other);
        assert_miss(&cache, Fault::WrongType, other[0]).await;
        server.cmd(&["DEL", &key]);
        server.cmd(other);
        scope(cache.clone(), async {
            assert_eq!(user::peek(1).await.unwrap(), None, "{}", other[0]);
            user::invalidate(1).await.unwrap();
        })
        .await;
        assert!(server.keys().is_empty());
    }
}

#[tokio::test]
async fn too_large_entries_are_misses_and_too_large_values_not_stored() {
    #[cache_result(ttl = 60)]
    async fn long(length: usize) -> String {
        "x".repeat(length)
    }
    let server = RedisServer::start();
    let cache = patient::builder(&server.url()).max_value_bytes(1_000).build().await.unwrap();
    put(&server, &full(&user::key(1)), &vec![b'V'; 5_000]);
    assert_miss(&cache, Fault::TooLarge, "5000 bytes").await;

    let logs = Logs::capture();
    scope(cache.clone(), async {
        for _ in 0..3 {
            assert_eq!(long(2_000).await.len(), 2_000);
            // Until its lease is given up the next call meets it, and has nothing to store.
            cache.shutdown().await;
        }
        assert_eq!(long::stats().errors[&Fault::TooLarge], 3);
        assert_eq!((long::stats().hits(), long::stats().misses), (0, 3));
        assert_eq!(server.int(&["EXISTS", &full(&long::key(2_000))]), 0, "nor is a lease left");
        let error = long::put(2_000, &"x".repeat(2_000)).await.unwrap_err();
        assert_eq!(error.kind(), cached_runtime::ErrorKind::Encode);
        long(900).await;
        long(900).await;
        assert_eq!(long::stats().hits(), 1);
    })
    .await;
    assert_eq!(logs.lines().len(), 1, "said once: {:?}", logs.lines());
    assert!(logs.contains(Level::WARN, "max_value_bytes"));
}

#[test]
fn sync_functions_take_garbage_for_a_miss() {
    let server = RedisServer::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let cache = runtime.block_on(patient::cache(&server));
    let key = full(&user_now::key(1));
    scope_sync(cache.clone(), || {
        put(&server, &key, b"garbage");
        assert_eq!((user_now(1), user_now(1)), (user_now::uncached(1), user_now::uncached(1)));
        server.cmd(&["DEL", &key]);
        server.cmd(&["RPUSH", &key, "a"]);
        assert_eq!((user_now(1), user_now(1)), (user_now::uncached(1), user_now::uncached(1)));
    });
    let total = cache.stats().total;
    assert_eq!((total.misses, total.hits()), (2, 2));
    assert_eq!((count(&cache, Fault::Corrupt), count(&cache, Fault::WrongType)), (1, 1));
}
