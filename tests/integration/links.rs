//! Connections that cannot be made, that nobody uses, or whose runtime has ended: what they cost the
//! server, and the calls.

use std::thread;
use std::time::{Duration, Instant};

use cached_runtime::{Cache, Fault, HealthState, cache_result, scope, scope_sync};
use cached_tests::{Proxy, RedisServer, eventually, eventually_blocking};
use tokio::runtime::{Builder, Runtime};

use super::patient::{self, LONG};

#[cache_result(ttl = 600)]
async fn next(n: u64) -> u64 {
    n + 1
}

#[cache_result(ttl = 600)]
fn next_now(n: u64) -> u64 {
    n + 1
}

#[cache_result(ttl = 600, local)]
async fn next_near(n: u64) -> u64 {
    n + 1
}

fn runtime(threads: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(threads).enable_all().build().unwrap()
}

/// Calls of each kind, on four runtimes and without one, for so long.
fn call_for(cache: &Cache, time: Duration) {
    let call = |n: u64| {
        let (cache, end) = (cache.clone(), Instant::now() + time);
        move || {
            let calls = async {
                while Instant::now() < end {
                    assert_eq!(next(n).await, n + 1);
                    assert_eq!(next_near(n).await, n + 1);
                    // What is between two requests.
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            runtime(1).block_on(scope(cache, calls));
        }
    };
    thread::scope(|threads| {
        for n in 0..4 {
            threads.spawn(call(n));
        }
        let end = Instant::now() + time;
        while Instant::now() < end {
            assert_eq!(scope_sync(cache.clone(), || next_now(9)), 10);
            thread::sleep(Duration::from_millis(5));
        }
    });
}

/// One test, since each takes its time: what is counted is connections a second.
#[test]
fn a_server_that_lets_nobody_in_is_tried_twice_a_second_and_a_refused_login_less() {
    const TIME: Duration = Duration::from_secs(4);
    let server = RedisServer::start_with(&["--requirepass", "sesame"]);
    let away = RedisServer::start();
    away.kill();
    thread::scope(|threads| {
        for (login, port, most, cause) in [
            // 0, 0.5, 1.5 and 3.5 s at the latest, half of that at the earliest.
            (":wrong@", server.port(), 6, Fault::Auth),
            ("nobody:sesame@", server.port(), 6, Fault::Auth),
            ("", server.port(), 6, Fault::Auth),
            // Two in each second, and a window more at either edge. The proxy accepts and closes.
            ("", away.port(), 12, Fault::Unavailable),
        ] {
            threads.spawn(move || {
                let proxy = Proxy::to(port);
                let url = format!("redis://{login}127.0.0.1:{}", proxy.port());
                let building = Cache::builder().url(&url).build();
                let cache = runtime(1).block_on(building).unwrap();
                call_for(&cache, TIME);
                let tried = proxy.connections();
                assert!((2..=most).contains(&tried), "{login}: {tried}");
                let health = cache.health();
                assert_eq!(health.state, HealthState::Bypass, "{login}: {health}");
                assert_eq!(health.cause, Some(cause), "{login}: {health}");
            });
        }
    });
}

/// Where one gets through, all do, in a moment.
#[test]
fn once_one_is_let_in_all_are() {
    let server = RedisServer::start_with(&["--requirepass", "sesame"]);
    server.cmd(&["ACL", "SETUSER", "shop", "on", ">changed", "~*", "&*", "+@all"]);
    let url = format!("redis://shop:sesame@127.0.0.1:{}", server.port());
    let cache = runtime(1).block_on(Cache::builder().url(&url).build()).unwrap();
    call_for(&cache, Duration::from_millis(300));
    assert_eq!(cache.health().cause, Some(Fault::Auth));
    server.cmd(&["ACL", "SETUSER", "shop", "resetpass", ">sesame"]);
    let runtimes = [runtime(1), runtime(1), runtime(1)];
    for runtime in &runtimes {
        runtime.block_on(scope(cache.clone(), async {
            eventually(LONG, || async {
                next(1).await;
                next::stats().hits() > 0 && cache.health().state == HealthState::Coherent
            })
            .await;
        }));
    }
}

/// How many of so many calls waited for a deadline of a second.
async fn slow(cache: &Cache, calls: usize) -> usize {
    let mut slow = 0;
    scope(cache.clone(), async {
        for _ in 0..calls {
            let start = Instant::now();
            assert_eq!(next(1).await, 2);
            slow += usize::from(start.elapsed() > Duration::from_millis(900));
            // What is between two requests.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    slow
}

async fn warm(proxy: &Proxy, idle_check: Duration) -> Cache {
    let cache = patient::builder(&proxy.url())
        .lookup_deadline(Duration::from_secs(1))
        .idle_check(idle_check)
        .build()
        .await
        .unwrap();
    scope(cache.clone(), async {
        for _ in 0..3 {
            next(1).await;
        }
    })
    .await;
    assert_eq!(cache.stats().total.hits(), 2);
    cache
}

/// Until everything that is open was asked whether it stands, and nothing since.
async fn checked(server: &RedisServer) {
    let gets = || server.command_calls().get("get").copied().unwrap_or(0);
    let before = gets();
    eventually(LONG, || async { gets() >= before + 2 }).await;
}

#[tokio::test]
async fn the_first_call_on_a_connection_that_was_forgotten_waits_and_no_other() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.port());
    // So seldom that it comes once, before.
    let cache = warm(&proxy, Duration::from_secs(3)).await;
    checked(&server).await;
    proxy.forget();
    assert_eq!(slow(&cache, 200).await, 1);
    let total = cache.stats().total;
    assert!(total.hits() > 100, "{total}");
}

#[tokio::test]
async fn no_call_meets_a_connection_that_was_forgotten_before_the_check() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.port());
    let cache = warm(&proxy, Duration::from_millis(200)).await;
    proxy.forget();
    let connections = proxy.connections();
    eventually(LONG, || async { proxy.connections() >= connections + 2 }).await;
    checked(&server).await;
    scope(cache.clone(), async {
        for _ in 0..10 {
            assert_eq!(next(1).await, 2);
        }
    })
    .await;
    let total = cache.stats().total;
    assert_eq!((total.hits(), total.errors.len()), (12, 0), "{total}");
}

/// The control: unasked, it is given up at the third silence alone.
#[tokio::test]
async fn a_connection_that_is_not_checked_costs_three_deadlines() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.port());
    let cache = warm(&proxy, Duration::ZERO).await;
    proxy.forget();
    assert_eq!(slow(&cache, 20).await, 3);
}

#[test]
fn a_runtime_that_ended_leaves_no_connection() {
    let server = RedisServer::start();
    let here = runtime(1);
    let cache = here.block_on(patient::cache(&server));
    here.block_on(scope(cache.clone(), next(1)));
    scope_sync(cache.clone(), || next_now(1));
    let before = server.connected_clients();
    for turn in 0..20 {
        let ended = match turn % 4 {
            0 => runtime(2),
            1 => Builder::new_current_thread().enable_all().build().unwrap(),
            // Whose sockets another's driver serves.
            2 => Builder::new_multi_thread().worker_threads(2).build().unwrap(),
            _ => Builder::new_current_thread().build().unwrap(),
        };
        ended.block_on(scope(cache.clone(), async {
            assert_eq!(next(1).await, 2);
            next(100 + turn).await;
            next_near(turn).await;
        }));
        match turn % 3 {
            0 => drop(ended),
            1 => ended.shutdown_background(),
            _ => ended.shutdown_timeout(Duration::from_secs(1)),
        }
    }
    // The link of `local` stays, on the thread of the cache.
    eventually_blocking(Duration::from_secs(1), || server.connected_clients() <= before + 2);
    here.block_on(scope(cache, async { assert_eq!(next(1).await, 2) }));
}
