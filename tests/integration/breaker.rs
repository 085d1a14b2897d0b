//! The failure policy: a store that fails is not asked any more, found again in the background,
//! and told what it missed before it is asked again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use cached_runtime::{
    Cache, CacheBuilder, ErrorKind, Fault, HealthState, cache_result, scope, scope_sync,
};
use cached_tests::{Fault as Does, FaultyServer, Logs, Proxy, RedisServer, Wire, eventually};
use tracing::Level;

use super::patient::{self, LONG};

/// The promise: a server that is back is noticed within two seconds. The rest is for a machine
/// that does other things at the same time.
const HEALED: Duration = Duration::from_millis(2_500);
const SHORT: Duration = Duration::from_millis(200);

#[cache_result(ttl = 60)]
async fn next(n: u64) -> u64 {
    n + 1
}

#[cache_result(ttl = 60)]
fn next_now(n: u64) -> u64 {
    n + 1
}

async fn call(cache: &Cache, n: u64) {
    assert_eq!(scope(cache.clone(), next(n)).await, n + 1);
}

async fn connect(url: &str) -> Cache {
    builder(url).build().await.unwrap()
}

fn builder(url: &str) -> CacheBuilder {
    Cache::builder().url(url).invalidate_deadline(SHORT)
}

/// Calls until one is a hit.
async fn assert_serves(cache: &Cache) {
    eventually(LONG, || async {
        let before = cache.stats().total.hits();
        call(cache, 1).await;
        cache.stats().total.hits() > before
    })
    .await;
    eventually(LONG, || async { cache.health().state == HealthState::Coherent }).await;
}

/// Calls until the circuit is open.
async fn assert_opens(cache: &Cache) {
    let opened = cache.health().circuit_opened;
    eventually(LONG, || async {
        call(cache, 1).await;
        cache.health().circuit_opened > opened
    })
    .await;
    let before = cache.stats().total;
    call(cache, 1).await;
    let after = cache.stats().total;
    let refused = |errors: &BTreeMap<Fault, u64>| errors.get(&Fault::CircuitOpen).copied();
    assert_eq!(
        refused(&after.errors).unwrap_or(0),
        refused(&before.errors).unwrap_or(0) + 1,
        "{after}"
    );
    let health = cache.health();
    assert_eq!(health.state, HealthState::Bypass, "{health}");
    assert!(health.cause.is_some(), "{health}");
}

/// From now on it takes at most this long until the cache is all right, without anybody's call.
async fn assert_heals(cache: &Cache, what: &str) {
    let start = Instant::now();
    eventually(LONG, || async { cache.health().state == HealthState::Coherent }).await;
    let took = start.elapsed();
    assert!(took < HEALED, "{what}: {took:?}");
    assert_serves(cache).await;
}

