//! Redis away, slow, full, refusing or talking nonsense: a call costs at most its deadlines, the
//! reason is counted, the log says it once, and it heals by itself.

use std::time::{Duration, Instant};

use cached_runtime::{
    Cache, ErrorKind, Fault, FunctionStats, HealthState, cache_result, scope, scope_sync,
};
use cached_tests::{
    Ability, Fault as Does, FaultyServer, Logs, Proxy, RedisServer, Wire, eventually,
    eventually_blocking, server_can,
};
use tracing::Level;

use super::patient;

const MINUTE: Duration = Duration::from_secs(60);
/// A server that is back is noticed within two seconds; the rest is for a busy machine.
const RECOVERY: Duration = Duration::from_secs(5);
const SHORT: Duration = Duration::from_millis(250);
/// How long a lease lives by default.
const LEASE: Duration = Duration::from_secs(5);
const CALLS: u64 = 200;
/// Were each call to wait for its deadline, this many would take 20 s.
const ALL_CALLS: Duration = Duration::from_secs(8);

#[cache_result(ttl = 60)]
async fn next(n: u64) -> u64 {
    n + 1
}

#[cache_result(ttl = 60)]
fn next_now(n: u64) -> u64 {
    n + 1
}

/// It walks over what it has, which may be old, and finds nothing where its successor has entries.
#[tokio::test]
async fn a_sweep_over_a_server_that_is_no_primary_any_more_is_not_ok() {
    let server = RedisServer::start();
    let cache = patient::cache(&server).await;
    assert_eq!(cache.clear().await.unwrap(), 0);
    for all in [false, true] {
        server.cmd(&["REPLICAOF", "127.0.0.1", "1"]);
        let swept = match all {
            false => cache.clear().await,
            true => scope(cache.clone(), next::invalidate_all()).await,
        };
        assert!(swept.unwrap_err().queued(), "to be carried out by a primary");
        server.cmd(&["REPLICAOF", "NO", "ONE"]);
        eventually(RECOVERY, || async { cache.health().queued_invalidations == 0 }).await;
    }
}

async fn call(cache: &Cache, n: u64) {
    assert_eq!(scope(cache.clone(), next(n)).await, n + 1);
}

fn errors(stats: &FunctionStats, causes: &[Fault]) -> u64 {
    causes.iter().filter_map(|cause| stats.errors.get(cause)).sum()
}

/// Every call yields its body's value, in time, and is counted as a bypass for these causes.
async fn assert_bypasses(cache: &Cache, causes: &[Fault], what: &str) {
    let (before, start) = (cache.stats().total, Instant::now());
    for n in 0..CALLS {
        call(cache, n).await;
    }
    let (after, took) = (cache.stats().total, start.elapsed());
    assert!(took < ALL_CALLS, "{what}: {took:?}");
    assert_eq!(after.bypasses - before.bypasses, CALLS, "{what}: {after}");
    assert_eq!(errors(&after, causes) - errors(&before, causes), CALLS, "{what}: {after}");
}

/// The cache serves hits again, without anybody's doing.
async fn assert_recovers(cache: &Cache) {
    eventually(RECOVERY, || async {
        let before = cache.stats().total.hits();
        call(cache, 1).await;
        cache.stats().total.hits() > before
    })
    .await;
}

/// As [`assert_recovers`]; the next call that works says so in the log.
async fn assert_recovers_and_says_so(cache: &Cache, logs: &Logs) {
    assert_recovers(cache).await;
    eventually(RECOVERY, || async {
        call(cache, 1).await;
        logs.contains(Level::INFO, "usable again")
    })
    .await;
    let lines = logs.lines();
    assert!(lines.len() <= 4, "{lines:?}");
}

/// Said once, with the cause, however many calls there were.
fn assert_said_once(logs: &Logs, what: &str) {
    let lines = logs.lines();
    assert!((1..=2).contains(&lines.len()), "{what}: {lines:?}");
    let why = ["not usable", "does not allow a command"];
    assert!(why.iter().any(|why| logs.contains(Level::WARN, why)), "{what}: {lines:?}");
}

