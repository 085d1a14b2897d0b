//! Values past their ttl: served while, or in case, a load is under way, and never after an
//! invalidation.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cached_runtime::{Cache, Error, Source, cache_result, scope, scope_sync};
use cached_tests::{RedisServer, eventually};
use tokio::sync::Semaphore;

use super::patient::{self, LONG, on_each_store};

/// What bodies do: count, fail or take their time on demand.
#[derive(Default)]
struct Backend {
    loads: AtomicU64,
    fails: AtomicBool,
    /// In ms.
    takes: AtomicU64,
}

impl Backend {
    async fn load(&self) -> Result<u64, Error> {
        let load = self.loads.fetch_add(1, Ordering::SeqCst) + 1;
        let takes = self.takes.load(Ordering::SeqCst);
        if takes > 0 {
            // The time a load takes is what these tests are about.
            tokio::time::sleep(Duration::from_millis(takes)).await;
        }
        if self.fails.load(Ordering::SeqCst) {
            return Err(down());
        }
        Ok(load)
    }

    fn loads(&self) -> u64 {
        self.loads.load(Ordering::SeqCst)
    }

    fn takes(&self, millis: u64) {
        self.takes.store(millis, Ordering::SeqCst);
    }
}

/// Any error of the cache's will do.
fn down() -> Error {
    let error = Cache::memory().install().and_then(|()| Cache::memory().install());
    error.expect_err("installed twice")
}

/// Longer than the ttl of the functions here; a value's age is what these tests are about.
async fn expire() {
    tokio::time::sleep(Duration::from_millis(250)).await;
}

#[cache_result(ttl = "200ms", skip(backend), stale_while_revalidate = "1h")]
async fn revalidated(backend: Arc<Backend>) -> Result<u64, Error> {
    backend.load().await
}

#[cache_result(ttl = "200ms", skip(backend), stale_while_revalidate = "1h")]
async fn borrowed(backend: &Backend) -> Result<u64, Error> {
    backend.load().await
}

#[cache_result(ttl = "200ms", skip(backend), stale_if_error = "1h")]
async fn kept_for_errors(backend: Arc<Backend>) -> Result<u64, Error> {
    backend.load().await
}

#[cache_result(
    ttl = "200ms",
    skip(backend),
    stale_if_error = "1h",
    soft_timeout = "100ms",
    load_timeout = "1500ms"
)]
async fn in_time(backend: Arc<Backend>) -> Result<u64, Error> {
    backend.load().await
}

#[cache_result(ttl = "2s", skip(backend), refresh_ahead = 0.1)]
async fn ahead(backend: Arc<Backend>) -> Result<u64, Error> {
    backend.load().await
}

#[tokio::test]
async fn an_old_value_is_served_while_one_load_replaces_it() {
    on_each_store(async |cache| {
        let backend = Arc::<Backend>::default();
        scope(cache.clone(), async {
            let fetch = || revalidated::fetch(backend.clone());
            assert_eq!(fetch().await.source, Source::Loaded);
            let fresh = fetch().await;
            assert_eq!(fresh.source, Source::Store);
            assert!(fresh.age.unwrap() < Duration::from_millis(200), "{fresh:?}");
            expire().await;
            backend.takes(300);
            for _ in 0..10 {
                let stale = fetch().await;
                assert_eq!((stale.value.unwrap(), stale.source), (1, Source::Stale));
                assert!(stale.age.unwrap() >= Duration::from_millis(200));
            }
            cache.shutdown().await;
            assert_eq!(backend.loads(), 2, "one load, and shutdown waited for it");
            let fresh = fetch().await;
            assert_eq!((fresh.value.unwrap(), fresh.source), (2, Source::Store));
        })
        .await;
        let stats = cache.stats().total;
        assert_eq!((stats.hits_stale, stats.misses, stats.loads), (10, 1, 2), "{stats}");
        assert_eq!(stats.calls(), 13, "{stats}");
    })
    .await;
}

#[tokio::test]
async fn a_load_in_the_background_outlives_its_caller() {
    let server = RedisServer::start();
    let cache = patient::cache(&server).await;
    let backend = Arc::<Backend>::default();
    scope(cache.clone(), revalidated(backend.clone())).await.unwrap();
    expire().await;
    backend.takes(100);
    let caller = tokio::spawn(scope(cache.clone(), revalidated(backend.clone())));
    assert_eq!(caller.await.unwrap().unwrap(), 1);
    eventually(LONG, || async {
        scope(cache.clone(), revalidated::peek()).await.unwrap() == Some(2)
    })
    .await;
}

