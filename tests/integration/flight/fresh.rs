//! Joining never serves a value that was loaded before an invalidation to a call made after it.

use super::*;

/// Loads that began before an invalidation, callers that joined them before it, and callers after
/// it. `call` yields the number of the run that served it.
async fn across_an_invalidation<F>(
    cache: &Cache,
    what: &str,
    call: impl Fn(Arc<Body>) -> F,
    invalidate: impl AsyncFnOnce(),
) where
    F: Future<Output = u64> + Send + 'static,
{
    cache.clear().await.unwrap();
    let (before, body) = (cache.stats().total, Body::new());
    let mut early = spawn_all(10, cache, || call(Arc::clone(&body)));
    body.a_run_has_begun().await;
    turns().await;
    scope(cache.clone(), invalidate()).await;
    let late = spawn_all(10, cache, || call(Arc::clone(&body)));
    turns().await;
    body.let_one_end();
    let leader = in_time(early.remove(0)).await.unwrap();
    assert_eq!(leader, 1, "{what}: the call that ran the body gets what it yields");
    body.let_all_end();
    assert_eq!(all(late).await, [2; 10], "{what}: those who called after it");
    // They called before it: the value of the body that they joined is as right as the next one's.
    let joined = all(early).await;
    assert!(joined.iter().all(|run| [1, 2].contains(run)), "{what}: {joined:?}");
    assert_eq!(body.runs(), 2, "{what}");
    let after = cache.stats().total;
    let calls = |total: &FunctionStats| total.hits() + total.misses + total.bypasses;
    assert_eq!(calls(&after) - calls(&before), 20, "{what}: {after}");
}

#[cache_result(ttl = 60, skip(body), tags = ["flight:{id}"])]
async fn tagged(body: Arc<Body>, id: u64) -> u64 {
    body.run().await
}

#[cache_result(ttl = 60, skip(body))]
async fn fails(body: Arc<Body>, id: u64) -> Result<u64, u64> {
    Err(body.run().await)
}

#[cache_result(ttl = 60, skip(body), cache_if = |_| false)]
async fn not_kept(body: Arc<Body>, id: u64) -> u64 {
    body.run().await
}

#[tokio::test]
async fn of_the_entry() {
    on_each_store(async |cache| {
        let all = &cache;
        let call = |body| value(body, 1);
        across_an_invalidation(all, "invalidate", call, async || {
            value::invalidate(1).await.unwrap();
        })
        .await;
        across_an_invalidation(all, "invalidate_key", call, async || {
            all.invalidate_key(value::key(1)).await.unwrap();
        })
        .await;
        across_an_invalidation(all, "invalidate_pattern", call, async || {
            all.invalidate_pattern("*flight.value:1").await.unwrap();
        })
        .await;
        across_an_invalidation(all, "invalidate_all", call, async || {
            value::invalidate_all().await.unwrap();
        })
        .await;
        across_an_invalidation(all, "clear", call, async || {
            all.clear().await.unwrap();
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn of_a_tag() {
    on_each_store(async |cache| {
        let all = &cache;
        let call = |body| tagged(body, 1);
        across_an_invalidation(all, "its tag", call, async || {
            all.invalidate_tag("flight:1").await.unwrap();
        })
        .await;
        across_an_invalidation(all, "the entry itself", call, async || {
            tagged::invalidate(1).await.unwrap();
        })
        .await;
    })
    .await;
}

/// An old error is no more to be shared than an old value.
#[tokio::test]
async fn while_the_load_fails() {
    on_each_store(async |cache| {
        let call = |body| async { fails(body, 1).await.unwrap_err() };
        across_an_invalidation(&cache, "a failing load", call, async || {
            fails::invalidate(1).await.unwrap();
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn while_the_value_is_not_to_be_kept() {
    on_each_store(async |cache| {
        let call = |body| not_kept(body, 1);
        across_an_invalidation(&cache, "a value that is not kept", call, async || {
            not_kept::invalidate(1).await.unwrap();
        })
        .await;
    })
    .await;
}

/// The invalidation comes from another process.
#[tokio::test]
async fn from_another_process() {
    let server = cached_tests::RedisServer::start();
    let (here, elsewhere) = (patient::cache(&server).await, patient::cache(&server).await);
    across_an_invalidation(
        &here,
        "elsewhere",
        |body| value(body, 1),
        async || {
            scope(elsewhere.clone(), value::invalidate(1)).await.unwrap();
        },
    )
    .await;
    across_an_invalidation(
        &here,
        "a tag elsewhere",
        |body| tagged(body, 1),
        async || {
            elsewhere.invalidate_tag("flight:1").await.unwrap();
        },
    )
    .await;
}

/// However often it is invalidated meanwhile, a caller waits for the body that began before it came
/// and for one after it, not for each of those who wait with it.
#[tokio::test]
async fn a_key_that_is_invalidated_all_the_time_is_not_served_one_by_one() {
    #[cache_result(ttl = 60, skip(runs))]
    async fn row(runs: Arc<AtomicU64>) -> u64 {
        // Several invalidations long.
        tokio::time::sleep(Duration::from_millis(100)).await;
        runs.fetch_add(1, Ordering::SeqCst) + 1
    }

    on_each_store(async |cache| {
        let runs = Arc::<AtomicU64>::default();
        let calls = spawn_all(40, &cache, || row(Arc::clone(&runs)));
        let invalidating = tokio::spawn(scope(cache.clone(), async {
            loop {
                row::invalidate().await.unwrap();
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }));
        all(calls).await;
        invalidating.abort();
        assert!(runs.load(Ordering::SeqCst) <= 3, "{runs:?}");
        assert!(cache.stats().total.writes_refused > 0, "the race took place");
    })
    .await;
}
