//! Who arrives while a lookup is under way joins the next one.

use cached_tests::{Proxy, RedisServer, Wire};

use super::*;

const DELAY: Duration = Duration::from_millis(300);

/// A server at the end of a slow wire, with a value in it.
async fn far_away() -> (RedisServer, Proxy, Cache) {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.port());
    let cache = patient::builder(&proxy.url()).build().await.unwrap();
    let stored = scope(cache.clone(), value(Body::free(), 1)).await;
    assert_eq!(stored, 1);
    proxy.set(Wire::Delay(DELAY));
    server.reset_stats();
    (server, proxy, cache)
}

#[tokio::test]
async fn a_burst_of_hits_is_two_lookups() {
    let (server, _proxy, cache) = far_away().await;
    let body = Body::new();
    let calls = spawn_all(200, &cache, || value(Arc::clone(&body), 1));
    assert_eq!((all(calls).await, body.runs()), (vec![1; 200], 0));
    assert_eq!(server.lookups(), 2, "the first caller's, and one for all who came after it");
    let total = cache.stats().total;
    assert_eq!((total.hits(), total.misses), (200, 1), "{total}");
}

/// Whatever comes in while an answer is on its way waits for one more, not for one each.
#[tokio::test]
async fn waves_of_callers_cost_a_lookup_each_at_most() {
    let (server, _proxy, cache) = far_away().await;
    let body = Body::new();
    let mut calls = Vec::new();
    for _ in 0..6 {
        calls.extend(spawn_all(50, &cache, || value(Arc::clone(&body), 1)));
        // Callers that come one after another are what this is about.
        tokio::time::sleep(DELAY / 3).await;
    }
    assert_eq!((all(calls).await, body.runs()), (vec![1; 300], 0));
    let lookups = server.lookups();
    assert!((2..=7).contains(&lookups), "{lookups} lookups for 300 callers in 6 waves");
}

/// Without single flight each looks for itself: what joining is measured against.
#[tokio::test]
async fn without_it_each_caller_looks() {
    #[cache_result(ttl = 60, name = "integration.flight.value", skip(body), single_flight = "off")]
    async fn alone(body: Arc<Body>, id: u64) -> u64 {
        body.run().await
    }
    let (server, _proxy, cache) = far_away().await;
    let calls = spawn_all(20, &cache, || alone(Body::free(), 1));
    all(calls).await;
    assert!(server.lookups() >= 20);
}

/// A lookup that left before an invalidation is not for those who call after it, be it a first one
/// or one that those who came during the first share.
#[tokio::test]
async fn nobody_is_served_by_a_lookup_that_left_before_an_invalidation() {
    for lookups in 1..=2 {
        let (server, proxy, cache) = far_away().await;
        let body = Body::free();
        body.runs.store(1, Ordering::SeqCst);
        let early = spawn_all(10 * (lookups - 1) + 1, &cache, || value(Arc::clone(&body), 1));
        cached_tests::eventually(LONG, async || server.lookups() == lookups as u64).await;
        // The answer, with the old value, is on its way.
        server.cmd(&["DEL", &format!("cache:{}", value::key(1))]);
        let late = spawn_all(10, &cache, || value(Arc::clone(&body), 1));
        turns().await;
        proxy.set(Wire::Pass);
        assert_eq!(all(late).await, [2; 10], "in lookup {lookups}");
        assert!(all(early).await.iter().all(|value| *value == 1), "they called before");
    }
}