async fn assert_cannot_invalidate(cache: &Cache, kinds: &[ErrorKind], what: &str) {
    scope(cache.clone(), async {
        for error in [
            next::invalidate(1).await.unwrap_err(),
            cache.invalidate_key("a key").await.unwrap_err(),
            cache.clear().await.unwrap_err(),
        ] {
            assert!(kinds.contains(&error.kind()), "{what}: {error:?}");
            assert!(error.queued(), "{what}: {error:?}");
            let text = error.to_string();
            assert!(text.contains("is not invalidated and may still be served"), "{what}: {text}");
        }
        let error = next::put(1, &2).await.unwrap_err();
        assert!(error.to_string().contains("the value is not stored"), "{what}: {error}");
        let error = next::peek(1).await.unwrap_err();
        assert!(error.to_string().contains("could not be read"), "{what}: {error}");
    })
    .await;
}

#[tokio::test]
async fn a_server_that_was_never_there() {
    let server = RedisServer::start();
    server.kill();
    let (logs, start) = (Logs::capture(), Instant::now());
    let cache = Cache::connect(&server.url()).await.unwrap();
    assert!(start.elapsed() < ALL_CALLS);
    assert_bypasses(&cache, &[Fault::Unavailable, Fault::CircuitOpen], "refused").await;
    assert_said_once(&logs, "refused");
    assert_cannot_invalidate(&cache, &[ErrorKind::Unavailable], "refused").await;
    server.restart();
    assert_recovers_and_says_so(&cache, &logs).await;
}

#[tokio::test]
async fn a_server_that_is_killed() {
    let logs = Logs::capture();
    let server = RedisServer::start();
    let cache = Cache::connect(&server.url()).await.unwrap();
    assert_recovers(&cache).await;
    logs.clear();
    server.kill();
    assert_bypasses(&cache, &[Fault::Unavailable, Fault::CircuitOpen], "killed").await;
    assert_said_once(&logs, "killed");
    assert_cannot_invalidate(&cache, &[ErrorKind::Unavailable], "killed").await;
    server.restart();
    assert_recovers_and_says_so(&cache, &logs).await;
}

#[tokio::test]
async fn a_server_that_is_halted() {
    let logs = Logs::capture();
    let server = RedisServer::start();
    let cache = Cache::connect(&server.url()).await.unwrap();
    assert_recovers(&cache).await;
    logs.clear();
    server.stop();
    assert_bypasses(&cache, &[Fault::Timeout, Fault::Unavailable, Fault::CircuitOpen], "halted")
        .await;
    assert!(cache.stats().total.errors[&Fault::Timeout] >= 1);
    assert_said_once(&logs, "halted");
    let kinds = [ErrorKind::Timeout, ErrorKind::Unavailable];
    assert_cannot_invalidate(&cache, &kinds, "halted").await;
    server.cont();
    assert_recovers_and_says_so(&cache, &logs).await;
}

#[tokio::test]
async fn a_network_that_swallows_everything() {
    let logs = Logs::capture();
    let server = RedisServer::start();
    let proxy = Proxy::to(server.port());
    let cache = Cache::connect(&proxy.url()).await.unwrap();
    assert_recovers(&cache).await;
    logs.clear();
    proxy.set(Wire::BlackHole);
    assert_bypasses(
        &cache,
        &[Fault::Timeout, Fault::Unavailable, Fault::CircuitOpen],
        "black hole",
    )
    .await;
    assert_said_once(&logs, "black hole");
    let kinds = [ErrorKind::Timeout, ErrorKind::Unavailable];
    assert_cannot_invalidate(&cache, &kinds, "black hole").await;
    proxy.set(Wire::Pass);
    assert_recovers_and_says_so(&cache, &logs).await;
}