/// Of a fleet, one loads what all find old.
#[tokio::test]
async fn one_of_several_caches_loads_what_is_old() {
    let server = RedisServer::start();
    let caches = [patient::cache(&server).await, patient::cache(&server).await];
    let backend = Arc::<Backend>::default();
    scope(caches[0].clone(), revalidated(backend.clone())).await.unwrap();
    expire().await;
    backend.takes(200);
    for _ in 0..5 {
        for cache in &caches {
            let found = scope(cache.clone(), revalidated(backend.clone())).await;
            assert_eq!(found.unwrap(), 1);
        }
    }
    for cache in &caches {
        cache.shutdown().await;
    }
    assert_eq!(backend.loads(), 2);
}

/// What cannot run in the background runs in one caller's time.
#[tokio::test]
async fn a_borrowing_body_is_run_by_one_caller_while_others_are_served() {
    on_each_store(async |cache| {
        let backend = Backend::default();
        scope(cache.clone(), async {
            borrowed(&backend).await.unwrap();
            expire().await;
            backend.takes(300);
            let started = Instant::now();
            let (loaded, (first, second)) = tokio::join!(borrowed::fetch(&backend), async {
                // After the other has begun.
                tokio::time::sleep(Duration::from_millis(100)).await;
                (borrowed::fetch(&backend).await, started.elapsed())
            });
            assert_eq!((loaded.value.unwrap(), loaded.source), (2, Source::Loaded));
            assert_eq!((first.value.unwrap(), first.source), (1, Source::Stale));
            assert!(second < Duration::from_millis(300), "it did not wait: {second:?}");
            backend.fails.store(true, Ordering::SeqCst);
            expire().await;
            let failed = borrowed::fetch(&backend).await;
            assert_eq!((failed.value.unwrap(), failed.source), (2, Source::Stale));
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_sync_function_is_reloaded_on_a_thread() {
    #[cache_result(ttl = "200ms", skip(loads), stale_while_revalidate = "1h")]
    fn counted(loads: Arc<AtomicU64>) -> u64 {
        loads.fetch_add(1, Ordering::SeqCst) + 1
    }

    on_each_store(async |cache| {
        let loads = Arc::<AtomicU64>::default();
        let call = || scope_sync(cache.clone(), || counted(loads.clone()));
        assert_eq!(call(), 1);
        expire().await;
        assert_eq!(call(), 1);
        cache.shutdown().await;
        assert_eq!(call(), 2);
    })
    .await;
}

/// A backend in trouble is not asked again and again.
#[tokio::test]
async fn a_load_in_the_background_that_failed_is_not_tried_again_at_once() {
    #[cache_result(ttl = "200ms", skip(backend), stale_while_revalidate = "1h")]
    fn failing(backend: Arc<Backend>) -> Result<u64, String> {
        match backend.loads.fetch_add(1, Ordering::SeqCst) {
            0 => Ok(1),
            _ => Err("down".to_owned()),
        }
    }

    on_each_store(async |cache| {
        let (blocking, backend) = (Arc::<Backend>::default(), Arc::<Backend>::default());
        scope(cache.clone(), async {
            failing(blocking.clone()).unwrap();
            revalidated(backend.clone()).await.unwrap();
            expire().await;
            backend.fails.store(true, Ordering::SeqCst);
            for _ in 0..20 {
                assert_eq!(failing(blocking.clone()), Ok(1));
                assert_eq!(revalidated(backend.clone()).await.unwrap(), 1);
                // Time in which it could be tried again.
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            assert_eq!((blocking.loads(), backend.loads()), (2, 2));
        })
        .await;
    })
    .await;
}

/// A body that panics in the background has failed like one that returns an error: it is counted, and
/// not tried again at once, neither in this process nor in another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_in_the_background_that_panicked_is_not_tried_again_at_once() {
    #[cache_result(ttl = "200ms", skip(backend), stale_while_revalidate = "1h")]
    fn panics(backend: Arc<Backend>) -> u64 {
        assert!(backend.loads.fetch_add(1, Ordering::SeqCst) == 0, "on purpose");
        1
    }

    #[cache_result(ttl = "200ms", skip(backend), stale_while_revalidate = "1h")]
    async fn panics_later(backend: Arc<Backend>) -> u64 {
        let first = backend.loads.fetch_add(1, Ordering::SeqCst) == 0;
        tokio::task::yield_now().await;
        assert!(first, "on purpose");
        1
    }

    on_each_store(async |cache| {
        let (blocking, backend) = (Arc::<Backend>::default(), Arc::<Backend>::default());
        scope(cache.clone(), async {
            panics(blocking.clone());
            panics_later(backend.clone()).await;
            expire().await;
            for _ in 0..20 {
                assert_eq!(panics(blocking.clone()), 1);
                assert_eq!(panics_later(backend.clone()).await, 1);
                // Time in which it could be tried again.
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            assert_eq!((blocking.loads(), backend.loads()), (2, 2));
            // A panic is counted once it has been printed.
            let failures = || [panics::stats(), panics_later::stats()].map(|it| it.load_failures);
            eventually(LONG, async || failures() == [1, 1]).await;
            let (blocking, async_) = (panics::stats(), panics_later::stats());
            assert_eq!((blocking.loads, async_.loads), (2, 2));
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn an_old_value_stands_in_for_an_error() {
    on_each_store(async |cache| {
        let backend = Arc::<Backend>::default();
        scope(cache.clone(), async {
            let fetch = || kept_for_errors::fetch(backend.clone());
            backend.fails.store(true, Ordering::SeqCst);
            assert!(fetch().await.value.is_err(), "there is nothing yet");
            backend.fails.store(false, Ordering::SeqCst);
            assert_eq!(fetch().await.value.unwrap(), 2);
            expire().await;
            backend.fails.store(true, Ordering::SeqCst);
            let stale = fetch().await;
            assert_eq!((stale.value.unwrap(), stale.source), (2, Source::Stale));
            assert_eq!(backend.loads(), 3, "it was tried");
            // Many at once share the failure, and the old value.
            backend.takes(100);
            let callers: Vec<_> =
                (0..20).map(|_| tokio::spawn(scope(cache.clone(), fetch()))).collect();
            for caller in callers {
                let stale = caller.await.unwrap();
                assert_eq!((stale.value.unwrap(), stale.source), (2, Source::Stale));
            }
            assert_eq!(backend.loads(), 4);
            backend.takes(0);
            backend.fails.store(false, Ordering::SeqCst);
            let fresh = fetch().await;
            assert_eq!((fresh.value.unwrap(), fresh.source), (5, Source::Loaded));
        })
        .await;
        let stats = cache.stats().total;
        assert_eq!(stats.hits_stale, 21, "{stats}");
        assert_eq!((stats.misses, stats.load_failures), (3, 3), "{stats}");
    })
    .await;
}

#[tokio::test]
async fn a_load_that_takes_too_long_goes_on_behind_an_old_value() {
    on_each_store(async |cache| {
        let backend = Arc::<Backend>::default();
        scope(cache.clone(), async {
            let fetch = || in_time::fetch(backend.clone());
            backend.takes(300);
            assert_eq!(fetch().await.source, Source::Loaded, "without an old value it waits");
            expire().await;
            backend.takes(600);
            let started = Instant::now();
            let stale = fetch().await;
            assert_eq!((stale.value.unwrap(), stale.source), (1, Source::Stale));
            assert!(started.elapsed() < Duration::from_millis(600), "{:?}", started.elapsed());
            cache.shutdown().await;
            assert_eq!(in_time::peek().await.unwrap(), Some(2), "the body went on");
            assert_eq!(backend.loads(), 2);
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_load_past_its_timeout_fails() {
    on_each_store(async |cache| {
        let backend = Arc::<Backend>::default();
        scope(cache.clone(), async {
            backend.takes(60_000);
            let error = in_time(backend.clone()).await.unwrap_err();
            assert!(error.to_string().contains("load_timeout"), "{error}");
            backend.takes(0);
            assert_eq!(in_time(backend.clone()).await.unwrap(), 2, "nothing is left of it");
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_fresh_value_is_reloaded_ahead() {
    on_each_store(async |cache| {
        let backend = Arc::<Backend>::default();
        scope(cache.clone(), async {
            ahead(backend.clone()).await.unwrap();
            expire().await; // past a tenth of the ttl
            let due = ahead::fetch(backend.clone()).await;
            assert_eq!((due.value.unwrap(), due.source), (1, Source::Store));
            cache.shutdown().await;
            assert_eq!(ahead(backend.clone()).await.unwrap(), 2);
        })
        .await;
    })
    .await;
}

/// With several readers all the time, in two caches, nobody ever waits for a load after the
/// first, and a period has about one.
#[tokio::test]
async fn a_hot_key_is_refreshed_before_it_expires() {
    #[cache_result(ttl = "2s", skip(backend), early_refresh)]
    async fn hot(backend: Arc<Backend>) -> Result<u64, Error> {
        backend.load().await
    }

    let server = RedisServer::start();
    let caches = [patient::cache(&server).await, patient::cache(&server).await];
    let backend = Arc::<Backend>::default();
    // With three reads a millisecond the first draws its lot about 100 ms · ln 300 before the end.
    backend.takes(100);
    scope(caches[0].clone(), hot(backend.clone())).await.unwrap();
    let until = Instant::now() + Duration::from_secs(6);
    let readers: Vec<_> = (0..8)
        .map(|reader| {
            let backend = backend.clone();
            tokio::spawn(scope(caches[reader % 2].clone(), async move {
                let mut waited = 0;
                while Instant::now() < until {
                    let found = hot::fetch(backend.clone()).await;
                    waited += u64::from(found.source != Source::Store);
                    // Readers come all the time, not as fast as they can.
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                waited
            }))
        })
        .collect();
    for reader in readers {
        assert_eq!(reader.await.unwrap(), 0, "no reader waits for a load");
    }
    let loads = backend.loads();
    // Three ttls, each of whose loads begins some time before its turn.
    assert!((3..=8).contains(&loads), "{loads}");
}

/// After an invalidation nothing old is served, whichever option keeps it.
#[tokio::test]
async fn what_was_invalidated_is_not_served_as_old() {
    on_each_store(async |cache| {
        let backend = Arc::<Backend>::default();
        scope(cache.clone(), async {
            for (invalidate, what) in [(true, "invalidated"), (false, "kept: the control")] {
                cache.clear().await.unwrap();
                backend.fails.store(false, Ordering::SeqCst);
                backend.takes(0);
                revalidated(backend.clone()).await.unwrap();
                kept_for_errors(backend.clone()).await.unwrap();
                in_time(backend.clone()).await.unwrap();
                expire().await;
                if invalidate {
                    revalidated::invalidate().await.unwrap();
                    kept_for_errors::invalidate().await.unwrap();
                    in_time::invalidate().await.unwrap();
                }
                backend.fails.store(true, Ordering::SeqCst);
                backend.takes(150);
                assert_eq!(revalidated(backend.clone()).await.is_err(), invalidate, "{what}");
                assert_eq!(kept_for_errors(backend.clone()).await.is_err(), invalidate, "{what}");
                assert_eq!(in_time(backend.clone()).await.is_err(), invalidate, "{what}");
                cache.shutdown().await;
            }
        })
        .await;
    })
    .await;
}

/// An invalidation while a load in the background is under way: its value is not stored.
#[tokio::test]
async fn a_load_in_the_background_is_revoked_by_an_invalidation() {
    on_each_store(async |cache| {
        let backend = Arc::<Backend>::default();
        scope(cache.clone(), async {
            revalidated(backend.clone()).await.unwrap();
            expire().await;
            backend.takes(300);
            revalidated(backend.clone()).await.unwrap();
            eventually(LONG, || async { backend.loads() == 2 }).await;
            revalidated::invalidate().await.unwrap();
            cache.shutdown().await;
            assert_eq!(revalidated::peek().await.unwrap(), None, "refused");
            assert_eq!(cache.stats().total.writes_refused, 1);
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn jitter_shortens_every_ttl() {
    #[cache_result(ttl = 100, none_ttl = 100, err_ttl = 100, jitter = 0.5)]
    async fn outcome(n: u64) -> Result<Option<u64>, String> {
        match n % 3 {
            0 => Err("none".to_owned()),
            1 => Ok(None),
            _ => Ok(Some(n)),
        }
    }

    let server = RedisServer::start();
    let cache = patient::cache(&server).await;
    scope(cache, async {
        for n in 0..60 {
            let _ = outcome(n).await;
        }
    })
    .await;
    for kind in 0..3_u64 {
        let left = |n: u64| {
            server.int(&[
                "PTTL",
                &format!("cache:integration.freshness.jitter_shortens_every_ttl.outcome:{n}"),
            ])
        };
        let lives: Vec<i64> = (0..60).filter(|n| n % 3 == kind).map(left).collect();
        assert!(lives.iter().all(|left| (40_000..=100_000).contains(left)), "{kind}: {lives:?}");
        assert!(lives.iter().any(|left| *left < 75_000), "{kind}: {lives:?}");
        assert!(lives.iter().any(|left| *left > 75_000), "{kind}: {lives:?}");
    }
}

/// Loads behind callers are no way to open a thousand connections to the database.
#[tokio::test]
async fn loads_in_the_background_are_bounded_in_number() {
    #[cache_result(ttl = "200ms", skip(running, go_on), stale_while_revalidate = "1h")]
    async fn slow(id: u64, running: Arc<AtomicU64>, go_on: Arc<Semaphore>) -> u64 {
        running.fetch_add(1, Ordering::SeqCst);
        go_on.acquire().await.unwrap().forget();
        id
    }

    on_each_store(async |cache| {
        let running = Arc::<AtomicU64>::default();
        let go_on = Arc::new(Semaphore::new(100));
        let call = |id| scope(cache.clone(), slow(id, running.clone(), go_on.clone()));
        for id in 0..100 {
            call(id).await;
        }
        expire().await;
        running.store(0, Ordering::SeqCst);
        for id in 0..100 {
            assert_eq!(call(id).await, id, "all are served");
        }
        eventually(LONG, || async { running.load(Ordering::SeqCst) == 64 }).await;
        for id in 0..100 {
            call(id).await;
        }
        assert_eq!(running.load(Ordering::SeqCst), 64);
        go_on.add_permits(1_000);
        cache.shutdown().await;
        for id in 64..100 {
            call(id).await;
        }
        cache.shutdown().await;
        assert_eq!(running.load(Ordering::SeqCst), 100, "the others are loaded later");
    })
    .await;
}

/// What a refresh finds gone, or not worth keeping, must not be served any longer.
#[tokio::test]
async fn a_refresh_that_stores_nothing_leaves_nothing() {
    #[cache_result(ttl = 60, skip(row))]
    async fn optional(row: &AtomicU64) -> Option<u64> {
        Some(row.load(Ordering::SeqCst)).filter(|row| *row > 0)
    }

    #[cache_result(ttl = 60, skip(row), cache_if = |row: &u64| *row < 10)]
    async fn small(row: &AtomicU64) -> u64 {
        row.load(Ordering::SeqCst)
    }

    on_each_store(async |cache| {
        scope(cache, async {
            let row = AtomicU64::new(1);
            assert_eq!((optional(&row).await, small(&row).await), (Some(1), 1));
            row.store(0, Ordering::SeqCst);
            assert_eq!(optional::refresh(&row).await, None);
            assert_eq!(optional(&row).await, None);
            row.store(10, Ordering::SeqCst);
            assert_eq!(small::refresh(&row).await, 10);
            assert_eq!(small::peek().await.unwrap(), None);
        })
        .await;
    })
    .await;
}

/// However many wait, and one after the other: each gets the old value after the time that one
/// would wait.
#[tokio::test]
async fn those_who_wait_for_another_processs_load_are_served_together() {
    let server = RedisServer::start();
    let cache = async || {
        let builder = patient::builder(&server.url()).wait_max(Duration::from_millis(300));
        builder.build().await.unwrap()
    };
    let (here, there) = (cache().await, cache().await);
    let backend = Arc::<Backend>::default();
    scope(here.clone(), kept_for_errors(backend.clone())).await.unwrap();
    expire().await;
    backend.takes(60_000);
    let slow = tokio::spawn(scope(there, kept_for_errors(backend.clone())));
    eventually(LONG, || async { backend.loads() == 2 }).await;
    let started = Instant::now();
    let callers: Vec<_> = (0..20)
        .map(|_| tokio::spawn(scope(here.clone(), kept_for_errors::fetch(backend.clone()))))
        .collect();
    for caller in callers {
        let served = caller.await.unwrap();
        assert_eq!((served.value.unwrap(), served.source), (1, Source::Stale));
    }
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    slow.abort();
}

/// The time that a load took is its body's, also where an old value was served meanwhile.
#[tokio::test]
async fn load_times_are_whole() {
    on_each_store(async |cache| {
        let backend = Arc::<Backend>::default();
        scope(cache.clone(), async {
            in_time(backend.clone()).await.unwrap();
            expire().await;
            backend.takes(300);
            in_time(backend.clone()).await.unwrap();
            cache.shutdown().await;
        })
        .await;
        let took = cache.stats().total.load_time;
        assert!(took >= Duration::from_millis(300), "{took:?}");
    })
    .await;
}
