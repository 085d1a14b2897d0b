//! A server whose rules refuse some of what the library sends: no call waits for that, values are
//! right, everything that can do without it works, and the reason is named.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use cached_runtime::{Cache, ErrorKind, Fault, HealthState, cache_result, scope};
use cached_tests::{Ability, Logs, RedisServer, eventually, server_can};
use futures_util::future::join_all;
use tracing::Level;

use super::patient::{self, LONG};

mod least;

const BODY: Duration = Duration::from_millis(5);
/// What a call may take. On an idle machine it is the body and a few ms; a lease that nobody gives up
/// would cost 5 s, and a message that does not come 400 ms at each look.
const AT_MOST: Duration = Duration::from_millis(350);

async fn body(id: u64) -> u64 {
    // What a database takes.
    tokio::time::sleep(BODY).await;
    id + 1
}

#[cache_result(ttl = 600)]
async fn plain(id: u64) -> u64 {
    body(id).await
}

#[cache_result(ttl = 600, tags = ["group"])]
async fn tagged(id: u64) -> u64 {
    body(id).await
}

#[cache_result(ttl = 600, stale_while_revalidate = "10m")]
async fn ageing(id: u64) -> u64 {
    body(id).await
}

#[cache_result(ttl = 600, local)]
async fn near(id: u64) -> u64 {
    body(id).await
}

#[cache_result(ttl = 600, batch = ids)]
async fn many(ids: Vec<u64>) -> HashMap<u64, u64> {
    let mut all = HashMap::new();
    for id in ids {
        all.insert(id, body(id).await);
    }
    all
}

const NAMES: [&str; 5] = ["plain", "tagged", "ageing", "near", "many"];
const ALL: &str = "plain tagged ageing near many";

async fn call(function: usize, id: u64) -> u64 {
    match function {
        0 => plain(id).await,
        1 => tagged(id).await,
        2 => ageing(id).await,
        3 => near(id).await,
        _ => many(vec![id]).await[&id],
    }
}

/// How often its body ran, for the cache in scope.
fn loads(function: usize) -> u64 {
    let stats = match function {
        0 => plain::stats(),
        1 => tagged::stats(),
        2 => ageing::stats(),
        3 => near::stats(),
        _ => many::stats(),
    };
    stats.loads
}

/// Whether a value of the function comes from the cache in the end, with no call that took longer
/// than it may, from the third on.
async fn is_cached(function: usize, what: &str) -> bool {
    let mut slow = Vec::new();
    let mut last = u64::MAX;
    for turn in 0..6 {
        let before = loads(function);
        // One key again and again, and new ones beside it.
        for id in [1, 100 + turn] {
            let start = Instant::now();
            assert_eq!(call(function, id).await, id + 1, "{what}: {}", NAMES[function]);
            let took = start.elapsed();
            if turn >= 2 && took > AT_MOST {
                slow.push(took);
            }
        }
        last = loads(function) - before;
    }
    // One may have been kept off a core.
    assert!(slow.len() <= 1, "{what}: {} took {slow:?}", NAMES[function]);
    assert!((1..=2).contains(&last), "{what}: {last}");
    last == 1
}

/// A user with these rules, and the server's URL as it.
fn user(server: &RedisServer, name: &str, rules: &str) -> String {
    let rules: Vec<&str> = rules.split(' ').collect();
    let start = ["ACL", "SETUSER", name, "reset", "on", ">pw", "allkeys", "allchannels"];
    server.cmd(&[&start[..], &rules].concat());
    format!("redis://{name}:pw@127.0.0.1:{}", server.port())
}

struct Case {
    rules: &'static str,
    /// Which functions are cached all the same.
    cached: &'static str,
    /// Whether a key, and all of a function, can be invalidated.
    invalidates: (bool, bool),
}

const fn case(rules: &'static str, cached: &'static str, invalidates: (bool, bool)) -> Case {
    Case { rules, cached, invalidates }
}

