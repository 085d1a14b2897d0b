//! Which entries an invalidation reaches, and which functions share them.

use std::time::Duration;

use cached_runtime::{Cache, Fault, cache_invalidate, cache_result, scope};
use cached_tests::{Logs, RedisServer};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tracing::Level;

use super::patient;

const MINUTE: Duration = Duration::from_secs(60);

#[cache_result(ttl = 60)]
async fn get_user(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60)]
async fn get_user_orders(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60)]
async fn everybody() -> u64 {
    7
}

#[cache_result(ttl = 60)]
async fn by_name(name: &str) -> String {
    name.to_owned()
}

#[cache_result(ttl = 60)]
async fn sized<const N: usize>(id: usize) -> usize {
    id + N
}

#[cache_result(ttl = 60)]
async fn sum<T: serde::Serialize + Into<u64>>(of: T) -> u64 {
    of.into()
}

#[cache_invalidate(pattern = "*by_name:{name}")]
async fn rename(name: &str) {}

/// How many of these are there now, without asking for anything that is not.
macro_rules! there {
    ($($function:ident($($argument:expr),*)),* $(,)?) => {
        0 $(+ usize::from($function::peek($($argument),*).await.unwrap().is_some()))*
    };
}

#[tokio::test]
async fn a_readable_pattern_finds_what_one_means() {
    patient::on_each_store(async |cache| {
        scope(cache.clone(), async {
            for id in [4, 42, 421] {
                get_user(id).await;
                get_user_orders(id).await;
            }
            assert_eq!(cache.invalidate_pattern("*get_user:42").await.unwrap(), 1);
            assert_eq!(there!(get_user(42)), 0);
            assert_eq!(there!(get_user(4), get_user(421), get_user_orders(42)), 3);
            get_user(42).await;
            assert_eq!(cache.invalidate_pattern("*get_user*:42").await.unwrap(), 2);
            assert_eq!(there!(get_user(42), get_user_orders(42)), 0);
            assert_eq!(cache.invalidate_pattern("*get_user:4?").await.unwrap(), 0);
            assert_eq!(cache.invalidate_pattern("*get_user*:4[0-9]1").await.unwrap(), 2);
            assert_eq!(cache.invalidate_pattern("nothing*").await.unwrap(), 0);
            assert_eq!(cache.clear().await.unwrap(), 2);
            assert_eq!(cache.clear().await.unwrap(), 0);
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn invalidate_all_reaches_one_function() {
    patient::on_each_store(async |cache| {
        scope(cache.clone(), async {
            get_user(1).await;
            get_user(2).await;
            get_user_orders(1).await;
            everybody().await;
            sized::<3>(1).await;
            sized::<4>(1).await;
            sum(1_u8).await;
            sum(1_u64).await;
            assert_eq!(get_user::invalidate_all().await.unwrap(), 2);
            assert_eq!(everybody::invalidate_all().await.unwrap(), 1);
            assert_eq!(there!(get_user_orders(1)), 1);
            // Each instantiation is a function of its own.
            assert_eq!(sized::<3>::invalidate_all().await.unwrap(), 1);
            assert_eq!(sized::<4>::peek(1).await.unwrap(), Some(5));
            assert_eq!(sum::<u64>::invalidate_all().await.unwrap(), 1);
            assert_eq!(sum::<u8>::peek(1).await.unwrap(), Some(1));
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn no_namespace_reaches_anothers_keys() {
    let server = RedisServer::start();
    let names = ["shop", "shop2", "sho", "shop.eu", "shop-1", "cache"];
    let mut caches = Vec::new();
    for name in names {
        let cache = patient::builder(&server.url()).namespace(name).build().await.unwrap();
        scope(cache.clone(), get_user(1)).await;
        cache.set("by hand", &name.to_owned(), MINUTE).await.unwrap();
        caches.push(cache);
    }
    // What is no cache's at all.
    for foreign in ["shop", "shopping:1", "xshop:1", "s", "*"] {
        server.cmd(&["SET", foreign, "1"]);
    }
    let shop = &caches[0];
    assert_eq!(shop.namespace(), "shop");
    assert_eq!(shop.invalidate_key("by hand").await.unwrap(), 1);
    assert_eq!(shop.invalidate_key("by hand").await.unwrap(), 0);
    assert_eq!(shop.invalidate_pattern("*get_user*").await.unwrap(), 1);
    scope(shop.clone(), async {
        get_user(1).await;
        assert_eq!(get_user::invalidate_all().await.unwrap(), 1);
        get_user(1).await;
    })
    .await;
    assert_eq!(shop.clear().await.unwrap(), 1);
    // Attempts to break out.
    for pattern in ["*", "../*", "?*", "\\*", "[^x]*", ":*", "2:*"] {
        assert_eq!(shop.invalidate_pattern(pattern).await.unwrap(), 0, "{pattern}");
    }
    for (cache, name) in caches.iter().zip(names).skip(1) {
        assert_eq!(cache.get::<String>("by hand").await.unwrap().as_deref(), Some(name));
        let found = scope(cache.clone(), get_user::peek(1)).await.unwrap();
        assert_eq!(found, Some(1), "{name}");
    }
    assert_eq!(server.keys().len(), 2 * (names.len() - 1) + 5);
}

/// Whatever an argument holds, the key of its entry is a pattern that matches that entry alone.
#[tokio::test]
async fn glob_characters_in_arguments_match_nothing_else() {
    let names =
        ["*", "a*", "?", "[ab]", "[^a]", "\\", "\\*", "a", "b", "ab", "", "''", "a:b", "%2A"];
    patient::on_each_store(async |cache| {
        scope(cache.clone(), async {
            for name in names {
                for name in names {
                    assert_eq!(by_name(name).await, name);
                }
                let key = by_name::key(name);
                assert_eq!(cache.invalidate_pattern(&key).await.unwrap(), 1, "{name:?}: {key}");
                assert_eq!(there!(by_name(name)), 0, "{name:?}");
                by_name(name).await;
                rename(name).await;
                for other in names {
                    let expected = usize::from(other != name);
                    assert_eq!(there!(by_name(other)), expected, "{name:?} {other:?}");
                }
            }
        })
        .await;
    })
    .await;
}

/// Two functions that only their place in one body tells apart: the compiler gives both one
/// name, so the second to be called is not cached.
#[tokio::test]
async fn two_nested_functions_of_one_name_are_noticed() {
    let (cache, logs) = (Cache::memory(), Logs::capture());
    scope(cache.clone(), async {
        let first = async || {
            #[cache_result(ttl = 60)]
            async fn inner(id: u64) -> u64 {
                id + 1
            }
            inner(1).await
        };
        let second = async || {
            #[cache_result(ttl = 60)]
            async fn inner(id: u64) -> u64 {
                id + 2
            }
            inner(1).await
        };
        assert_eq!((first().await, second().await), (2, 3));
        assert_eq!((first().await, second().await), (2, 3));
    })
    .await;
    let total = cache.stats().total;
    assert_eq!((total.hits(), total.misses, total.bypasses), (1, 1, 2), "{total}");
    assert_eq!(total.errors[&Fault::NameTaken], 2);
    assert!(logs.contains(Level::ERROR, "name = "), "{:?}", logs.lines());
    assert_eq!(logs.lines().len(), 1);
}

mod shared {
    use super::*;

    pub(super) mod one {
        use super::*;
        #[cache_result(ttl = 60, name = "price")]
        pub(in super::super) async fn price(id: u64) -> u64 {
            id * 100
        }
        #[cache_result(ttl = 60, name = "stock")]
        pub(in super::super) async fn stock(id: u64) -> u64 {
            id
        }
    }

    pub(super) mod two {
        use super::*;
        #[cache_result(ttl = 60, name = "price")]
        pub(in super::super) async fn price(id: u64) -> u64 {
            id * 100
        }
        #[cache_result(ttl = 60, name = "stock")]
        pub(in super::super) async fn stock(id: u64) -> i64 {
            -i64::try_from(id).unwrap()
        }
    }
}

#[tokio::test]
async fn functions_of_one_explicit_name_share_their_entries() {
    use shared::{one, two};
    patient::on_each_store(async |cache| {
        scope(cache.clone(), async {
            assert_eq!(one::price::key(1).as_str(), "price:1");
            assert_eq!((one::price(1).await, two::price(1).await), (100, 100));
            assert_eq!(cache.stats().total.hits(), 1);
            two::price::invalidate(1).await.unwrap();
            assert_eq!(one::price::peek(1).await.unwrap(), None);
            // Of different types, neither is ever served the other's value.
            for _ in 0..3 {
                assert_eq!((one::stock(5).await, two::stock(5).await), (5, -5));
            }
            let total = cache.stats().total;
            assert_eq!(total.errors[&Fault::OtherOwner], 1, "side by side: {total}");
        })
        .await;
    })
    .await;
}

/// The embedded store's patterns are Redis's, whatever the pattern.
#[test]
fn patterns_mean_the_same_on_both_stores() {
    let server = RedisServer::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (redis, memory) = (runtime.block_on(patient::cache(&server)), Cache::memory());
    // A class wants its brackets to be close to each other.
    let pattern = r"[ab:*?\[\]^\\-]{0,8}|[ab*?]{0,3}\[\^?[ab\\-]{0,4}\]?[ab*?]{0,3}";
    let keys = prop::collection::hash_set(r"[ab:*?\[\]^\\-]{1,6}|[ab]{1,4}", 1..8);
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let outcome = runner.run(&(pattern, keys), |(pattern, keys)| {
        let count = |cache: &Cache| {
            runtime.block_on(async {
                cache.clear().await.unwrap();
                for key in &keys {
                    cache.set(key, &1_u8, MINUTE).await.unwrap();
                }
                let swept = cache.invalidate_pattern(&pattern).await.unwrap();
                let mut left = Vec::new();
                for key in &keys {
                    if cache.get::<u8>(key).await.unwrap().is_some() {
                        left.push(key.clone());
                    }
                }
                (swept, left)
            })
        };
        prop_assert_eq!(count(&memory), count(&redis));
        Ok(())
    });
    outcome.unwrap();
}
