//! What stands around a cached function, as in users' programs: attributes of others, statics of all
//! kinds for the cache, names that a glob import brings in, and threads that end.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};

use async_recursion::async_recursion;
use cached_runtime::{Cache, Source, cache_invalidate, cache_result, scope, scope_sync};

/// Nothing that the attribute writes is a use of the function: only callers are warned.
#[deny(deprecated)]
mod old {
    use std::collections::HashMap;

    use cached_runtime::{cache_invalidate, cache_result};

    #[deprecated]
    #[cache_result(ttl = 60)]
    pub(super) async fn above(n: u32) -> u32 {
        n + 1
    }

    #[cache_result(ttl = 60, stale_while_revalidate = "1m")]
    #[deprecated(note = "use `above`")]
    pub(super) fn below(n: u32) -> Option<u32> {
        Some(n + 1)
    }

    #[deprecated]
    #[cache_result(ttl = 60, batch = keys)]
    pub(super) async fn batch(keys: &[u32]) -> HashMap<u32, u32> {
        keys.iter().map(|key| (*key, key + 1)).collect()
    }

    pub(super) struct Repository;

    impl Repository {
        #[deprecated]
        #[cache_result(ttl = 60, skip(self), companion)]
        pub(super) async fn method(&self, n: u32) -> u32 {
            n + 1
        }

        #[deprecated]
        #[cache_invalidate(self.method(n), above(n), tags = ["all"])]
        pub(super) async fn change(&self, n: u32) -> u32 {
            n
        }
    }
}

#[tokio::test]
#[allow(deprecated, reason = "what is tested is who is warned")]
async fn a_deprecated_function_is_cached() {
    scope(Cache::memory(), async {
        assert_eq!((old::above(1).await, old::below(1)), (2, Some(2)));
        assert_eq!(old::batch(&[1]).await[&1], 2);
        assert_eq!(old::Repository.method(1).await, 2);
        assert_eq!(old::Repository.method_cache(1).fetch().await.source, Source::Store);
        assert_eq!(old::Repository.change(1).await, 1);
        assert_eq!(old::above::fetch(1).await.source, Source::Loaded);
    })
    .await;
}

static LAZY: LazyLock<Cache> = LazyLock::new(Cache::memory);
static LAZY_SHARED: LazyLock<Arc<Cache>> = LazyLock::new(|| Arc::new(Cache::memory()));
static STATES: LazyLock<State> = LazyLock::new(|| State(Cache::memory()));

/// An application's own state.
struct State(Cache);

impl std::ops::Deref for State {
    type Target = Cache;

    fn deref(&self) -> &Cache {
        &self.0
    }
}

#[cache_result(ttl = 60, cache = LAZY)]
async fn lazy(n: u32) -> u32 {
    n + 1
}

#[cache_result(ttl = 60, cache = LAZY_SHARED)]
fn lazy_shared(n: u32) -> u32 {
    n + 1
}

#[cache_result(ttl = 60, cache = STATES, local)]
async fn of_state(n: u32) -> u32 {
    n + 1
}

#[cache_result(ttl = 60, cache = cache, skip(cache))]
async fn by_reference(cache: &Cache, n: u32) -> u32 {
    n + u32::from(cache.namespace() == "cache")
}

#[cache_result(ttl = 60, cache = cache, skip(cache))]
async fn by_arc(cache: Arc<Cache>, n: u32) -> u32 {
    n + u32::from(cache.namespace() == "cache")
}

#[cache_result(ttl = 60, cache = *cache, skip(cache))]
async fn by_box(cache: Box<Cache>, n: u32) -> u32 {
    n + u32::from(cache.namespace() == "cache")
}

#[cache_invalidate(lazy(n), cache = LAZY, tags = ["all"])]
async fn change(n: u32) -> u32 {
    n
}

#[tokio::test]
async fn whatever_dereferences_to_a_cache_is_one() {
    assert_eq!((lazy(1).await, lazy_shared(1), of_state(1).await), (2, 2, 2));
    assert_eq!(lazy::fetch(1).await.source, Source::Store);
    assert_eq!(lazy_shared::fetch(1).source, Source::Store);
    assert_eq!(of_state::peek(1).await.unwrap(), Some(2));
    let cache = Cache::memory();
    let shared = Arc::new(cache.clone());
    for _ in 0..2 {
        assert_eq!(by_reference(&cache, 1).await, 2);
        assert_eq!(by_arc(Arc::clone(&shared), 2).await, 3);
        assert_eq!(by_box(Box::new(cache.clone()), 3).await, 4);
    }
    assert_eq!(cache.stats().total.hits(), 3);
    change(1).await;
    assert_eq!(lazy::fetch(1).await.source, Source::Loaded);
}

#[async_recursion]
#[cache_result(ttl = 60)]
async fn fibonacci_above(n: u64) -> u64 {
    if n < 2 { n } else { fibonacci_above(n - 1).await + fibonacci_above(n - 2).await }
}

#[cache_result(ttl = 60)]
#[async_recursion]
async fn fibonacci_below(n: u64) -> u64 {
    if n < 2 { n } else { fibonacci_below(n - 1).await + fibonacci_below(n - 2).await }
}

