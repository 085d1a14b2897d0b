//! Credentials that change: a password that is rotated, tokens that end, a provider that fails. No call
//! fails for it, and none runs its body that would have had a hit.

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::{Duration, Instant};

use cached_runtime::{
    Cache, CacheBuilder, Credentials, Fault, HealthState, cache_result, scope, scope_sync,
};
use cached_tests::{Logs, RedisCluster, RedisServer, Watched, eventually};
use futures_util::future::join_all;
use tokio::runtime::Builder;
use tracing::Level;

use super::patient::{self, LONG};

#[cache_result(ttl = 600, tags = ["all"])]
async fn next(n: u64) -> u64 {
    n + 1
}

#[cache_result(ttl = 600, local)]
async fn near(n: u64) -> u64 {
    n + 1
}

#[cache_result(ttl = 600, batch = ids)]
async fn many(ids: Vec<u64>) -> HashMap<u64, u64> {
    ids.into_iter().map(|id| (id, id + 1)).collect()
}

#[cache_result(ttl = 600)]
async fn slow(n: u64) -> u64 {
    // What a database takes.
    tokio::time::sleep(Duration::from_millis(300)).await;
    n + 1
}

#[cache_result(ttl = 600)]
fn next_now(n: u64) -> u64 {
    n + 1
}

/// Each kind of call for these keys.
async fn call_all(cache: &Cache, keys: std::ops::Range<u64>) {
    scope(cache.clone(), async {
        for n in keys.clone() {
            assert_eq!((next(n).await, near(n).await), (n + 1, n + 1));
        }
        assert_eq!(many(keys.clone().collect()).await.len(), keys.clone().count());
    })
    .await;
    let cache = cache.clone();
    let blocking = tokio::task::spawn_blocking(move || {
        scope_sync(cache, || keys.for_each(|n| assert_eq!(next_now(n), n + 1)));
    });
    blocking.await.unwrap();
}

/// A user who may do everything, with this password alone.
fn set_user(server: &RedisServer, name: &str, password: &str) {
    let password = format!(">{password}");
    server.cmd(&["ACL", "SETUSER", name, "reset", "on", &password, "~*", "&*", "+@all"]);
}

/// What a provider gives: the password of `app`.
#[derive(Clone)]
struct Vault(Arc<Mutex<String>>);

impl Vault {
    fn with(password: &str) -> Self {
        Self(Arc::new(Mutex::new(password.to_owned())))
    }

    fn change(&self, password: &str) {
        password.clone_into(&mut self.0.lock().unwrap());
    }

    /// A builder of caches that log in as `app`, by what it has.
    fn builder(&self, url: &str) -> CacheBuilder {
        let vault = self.clone();
        patient::builder(url).credentials(move || {
            let password = vault.0.lock().unwrap().clone();
            async move { Ok::<_, Infallible>(Credentials::new("app", password)) }
        })
    }
}

/// Calls all the time while `meanwhile` happens.
async fn under_load(cache: &Cache, meanwhile: impl Future<Output = ()>) {
    let over = AtomicBool::new(false);
    let callers = (0..4).map(|_| async {
        while !over.load(Ordering::SeqCst) {
            call_all(cache, 0..4).await;
        }
    });
    tokio::join!(join_all(callers), async {
        meanwhile.await;
        over.store(true, Ordering::SeqCst);
    });
}

/// Calls on connections that nobody had before.
async fn call_elsewhere(cache: &Cache) {
    let cache = cache.clone();
    let elsewhere = std::thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(call_all(&cache, 0..4));
    });
    while !elsewhere.is_finished() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    elsewhere.join().unwrap();
}

/// How many bodies a change of the password costs, of calls on connections old and new.
async fn loads_of_a_rotation(cache: &Cache, rotate: impl FnOnce()) -> u64 {
    call_all(cache, 0..4).await;
    let before = cache.stats().total;
    under_load(cache, async {
        call_elsewhere(cache).await;
        rotate();
        call_elsewhere(cache).await;
    })
    .await;
    let total = cache.stats().total;
    assert!(total.hits() > before.hits() + 100, "{total}");
    total.loads - before.loads
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_changed_under_load_costs_no_call_anything() {
    let server = RedisServer::start();
    set_user(&server, "app", "one");
    let vault = Vault::with("one");
    let cache = vault.builder(&server.url()).build().await.unwrap();
    let rotate = || {
        set_user(&server, "app", "two");
        vault.change("two");
    };
    assert_eq!(loads_of_a_rotation(&cache, rotate).await, 0);
    let total = cache.stats().total;
    assert!(total.errors.is_empty(), "{total}");
}

/// The control: with the password in the URL, new connections are refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_in_the_url_that_is_changed_costs_new_connections_their_hits() {
    let server = RedisServer::start();
    set_user(&server, "app", "one");
    let url = format!("redis://app:one@127.0.0.1:{}", server.port());
    let cache = patient::builder(&url).build().await.unwrap();
    assert!(loads_of_a_rotation(&cache, || set_user(&server, "app", "two")).await > 0);
    assert!(cache.stats().total.errors.contains_key(&Fault::Auth));
}