/// The lookup has reached the server and taken the lease there; its answer never comes.
#[tokio::test]
async fn a_connection_that_is_cut_in_the_middle_of_a_reply() {
    // Nothing of it is read. But an event that is met first while some thread begins to listen
    // is lost on that thread (tracing decides once per event whether anybody wants it).
    let _logs = Logs::capture();
    let server = RedisServer::start();
    let proxy = Proxy::to(server.port());
    let cache = Cache::connect(&proxy.url()).await.unwrap();
    for (n, bytes) in [(10, 0), (11, 1), (12, 2)] {
        assert_recovers(&cache).await;
        proxy.set(Wire::CutReply(bytes));
        call(&cache, n).await;
        // The same key: nothing may be in its way for as long as a lease lives.
        eventually(RECOVERY, || async {
            call(&cache, n).await;
            scope(cache.clone(), next::peek(n)).await.is_ok_and(|found| found.is_some())
        })
        .await;
    }
    let total = cache.stats().total;
    assert!(errors(&total, &[Fault::Unavailable, Fault::Timeout]) >= 1, "{total}");
    // And within a value.
    proxy.set(Wire::CutReply(40));
    call(&cache, 10).await;
    assert_recovers(&cache).await;
}

#[tokio::test]
async fn servers_that_answer_badly() {
    use ErrorKind::{Refused, Timeout, Unavailable};
    let error = Does::error;
    // Where every command fails, whatever it is, the circuit opens; where only writes or some
    // commands are refused, it does not.
    let open = Fault::CircuitOpen;
    let cases: [(Does, &[Fault], &[ErrorKind]); 13] = [
        (
            error("LOADING Redis is loading the dataset in memory"),
            &[Fault::Loading, open],
            &[Refused],
        ),
        (error("NOAUTH Authentication required."), &[Fault::Auth, open], &[Unavailable, Refused]),
        (error("MISCONF Errors writing to the AOF file"), &[Fault::ReadOnly], &[Refused]),
        (
            error("READONLY You can't write against a read only replica."),
            &[Fault::ReadOnly, Fault::Unavailable, open],
            &[Refused],
        ),
        (error("NOREPLICAS Not enough good replicas to write."), &[Fault::ReadOnly], &[Refused]),
        (error("NOPERM this user has no permissions"), &[Fault::Forbidden], &[Refused]),
        (error("BUSY Redis is busy running a script."), &[Fault::Server, open], &[Refused]),
        (error("ERR something"), &[Fault::Server], &[Refused]),
        // The lane's own parser says what it is; the redis crate, that the connection ended.
        (Does::noise(), &[Fault::Protocol, Fault::Unavailable, open], &[Unavailable]),
        (
            Does::Garbage(b"SSH-2.0-OpenSSH_9.6\r\n".to_vec()),
            &[Fault::Protocol, Fault::Unavailable, Fault::Server, open],
            &[Unavailable, Refused],
        ),
        (Does::Close, &[Fault::Unavailable, open], &[Unavailable]),
        (Does::HelloThenClose, &[Fault::Unavailable, open], &[Unavailable]),
        (
            Does::HelloThen(Vec::new()),
            &[Fault::Timeout, Fault::Unavailable, open],
            &[Timeout, Unavailable],
        ),
    ];
    for (does, causes, kinds) in cases {
        let (what, logs) = (format!("{does:?}"), Logs::capture());
        let server = FaultyServer::start(does);
        let cache = Cache::builder().url(server.url()).invalidate_deadline(SHORT);
        let cache = cache.build().await.unwrap();
        assert_bypasses(&cache, causes, &what).await;
        let total = cache.stats().total;
        assert!(errors(&total, &causes[..1]) > 0, "{what}: {total} {:?}", logs.lines());
        assert_said_once(&logs, &what);
        assert_cannot_invalidate(&cache, kinds, &what).await;
    }
}

#[tokio::test]
async fn a_server_that_answers_numbers_to_everything() {
    let server = FaultyServer::start(Does::integers());
    let logs = Logs::capture();
    let cache = Cache::connect(&server.url()).await.unwrap();
    assert_bypasses(&cache, &[Fault::Protocol, Fault::Unavailable, Fault::CircuitOpen], "integers")
        .await;
    assert!(cache.stats().total.errors[&Fault::Protocol] > 0);
    assert_said_once(&logs, "integers");
}

