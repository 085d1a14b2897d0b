//! Callers in several processes. Two caches on one server stand for two processes here: they share
//! nothing but the server. The benchmark `stampede` has processes.

use cached_tests::RedisServer;

use super::*;

/// So long that nothing in these tests is over because a lease ended by itself.
const ENDLESS: Duration = Duration::from_secs(600);

async fn two(server: &RedisServer, lease: Duration) -> [Cache; 2] {
    let cache = async || patient::builder(&server.url()).lease(lease).build().await.unwrap();
    [cache().await, cache().await]
}

#[tokio::test]
async fn a_cold_key_is_loaded_once() {
    let server = RedisServer::start();
    let [one, two] = two(&server, ENDLESS).await;
    let body = Body::new();
    let mut calls = spawn_all(50, &one, || value(Arc::clone(&body), 1));
    calls.extend(spawn_all(50, &two, || value(Arc::clone(&body), 1)));
    body.a_run_has_begun().await;
    // The other process has looked, and waits.
    cached_tests::eventually(LONG, async || server.lookups() >= 3).await;
    body.let_all_end();
    assert_eq!((all(calls).await, body.runs()), (vec![1; 100], 1));
    for cache in [&one, &two] {
        assert_each_counted_once(&cache.stats().total, 50);
    }
    assert_eq!(one.stats().total.loads + two.stats().total.loads, 1);
    assert_settled(&one, 1, 1).await;
    assert_settled(&two, 1, 1).await;
}

mod renewed {
    use super::*;

    #[cache_result(ttl = 60, skip(body, takes))]
    async fn slow(body: Arc<Body>, takes: Duration) -> u64 {
        let run = body.run().await;
        // It has to outlast the lease.
        tokio::time::sleep(takes).await;
        run
    }

    /// A body that takes several times its lease.
    async fn longer_than(lease: Duration, takes: Duration) {
        let server = RedisServer::start();
        let [one, two] = two(&server, lease).await;
        let body = Body::free();
        let holder = spawn_all(5, &one, || slow(Arc::clone(&body), takes));
        body.a_run_has_begun().await;
        let waiting = spawn_all(5, &two, || slow(Arc::clone(&body), takes));
        assert_eq!((all(holder).await, all(waiting).await), (vec![1; 5], vec![1; 5]));
        assert_eq!(body.runs(), 1);
        for cache in [one, two] {
            assert_eq!(cache.stats().total.writes_refused, 0);
        }
        assert!(server.command_calls().contains_key("pexpire"), "it was renewed");
    }

    #[tokio::test]
    async fn a_body_longer_than_its_lease_runs_once() {
        longer_than(Duration::from_secs(1), Duration::from_millis(3500)).await;
    }

    /// Twice the lease is how long a holder may show no sign of life, whatever the lease is.
    #[tokio::test]
    async fn also_where_the_lease_is_short() {
        longer_than(Duration::from_millis(300), Duration::from_secs(2)).await;
    }
}

/// The holder's end, and whether the other process's callers take over at once: their lease would
/// keep them for minutes.
async fn taken_over_when(end: impl AsyncFnOnce(&Arc<Body>, JoinHandle<u64>)) {
    let server = RedisServer::start();
    let [one, two] = two(&server, ENDLESS).await;
    let body = Body::new();
    let mut holder = spawn_all(1, &one, || value(Arc::clone(&body), 1));
    body.a_run_has_begun().await;
    let waiting = spawn_all(10, &two, || value(Arc::clone(&body), 1));
    server.reset_stats();
    cached_tests::eventually(LONG, async || server.lookups() >= 1).await;
    end(&body, holder.remove(0)).await;
    body.a_run_has_begun().await;
    body.let_all_end();
    assert_eq!((all(waiting).await, body.runs()), (vec![2; 10], 2));
    assert_settled(&two, 1, 2).await;
    assert_settled(&one, 1, 2).await;
}