/// The ids of the connections of users whose name begins so.
fn connections(server: &RedisServer, user: &str) -> BTreeSet<String> {
    let list = server.text(&["CLIENT", "LIST"]).unwrap();
    let user = format!("user={user}");
    let theirs = list.lines().filter(|line| line.split(' ').any(|part| part.starts_with(&user)));
    theirs.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

/// What became of calls and connections while tokens ended.
#[derive(Debug)]
struct Life {
    ended: usize,
    loads: u64,
    errors: usize,
    were_kept: bool,
}

/// Tokens, as a cloud gives them: each is a user of its own, and the server ends what is still logged
/// in by one when its time is over. `is_told` of that time, or not.
async fn life_of_tokens(is_told: bool) -> Life {
    const SPAN: Duration = Duration::from_secs(4);
    let server = RedisServer::start();
    (0..40).for_each(|n| set_user(&server, &format!("token{n}"), "pw"));
    let given: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let tokens = Arc::clone(&given);
    let builder = patient::builder(&server.url()).credentials(move || {
        let mut tokens = tokens.lock().unwrap();
        tokens.push(Instant::now());
        let token = Credentials::new(format!("token{}", tokens.len() - 1), "pw");
        async move { Ok::<_, Infallible>(if is_told { token.valid_for(SPAN) } else { token }) }
    });
    let cache = builder.build().await.unwrap();
    call_all(&cache, 0..4).await;
    // Who waits for another process has a connection that listens.
    let other = patient::cache(&server).await;
    tokio::join!(scope(other, slow(1)), async {
        eventually(LONG, || async { server.keys().iter().any(|key| key.contains("slow")) }).await;
        scope(cache.clone(), slow(1)).await;
    });
    let before = (connections(&server, "token"), cache.stats().total);
    assert!(before.0.len() >= 6, "links of two runtimes, and what is told: {before:?}");
    let mut ended = 0;
    under_load(&cache, async {
        let start = Instant::now();
        while start.elapsed() < SPAN * 5 / 2 {
            // Often enough for what takes seconds.
            tokio::time::sleep(Duration::from_millis(20)).await;
            let over = given.lock().unwrap().iter().take_while(|at| at.elapsed() > SPAN).count();
            for n in ended..over {
                server.cmd(&["ACL", "DELUSER", &format!("token{n}")]);
            }
            ended = over;
        }
    })
    .await;
    let total = cache.stats().total;
    Life {
        ended,
        loads: total.loads - before.1.loads,
        errors: total.errors.len(),
        were_kept: connections(&server, "token") == before.0,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_log_in_anew_before_their_token_ends_and_are_not_dropped() {
    let life = life_of_tokens(true).await;
    assert!(life.ended > 5 && life.loads == 0 && life.errors == 0 && life.were_kept, "{life:?}");
}

/// The control.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_by_a_token_of_unknown_end_are_dropped_with_it() {
    let life = life_of_tokens(false).await;
    assert!(life.ended > 0 && life.errors > 0 && !life.were_kept, "{life:?}");
}

#[tokio::test]
async fn a_refused_login_is_tried_again_as_soon_as_there_is_another() {
    let server = RedisServer::start();
    set_user(&server, "app", "right");
    let vault = Vault::with("wrong");
    let cache = vault.builder(&server.url()).build().await.unwrap();
    let refused = || server.command_calls().get("auth").copied().unwrap_or_default();
    // After so many the next attempt is 8 to 16 s away.
    eventually(LONG * 3, || async {
        scope(cache.clone(), next(1)).await;
        refused() >= 5
    })
    .await;
    assert_eq!(cache.health().cause, Some(Fault::Auth));
    vault.change("right");
    eventually(Duration::from_secs(3), || async {
        scope(cache.clone(), next(1)).await;
        cache.stats().total.hits() > 0
    })
    .await;
    assert!(refused() <= 8, "{}", refused());
}

/// How a provider can fail.
#[derive(Clone, Copy)]
enum Failing {
    Error,
    Panic,
    Silence,
}

/// A provider that fails until it works, a cache by it, and ten calls at most as slow as a store that
/// is away makes them.
async fn cache_with_failing(failing: Failing, server: &RedisServer) -> (Cache, Arc<AtomicBool>) {
    let works = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&works);
    let builder = patient::builder(&server.url()).lookup_deadline(Duration::from_millis(50));
    let builder = builder.invalidate_deadline(Duration::from_millis(50)).credentials(move || {
        let works = switch.load(Ordering::SeqCst);
        assert!(works || !matches!(failing, Failing::Panic), "the provider's own");
        async move {
            match failing {
                _ if works => Ok(Credentials::new("app", "s3cret")),
                Failing::Silence => std::future::pending().await,
                _ => Err(std::io::Error::other("the vault is sealed")),
            }
        }
    });
    let cache = builder.build_blocking().unwrap();
    for n in 0..10 {
        let start = Instant::now();
        assert_eq!(scope(cache.clone(), next(n)).await, n + 1);
        assert!(start.elapsed() < Duration::from_secs(1));
    }
    assert_eq!(cache.stats().total.loads, 10);
    assert_eq!(cache.health().state, HealthState::Bypass);
    (cache, works)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_fails_is_named_and_asked_again() {
    let logs = Logs::capture_process();
    let server = RedisServer::start();
    set_user(&server, "app", "s3cret");
    let cases = [(Failing::Error, "failed: the vault is sealed"), (Failing::Panic, "panicked")];
    for (failing, said) in cases {
        logs.clear();
        let (cache, works) = cache_with_failing(failing, &server).await;
        assert_eq!(cache.health().cause, Some(Fault::Auth), "{said}");
        assert!(logs.contains(Level::WARN, said), "{said}: {:?}", logs.lines());
        works.store(true, Ordering::SeqCst);
        eventually(Duration::from_secs(5), || async {
            scope(cache.clone(), next(1)).await;
            cache.stats().total.hits() > 0
        })
        .await;
    }
    assert!(!logs.lines().iter().any(|(_, line)| line.contains("s3cret")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_does_not_answer_holds_no_call_up() {
    let server = RedisServer::start();
    set_user(&server, "app", "s3cret");
    cache_with_failing(Failing::Silence, &server).await;
}

#[tokio::test]
async fn one_answer_serves_logins_at_the_same_time() {
    const LOGINS: usize = 16;
    let server = RedisServer::start();
    set_user(&server, "app", "pw");
    let asked = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&asked);
    let builder = patient::builder(&server.url()).credentials(move || {
        count.fetch_add(1, Ordering::SeqCst);
        async {
            // What a service for tokens takes; all others come meanwhile.
            tokio::time::sleep(Duration::from_millis(500)).await;
            Ok::<_, Infallible>(Credentials::new("app", "pw"))
        }
    });
    let cache = builder.build().await.unwrap();
    let before = asked.load(Ordering::SeqCst);
    let together = Barrier::new(LOGINS);
    std::thread::scope(|threads| {
        for _ in 0..LOGINS {
            threads.spawn(|| {
                let runtime = Builder::new_current_thread().enable_all().build().unwrap();
                together.wait();
                assert_eq!(runtime.block_on(scope(cache.clone(), next(1))), 2);
            });
        }
    });
    let asked = asked.load(Ordering::SeqCst) - before;
    assert!((1..=4).contains(&asked), "{asked}");
}

#[tokio::test]
async fn clusters_and_servers_behind_sentinels_are_logged_in_to_by_a_provider() {
    let vault = Vault::with("pw");
    let cluster = RedisCluster::start(3, 0);
    cluster.nodes().iter().for_each(|node| set_user(node, "app", "pw"));
    let url = format!("redis+cluster://app@127.0.0.1:{}", cluster.port(0));
    let watched = Watched::start_with_passwords(3, "of-servers", "of-sentinels");
    set_user(watched.primary(), "app", "pw");
    let by_sentinels = format!("{}?sentinel_password=of-sentinels", watched.url());
    for url in [url, by_sentinels] {
        let cache = vault.builder(&url).build().await.unwrap();
        for _ in 0..2 {
            call_all(&cache, 0..20).await;
        }
        let total = cache.stats().total;
        assert!(total.errors.is_empty() && total.hits() == 80, "{url}: {total}");
        assert_eq!(cache.health().state, HealthState::Coherent, "{url}");
    }
}