const CASES: &[Case] = &[
    case("+@all", ALL, (true, true)),
    // Each command that the library sends, and those that its client may.
    case("+@all -evalsha", ALL, (true, true)),
    case("+@all -eval", ALL, (true, true)),
    case("+@all -script", ALL, (true, true)),
    case("+@all -evalsha -eval", "", (true, true)),
    case("+@all -eval -script", "", (true, true)),
    case("+@all -set", "", (true, true)),
    case("+@all -get", "", (true, true)),
    case("+@all -mget", "plain ageing near many", (true, true)),
    case("+@all -pttl", "plain many", (true, true)),
    case("+@all -pexpire", "plain ageing near many", (true, true)),
    case("+@all -del", ALL, (true, true)),
    case("+@all -unlink", ALL, (true, true)),
    case("+@all -del -unlink", ALL, (false, false)),
    case("+@all -scan", ALL, (true, false)),
    case("+@all -publish", ALL, (true, true)),
    case("+@all -subscribe", ALL, (true, true)),
    case("+@all -publish -subscribe resetchannels", ALL, (true, true)),
    case("+@all -client", ALL, (true, true)),
    case("+@all -role", ALL, (true, true)),
    case("+@all -ping -echo -type -exists -select -info", ALL, (true, true)),
    case("+@all -mget -pttl -publish -subscribe -client", "plain many", (true, true)),
    // The usual roles.
    case("+@all -@dangerous", ALL, (true, true)),
    case("+@all -@admin", ALL, (true, true)),
    case("+@all -@pubsub", ALL, (true, true)),
    case("+@all -@connection", ALL, (true, true)),
    case("+@all -@scripting", "", (true, true)),
    case("+@read", "", (false, false)),
    case("+@read +@write", "", (true, true)),
    case("+@write", "", (true, false)),
    case("+@read +@write +@scripting", ALL, (true, true)),
    case("+get", "", (false, false)),
    case("+set", "", (false, false)),
    case("-@all", "", (false, false)),
    case("+@all resetkeys ~other:*", "", (false, false)),
    case("+@all resetkeys %R~*", "", (false, false)),
];

#[tokio::test]
async fn no_call_waits_for_what_the_server_refuses_and_the_rest_works() {
    let server = RedisServer::start();
    let writer = patient::cache(&server).await;
    for (at, Case { rules, cached, invalidates }) in CASES.iter().enumerate() {
        // Where a lookup is a script's text, nothing works without.
        if *rules == "+@all -eval" && !server_can(Ability::FusedLookup) {
            continue;
        }
        if rules.contains('%') && !server_can(Ability::FineRules) {
            continue;
        }
        server.cmd(&["FLUSHALL"]);
        server.cmd(&["SCRIPT", "FLUSH"]);
        let url = user(&server, &format!("user{at}"), rules);
        let logs = Logs::capture();
        let cache = patient::builder(&url).build().await.unwrap();
        scope(cache.clone(), async {
            let mut found = Vec::new();
            for (function, name) in NAMES.into_iter().enumerate() {
                if is_cached(function, rules).await {
                    found.push(name);
                }
            }
            assert_eq!(found.join(" "), *cached, "{rules}");
            let health = cache.health();
            if *cached != ALL {
                assert_eq!(health.cause, Some(Fault::Forbidden), "{rules}: {health}");
            }
            assert_eq!(health.circuit_opened, 0, "{rules}: {health}");
            refused_once(&logs, rules, *cached != ALL);
            assert_invalidates(&cache, *invalidates, rules).await;
        })
        .await;
        // What another may store is served where the key may be read at all.
        if rules.starts_with("+@read") || rules.ends_with("-@scripting") {
            server.cmd(&["FLUSHALL"]);
            assert_eq!(scope(writer.clone(), plain(7)).await, 8);
            // Another process, which has not invalidated in vain.
            let cache = patient::builder(&url).build().await.unwrap();
            scope(cache, async {
                assert_eq!(plain(7).await, 8);
                assert_eq!(loads(0), 0, "{rules}");
            })
            .await;
        }
    }
}

