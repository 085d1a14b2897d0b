//! What each kind of call costs the server, counted there, and what it leaves behind.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cached_runtime::{Cache, Policy, cache_invalidate, cache_result, scope, scope_sync};
use cached_tests::{Ability, Proxy, RedisServer, server_can};
use redis::Value;

use super::patient;

#[cache_result(ttl = 60)]
async fn double(n: u64) -> u64 {
    n * 2
}

#[cache_result(ttl = 60)]
fn triple(n: u64) -> u64 {
    n * 3
}

#[cache_result(ttl = 60)]
async fn even(n: u64) -> Result<Option<u64>, String> {
    match n {
        0 => Err("zero".to_owned()),
        n => Ok((n % 2 == 0).then_some(n)),
    }
}

const DOUBLE_21: &str = "cache:integration.protocol.double:21";

/// The commands that the server counts while `call` runs.
async fn cost<T>(server: &RedisServer, call: impl Future<Output = T>) -> BTreeMap<String, u64> {
    server.reset_stats();
    call.await;
    server.command_calls()
}

fn commands(expected: &[(&str, u64)]) -> BTreeMap<String, u64> {
    expected.iter().map(|&(name, calls)| (name.to_owned(), calls)).collect()
}

const PEEK: [(&str, u64); 2] = [("get", 1), ("pttl", 1)];

/// What the script does is counted by the server as well.
const MISS: &[(&str, u64)] = &[("evalsha", 1), ("get", 1), ("publish", 1), ("set", 2)];

#[tokio::test]
async fn each_kind_of_call_costs_what_is_promised() {
    if !server_can(Ability::FusedLookup) {
        return;
    }
    let server = RedisServer::start();
    let cache = patient::cache(&server).await;
    scope(cache.clone(), async {
        let first = cost(&server, double(0)).await;
        let by_text = [("eval", 1), ("evalsha", 1), ("get", 1), ("publish", 1), ("set", 2)];
        assert_eq!(first, commands(&by_text), "the server has to learn the script");
        assert_eq!(cost(&server, double(21)).await, commands(MISS), "miss");
        assert_eq!(cost(&server, double(21)).await, commands(&[("set", 1)]), "hit");
        assert_eq!(cost(&server, double::peek(21)).await, commands(&PEEK), "peek");
        assert_eq!(cost(&server, double::peek(99)).await, commands(&PEEK), "peek");
        assert_eq!(cost(&server, double::put(3, &6)).await, commands(&[("set", 1)]), "put");
        assert_eq!(cost(&server, double::refresh(21)).await, commands(MISS), "refresh");
        assert_eq!(cost(&server, double::uncached(21)).await, commands(&[]), "uncached");
        let one = commands(&[("del", 1)]);
        assert_eq!(cost(&server, double::invalidate(21)).await, one, "invalidate");
        assert_eq!(cost(&server, double::invalidate(21)).await, one, "invalidate nothing");
        assert_eq!(cost(&server, cache.invalidate_key("x")).await, one, "invalidate_key");
        assert_eq!(cost(&server, cache.remove("x")).await, one, "remove");
        let swept = cost(&server, cache.clear()).await;
        assert_eq!(swept, commands(&[("scan", 1), ("unlink", 1)]), "clear");
        let swept = cost(&server, double::invalidate_all()).await;
        let nothing = commands(&[("del", 1), ("scan", 1), ("unlink", 1)]);
        assert_eq!(swept, nothing, "invalidate_all of nothing");
    })
    .await;
}

#[tokio::test]
async fn what_is_not_stored_gives_up_its_lease() {
    if !server_can(Ability::FusedLookup) {
        return;
    }
    let server = RedisServer::start();
    let cache = patient::cache(&server).await;
    let release = commands(&[("del", 1), ("evalsha", 1), ("get", 1), ("publish", 1), ("set", 1)]);
    scope(cache.clone(), async {
        let failing = async || {
            even(0).await.unwrap_err();
            cache.shutdown().await;
        };
        failing().await; // opens the background's connection, and the server learns the script
        assert_eq!(cost(&server, failing()).await, release, "an error");
        let absent = async || {
            assert_eq!(even(3).await, Ok(None));
            cache.shutdown().await;
        };
        assert_eq!(cost(&server, absent()).await, release, "an absence without `none_ttl`");
    })
    .await;
    assert!(server.keys().is_empty());
}