/// A server that never finishes the handshake.
#[tokio::test]
async fn a_server_that_is_silent_from_the_beginning() {
    let server = FaultyServer::start(Does::Silent);
    let (logs, start) = (Logs::capture(), Instant::now());
    let cache = Cache::connect(&server.url()).await.unwrap();
    assert!(start.elapsed() < RECOVERY, "{:?}", start.elapsed());
    assert_bypasses(&cache, &[Fault::Timeout, Fault::Unavailable, Fault::CircuitOpen], "silent")
        .await;
    assert_said_once(&logs, "silent");
}

/// Reads still work on a full server: what is there is served, what is not runs its body.
#[tokio::test]
async fn a_server_that_is_full() {
    let limits = ["--maxmemory", "8mb", "--maxmemory-policy", "noeviction"];
    let server = RedisServer::start_with(&limits);
    let cache = Cache::connect(&server.url()).await.unwrap();
    assert_recovers(&cache).await;
    // The last room is filled by small values.
    for (size, limit) in [(200_000, 1_000), (1_000, 10_000), (1, 50_000)] {
        let filling = "x".repeat(size);
        let mut keys = 0..limit;
        let full =
            keys.any(|n| server.try_cmd(&["SET", &format!("{size} {n}"), &filling]).is_err());
        assert!(full, "the control: a plain SET is refused");
    }
    // What the server itself frees meanwhile makes no room.
    server.cmd(&["CONFIG", "SET", "maxmemory", "1mb"]);

    let (logs, before, start) = (Logs::capture(), cache.stats().total, Instant::now());
    for n in 100..100 + CALLS {
        call(&cache, n).await;
        call(&cache, 1).await;
    }
    assert!(start.elapsed() < ALL_CALLS);
    let after = cache.stats().total;
    assert_eq!(after.hits() - before.hits(), CALLS, "{after}");
    assert_eq!(after.loads - before.loads, CALLS, "{after}");
    assert!(errors(&after, &[Fault::OutOfMemory]) > 0, "{after}");
    assert_said_once(&logs, "full");
    scope(cache.clone(), async {
        next::invalidate(1).await.expect("DEL works on a full server");
        assert_eq!(next::peek(1).await.unwrap(), None);
        let error = next::put(1, &2).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    })
    .await;
    server.cmd(&["FLUSHALL"]);
    server.cmd(&["CONFIG", "SET", "maxmemory", "8mb"]);
    assert_recovers_and_says_so(&cache, &logs).await;
}

#[tokio::test]
async fn a_server_that_asks_for_a_password() {
    let server = RedisServer::start_with(&["--requirepass", "sesame"]);
    let logs = Logs::capture();
    let cache = Cache::connect(&server.url()).await.unwrap();
    assert_bypasses(&cache, &[Fault::Auth, Fault::CircuitOpen], "no password").await;
    assert_said_once(&logs, "no password");
    assert!(logs.contains(Level::WARN, "auth"), "{:?}", logs.lines());
    assert_cannot_invalidate(&cache, &[ErrorKind::Unavailable], "no password").await;
}

#[tokio::test]
async fn a_password_that_changes_under_way() {
    let server = RedisServer::start();
    server.cmd(&["ACL", "SETUSER", "shop", "on", ">sesame", "~*", "+@all"]);
    let url = format!("redis://shop:sesame@127.0.0.1:{}", server.port());
    let cache = Cache::connect(&url).await.unwrap();
    assert_recovers(&cache).await;
    server.cmd(&["ACL", "SETUSER", "shop", "resetpass", ">changed"]);
    server.cmd(&["CLIENT", "KILL", "USER", "shop"]);
    assert_bypasses(&cache, &[Fault::Auth, Fault::Unavailable, Fault::CircuitOpen], "changed")
        .await;
    // Calls that are answered before the next attempt to connect say so, then the health does.
    eventually(RECOVERY, || async { cache.health().cause == Some(Fault::Auth) }).await;
    server.cmd(&["ACL", "SETUSER", "shop", "resetpass", ">sesame"]);
    assert_recovers(&cache).await;
}