/// The circuit opens, and closes in time once the fault is over.
async fn assert_opens_and_heals(url: String, fault: impl Fn(), cure: impl Fn(), what: &str) {
    let cache = connect(&url).await;
    assert_serves(&cache).await;
    fault();
    assert_opens(&cache).await;
    // Until the pauses between attempts have grown to their longest.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(cache.health().state, HealthState::Bypass);
    cure();
    assert_heals(&cache, what).await;
    assert_eq!(cache.health().circuit_opened, 1, "{what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heals_within_two_seconds_whatever_it_was() {
    let servers: [RedisServer; 4] = std::array::from_fn(|_| RedisServer::start());
    let [halted, killed, swallowing, refusing] = &servers;
    let hole = Proxy::to(swallowing.port());
    let closed = Proxy::to(refusing.port());
    let refuse = || {
        closed.set(Wire::Refuse);
        closed.cut();
    };
    tokio::join!(
        assert_opens_and_heals(halted.url(), || halted.stop(), || halted.cont(), "halted"),
        assert_opens_and_heals(killed.url(), || killed.kill(), || killed.restart(), "killed"),
        assert_opens_and_heals(
            hole.url(),
            || hole.set(Wire::BlackHole),
            || hole.set(Wire::Pass),
            "black hole"
        ),
        assert_opens_and_heals(closed.url(), refuse, || closed.set(Wire::Pass), "refused"),
    );
}

/// A server that answers, and says that it is not ready.
#[tokio::test]
async fn heals_when_a_server_has_loaded_its_data() {
    let loading = Does::error("LOADING Redis is loading the dataset in memory");
    let server = FaultyServer::start(loading);
    let cache = connect(&server.url()).await;
    assert_opens(&cache).await;
    // Until the pauses between probes have grown to their longest.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(cache.health().cause, Some(Fault::Loading));
    // Nothing is there, whatever is asked for.
    server.set(Does::HelloThen(b"$-1\r\n".to_vec()));
    let start = Instant::now();
    eventually(LONG, || async { cache.health().state == HealthState::Coherent }).await;
    assert!(start.elapsed() < HEALED, "{:?}", start.elapsed());
}

/// A server that refuses writes alone is asked on: what is there is served.
#[tokio::test]
async fn stays_closed_where_only_writes_are_refused() {
    let server = RedisServer::start();
    server.cmd(&["ACL", "SETUSER", "reader", "on", ">sesame", "~*", "+get"]);
    let writer = patient::cache(&server).await;
    assert_serves(&writer).await;
    let url = format!("redis://reader:sesame@127.0.0.1:{}", server.port());
    let reader = patient::builder(&url).build().await.unwrap();
    for n in 0..100 {
        call(&reader, 1).await;
        call(&reader, 1_000 + n).await;
    }
    let health = reader.health();
    assert_eq!(health.state, HealthState::Degraded, "{health}");
    assert_eq!((health.cause, health.circuit_opened), (Some(Fault::Forbidden), 0), "{health}");
    assert_eq!(reader.stats().total.hits(), 100);
    server.cmd(&["ACL", "SETUSER", "reader", "+@all"]);
    eventually(LONG, || async {
        call(&reader, 2_000).await;
        reader.health().state == HealthState::Coherent
    })
    .await;
}

/// The one timing that the contract names. A call whose store is not asked costs hardly more than
/// its body, while one that asked would cost its deadline of 100 ms. What else runs on the machine
/// makes calls dearer and never cheaper, so the best of a few rounds is judged; if one call in a
/// hundred asked, each round would show it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_costs_next_to_nothing_while_the_circuit_is_open() {
    const ROUNDS: usize = 10;
    let server = RedisServer::start();
    let proxy = Proxy::to(server.port());
    for what in ["halted", "black hole"] {
        let cache =
            connect(if what == "halted" { server.url() } else { proxy.url() }.as_str()).await;
        assert_serves(&cache).await;
        if what == "halted" {
            server.stop();
        } else {
            proxy.set(Wire::BlackHole);
        }
        assert_opens(&cache).await;
        let mut rounds = Vec::new();
        let is_cheap = |[plain, cached, blocking]: &[Duration; 3]| {
            (*cached).max(*blocking) < *plain + Duration::from_millis(2)
        };
        while rounds.len() < ROUNDS && !rounds.last().is_some_and(is_cheap) {
            rounds.push(scope(cache.clone(), slowest_of_a_hundred()).await);
        }
        assert!(rounds.last().is_some_and(is_cheap), "{what}: {rounds:?}");
        assert_eq!(cache.health().state, HealthState::Bypass);
        server.cont();
    }
}

/// How long the 99th percentile of the body took alone, cached, and cached and blocking.
async fn slowest_of_a_hundred() -> [Duration; 3] {
    const CALLS: usize = 500;
    let (mut plain, mut cached, mut blocking) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..CALLS as u64 {
        let start = Instant::now();
        next::uncached(n).await;
        plain.push(start.elapsed());
        let start = Instant::now();
        next(n).await;
        cached.push(start.elapsed());
        let start = Instant::now();
        next_now(n);
        blocking.push(start.elapsed());
    }
    [plain, cached, blocking].map(|mut took| {
        took.sort_unstable();
        took[took.len() * 99 / 100]
    })
}