/// Each line was said once, and there is one where something does not work.
fn refused_once(logs: &Logs, rules: &str, expected: bool) {
    let mut lines: Vec<String> = Vec::new();
    for (level, line) in logs.lines() {
        if level <= Level::WARN && line.contains("does not allow a command") {
            assert!(line.contains("what the server must allow"), "{line}");
            lines.push(line);
        }
    }
    let said = lines.len();
    lines.sort();
    lines.dedup();
    assert_eq!(lines.len(), said, "{rules}: {lines:#?}");
    assert!(said > 0 || !expected, "{rules}: {:#?}", logs.lines());
}

async fn assert_invalidates(cache: &Cache, (key, all): (bool, bool), what: &str) {
    let told = |outcome: Result<bool, cached_runtime::Error>| match outcome {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Refused, "{what}: {error}");
            false
        }
    };
    assert_eq!(told(cache.invalidate_tag("group").await.map(|()| true)), key, "{what}: tag");
    assert_eq!(told(plain::invalidate(1).await.map(|_| true)), key, "{what}: key");
    if key {
        let before = loads(0);
        plain(1).await;
        assert_eq!(loads(0), before + 1, "{what}: served after its end");
        plain(1).await;
    }
    assert_eq!(told(plain::invalidate_all().await.map(|_| true)), all, "{what}: all");
}

/// Callers at once, of one process and of two, are no slower than one.
#[tokio::test]
async fn a_stampede_on_a_server_without_scripts_is_a_body_long() {
    let server = RedisServer::start();
    let url = user(&server, "shop", "+@all -@scripting");
    let caches = [
        patient::builder(&url).build().await.unwrap(),
        patient::builder(&url).build().await.unwrap(),
    ];
    let mut slow = Vec::new();
    for turn in 0..10 {
        let calls = (0..40).map(|n| scope(caches[n % 2].clone(), plain(10_000 + turn)));
        let start = Instant::now();
        assert_eq!(join_all(calls).await, [10_001 + turn; 40]);
        if turn >= 2 && start.elapsed() > AT_MOST {
            slow.push(start.elapsed());
        }
    }
    assert!(slow.len() <= 1, "{slow:?}");
}

/// The rules are changed while the program runs.
#[tokio::test]
async fn what_is_allowed_again_is_used_again() {
    let server = RedisServer::start();
    for (rules, function) in [("-@scripting", 0), ("-mget", 1), ("-pttl", 2), ("-set", 4)] {
        let url = user(&server, "shop", &format!("+@all {rules}"));
        let cache = patient::builder(&url).build().await.unwrap();
        scope(cache.clone(), async {
            assert!(!is_cached(function, rules).await, "{rules}");
            let health = cache.health();
            assert_eq!(health.state, HealthState::Degraded, "{health}");
            user(&server, "shop", "+@all");
            eventually(LONG, || async {
                call(function, 50).await;
                cache.health().state == HealthState::Coherent
            })
            .await;
            assert!(is_cached(function, rules).await, "{rules}");
        })
        .await;
        server.cmd(&["FLUSHALL"]);
    }
}

/// The control: a lease that its holder does not give up is waited for.
#[tokio::test]
async fn a_lease_that_nobody_gives_up_is_waited_for() {
    let server = RedisServer::start();
    let cache = patient::cache(&server).await;
    let key = format!("cache:{}", plain::key(20_000));
    let lease = [b"L\x01".as_slice(), &[7; 17]].concat();
    server.cmd(&[b"SET".as_slice(), key.as_bytes(), &lease, b"PX", b"1000"]);
    let start = Instant::now();
    assert_eq!(scope(cache, plain(20_000)).await, 20_001);
    assert!(start.elapsed() > AT_MOST, "{:?}", start.elapsed());
}