#[test]
fn sync_functions_cost_the_same() {
    if !server_can(Ability::FusedLookup) {
        return;
    }
    let server = RedisServer::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let cache = runtime.block_on(patient::cache(&server));
    drop(runtime);
    scope_sync(cache, || {
        triple(0);
        for (n, expected) in [(7, MISS), (7, &[("set", 1)][..])] {
            server.reset_stats();
            assert_eq!(triple(n), 21);
            assert_eq!(server.command_calls(), commands(expected));
        }
        server.reset_stats();
        assert_eq!(triple::peek(7).unwrap(), Some(21));
        assert_eq!(server.command_calls(), commands(&PEEK));
        server.reset_stats();
        triple::invalidate(7).unwrap();
        assert_eq!(server.command_calls(), commands(&[("del", 1)]));
        assert_eq!(triple::peek(7).unwrap(), None);
    });
}

#[tokio::test]
async fn a_server_that_forgot_the_scripts_learns_them_again() {
    if !server_can(Ability::FusedLookup) {
        return;
    }
    let server = RedisServer::start();
    scope(patient::cache(&server).await, async {
        double(1).await;
        server.cmd(&["SCRIPT", "FLUSH"]);
        let relearned = cost(&server, double(2)).await;
        assert_eq!(relearned["eval"], 1);
        assert_eq!(cost(&server, double(2)).await, commands(&[("set", 1)]), "it was stored");
        assert_eq!(cost(&server, double(3)).await, commands(MISS));
    })
    .await;
}

#[tokio::test]
async fn a_value_stands_under_its_readable_key() {
    let server = RedisServer::start();
    scope(patient::cache(&server).await, async {
        double(21).await;
        assert_eq!(server.keys(), [DOUBLE_21]);
        let Value::BulkString(bytes) = server.cmd(&["GET", DOUBLE_21]) else { panic!("no string") };
        assert_eq!(bytes[0], b'V');
        assert!(bytes.ends_with(b"42"), "the payload is JSON");
        assert_eq!(double::key(21).as_str(), &DOUBLE_21["cache:".len()..]);
    })
    .await;
}

/// While the body runs, the lease stands in the key and has an end of its own.
#[tokio::test]
async fn the_lease_stands_in_the_key() {
    let server = RedisServer::start();
    let cache = patient::cache(&server).await;
    let loaded = cache
        .get_or_load("slow", Duration::from_secs(60), || async {
            assert_eq!(server.keys(), ["cache:slow"]);
            let lease = server.cmd(&["GET", "cache:slow"]);
            assert!(matches!(&lease, Value::BulkString(bytes) if bytes[0] == b'L'), "{lease:?}");
            let left = server.int(&["PTTL", "cache:slow"]);
            assert!((1..=5_000).contains(&left), "{left} ms");
            Ok::<_, String>(1)
        })
        .await;
    assert_eq!(loaded, Ok(1));
}

/// The table of the protocol: round trips, counted on the wire, and commands, counted at the
/// server with those that scripts call.
mod round_trips {
    use super::*;

    #[cache_result(ttl = 60, tags = ["row:{n}", "rows"])]
    async fn tagged(n: u64) -> u64 {
        n
    }
    #[cache_result(ttl = 60, stale_while_revalidate = 60)]
    async fn ageing(n: u64) -> u64 {
        n
    }
    #[cache_result(ttl = 60, tags = ["row:{n}", "rows"], stale_if_error = 60)]
    async fn tagged_and_ageing(n: u64) -> u64 {
        n
    }
    #[cache_invalidate(double(n), tagged(n), tags = ["row:{n}", "rows"])]
    async fn update(n: u64) -> u64 {
        n
    }

