//! Servers over TLS as they are met: certificates of one's own, clusters and Sentinels, and servers
//! whose addresses are in no certificate.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cached_runtime::{
    Cache, CacheBuilder, ErrorKind, Fault, HealthState, Tls, cache_result, scope,
};
use cached_tests::{
    Ability, Authority, RedisCluster, RedisServer, Watched, eventually, server_can,
};
use tempfile::TempDir;

use super::patient::{self, LONG};

static BODIES: AtomicU64 = AtomicU64::new(0);

#[cache_result(ttl = 60)]
async fn next(n: u64) -> u64 {
    BODIES.fetch_add(1, Ordering::Relaxed);
    n + 1
}

fn builder(url: &str, tls: Tls) -> CacheBuilder {
    patient::builder(url).tls(tls)
}

/// Entries on all servers are stored, found, and invalidated.
async fn assert_works(cache: &Cache) {
    // A handshake may take longer than `build` waits.
    eventually(LONG, || async { cache.health().state == HealthState::Coherent }).await;
    let hits = cache.stats().total.hits();
    for n in 0..50 {
        scope(cache.clone(), next(n)).await;
        scope(cache.clone(), next(n)).await;
    }
    assert_eq!(cache.stats().total.hits(), hits + 50, "{}", cache.stats().total);
    for n in 0..50 {
        scope(cache.clone(), next::invalidate(n)).await.unwrap();
    }
    scope(cache.clone(), next(1)).await;
    assert!(scope(cache.clone(), next::invalidate_all()).await.unwrap() >= 1);
}

/// Every call runs its body, for this reason.
async fn assert_bypassed(cache: &Cache, cause: Fault) {
    eventually(LONG, || async { cache.health().state == HealthState::Bypass }).await;
    assert_eq!(cache.health().cause, Some(cause), "{}", cache.health());
    let before = BODIES.load(Ordering::Relaxed);
    assert_eq!(scope(cache.clone(), next(1)).await, 2);
    assert!(BODIES.load(Ordering::Relaxed) > before);
}

#[tokio::test]
async fn own_roots_and_a_client_certificate_from_files_or_as_text() {
    if !server_can(Ability::Tls) {
        return;
    }
    let (authority, stranger) = (Authority::new(), Authority::new());
    let server =
        RedisServer::start_tls_by(&authority, &["localhost"], &["--tls-auth-clients", "yes"]);
    let url = format!("rediss://localhost:{}", server.port());
    let (ca, (cert, key)) = (authority.ca_file(), authority.client());
    let read = |path: &std::path::Path| fs::read(path).unwrap();
    for tls in [
        Tls::new().roots_file(ca).client_files(&cert, &key),
        Tls::new().roots_pem(read(ca)).client_pem(read(&cert), read(&key)),
    ] {
        assert_works(&builder(&url, tls).build().await.unwrap()).await;
    }
    let (other_cert, other_key) = stranger.client();
    for tls in [
        Tls::new().client_files(&cert, &key),
        Tls::new().roots_file(stranger.ca_file()).client_files(&cert, &key),
        Tls::new().roots_file(ca),
        Tls::new().roots_file(ca).client_files(other_cert, other_key),
    ] {
        let what = format!("{tls:?}");
        let cache = builder(&url, tls).build().await.unwrap();
        assert_ne!(cache.health().state, HealthState::Coherent, "{what}");
        assert_bypassed(&cache, Fault::Unavailable).await;
    }
}

#[tokio::test]
async fn a_certificate_that_is_renewed_in_its_file_is_used() {
    if !server_can(Ability::Tls) {
        return;
    }
    let (authority, stranger) = (Authority::new(), Authority::new());
    let server =
        RedisServer::start_tls_by(&authority, &["localhost"], &["--tls-auth-clients", "yes"]);
    let dir = TempDir::new().unwrap();
    let (cert, key) = (dir.path().join("app.pem"), dir.path().join("app.key"));
    let renew = |by: &Authority| {
        let (new_cert, new_key) = by.client();
        fs::copy(new_cert, &cert).unwrap();
        fs::copy(new_key, &key).unwrap();
    };
    renew(&stranger);
    let tls = Tls::new().roots_file(authority.ca_file()).client_files(&cert, &key);
    let url = format!("rediss://localhost:{}", server.port());
    let cache = builder(&url, tls).build().await.unwrap();
    assert_bypassed(&cache, Fault::Unavailable).await;
    renew(&authority);
    eventually(LONG, || async { cache.health().state == HealthState::Coherent }).await;
    assert_works(&cache).await;
}

