//! The least rules that the documentation names for each feature: it works with exactly these.

use std::time::Duration;

use cached_runtime::{LocalHealth, cache_result, scope};
use cached_tests::{RedisCluster, RedisServer, eventually};

use super::super::patient::{self, LONG};
use super::{NAMES, is_cached, plain, tagged};

/// Long enough that another process comes to wait for it.
#[cache_result(ttl = 600)]
async fn slow(id: u64) -> u64 {
    tokio::time::sleep(Duration::from_millis(300)).await;
    id
}

const DOCS: &str = include_str!("../../../cached-runtime/src/docs/permissions.md");

/// The rules of the table's lines, for another namespace.
fn rules(namespace: &str) -> Vec<(String, String)> {
    let lines = DOCS.lines().skip_while(|line| !line.starts_with("| For | Rules |")).skip(2);
    let lines = lines.take_while(|line| line.starts_with('|'));
    let read = |line: &str| {
        let line = line.replace("\\|", "\0");
        let mut cells = line.split('|').map(str::trim).skip(1);
        let (feature, rules) = (cells.next().unwrap(), cells.next().unwrap());
        let rules = rules.trim_matches('`').replace('\0', "|").replace("shop", namespace);
        (feature.to_owned(), rules)
    };
    lines.map(read).collect()
}

/// A user who may do nothing is given the rules. Before Redis 7 such a one may use all channels.
fn set_rules(server: &RedisServer, rules: &[&str]) {
    let rules = rules.join(" ");
    let start = ["ACL", "SETUSER", "shop", "reset", "resetchannels", "on", ">pw"];
    let rules: Vec<&str> = rules.split(' ').collect();
    server.cmd(&[&start[..], &rules].concat());
}

#[tokio::test]
async fn each_feature_works_with_exactly_the_rules_that_are_documented() {
    let server = RedisServer::start();
    let rules = rules("least");
    let named = |name: &str| {
        let found = rules.iter().filter(|(feature, _)| feature.starts_with(name));
        let found: Vec<_> = found.map(|(_, rules)| rules.as_str()).collect();
        assert_eq!(found.len(), 1, "{name}");
        found[0]
    };
    let calls = named("hits and misses");
    // What is asked beside an entry is so for the functions that are named.
    for (feature, functions) in [
        ("hits and misses", &["plain", "many"][..]),
        ("tags", &["tagged"]),
        ("values past their ttl", &["ageing"]),
        ("`local`", &["near"]),
    ] {
        set_rules(&server, &[calls, named(feature)]);
        let url = format!("redis://shop:pw@127.0.0.1:{}", server.port());
        let cache = patient::builder(&url).namespace("least").build().await.unwrap();
        scope(cache.clone(), async {
            for function in functions {
                let at = NAMES.iter().position(|name| name == function).unwrap();
                assert!(is_cached(at, feature).await, "{feature}: {function}");
            }
            if feature == "`local`" {
                eventually(LONG, || async { cache.health().local == LocalHealth::Coherent }).await;
            }
            assert_eq!(cache.health().cause, None, "{feature}: {}", cache.health());
            plain::invalidate(1).await.unwrap();
            if feature == "tags" {
                cache.invalidate_tag("group").await.unwrap();
            }
        })
        .await;
        server.cmd(&["FLUSHALL"]);
    }
    set_rules(&server, &[calls, named("`invalidate_all`")]);
    let url = format!("redis://shop:pw@127.0.0.1:{}", server.port());
    let cache = patient::builder(&url).namespace("least").build().await.unwrap();
    scope(cache.clone(), async {
        plain(1).await;
        assert_eq!(plain::invalidate_all().await.unwrap(), 1);
        assert_eq!(cache.clear().await.unwrap(), 0);
    })
    .await;
    wakes(&server, &[calls, named("a load in one process")]).await;
}

/// Another process's load is heard of by a message: nobody who waits looks more than a few times.
async fn wakes(server: &RedisServer, rules: &[&str]) {
    set_rules(server, rules);
    let url = format!("redis://shop:pw@127.0.0.1:{}", server.port());
    server.reset_stats();
    let one = patient::builder(&url).namespace("least").build().await.unwrap();
    let other = patient::builder(&url).namespace("least").build().await.unwrap();
    let (first, second) = tokio::join!(scope(one.clone(), slow(30)), async {
        // Until the first has the lease.
        eventually(LONG, || async { server.int(&["DBSIZE"]) == 1 }).await;
        scope(other.clone(), slow(30)).await
    });
    assert_eq!((first, second), (30, 30));
    assert_eq!(server.command_calls().get("subscribe"), Some(&1));
}

/// In a cluster, tags are spread over stripes.
#[tokio::test]
async fn a_cluster_works_with_exactly_the_rules_that_are_documented() {
    let cluster = RedisCluster::start(3, 0);
    let all: Vec<_> = rules("least").into_iter().map(|(_, rules)| rules).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    for server in cluster.nodes() {
        set_rules(server, &all);
    }
    let url = cluster.url().replace("://", "://shop:pw@");
    let cache = patient::builder(&url).namespace("least").build().await.unwrap();
    scope(cache.clone(), async {
        for (at, name) in NAMES.iter().enumerate() {
            assert!(is_cached(at, "cluster").await, "{name}");
        }
        eventually(LONG, || async { cache.health().local == LocalHealth::Coherent }).await;
        assert_eq!(cache.health().cause, None, "{}", cache.health());
        cache.invalidate_tag("group").await.unwrap();
        tagged(1).await;
        assert!(plain::invalidate_all().await.unwrap() > 0);
    })
    .await;
}