    struct Wire {
        server: RedisServer,
        proxy: Proxy,
    }

    impl Wire {
        async fn cost<T>(&self, call: impl Future<Output = T>) -> (usize, BTreeMap<String, u64>) {
            let before = self.proxy.round_trips();
            let commands = cost(&self.server, call).await;
            (self.proxy.round_trips() - before, commands)
        }
    }

    /// A cache behind a wire, both with nothing to learn any more.
    async fn warm() -> (Wire, Cache) {
        let server = RedisServer::start();
        let wire = Wire { proxy: Proxy::to(server.port()), server };
        let cache = patient::builder(&wire.proxy.url()).build().await.unwrap();
        scope(cache.clone(), async {
            tagged_and_ageing(0).await;
            update(0).await;
        })
        .await;
        wire.server.cmd(&["FLUSHALL"]);
        (wire, cache)
    }

    #[tokio::test]
    async fn of_plain_calls() {
        if !server_can(Ability::FusedLookup) {
            return;
        }
        let (wire, cache) = warm().await;
        scope(cache.clone(), async {
            assert_eq!(wire.cost(double(21)).await, (2, commands(MISS)), "miss");
            assert_eq!(wire.cost(double(21)).await, (1, commands(&[("set", 1)])), "hit");
            assert_eq!(wire.cost(double::peek(21)).await, (1, commands(&PEEK)), "peek");
            let put = wire.cost(double::put(3, &6)).await;
            assert_eq!(put, (1, commands(&[("set", 1)])), "put");
            assert_eq!(wire.cost(double::refresh(21)).await, (2, commands(MISS)), "refresh");
            assert_eq!(wire.cost(double::uncached(21)).await, (0, commands(&[])), "uncached");
            let one = commands(&[("del", 1)]);
            assert_eq!(wire.cost(double::invalidate(21)).await, (1, one), "invalidate");
        })
        .await;
    }

    #[tokio::test]
    async fn of_calls_with_stale_windows() {
        if !server_can(Ability::FusedLookup) {
            return;
        }
        let (wire, cache) = warm().await;
        scope(cache, async {
            let (trips, miss) = wire.cost(ageing(1)).await;
            assert_eq!((trips, miss["set"], miss["evalsha"]), (2, 2, 1), "miss: {miss:?}");
            let hit = commands(&[("pttl", 1), ("set", 1)]);
            assert_eq!(wire.cost(ageing(1)).await, (1, hit), "hit");
        })
        .await;
    }

    #[tokio::test]
    async fn of_calls_with_tags() {
        if !server_can(Ability::FusedLookup) {
            return;
        }
        let (wire, cache) = warm().await;
        scope(cache.clone(), async {
            let (trips, first) = wire.cost(tagged(1)).await;
            let told = (trips, first["mget"], first["evalsha"]);
            assert_eq!(told, (3, 1, 1), "the first miss of its tags: {first:?}");
            assert_eq!(first["set"], 4, "the lookup, two versions, the value: {first:?}");
            let (trips, one_new) = wire.cost(tagged(2)).await;
            let told = (trips, one_new["mget"], one_new["set"]);
            assert_eq!(told, (3, 1, 3), "one tag of two is new: {one_new:?}");
            // The entry goes, and its tags stay.
            tagged::invalidate(1).await.unwrap();
            let (trips, miss) = wire.cost(tagged(1)).await;
            assert_eq!((trips, miss["mget"], miss["set"]), (2, 1, 2), "miss: {miss:?}");
            let hit = commands(&[("mget", 1), ("set", 1)]);
            assert_eq!(wire.cost(tagged(1)).await, (1, hit), "hit");
        })
        .await;
    }