/// However many callers there are, they find out together, and then a single task asks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_probe_at_a_time_under_load() {
    // It shakes hands, and answers nothing else.
    let server = FaultyServer::start(Does::HelloThen(Vec::new()));
    let cache = connect(&server.url()).await;
    assert_opens(&cache).await;
    let sent = || {
        let commands = server.commands();
        let sets = commands.into_iter().filter(|command| command[0] == "SET");
        let (probes, lookups): (Vec<_>, Vec<_>) = sets.partition(|command| command[1] == PROBE);
        (probes.len(), lookups.len())
    };
    let (before, start) = (sent(), Instant::now());
    let callers: Vec<_> = (0..50)
        .map(|caller| {
            let cache = cache.clone();
            tokio::spawn(async move {
                let mut calls = 0_usize;
                while start.elapsed() < Duration::from_secs(2) {
                    call(&cache, caller).await;
                    tokio::task::yield_now().await;
                    calls += 1;
                }
                calls
            })
        })
        .collect();
    let mut calls = 0;
    for caller in callers {
        calls += caller.await.unwrap();
    }
    let (after, took) = (sent(), start.elapsed());
    assert!(calls > 1_000, "{calls}");
    assert_eq!(after.1, before.1, "no caller asked");
    let probes = after.0 - before.0;
    // Each waits for its deadline of 100 ms, so that more would have to overlap.
    let most = took.as_millis() as usize / 100 + 1;
    assert!((1..=most).contains(&probes), "{probes} probes in {took:?}");
}

const PROBE: &str = "cache:#probe";