/// A user who may only read is served what is there.
#[tokio::test]
async fn a_user_who_may_only_read() {
    let server = RedisServer::start();
    server.cmd(&["ACL", "SETUSER", "reader", "on", ">sesame", "~*", "+get"]);
    let writer = Cache::connect(&server.url()).await.unwrap();
    assert_recovers(&writer).await;
    let logs = Logs::capture();
    let url = format!("redis://reader:sesame@127.0.0.1:{}", server.port());
    let reader = Cache::connect(&url).await.unwrap();
    for n in 100..100 + CALLS {
        call(&reader, 1).await;
        call(&reader, n).await;
    }
    let total = reader.stats().total;
    assert_eq!((total.hits(), total.loads), (CALLS, CALLS), "{total}");
    assert!(errors(&total, &[Fault::Forbidden]) > 0, "{total}");
    let lines = logs.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(logs.contains(Level::WARN, "does not allow a command"), "{lines:?}");
    let error = reader.invalidate_key("x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
}

/// The server goes while the body runs: the value is returned all the same, only not stored.
#[tokio::test]
async fn a_server_that_goes_while_the_body_runs() {
    let server = RedisServer::start();
    let cache = Cache::connect(&server.url()).await.unwrap();
    assert_recovers(&cache).await;
    let start = Instant::now();
    let load = || async {
        server.stop();
        Ok::<_, String>(7)
    };
    assert_eq!(cache.get_or_load("halted", MINUTE, load).await, Ok(7));
    assert!(start.elapsed() < RECOVERY);
    assert_eq!(cache.stats().total.errors[&Fault::Timeout], 1);
    server.cont();
    assert_recovers(&cache).await;
    let load = || async {
        server.kill();
        Ok::<_, String>(7)
    };
    assert_eq!(cache.get_or_load("killed", MINUTE, load).await, Ok(7));
    assert!(errors(&cache.stats().total, &[Fault::Unavailable]) >= 1);
    server.restart();
    assert_recovers(&cache).await;
    assert_eq!(cache.get::<i32>("killed").await.unwrap(), None);
}

/// Writes are refused from the middle of a load on: its holder can neither store a value nor give
/// its lease up. Nobody waits for that, and it is given up as soon as it can be.
#[tokio::test]
async fn a_lease_that_cannot_be_given_up() {
    if !server_can(Ability::RefusedScripts) {
        return;
    }
    let server = RedisServer::start();
    let refuse = |refused: bool| {
        server.cmd(&["CONFIG", "SET", "min-replicas-to-write", if refused { "1" } else { "0" }]);
    };
    let cache = Cache::connect(&server.url()).await.unwrap();
    let other = Cache::connect(&server.url()).await.unwrap();
    let load = || async {
        refuse(true);
        Ok::<_, String>(7)
    };
    assert_eq!(cache.get_or_load("stuck", MINUTE, load).await, Ok(7));
    assert!(errors(&cache.stats().total, &[Fault::ReadOnly]) >= 1);
    let stands = || server.int(&["PTTL", "cache:stuck"]) > 0;
    assert!(stands(), "the control: the lease is there");
    let start = Instant::now();
    for cache in [&cache, &other] {
        let loaded = cache.get_or_load("stuck", MINUTE, || async { Ok::<_, String>(8) }).await;
        assert_eq!(loaded, Ok(8));
    }
    assert!(stands(), "they did not wait for its end");
    assert!(errors(&other.stats().total, &[Fault::ReadOnly]) >= 1, "{}", other.stats());
    refuse(false);
    eventually(LEASE, || async { !stands() }).await;
    assert!(start.elapsed() < LEASE, "it ended by itself: {:?}", start.elapsed());
}

/// The same for a lease whose taker never learnt that it has it.
#[tokio::test]
async fn a_lease_that_nobody_knows_of_and_that_cannot_be_given_up() {
    if !server_can(Ability::RefusedScripts) {
        return;
    }
    let server = RedisServer::start();
    let refuse = |refused: bool| {
        server.cmd(&["CONFIG", "SET", "min-replicas-to-write", if refused { "1" } else { "0" }]);
    };
    let proxy = Proxy::to(server.port());
    // The answer is not late, it is lost.
    let cache = Cache::builder().url(proxy.url()).lookup_deadline(MINUTE).build().await.unwrap();
    assert_recovers(&cache).await;
    proxy.set(Wire::Delay(MINUTE));
    let stands = || server.int(&["EXISTS", &format!("cache:{}", next::key(10))]) == 1;
    let start = Instant::now();
    let lost = async {
        eventually(RECOVERY, || async { stands() }).await;
        refuse(true);
        proxy.set(Wire::CutReply(0));
    };
    tokio::join!(call(&cache, 10), lost);
    let refused = || server.text(&["INFO", "errorstats"]).unwrap().contains("NOREPLICAS");
    eventually(RECOVERY, || async { refused() }).await;
    refuse(false);
    eventually(LEASE, || async { !stands() }).await;
    assert!(start.elapsed() < LEASE, "it ended by itself: {:?}", start.elapsed());
}

/// When a body has begun, and when it may go on.
#[derive(Default)]
struct Gate {
    began: tokio::sync::Notify,
    opened: tokio::sync::Notify,
}

#[cache_result(ttl = 60, skip(gate))]
async fn failing(gate: &Gate) -> Result<u64, String> {
    gate.began.notify_one();
    gate.opened.notified().await;
    Err("no".to_owned())
}

/// Those who share another's error get it once its lease was given up; where that cannot be they
/// are not kept for longer than a commit may take.
#[tokio::test]
async fn an_error_that_is_shared_while_the_server_goes_away() {
    let server = RedisServer::start();
    let cache = Cache::connect(&server.url()).await.unwrap();
    let gate = Gate::default();
    let follower = async {
        gate.began.notified().await;
        let halting = async {
            // Until it waits for the call before it, which nobody tells.
            tokio::time::sleep(SHORT).await;
            server.stop();
            // For it, and for itself where it must run its own body.
            gate.opened.notify_one();
            let start = Instant::now();
            gate.began.notified().await;
            gate.opened.notify_one();
            start.elapsed()
        };
        tokio::join!(failing(&gate), halting)
    };
    let (led, (followed, waited)) =
        scope(cache.clone(), async { tokio::join!(failing(&gate), follower) }).await;
    assert_eq!((led, followed), (Err("no".to_owned()), Err("no".to_owned())));
    assert!(waited < Duration::from_secs(3), "{waited:?}");
}

#[test]
fn sync_functions_fare_no_worse() {
    let server = RedisServer::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let cache = runtime.block_on(Cache::connect(&server.url())).unwrap();
    let recovers = || {
        eventually_blocking(RECOVERY, || {
            let before = cache.stats().total.hits();
            scope_sync(cache.clone(), || assert_eq!(next_now(1), 2));
            cache.stats().total.hits() > before
        });
    };
    recovers();
    let all_threads_call = |what: &str| {
        let (before, start) = (cache.stats().total, Instant::now());
        std::thread::scope(|threads| {
            for thread in 0..8 {
                let cache = cache.clone();
                threads.spawn(move || {
                    for n in 0..CALLS {
                        let n = thread * CALLS + n;
                        scope_sync(cache.clone(), || assert_eq!(next_now(n), n + 1));
                    }
                });
            }
        });
        assert!(start.elapsed() < ALL_CALLS, "{what}: {:?}", start.elapsed());
        let after = cache.stats().total;
        assert_eq!(after.bypasses - before.bypasses, 8 * CALLS, "{what}: {after}");
    };
    let cannot_invalidate = || {
        let error = scope_sync(cache.clone(), || next_now::invalidate(1)).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout), "{error:?}");
    };
    server.kill();
    all_threads_call("killed");
    cannot_invalidate();
    server.restart();
    recovers();
    server.stop();
    all_threads_call("halted");
    cannot_invalidate();
    server.cont();
    recovers();
    assert!(cache.stats().total.errors[&Fault::Timeout] >= 1);
}

