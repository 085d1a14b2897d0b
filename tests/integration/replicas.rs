//! `replicas`: an invalidation is done once replicas have it, or says how many do.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::patient::{self, LONG};
use cached_runtime::{Cache, CacheBuilder, ErrorKind, cache_result, scope};
use cached_tests::{Proxy, RedisCluster, RedisServer, Wire, eventually, eventually_blocking};

static BODIES: AtomicU64 = AtomicU64::new(0);
/// Held by each test: they count in one place.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[cache_result(ttl = 60, tags = ["even:{n}"])]
async fn next(n: u64) -> u64 {
    BODIES.fetch_add(1, Ordering::Relaxed);
    n + 1
}

/// A primary and replicas that are up to date.
struct Replicated {
    primary: RedisServer,
    replicas: Vec<RedisServer>,
}

impl Replicated {
    fn start(replicas: usize) -> Self {
        // A replica that was cut off goes on where it was, and is taken for lost late.
        let primary = RedisServer::start_with(&["--repl-timeout", "600"]);
        let port = primary.port().to_string();
        let replica = || {
            let replica = ["--replicaof", "127.0.0.1", &port, "--repl-timeout", "600"];
            RedisServer::start_with(&replica)
        };
        let replicated = Self { replicas: (0..replicas).map(|_| replica()).collect(), primary };
        replicated.settle();
        replicated
    }

    fn settle(&self) {
        for replica in &self.replicas {
            eventually_blocking(LONG, || replica.replicates(&self.primary));
        }
    }
}

fn builder(url: &str, replicas: usize) -> CacheBuilder {
    patient::builder(url).replicas(replicas).invalidate_deadline(Duration::from_secs(10))
}