    #[tokio::test]
    async fn of_calls_with_both() {
        if !server_can(Ability::FusedLookup) {
            return;
        }
        let (wire, cache) = warm().await;
        scope(cache, async {
            let (trips, first) = wire.cost(tagged_and_ageing(1)).await;
            assert_eq!((trips, first["set"]), (3, 4), "{first:?}");
            let hit = commands(&[("mget", 1), ("pttl", 1), ("set", 1)]);
            assert_eq!(wire.cost(tagged_and_ageing(1)).await, (1, hit), "hit");
        })
        .await;
    }

    /// Two versions of a program, whose values stand in one entry.
    #[tokio::test]
    async fn of_calls_beside_another_versions_value() {
        #[cache_result(ttl = 60, name = "integration.protocol.versions")]
        async fn old(n: u64) -> u64 {
            n
        }
        #[cache_result(ttl = 60, name = "integration.protocol.versions")]
        async fn new(n: u64) -> String {
            n.to_string()
        }
        if !server_can(Ability::FusedLookup) {
            return;
        }
        let (wire, cache) = warm().await;
        scope(cache.clone(), async {
            assert_eq!(wire.cost(old(1)).await, (2, commands(MISS)), "miss");
            // The lease beside it is given up in the background.
            let until_given_up = async {
                new(1).await;
                cache.shutdown().await;
            };
            let (_, beside) = wire.cost(until_given_up).await;
            let told = (beside["set"], beside["pttl"], beside["get"], beside["del"]);
            assert_eq!(told, (3, 1, 3, 1), "lookup, lease, value; each script reads: {beside:?}");
            for _ in 0..2 {
                let hit = commands(&[("set", 1)]);
                assert_eq!(wire.cost(old(1)).await, (1, hit.clone()), "hit");
                assert_eq!(wire.cost(new(1)).await, (1, hit), "hit");
            }
        })
        .await;
    }

    /// However many entries carry the tag.
    #[tokio::test]
    async fn of_invalidations() {
        let (wire, cache) = warm().await;
        scope(cache.clone(), async {
            for n in 0..20 {
                tagged(n).await;
            }
            let one = || (1, commands(&[("del", 1)]));
            assert_eq!(wire.cost(cache.invalidate_tag("rows")).await, one(), "one tag");
            for n in 0..20 {
                assert_eq!(tagged::peek(n).await.unwrap(), None);
            }
            let several = cache.invalidate_tags(["rows", "row:1", "row:2"]);
            assert_eq!(wire.cost(several).await, one(), "several tags");
            tagged(1).await;
            double(1).await;
            assert_eq!(wire.cost(update(1)).await, one(), "two keys and two tags");
            assert_eq!(tagged::peek(1).await.unwrap(), None);
            assert_eq!(double::peek(1).await.unwrap(), None);
        })
        .await;
    }
}

mod ttl {
    use super::*;

    #[cache_result(ttl = 1000, jitter = 0.5)]
    async fn jittered(n: u64) -> u64 {
        n
    }
    #[cache_result(ttl = 1000, none_ttl = 70, err_ttl = "35s")]
    async fn outcomes(n: u64) -> Result<Option<u64>, String> {
        match n {
            0 => Ok(None),
            1 => Err("one".to_owned()),
            n => Ok(Some(n)),
        }
    }
    #[cache_result(ttl = |seconds| Duration::from_secs(*seconds))]
    async fn per_value(seconds: u64) -> u64 {
        seconds
    }
    #[cache_result(ttl = "1500ms")]
    async fn short(n: u64) -> u64 {
        n
    }

    /// Between storing and asking, a busy machine lets this much pass.
    const SLACK: i64 = 30_000;

    fn assert_lives(server: &RedisServer, key: &str, millis: i64) {
        let left = server.int(&["PTTL", &format!("cache:{key}")]);
        assert!((millis - SLACK..=millis).contains(&left), "{key}: {left} ms of {millis}");
    }