/// A promise is kept where it can be: an invalidation waits for a server that is a moment away.
#[tokio::test]
async fn an_invalidation_outlasts_a_reconnection() {
    let server = RedisServer::start();
    let cache = Cache::builder()
        .url(server.url())
        .invalidate_deadline(Duration::from_secs(10))
        .build()
        .await
        .unwrap();
    assert_recovers(&cache).await;
    server.cmd(&["CLIENT", "KILL", "TYPE", "normal"]);
    scope(cache.clone(), next::invalidate(1)).await.unwrap();
    server.kill();
    let invalidating = tokio::spawn(scope(cache.clone(), next::invalidate(1)));
    call(&cache, 2).await;
    server.restart();
    invalidating.await.unwrap().unwrap();
}

#[tokio::test]
async fn unusable_settings_are_refused_with_advice() {
    let bad = [
        "",
        "nonsense",
        "localhost",
        "http://user:sesame@localhost",
        "redis://user:sesame@",
        "redis://user:sesame@localhost:port",
        "redis://user:sesame@localhost/db",
        "redis+cluster://user:sesame@a,,b",
        "redis+sentinel://user:sesame@a,b:port/master",
    ];
    for url in bad {
        let error = Cache::connect(url).await.expect_err(url);
        assert_eq!(error.kind(), ErrorKind::Config, "{url}: {error}");
        assert!(error.to_string().contains("redis://"), "{url}: {error}");
        let text = format!("{error} {error:?}");
        assert!(!text.contains("sesame"), "{url}: {text}");
    }
    for namespace in ["", "a:b", "a*", "a b"] {
        let built = Cache::builder().url("memory:").namespace(namespace).build().await;
        let error = built.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("letters, digits"), "{error}");
    }
    let built = Cache::builder().url("memory:").lookup_deadline(Duration::ZERO).build().await;
    assert!(built.unwrap_err().to_string().contains("lookup_deadline"));
}

