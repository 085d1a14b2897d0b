//! Large values over a link that all connections share: they hold up nobody else's hits, open no
//! circuit, and come in more time than a small one has.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use cached_runtime::{Cache, HealthState, cache_result, scope};
use cached_tests::{Logs, Proxy, RedisServer, Wire};
use tracing::Level;

use super::patient::LONG;

/// In bytes a second.
const RATE: u32 = 40_000_000;
const LARGE: usize = 8 << 20;

#[cache_result(ttl = 600)]
async fn small(n: u64) -> u64 {
    n + 1
}

#[cache_result(ttl = 600)]
async fn large(n: u64) -> String {
    char::from(b'a' + (n % 26) as u8).to_string().repeat(LARGE)
}

#[cache_result(ttl = 600, batch = ids)]
async fn many_large(ids: Vec<u64>) -> HashMap<u64, String> {
    let mut all = HashMap::new();
    for id in ids {
        all.insert(id, large::uncached(id).await);
    }
    all
}

#[cache_result(ttl = 600)]
async fn larger(n: u64) -> String {
    large::uncached(n).await
}

/// Deadlines as they are by default, for the large ones; for the small ones what a busy machine needs
/// to keep them, were the link free.
async fn connect(proxy: &Proxy) -> Cache {
    let lookup_deadline = Duration::from_millis(150);
    let cache = Cache::builder().url(proxy.url()).lookup_deadline(lookup_deadline);
    cache.commit_deadline(Duration::from_secs(2)).build().await.unwrap()
}

/// Starts a call of the small function every few ms until then, whether or not those before it are
/// done, as requests come in. How many, and the longest that one took.
async fn small_ones(cache: &Cache, end: Instant) -> (u64, Duration) {
    let (mut calls, mut due) = (Vec::new(), Instant::now());
    while due < end {
        tokio::time::sleep_until(due.into()).await;
        let n = calls.len() as u64;
        calls.push(tokio::spawn(scope(cache.clone(), async move {
            let begun = Instant::now();
            assert_eq!(small(n % 50).await, n % 50 + 1);
            begun.elapsed()
        })));
        due += Duration::from_millis(5);
    }
    let count = calls.len() as u64;
    let mut longest = Duration::ZERO;
    for call in calls {
        longest = longest.max(call.await.unwrap());
    }
    (count, longest)
}

/// Calls of one function with a small value while another's large ones are on the link all the time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_values_of_one_function_take_no_hits_of_another() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.port());
    let cache = connect(&proxy).await;
    scope(cache.clone(), async {
        // Learnt from what is stored, and by a second process from what comes.
        for n in 0..4 {
            assert_eq!(large(n).await.len(), LARGE);
            many_large(vec![n]).await;
        }
        for n in 0..50 {
            small(n).await;
        }
    })
    .await;
    let other = connect(&proxy).await;
    scope(other.clone(), async {
        assert_eq!(large(0).await.len(), LARGE);
        many_large(vec![0]).await;
        small(0).await;
    })
    .await;
    proxy.set(Wire::Rate(RATE));
    for (cache, which) in [(cache, "stores"), (other, "reads")] {
        let before = cache.stats();
        let end = Instant::now() + Duration::from_secs(5);
        let heavy = scope(cache.clone(), async {
            while Instant::now() < end {
                assert_eq!(large(1).await.len(), LARGE);
                assert_eq!(many_large(vec![2]).await[&2].len(), LARGE);
            }
        });
        let ((), (calls, longest)) = tokio::join!(heavy, small_ones(&cache, end));
        let stats = cache.stats();
        let of = |name: &str| {
            let found = |stats: &cached_runtime::CacheStats| {
                let of = stats.functions.iter().find(|of| of.name.ends_with(name));
                of.map_or((0, 0), |of| (of.hits(), of.loads))
            };
            let ((hits, loads), (hits_before, loads_before)) = (found(&stats), found(&before));
            (hits - hits_before, loads - loads_before)
        };
        let (hits, loads) = of("large.small");
        assert!(calls > 100 && hits > 0, "{which}: {calls} {hits} {loads}");
        // The first of each may not be there yet in this process; one more in a hundred may be late.
        let told =
            format!("{which}: of {calls} calls {loads} ran their bodies, at most {longest:?}");
        assert!(loads <= calls / 100 + 1, "{told}");
        for name in ["large.large", "large.many_large"] {
            let (hits, loads) = of(name);
            assert!(hits >= 4 && loads <= 1, "{told}; {hits} hits, {loads} loads of {name}");
        }
        assert_eq!(cache.health().circuit_opened, 0, "{which}: {}", cache.health());
    }
}

/// A link so slow that no such value comes in ten times the deadline.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_large_for_the_time_there_is_is_said_once_and_left_alone() {
    let logs = Logs::capture_process();
    let server = RedisServer::start();
    let proxy = Proxy::to(server.port());
    let cache = connect(&proxy).await;
    scope(cache.clone(), async {
        assert_eq!(larger(0).await.len(), LARGE);
        small(0).await;
        proxy.set(Wire::Rate(RATE / 20));
        let (start, mut calls, mut slow) = (Instant::now(), 0_u32, 0_u32);
        while start.elapsed() < Duration::from_secs(8) {
            let begun = Instant::now();
            assert_eq!(larger(0).await.len(), LARGE);
            calls += 1;
            slow += u32::from(begun.elapsed() > Duration::from_millis(500));
            assert_eq!(small(0).await, 1);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // At 0, and after pauses of 1, 2 and 4 s and what each try took.
        assert!((1..=4).contains(&slow) && calls > 50, "{slow} of {calls}");
        let said = |(level, line): &&(Level, String)| {
            *level == Level::WARN
                && line.contains("too large to come from")
                && line.contains("larger")
        };
        assert_eq!(logs.lines().iter().filter(said).count(), 1);
        assert_eq!(cache.health().circuit_opened, 0);
        proxy.set(Wire::Pass);
        let start = Instant::now();
        let mut hits = larger::stats().hits();
        while larger::stats().hits() < hits + 3 {
            hits = hits.min(larger::stats().hits());
            assert_eq!(larger(0).await.len(), LARGE);
            assert!(start.elapsed() < 3 * LONG, "{}", cache.stats().total);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        cached_tests::eventually(LONG, || async {
            small(0).await;
            cache.health().state == HealthState::Coherent
        })
        .await;
    })
    .await;
}
