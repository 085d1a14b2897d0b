//! Ways to a server, and who may call from where: every runtime, every thread, no runtime at all.

use std::process::Command;
use std::time::Duration;

use cached_runtime::{Cache, ErrorKind, cache_result, scope, scope_sync};
use cached_tests::{Ability, RedisServer, eventually, eventually_blocking, server_can};
use tokio::runtime::{Builder, Runtime};

use super::patient::{self, LONG};

#[cache_result(ttl = 60)]
async fn square(n: u64) -> u64 {
    n * n
}

#[cache_result(ttl = 60)]
fn square_now(n: u64) -> u64 {
    n * n
}

/// A miss, then a hit.
async fn assert_caches(cache: &Cache, n: u64) {
    let before = cache.stats().total;
    scope(cache.clone(), async {
        assert_eq!((square(n).await, square(n).await), (n * n, n * n));
    })
    .await;
    let after = cache.stats().total;
    let (misses, hits) = (after.misses - before.misses, after.hits() - before.hits());
    assert_eq!((misses, hits), (1, 1), "{after}");
}

fn assert_caches_sync(cache: &Cache, n: u64) {
    let before = cache.stats().total;
    scope_sync(cache.clone(), || {
        assert_eq!((square_now(n), square_now(n)), (n * n, n * n));
    });
    let after = cache.stats().total;
    let (misses, hits) = (after.misses - before.misses, after.hits() - before.hits());
    assert_eq!((misses, hits), (1, 1), "{after}");
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

#[tokio::test]
async fn by_unix_socket() {
    let server = RedisServer::start();
    let url = server.unix_url();
    let plain = url.replace("redis+unix", "unix");
    for (at, url) in [url.clone(), plain.clone(), format!("{plain}?db=5")].iter().enumerate() {
        let cache = patient::builder(url).build().await.unwrap();
        assert_caches(&cache, at as u64).await;
    }
    assert!(server.text(&["INFO", "keyspace"]).unwrap().contains("db5:keys=1"));
}

#[tokio::test]
async fn as_a_user_on_a_database_of_its_own() {
    let server = RedisServer::start();
    // A password with characters that a URL has to escape.
    server.cmd(&["ACL", "SETUSER", "shop", "on", ">p@ss:w/rd", "~shop:*", "+@all", "-@dangerous"]);
    let port = server.port();
    let url = format!("redis://shop:p%40ss%3Aw%2Frd@127.0.0.1:{port}/3");
    let cache = patient::builder(&url).namespace("shop").build().await.unwrap();
    assert_caches(&cache, 1).await;
    // A connection that is made anew is on that database too, and logged in.
    server.cmd(&["CLIENT", "KILL", "USER", "shop"]);
    eventually(LONG, || async {
        let before = cache.stats().total.hits();
        scope(cache.clone(), square(1)).await;
        cache.stats().total.hits() > before
    })
    .await;
    let keyspace = server.text(&["INFO", "keyspace"]).unwrap();
    assert!(keyspace.contains("db3:keys=1") && !keyspace.contains("db0"), "{keyspace}");
    scope(cache.clone(), square::invalidate(1)).await.unwrap();
    assert_eq!(cache.clear().await.unwrap(), 0);

    // The control: other keys are not this user's.
    let other = patient::builder(&url).namespace("other").build().await.unwrap();
    let error = other.invalidate_key("x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
}

/// Trust comes from the environment, which is the process's: so a child does the calling.
#[test]
fn by_tls() {
    const URL: &str = "CACHED_TESTS_TLS_URL";
    const TRUSTED: &str = "CACHED_TESTS_TLS_TRUSTED";
    if let Ok(url) = std::env::var(URL) {
        current_thread().block_on(async {
            let cache = patient::builder(&url).build().await.unwrap();
            if std::env::var(TRUSTED).is_ok() {
                return assert_caches(&cache, 1).await;
            }
            let quick = Cache::connect(&url).await.unwrap();
            scope(quick.clone(), square(1)).await;
            assert_eq!(quick.stats().total.bypasses, 1);
            let error = quick.invalidate_key("x").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        });
        return;
    }
    if !server_can(Ability::Tls) {
        return;
    }
    let server = RedisServer::start_tls();
    let stranger = RedisServer::start_tls();
    for (trusted, authority) in [(true, server.ca_file()), (false, stranger.ca_file())] {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "connection::by_tls"]);
        child.env(URL, server.url()).env("SSL_CERT_FILE", authority);
        if trusted {
            child.env(TRUSTED, "1");
        }
        let output = child.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{trusted}: {text}");
        assert_eq!(server.keys().len(), 1, "stored by the one who trusts, not by the other");
    }
}

/// A connection dies with its runtime; the cache does not.
#[test]
fn from_one_runtime_after_the_other() {
    let server = RedisServer::start();
    let cache = current_thread().block_on(patient::cache(&server));
    for n in 1..=3 {
        current_thread().block_on(assert_caches(&cache, n));
        multi_thread().block_on(assert_caches(&cache, 10 * n));
        // What another runtime stored is a hit in this one.
        let hits = cache.stats().total.hits();
        assert_eq!(current_thread().block_on(scope(cache.clone(), square(n))), n * n);
        assert_eq!(cache.stats().total.hits(), hits + 1);
        assert_caches_sync(&cache, 100 * n);
    }
    assert_eq!(cache.stats().total.errors.len(), 0, "{}", cache.stats());
}