#[tokio::test]
async fn a_password_is_never_shown() {
    let server = RedisServer::start();
    let logs = Logs::capture();
    let mut shown = String::new();
    let faulty = FaultyServer::start(Does::noise());
    for url in [
        format!("redis://shop:sesame@127.0.0.1:{}/3", server.port()),
        format!("{}?user=shop&pass=sesame", server.unix_url().replace("redis+unix", "unix")),
        format!("redis://shop:sesame@127.0.0.1:{}", faulty.port()),
    ] {
        let builder = Cache::builder().url(&url);
        shown += &format!("{builder:?} {builder:#?}");
        let cache = builder.build().await.unwrap();
        scope(cache.clone(), async {
            for n in 0..10 {
                next(n).await;
            }
            for error in [
                next::invalidate(1).await.unwrap_err(),
                next::peek(1).await.unwrap_err(),
                cache.clear().await.unwrap_err(),
            ] {
                shown += &format!("{error} {error:?} {error:#?}");
            }
        })
        .await;
        shown += &format!("{cache:?} {cache:#?} {}", cache.stats());
    }
    shown += &format!("{:?}", logs.lines());
    assert!(!logs.lines().is_empty());
    assert!(!shown.contains("sesame"), "{shown}");
}

/// A user whose rules cover the entries and not the tags, as `~cache:*` does: what has no tags is
/// cached all the same.
#[tokio::test]
async fn a_user_who_may_not_read_tags() {
    #[cache_result(ttl = 60, tags = ["numbers"])]
    async fn tagged(n: u64) -> u64 {
        n + 2
    }

    let server = RedisServer::start();
    server.cmd(&["ACL", "SETUSER", "shop", "on", ">sesame", "~cache:*", "&*", "+@all"]);
    let url = format!("redis://shop:sesame@127.0.0.1:{}", server.port());
    let cache = patient::builder(&url).build().await.unwrap();
    call(&cache, 1).await;
    for n in 0..CALLS {
        assert_eq!(scope(cache.clone(), tagged(n)).await, n + 2);
        call(&cache, 1).await;
    }
    let total = cache.stats().total;
    assert_eq!((total.hits(), total.bypasses), (CALLS, CALLS), "{total}");
    assert_eq!(total.errors.iter().collect::<Vec<_>>(), [(&Fault::Forbidden, &CALLS)], "{total}");
    let health = cache.health();
    assert_ne!(health.state, HealthState::Bypass, "{health}");
    assert_eq!(health.circuit_opened, 0, "{health}");
    eventually(RECOVERY, || async { server.keys().len() == 1 }).await;
    assert_eq!(server.keys(), [format!("cache:{}", next::key(1))], "and no lease");
}