/// As above, counted by a real server, which reads what was sent to it while it was halted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_halted_server_finds_few_commands_when_it_goes_on() {
    let server = RedisServer::start();
    let cache = connect(&server.url()).await;
    assert_serves(&cache).await;
    server.reset_stats();
    server.stop();
    let start = Instant::now();
    let callers: Vec<_> = (0..50)
        .map(|caller| {
            let cache = cache.clone();
            tokio::spawn(async move {
                while start.elapsed() < Duration::from_secs(3) {
                    call(&cache, caller).await;
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    assert_eq!(cache.health().state, HealthState::Bypass);
    server.cont();
    eventually(LONG, || async { cache.health().state == HealthState::Coherent }).await;
    let lookups = server.lookups();
    // What leaves before the third pipeline went unanswered, for 50 callers; then probes.
    assert!(lookups <= 50 * 5 + 30, "{lookups}");
}

#[tokio::test]
async fn an_invalidation_that_fails_is_made_up_for_before_the_value_is_used() {
    for halted in [true, false] {
        let server = RedisServer::start_with(&["--appendonly", "yes", "--appendfsync", "always"]);
        // Lookups that a busy machine does not miss.
        let cache = builder(&server.url()).lookup_deadline(Duration::from_secs(1));
        let cache = cache.build().await.unwrap();
        scope(cache.clone(), async {
            // What is stored is not what the body yields, so that one sees where a value is from.
            next::put(7, &1_007).await.unwrap();
            next::put(8, &1_008).await.unwrap();
            assert_eq!((next(7).await, next(8).await), (1_007, 1_008));
            if halted {
                server.stop();
            } else {
                server.kill();
            }
            let error = next::invalidate(7).await.unwrap_err();
            assert!(error.queued(), "{error}");
            assert!(error.to_string().contains("is queued and will be carried out"), "{error}");
            assert_eq!(cache.health().queued_invalidations, 1);
            if halted {
                server.cont();
            } else {
                // The control: a deletion that nobody repeats leaves the value.
                assert!(server.try_cmd(&["DEL", &full_key(8)]).is_err());
                server.restart();
            }
            // From here on the store can be asked, and must not be for this one.
            let start = Instant::now();
            while cache.health().queued_invalidations > 0 {
                assert_eq!(next(7).await, 8);
                assert!(start.elapsed() < HEALED, "{:?}", start.elapsed());
                tokio::task::yield_now().await;
            }
            assert_eq!(next(7).await, 8);
            // The new one is stored as soon as this runtime is connected again.
            eventually(LONG, || async {
                assert_eq!(next(7).await, 8);
                next::peek(7).await.is_ok_and(|stored| stored == Some(8))
            })
            .await;
            if !halted {
                assert_eq!(next(8).await, 1_008, "the control");
            }
        })
        .await;
    }
}

fn full_key(n: u64) -> String {
    format!("cache:{}", next::key(n))
}

/// While it is queued, this process does not use it; another that was not told does.
#[tokio::test]
async fn what_is_queued_is_bypassed_and_nothing_else() {
    let server = RedisServer::start();
    server.cmd(&["ACL", "SETUSER", "shop", "on", ">sesame", "~*", "+@all", "-del", "-unlink"]);
    let url = format!("redis://shop:sesame@127.0.0.1:{}", server.port());
    let cache = patient::builder(&url).build().await.unwrap();
    let other = patient::cache(&server).await;
    scope(cache.clone(), async {
        for n in [1, 2, 3] {
            next::put(n, &(1_000 + n)).await.unwrap();
        }
        let error = next::invalidate(1).await.unwrap_err();
        assert_eq!((error.kind(), error.queued()), (ErrorKind::Refused, true), "{error}");
        for _ in 0..3 {
            assert!(cache.invalidate_key(next::key(1).as_str()).await.unwrap_err().queued());
        }
        assert_eq!(cache.health().queued_invalidations, 1);
        for _ in 0..10 {
            assert_eq!((next(1).await, next(2).await), (2, 1_002));
        }
        assert_eq!(next::peek(1).await.unwrap(), None);
        assert_eq!(cache.stats().total.errors[&Fault::Queued], 10);
        let health = cache.health();
        assert_eq!(health.state, HealthState::Degraded, "{health}");
        // The store was asked for the others all the time.
        assert_eq!(health.circuit_opened, 0, "{health}");
        assert_eq!(scope(other.clone(), next(1)).await, 1_001, "another process");

        // A pattern: everything that matches.
        let error = cache.invalidate_pattern("*next:2").await.unwrap_err();
        assert!(error.queued(), "{error}");
        assert_eq!((next(2).await, next(3).await), (3, 1_003));
        let error = cache.clear().await.unwrap_err();
        assert!(error.queued(), "{error}");
        assert_eq!(next(3).await, 4);
        assert_eq!(cache.health().queued_invalidations, 1, "all of them, at once");

        server.cmd(&["ACL", "SETUSER", "shop", "+@all"]);
        eventually(LONG, || async { cache.health().queued_invalidations == 0 }).await;
        assert_eq!(server.keys(), [""; 0]);
        eventually(LONG, || async { cache.health().state == HealthState::Coherent }).await;
        assert_eq!(scope(other.clone(), next(1)).await, 2);
    })
    .await;
}

/// Whoever invalidates may go away before it knows the outcome: the deletion is carried out.
#[tokio::test]
async fn an_invalidation_whose_caller_goes_away_is_carried_out() {
    let server = RedisServer::start();
    let cache = connect(&server.url()).await;
    scope(cache.clone(), async {
        next::put(1, &1_001).await.unwrap();
        server.stop();
        let invalidating = tokio::time::timeout(Duration::from_millis(20), next::invalidate(1));
        invalidating.await.unwrap_err();
        assert_eq!(cache.health().queued_invalidations, 1);
        assert_eq!(next(1).await, 2);
        server.cont();
        eventually(LONG, || async { cache.health().queued_invalidations == 0 }).await;
        assert_eq!(server.keys(), [""; 0]);
    })
    .await;
}

#[test]
fn blocking_invalidations_are_queued_too() {
    let server = RedisServer::start();
    let cache = builder(&server.url()).build_blocking().unwrap();
    scope_sync(cache.clone(), || {
        next_now::put(1, &1_001).unwrap();
        server.stop();
        assert!(next_now::invalidate(1).unwrap_err().queued());
        assert_eq!(next_now(1), 2);
        server.cont();
    });
    cached_tests::eventually_blocking(LONG, || cache.health().queued_invalidations == 0);
    assert_eq!(scope_sync(cache, || next_now(1)), 2);
}

#[tokio::test]
async fn shutdown_carries_out_what_is_queued_or_says_what_is_left() {
    let server = RedisServer::start();
    let cache = connect(&server.url()).await;
    server.stop();
    cache.invalidate_key("a").await.unwrap_err();
    let logs = Logs::capture();
    cache.shutdown().await;
    assert!(logs.contains(Level::WARN, "left=1"), "{:?}", logs.lines());
    logs.clear();
    server.cont();
    eventually(LONG, || async {
        cache.shutdown().await;
        cache.health().queued_invalidations == 0
    })
    .await;
    logs.clear();
    cache.shutdown().await;
    assert_eq!(logs.lines(), []);
}

/// A full bound is answered at once, and is free again afterwards.
#[tokio::test]
async fn more_callers_than_may_wait_do_without() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.port());
    let cache = builder(&proxy.url()).in_flight(10).lookup_deadline(LONG).commit_deadline(LONG);
    let cache = cache.build().await.unwrap();
    for n in 0..30 {
        scope(cache.clone(), next(n)).await;
    }
    proxy.set(Wire::Delay(Duration::from_millis(300)));
    let before = cache.stats().total;
    // Of one entry each: those of one would share a lookup.
    let callers: Vec<_> = (0..30).map(|n| tokio::spawn(scope(cache.clone(), next(n)))).collect();
    for (n, caller) in callers.into_iter().enumerate() {
        assert_eq!(caller.await.unwrap(), n as u64 + 1);
    }
    let after = cache.stats().total;
    let refused = after.errors.get(&Fault::Overload).copied().unwrap_or(0);
    assert_eq!((after.hits() - before.hits(), refused), (10, 20), "{after}");
    assert_eq!(after.bypasses - before.bypasses, 20, "{after}");
    assert_eq!(cache.health().circuit_opened, 0, "a full bound is no failure of the server");
    // An invalidation is not counted among them.
    proxy.set(Wire::Pass);
    assert_serves(&cache).await;
    cache.invalidate_key("x").await.unwrap();

    let error = Cache::builder().url("memory:").in_flight(0).build().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("in_flight"), "{error}");
}

#[tokio::test]
async fn the_log_says_it_once_and_the_health_counts() {
    // Whichever thread says it, about this server.
    let logs = Logs::capture_process();
    let server = RedisServer::start();
    let said = || {
        let about = format!("server=127.0.0.1:{}", server.port());
        let lines = logs.lines().into_iter().filter(|(_, text)| text.contains(&about));
        lines.map(|(level, _)| level).collect::<Vec<_>>()
    };
    // Long enough for a machine that is busy; what is not meant here would be said as well.
    let cache = builder(&server.url()).lookup_deadline(Duration::from_millis(500));
    let cache = cache.build().await.unwrap();
    assert_serves(&cache).await;
    let health = cache.health();
    assert!(health.to_string().starts_with("coherent for "), "{health}");
    assert!(said().is_empty(), "{:?}", logs.lines());
    let mut expected = Vec::new();
    for round in 1..=2 {
        server.stop();
        assert_opens(&cache).await;
        for n in 0..200 {
            call(&cache, n).await;
        }
        expected.push(Level::WARN);
        assert_eq!(said(), expected);
        assert_eq!(cache.health().circuit_opened, round);
        server.cont();
        eventually(LONG, || async { cache.health().state == HealthState::Coherent }).await;
        eventually(LONG, || async {
            call(&cache, 1).await;
            said().contains(&Level::INFO) && said().len() > expected.len()
        })
        .await;
        expected.push(Level::INFO);
        assert_eq!(said(), expected);
    }
    // Without a server there is nothing to fail.
    assert_eq!(Cache::memory().health().state, HealthState::Coherent);
}