#[tokio::test]
async fn a_holder_that_goes_away_is_replaced_at_once() {
    taken_over_when(async |_, holder| {
        holder.abort();
        assert!(holder.await.unwrap_err().is_cancelled());
    })
    .await;
}

#[tokio::test]
async fn a_holder_that_is_invalidated_is_replaced_at_once() {
    let server = RedisServer::start();
    let [one, two] = two(&server, ENDLESS).await;
    let body = Body::new();
    let holder = spawn_all(1, &one, || value(Arc::clone(&body), 1));
    body.a_run_has_begun().await;
    let waiting = spawn_all(10, &two, || value(Arc::clone(&body), 1));
    turns().await;
    scope(two.clone(), value::invalidate(1)).await.unwrap();
    // While the first still runs.
    body.a_run_has_begun().await;
    body.let_all_end();
    assert_eq!(all(holder).await, [1]);
    assert_eq!((all(waiting).await, body.runs()), (vec![2; 10], 2));
    assert_eq!(one.stats().total.writes_refused, 1);
    assert_settled(&one, 1, 2).await;
}

#[tokio::test]
async fn a_holder_that_fails_is_replaced_at_once() {
    #[cache_result(ttl = 60, skip(body))]
    async fn fails_at_first(body: Arc<Body>) -> Result<u64, String> {
        match body.run().await {
            1 => Err("on purpose".to_owned()),
            run => Ok(run),
        }
    }
    let server = RedisServer::start();
    let [one, two] = two(&server, ENDLESS).await;
    let body = Body::new();
    let mut holder = spawn_all(1, &one, || fails_at_first(Arc::clone(&body)));
    body.a_run_has_begun().await;
    let waiting = spawn_all(10, &two, || fails_at_first(Arc::clone(&body)));
    turns().await;
    body.let_one_end();
    assert!(in_time(holder.remove(0)).await.unwrap().is_err());
    body.a_run_has_begun().await;
    body.let_all_end();
    assert_eq!((all(waiting).await, body.runs()), (vec![Ok(2); 10], 2));
}

/// One that neither renews nor gives up is waited for until its lease ends.
#[tokio::test]
async fn a_holder_that_died_is_replaced_when_its_lease_ends() {
    let server = RedisServer::start();
    let cache = patient::cache(&server).await;
    let key = format!("cache:{}", value::key(1));
    let mut lease = b"L\x01of the dead".to_vec();
    lease.resize(19, 0);
    server.cmd(&[b"SET".as_slice(), key.as_bytes(), &lease, b"PX", b"700"]);
    let body = Body::free();
    let calls = spawn_all(10, &cache, || value(Arc::clone(&body), 1));
    assert_eq!((all(calls).await, body.runs()), (vec![1; 10], 1));
    assert_settled(&cache, 1, 1).await;
}

/// One that stands there for ever is waited for no longer than `wait_max`; what the body then
/// yields is not stored over it.
#[tokio::test]
async fn a_holder_without_an_end_is_given_up_after_wait_max() {
    let server = RedisServer::start();
    let wait_max = Duration::from_millis(500);
    let cache = patient::builder(&server.url()).wait_max(wait_max).build().await.unwrap();
    let key = format!("cache:{}", value::key(1));
    let mut lease = b"L\x01of nobody".to_vec();
    lease.resize(19, 0);
    server.cmd(&[b"SET".as_slice(), key.as_bytes(), &lease, b"PX", b"600000"]);
    let body = Body::free();
    let calls = spawn_all(10, &cache, || value(Arc::clone(&body), 1));
    let started = std::time::Instant::now();
    let values = all(calls).await;
    assert!(started.elapsed() >= wait_max);
    assert!(values.iter().all(|value| (1..=10).contains(value)), "{values:?}");
    assert_eq!(server.cmd(&["GET", &key]), redis::Value::BulkString(lease));
    assert_each_counted_once(&cache.stats().total, 10);
}