async fn has(server: &RedisServer, cache: &Cache, n: u64) -> bool {
    let key = format!("{}:{}", cache.namespace(), next::key(n).as_str());
    server.int(&["EXISTS", &key]) == 1
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_invalidated_is_gone_from_so_many_replicas() {
    let _turn = TURN.lock().await;
    let servers = Replicated::start(2);
    let cache = builder(&servers.primary.url(), 2).build().await.unwrap();
    for n in 0..20 {
        scope(cache.clone(), next(n)).await;
        servers.settle();
        assert!(has(&servers.replicas[0], &cache, n).await, "the replica has what was stored");
        match n % 4 {
            0 => scope(cache.clone(), next::invalidate(n)).await.unwrap(),
            1 => cache.invalidate_tag(format!("even:{n}")).await.unwrap(),
            2 => scope(cache.clone(), next::invalidate_all()).await.map(drop).unwrap(),
            _ => cache.clear().await.map(drop).unwrap(),
        }
        // A tag's entries are told by its version, which is what is removed.
        if n % 4 != 1 {
            for replica in &servers.replicas {
                assert!(!has(replica, &cache, n).await, "{n}");
            }
        }
        let before = BODIES.load(Ordering::Relaxed);
        scope(cache.clone(), next(n)).await;
        assert_eq!(BODIES.load(Ordering::Relaxed), before + 1, "{n}");
    }
    let calls = servers.primary.command_calls();
    assert!(calls["wait"] >= 20, "{calls:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn short_of_it_the_error_says_how_many_and_the_invalidation_is_made_up_for() {
    let _turn = TURN.lock().await;
    let servers = Replicated::start(2);
    let url = servers.primary.url();
    let deadline = Duration::from_millis(500);
    let cache = builder(&url, 2).invalidate_deadline(deadline).build().await.unwrap();
    scope(cache.clone(), next(1)).await;
    servers.settle();
    servers.replicas[1].stop();

    // The control: without `replicas` nobody learns of it.
    let careless = builder(&url, 0).build().await.unwrap();
    scope(careless.clone(), next::invalidate(1)).await.unwrap();

    scope(cache.clone(), next(1)).await;
    let error = scope(cache.clone(), next::invalidate(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(error.to_string().contains("1 of the 2 replicas"), "{error}");
    assert!(!has(&servers.primary, &cache, 1).await, "the primary has removed it all the same");
    assert_eq!(cache.health().queued_invalidations, 1);

    servers.replicas[1].cont();
    eventually(LONG, || async { cache.health().queued_invalidations == 0 }).await;
    scope(cache.clone(), next::invalidate(1)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn hits_do_not_wait_behind_it() {
    let _turn = TURN.lock().await;
    let servers = Replicated::start(1);
    let deadline = Duration::from_secs(5);
    let cache =
        builder(&servers.primary.url(), 1).invalidate_deadline(deadline).build().await.unwrap();
    for n in 100..200 {
        scope(cache.clone(), next(n)).await;
    }
    servers.settle();
    servers.replicas[0].stop();
    // What it has not got.
    scope(cache.clone(), next(1)).await;
    let invalidating = {
        let cache = cache.clone();
        tokio::spawn(async move { scope(cache, next::invalidate(1)).await })
    };
    eventually(LONG, || async { servers.primary.command_calls().contains_key("wait") }).await;
    let before = BODIES.load(Ordering::Relaxed);
    for n in 100..200 {
        scope(cache.clone(), next(n)).await;
    }
    let hits = cache.stats().total.hits();
    assert!(!invalidating.is_finished(), "no replica has it");
    assert!(hits >= 100, "{hits}");
    assert!(BODIES.load(Ordering::Relaxed) < before + 100);
    servers.replicas[0].cont();
    invalidating.await.unwrap().unwrap();
}

/// What `replicas` is for: a primary that dies after the invalidation. The control is without.
#[tokio::test(flavor = "multi_thread")]
async fn an_invalidation_that_no_replica_has_is_not_said_to_be_done() {
    let _turn = TURN.lock().await;
    for replicas in [0, 1] {
        let primary = RedisServer::start();
        let wire = Proxy::to(primary.port());
        let port = wire.port().to_string();
        let replica = RedisServer::start_with(&["--replicaof", "127.0.0.1", &port]);
        let cache = builder(&primary.url(), replicas)
            .invalidate_deadline(Duration::from_millis(300))
            .build()
            .await
            .unwrap();
        scope(cache.clone(), next(1)).await;
        eventually(LONG, || async { has(&replica, &cache, 1).await }).await;
        wire.set(Wire::BlackHole);
        let invalidated = scope(cache.clone(), next::invalidate(1)).await;
        primary.kill();
        replica.cmd(&["REPLICAOF", "NO", "ONE"]);
        assert!(has(&replica, &cache, 1).await, "it was cut off");
        assert_eq!(invalidated.is_ok(), replicas == 0, "{invalidated:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_primary_of_a_cluster_waits_for_its_replicas() {
    let _turn = TURN.lock().await;
    let cluster = RedisCluster::start(3, 1);
    let cache = builder(&cluster.url(), 1).build().await.unwrap();
    for n in 0..30 {
        scope(cache.clone(), next(n)).await;
        scope(cache.clone(), next::invalidate(n)).await.unwrap();
    }
    scope(cache.clone(), next(1)).await;
    scope(cache.clone(), next::invalidate_all()).await.unwrap();
    for at in cluster.primaries() {
        let calls = cluster.nodes()[at].command_calls();
        assert!(calls.contains_key("wait"), "{at}: {calls:?}");
    }
    let impatient = builder(&cluster.url(), 2).invalidate_deadline(Duration::from_millis(300));
    let impatient = impatient.build().await.unwrap();
    let error = scope(impatient, next::invalidate(1)).await.unwrap_err();
    assert!(error.to_string().contains("1 of the 2 replicas"), "{error}");
}

#[tokio::test]
async fn a_server_that_forbids_it_is_named() {
    let _turn = TURN.lock().await;
    let server = RedisServer::start();
    server.cmd(&["ACL", "SETUSER", "app", "on", ">secret", "~*", "&*", "+@all", "-wait"]);
    let url = format!("redis://app:secret@127.0.0.1:{}", server.port());
    let cache = builder(&url, 1).build().await.unwrap();
    let error = scope(cache, next::invalidate(1)).await.unwrap_err();
    assert!(error.to_string().to_lowercase().contains("wait"), "{error}");
    server.cmd(&["ACL", "SETUSER", "app", "+wait"]);
    let patient = Duration::from_millis(300);
    let cache = builder(&url, 1).invalidate_deadline(patient).build().await.unwrap();
    let error = scope(cache, next::invalidate(1)).await.unwrap_err();
    assert!(error.to_string().contains("0 of the 1 replicas"), "{error}");
}