#[tokio::test]
async fn what_is_no_certificate_is_said_when_the_cache_is_built() {
    let refused = |url: &str, tls: Tls| {
        let builder = builder(url, tls);
        async move {
            let error = builder.build().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{error}");
            error.to_string()
        }
    };
    let missing = Tls::new().roots_file("/no/such/ca.pem");
    assert!(refused("rediss://localhost", missing).await.contains("`/no/such/ca.pem`"));
    let said = refused("rediss://localhost", Tls::new().roots_pem("nothing")).await;
    assert!(said.contains("holds no root certificate"), "{said}");
    let authority = Authority::new();
    let roots = Tls::new().roots_file(authority.ca_file());
    let said = refused("redis+cluster://localhost", roots.clone()).await;
    assert!(said.contains("write `rediss://"), "{said}");
    let (cert, _) = authority.client();
    let (_, other_key) = authority.client();
    let broken = "-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----\n";
    let cert = fs::read(cert).unwrap();
    for key in [broken.into(), fs::read(other_key).unwrap()] {
        let tls = roots.clone().client_pem(cert.clone(), key);
        let said = refused("rediss://localhost", tls).await;
        assert!(said.contains("not usable") && !said.contains("nonsense"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_servers_of_a_cluster_are_known_by_the_hostnames_that_they_announce() {
    if !server_can(Ability::Tls) || !server_can(Ability::Hostnames) {
        return;
    }
    let authority = Authority::new();
    let announced = [
        "--cluster-announce-hostname",
        "localhost",
        "--cluster-preferred-endpoint-type",
        "hostname",
    ];
    let cluster = RedisCluster::start_tls(3, &authority, &["localhost"], &announced);
    let tls = Tls::new().roots_file(authority.ca_file());
    assert_works(&builder(&cluster.tls_url("localhost"), tls).build().await.unwrap()).await;
}

/// As those of managed clusters are: their certificate is for the name that the program is given.
#[tokio::test(flavor = "multi_thread")]
async fn servers_whose_addresses_are_in_no_certificate_are_known_by_the_urls_name() {
    if !server_can(Ability::Tls) || !server_can(Ability::ClusterPort) {
        return;
    }
    let authority = Authority::new();
    let cluster = RedisCluster::start_tls(3, &authority, &["localhost"], &[]);
    let tls = Tls::new().roots_file(authority.ca_file());
    let cache = builder(&cluster.tls_url("localhost"), tls.clone()).build().await.unwrap();
    assert_works(&cache).await;

    // The control: by another name it is another's certificate.
    let by_address = builder(&cluster.tls_url("127.0.0.1"), tls);
    let by_address = by_address.invalidate_deadline(Duration::from_millis(300));
    assert_bypassed(&by_address.build().await.unwrap(), Fault::Unavailable).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_and_the_servers_that_they_name_by_address_are_known_by_the_urls_name() {
    if !server_can(Ability::Tls) {
        return;
    }
    let authority = Authority::new();
    let watched = Watched::start_tls(3, &authority, &["localhost"]);
    let sentinels = watched.addresses().replace("127.0.0.1", "localhost");
    let tls = Tls::new().roots_file(authority.ca_file());
    let url = format!("rediss+sentinel://{sentinels}/mymaster");
    let cache = builder(&url, tls).build().await.unwrap();
    assert_works(&cache).await;
    watched.fail_over();
    eventually(LONG, || async {
        let hits = cache.stats().total.hits();
        scope(cache.clone(), next(1_007)).await;
        cache.stats().total.hits() > hits
    })
    .await;
    eventually(LONG, || async { cache.health().state == HealthState::Coherent }).await;
    assert_works(&cache).await;
}