    #[tokio::test]
    async fn is_what_was_asked_for() {
        let server = RedisServer::start();
        let cache = patient::cache(&server).await;
        scope(cache.clone(), async {
            double(1).await;
            assert_lives(&server, double::key(1).as_str(), 60_000);
            double::put(2, &4).await.unwrap();
            assert_lives(&server, double::key(2).as_str(), 60_000);
            for (n, millis) in [(0, 70_000), (1, 35_000), (2, 1_000_000)] {
                let first = outcomes(n).await;
                assert_lives(&server, outcomes::key(n).as_str(), millis);
                assert_eq!(outcomes(n).await, first);
            }
            assert_eq!((outcomes::stats().hits(), outcomes::stats().loads), (3, 3));
            per_value(300).await;
            assert_lives(&server, per_value::key(300).as_str(), 300_000);
            cache.set("by hand", &1, Duration::from_secs(90)).await.unwrap();
            assert_lives(&server, "by hand", 90_000);
            // Ten years at most.
            cache.set("for ever", &1, Duration::MAX).await.unwrap();
            assert_lives(&server, "for ever", 10 * 365 * 24 * 3_600_000);
            short(1).await;
            let left = server.int(&["PTTL", &format!("cache:{}", short::key(1))]);
            assert!(left <= 1_500, "{left} ms");
        })
        .await;
    }

    #[tokio::test]
    async fn of_zero_stores_nothing() {
        let server = RedisServer::start();
        let cache = patient::cache(&server).await;
        scope(cache.clone(), async {
            assert_eq!((per_value(0).await, per_value(0).await), (0, 0));
            cache.shutdown().await;
            assert_eq!(server.keys(), [""; 0], "neither a value nor a lease");
            assert_eq!((per_value::stats().hits(), per_value::stats().misses), (0, 2));
            cache.set("k", &1, Duration::from_secs(60)).await.unwrap();
            cache.set("k", &2, Duration::ZERO).await.unwrap();
            assert_eq!(cache.get::<i32>("k").await.unwrap(), None, "the old one is out of date");
        })
        .await;
    }

    #[tokio::test]
    async fn jitter_shortens_it_within_its_range() {
        let server = RedisServer::start();
        let cache = patient::cache(&server).await;
        let mut seen = BTreeSet::new();
        scope(cache.clone(), async {
            for n in 0..20 {
                jittered(n).await;
                seen.insert(server.int(&["PTTL", &format!("cache:{}", jittered::key(n))]));
                let key = format!("by hand {n}");
                let policy = Policy::ttl(Duration::from_secs(1000)).jitter(0.5);
                cache.set(&key, &n, policy).await.unwrap();
                seen.insert(server.int(&["PTTL", &format!("cache:{key}")]));
            }
        })
        .await;
        let (least, most) = (*seen.first().unwrap(), *seen.last().unwrap());
        assert!(least >= 500_000 - SLACK && most <= 1_000_000, "{seen:?}");
        // 40 values in a range of 500 s: closer together than 100 s they are by no chance.
        assert!(most - least > 100_000, "{seen:?}");
    }

    #[tokio::test]
    async fn over_means_a_miss() {
        let server = RedisServer::start();
        scope(patient::cache(&server).await, async {
            short(1).await;
            cached_tests::eventually(patient::LONG, || async {
                short::peek(1).await.unwrap().is_none()
            })
            .await;
            short(1).await;
            assert_eq!(short::stats().loads, 2);
        })
        .await;
    }
}

/// One server, one namespace: what one cache stores is the other's hit, unless their codecs differ.
#[tokio::test]
async fn entries_of_two_caches_in_one_namespace_are_shared() {
    let server = RedisServer::start();
    let (one, two) = (patient::cache(&server).await, patient::cache(&server).await);
    assert_eq!(scope(one, double(4)).await, 8);
    assert_eq!(scope(two.clone(), double(4)).await, 8);
    assert_eq!((two.stats().total.hits(), two.stats().total.misses), (1, 0));
    let other = Cache::builder().codec(cached_runtime::Postcard).url(server.url());
    let other = other.lookup_deadline(patient::LONG).build().await.unwrap();
    assert_eq!(scope(other.clone(), double(4)).await, 8);
    assert_eq!((other.stats().total.hits(), other.stats().total.misses), (0, 1));
}