#[test]
fn from_several_runtimes_at_once() {
    let server = RedisServer::start();
    let first = multi_thread();
    let cache = first.block_on(patient::cache(&server));
    std::thread::scope(|threads| {
        for n in 1..=4 {
            let (cache, first) = (&cache, &first);
            threads.spawn(move || {
                for round in 0..20 {
                    let call = scope(cache.clone(), square(100 * n + round));
                    let expected = (100 * n + round).pow(2);
                    let found = if n % 2 == 0 {
                        first.block_on(call)
                    } else {
                        current_thread().block_on(call)
                    };
                    assert_eq!(found, expected);
                }
            });
        }
    });
    let total = cache.stats().total;
    assert_eq!((total.misses, total.errors.len()), (80, 0), "{total}");
}

/// The runtime ends while a body runs: its lease is given up all the same.
#[test]
fn a_runtime_that_ends_under_a_call() {
    let server = RedisServer::start();
    let cache = current_thread().block_on(async {
        let cache = patient::builder(&server.url()).lease(Duration::from_secs(600));
        let cache = cache.build().await.unwrap();
        let (began, begun) = tokio::sync::oneshot::channel();
        let caller = cache.clone();
        tokio::spawn(async move {
            let load = || async {
                began.send(()).unwrap();
                std::future::pending::<Result<u64, String>>().await
            };
            caller.get_or_load("k", Duration::from_secs(60), load).await
        });
        begun.await.unwrap();
        assert_eq!(server.keys(), ["cache:k"]);
        cache
    });
    eventually_blocking(LONG, || server.keys().is_empty());
    drop(cache);
}

#[test]
fn sync_functions_from_anywhere() {
    let server = RedisServer::start();
    let runtime = current_thread();
    let cache = runtime.block_on(patient::cache(&server));
    // A plain thread, without any runtime.
    std::thread::scope(|threads| {
        threads.spawn(|| assert_caches_sync(&cache, 1));
    });
    // A thread that drives a runtime, from inside it.
    runtime.block_on(async { assert_caches_sync(&cache, 2) });
    multi_thread().block_on(async { assert_caches_sync(&cache, 3) });
    // A thread that tokio keeps for what blocks.
    let blocking = cache.clone();
    let spawned =
        async { tokio::task::spawn_blocking(move || assert_caches_sync(&blocking, 4)).await };
    runtime.block_on(spawned).unwrap();
    multi_thread().block_on(async {
        tokio::task::spawn(async { tokio::task::block_in_place(|| ()) }).await.unwrap();
        let (cache, other) = (cache.clone(), cache.clone());
        let first = tokio::spawn(async move { assert_caches_sync(&cache, 5) });
        let second = tokio::spawn(async move { assert_caches_sync(&other, 6) });
        // Each counts the other's calls as well, so only that both came through is looked at.
        let _ = (first.await, second.await);
    });
    assert_eq!(cache.stats().total.misses, 6);
}

/// Async calls need no tokio of the caller's.
#[test]
fn async_functions_on_another_executor() {
    let server = RedisServer::start();
    let cache = futures_executor::block_on(patient::cache(&server));
    futures_executor::block_on(async {
        assert_caches(&cache, 1).await;
        scope(cache.clone(), async {
            square::put(2, &5).await.unwrap();
            assert_eq!(square::peek(2).await.unwrap(), Some(5));
            assert_eq!(square::refresh(2).await, 4);
            square::invalidate(2).await.unwrap();
            assert_eq!(square::invalidate_all().await.unwrap(), 1);
        })
        .await;
        assert_eq!(cache.clear().await.unwrap(), 0);
        cache.shutdown().await;
    });
    assert_eq!(cache.stats().total.errors.len(), 0, "{}", cache.stats());
}

/// A runtime without timers and I/O cannot hold a connection; the I/O thread does it for it.
#[test]
fn a_runtime_without_drivers_caches_too() {
    let server = RedisServer::start();
    let cache = patient::builder(&server.url()).build_blocking().unwrap();
    let bare = Builder::new_current_thread().build().unwrap();
    bare.block_on(async {
        assert_caches(&cache, 7).await;
        scope(cache.clone(), square::invalidate(7)).await.unwrap();
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_pair_of_connections_serves_a_whole_runtime() {
    let server = RedisServer::start();
    let cache = patient::cache(&server).await;
    let calls: Vec<_> = (0..100).map(|n| tokio::spawn(scope(cache.clone(), square(n)))).collect();
    for call in calls {
        call.await.unwrap();
    }
    // Lookups have a connection of their own. One more pair at most: that of the work in the
    // background.
    assert!((2..=4).contains(&server.connected_clients()), "{}", server.connected_clients());
    drop(cache);
    eventually(LONG, || async { server.connected_clients() == 0 }).await;
}