#[tokio::test]
async fn what_calls_itself_is_cached_at_each_step() {
    let cache = Cache::memory();
    scope(cache.clone(), async {
        assert_eq!((fibonacci_above(30).await, fibonacci_below(30).await), (832_040, 832_040));
    })
    .await;
    // Thirty-one numbers, each of them once, whatever the order.
    assert_eq!(cache.stats().total.loads, 2 * 31);
}

/// Variants of these names in the place of the standard library's.
mod glob {
    use std::collections::HashMap;

    use cached_runtime::{cache_invalidate, cache_result};

    #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
    #[allow(dead_code, reason = "they are in the way, which is enough")]
    pub(super) enum Kind {
        Ok,
        Some,
        Err,
        None,
        Option,
        Result,
        Box,
        Vec,
        String,
        Default,
        Clone,
        Send,
    }
    #[allow(unused_imports, reason = "as above")]
    use Kind::*;

    #[cache_result(ttl = 60, tags = ["kinds"], cache_if = |kind| *kind != Err)]
    pub(super) async fn kind(n: u32) -> Kind {
        if n == 0 { Ok } else { Some }
    }

    #[cache_result(ttl = 60, local, stale_while_revalidate = "1m", none_ttl = "1s", err_ttl = "1s")]
    pub(super) async fn near(n: u32) -> std::result::Result<std::option::Option<u32>, u32> {
        if n == 0 {
            std::result::Result::Err(n)
        } else {
            std::result::Result::Ok(std::option::Option::Some(n))
        }
    }

    #[cache_result(ttl = 60)]
    pub(super) fn kind_now(n: u32) -> Kind {
        if n == 0 { None } else { Err }
    }

    #[cache_result(ttl = 60, batch = keys)]
    pub(super) async fn batch(keys: &[u32]) -> HashMap<u32, Kind> {
        keys.iter().map(|key| (*key, Some)).collect()
    }

    pub(super) struct Repository;

    impl Repository {
        #[cache_result(ttl = 60, skip(self), companion)]
        pub(super) async fn method(&self, n: u32) -> Kind {
            if n == 0 { Ok } else { Some }
        }

        #[cache_invalidate(self.method(n), kind(n), |_| near(1), tags = ["kinds"])]
        pub(super) async fn change(&self, n: u32) -> Kind {
            if n == 0 { Ok } else { Some }
        }
    }
}

#[tokio::test]
async fn names_that_a_glob_brings_in_are_not_taken_for_others() {
    use glob::Kind;
    scope(Cache::memory(), async {
        for _ in 0..2 {
            assert_eq!((glob::kind(0).await, glob::kind_now(1)), (Kind::Ok, Kind::Err));
            assert_eq!((glob::near(0).await, glob::near(1).await), (Err(0), Ok(Some(1))));
            assert_eq!(glob::batch(&[1]).await[&1], Kind::Some);
            assert_eq!(glob::Repository.method(1).await, Kind::Some);
        }
        assert_eq!(glob::kind::peek(0).await.unwrap(), Some(Kind::Ok));
        assert_eq!(glob::Repository.method_cache(1).peek().await.unwrap(), Some(Kind::Some));
        glob::Repository.change(1).await;
        assert_eq!(glob::Repository.method_cache(1).peek().await.unwrap(), None);
    })
    .await;
}

static BODIES: AtomicU32 = AtomicU32::new(0);

#[cache_result(ttl = 60, cache = LAZY)]
fn late(n: u32) -> u32 {
    BODIES.fetch_add(1, Ordering::SeqCst);
    n + 1
}

#[cache_result(ttl = 60, cache = LAZY, local)]
fn late_and_near(n: u32) -> u32 {
    BODIES.fetch_add(1, Ordering::SeqCst);
    n + 1
}

#[cache_result(ttl = 60)]
fn late_in_scope(n: u32) -> u32 {
    BODIES.fetch_add(1, Ordering::SeqCst);
    n + 1
}

/// Calls when its thread ends.
struct AtTheEnd(Box<dyn Fn()>);

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Before and after what the library keeps for the thread is gone: a thread's values are dropped in the
/// order in which they were first used, or in the opposite one.
#[test]
fn a_thread_that_ends_may_still_call() {
    thread_local! {
        static FIRST: RefCell<Option<AtTheEnd>> = const { RefCell::new(None) };
        static LAST: RefCell<Option<AtTheEnd>> = const { RefCell::new(None) };
    }
    let server = cached_tests::RedisServer::start();
    let remote = super::patient::builder(&server.url()).build_blocking().unwrap();
    let ends = std::thread::spawn(move || {
        let calls = |from: u32, remote: Cache| {
            move || {
                for n in [1, from] {
                    assert_eq!((late(n), late_and_near(n)), (n + 1, n + 1));
                    assert_eq!(scope_sync(remote.clone(), || late_in_scope(n)), n + 1);
                    late_in_scope::fetch(n);
                    late::invalidate(n).unwrap();
                }
            }
        };
        FIRST.set(Some(AtTheEnd(Box::new(calls(10, remote.clone())))));
        calls(20, remote.clone())();
        LAST.set(Some(AtTheEnd(Box::new(calls(30, remote)))));
    });
    // A panic in a destructor of a thread ends the process.
    ends.join().unwrap();
    assert!(BODIES.load(Ordering::SeqCst) >= 3 * 4, "each number has a body of its own");
}
