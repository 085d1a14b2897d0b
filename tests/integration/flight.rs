//! Callers that miss together run the body once, however that run ends.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cached_runtime::{Cache, FunctionStats, cache_result, scope};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::patient::{self, LONG, on_each_store};

mod endings;
mod fleet;
mod fresh;
mod nested;
mod rounds;
mod stalled;
mod threads;
mod useless;

/// A body that tests hold up. A run yields its number, so that a value tells which run it is of.
struct Body {
    runs: AtomicU64,
    /// One permit for each run that has begun.
    begun: Semaphore,
    /// One permit for each run that may end.
    ends: Semaphore,
}

impl Body {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            runs: AtomicU64::new(0),
            begun: Semaphore::new(0),
            ends: Semaphore::new(0),
        })
    }

    /// One that nobody holds up.
    fn free() -> Arc<Self> {
        let body = Self::new();
        body.let_all_end();
        body
    }

    async fn run(&self) -> u64 {
        let run = self.runs.fetch_add(1, Ordering::SeqCst) + 1;
        self.begun.add_permits(1);
        self.ends.acquire().await.unwrap().forget();
        run
    }

    fn runs(&self) -> u64 {
        self.runs.load(Ordering::SeqCst)
    }

    async fn a_run_has_begun(&self) {
        in_time(self.begun.acquire()).await.unwrap().forget();
    }

    fn let_one_end(&self) {
        self.ends.add_permits(1);
    }

    fn let_all_end(&self) {
        self.ends.add_permits(100_000);
    }
}

#[cache_result(ttl = 60, skip(body))]
async fn value(body: Arc<Body>, id: u64) -> u64 {
    body.run().await
}

/// An error that can be given to all who wait.
#[cache_result(ttl = 60, skip(body))]
async fn shared_error(body: Arc<Body>, id: u64) -> Result<u64, String> {
    Err(format!("run {}", body.run().await))
}

#[derive(Debug)]
struct NotClone(u64);

#[cache_result(ttl = 60, skip(body))]
async fn own_error(body: Arc<Body>, id: u64) -> Result<u64, NotClone> {
    Err(NotClone(body.run().await))
}

/// What never ends is a failure of the test, and soon.
async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LONG, future).await.expect("this must not hang")
}

/// Callers of one thing, each a task of its own. On a runtime of one thread all of them have
/// called by the time their test goes on.
fn spawn_all<F>(count: usize, cache: &Cache, call: impl Fn() -> F) -> Vec<JoinHandle<F::Output>>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    (0..count).map(|_| tokio::spawn(scope(cache.clone(), call()))).collect()
}

async fn all<T>(calls: Vec<JoinHandle<T>>) -> Vec<T> {
    let mut results = Vec::new();
    for call in calls {
        results.push(in_time(call).await.unwrap());
    }
    results
}

/// Lets every task that is ready run for a few turns.
async fn turns() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

fn assert_each_counted_once(total: &FunctionStats, calls: u64) {
    assert_eq!(total.hits() + total.misses + total.bypasses, calls, "{total}");
    assert_eq!(total.loads + total.coalesced, total.misses + total.bypasses, "{total}");
}

/// A value stands in the entry and nothing is left of the flight: the next call is a hit.
async fn assert_settled(cache: &Cache, id: u64, expected: u64) {
    cache.shutdown().await;
    let found = scope(cache.clone(), value::peek(id)).await.unwrap();
    assert_eq!(found, Some(expected), "a value stands there");
    let never = Body::new();
    let served = in_time(scope(cache.clone(), value(Arc::clone(&never), id))).await;
    assert_eq!((served, never.runs()), (expected, 0));
}

#[tokio::test]
async fn a_hundred_callers_of_a_cold_key_run_the_body_once() {
    on_each_store(async |cache| {
        let body = Body::new();
        let calls = spawn_all(100, &cache, || value(Arc::clone(&body), 1));
        body.a_run_has_begun().await;
        body.let_all_end();
        assert_eq!(all(calls).await, [1; 100]);
        assert_eq!(body.runs(), 1);
        let total = cache.stats().total;
        assert_each_counted_once(&total, 100);
        assert_eq!((total.misses, total.coalesced, total.loads), (100, 99, 1), "{total}");
        assert_settled(&cache, 1, 1).await;
    })
    .await;
}

/// As it comes in a server: on several threads, over and over.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_many_threads_the_body_runs_once_a_key() {
    on_each_store(async |cache| {
        let body = Body::free();
        for id in 0..50 {
            let calls = spawn_all(40, &cache, || value(Arc::clone(&body), id));
            let values = all(calls).await;
            assert!(values.iter().all(|value| *value == values[0]), "{values:?}");
            assert_eq!(body.runs(), id + 1);
        }
        assert_each_counted_once(&cache.stats().total, 50 * 40);
    })
    .await;
}

/// Different arguments, and different functions, never wait for each other.
#[tokio::test]
async fn one_key_does_not_hold_up_another() {
    on_each_store(async |cache| {
        let (held_up, free) = (Body::new(), Body::free());
        let waiting = spawn_all(2, &cache, || value(Arc::clone(&held_up), 1));
        held_up.a_run_has_begun().await;
        let other_key = scope(cache.clone(), value(Arc::clone(&free), 2));
        assert_eq!(in_time(other_key).await, 1);
        let other_function = scope(cache.clone(), shared_error(Arc::clone(&free), 1));
        assert_eq!(in_time(other_function).await, Err("run 2".to_owned()));
        held_up.let_all_end();
        assert_eq!(all(waiting).await, [1, 1]);
    })
    .await;
}

mod fails_after_a_second {
    use std::time::Instant;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[cache_result(ttl = 60, skip(body))]
    async fn clone(body: Arc<Body>) -> Result<u64, String> {
        let run = body.run().await;
        // How long it takes is what the test is about.
        tokio::time::sleep(SECOND).await;
        Err(format!("run {run}"))
    }

    #[cache_result(ttl = 60, skip(body))]
    async fn no_clone(body: Arc<Body>) -> Result<u64, NotClone> {
        let run = body.run().await;
        // As above.
        tokio::time::sleep(SECOND).await;
        Err(NotClone(run))
    }

    /// How long the last of these took.
    async fn timed<T>(calls: Vec<JoinHandle<T>>) -> (Vec<T>, Duration) {
        let start = Instant::now();
        let results = all(calls).await;
        (results, start.elapsed())
    }

    #[tokio::test]
    async fn shared_where_it_can_be_cloned() {
        on_each_store(async |cache| {
            let body = Body::free();
            let calls = spawn_all(101, &cache, || clone(Arc::clone(&body)));
            let (results, took) = timed(calls).await;
            assert!(results.iter().all(|result| *result == Err("run 1".to_owned())));
            assert_eq!(body.runs(), 1);
            assert!(took <= SECOND + SECOND * 3 / 10, "{took:?}");
            let total = cache.stats().total;
            assert_each_counted_once(&total, 101);
            assert_eq!((total.misses, total.coalesced, total.load_failures), (101, 100, 1));
        })
        .await;
    }

    /// Never worse than uncached, apart from the one run that was waited for.
    #[tokio::test]
    async fn and_else_each_runs_its_own_at_once() {
        on_each_store(async |cache| {
            let body = Body::free();
            let calls = spawn_all(101, &cache, || no_clone(Arc::clone(&body)));
            let (results, took) = timed(calls).await;
            let mut runs: Vec<u64> =
                results.into_iter().map(|result| result.unwrap_err().0).collect();
            runs.sort_unstable();
            runs.dedup();
            assert_eq!(runs.len(), 101, "each caller has an error of its own");
            assert!(body.runs() <= 101, "{}", body.runs());
            assert!(took <= 2 * SECOND + SECOND * 3 / 10, "{took:?}");
            assert_each_counted_once(&cache.stats().total, 101);
        })
        .await;
    }
}

mod options {
    use super::*;

    #[cache_result(ttl = 60, skip(body), single_flight = "process")]
    async fn in_the_process(body: Arc<Body>, id: u64) -> u64 {
        body.run().await
    }

    #[cache_result(ttl = 60, skip(body), single_flight = "off")]
    async fn off(body: Arc<Body>, id: u64) -> u64 {
        body.run().await
    }

    /// Each process runs the body once, and none waits for another.
    #[tokio::test]
    async fn process_joins_the_callers_of_one_process() {
        let server = cached_tests::RedisServer::start();
        let (one, two) = (patient::cache(&server).await, patient::cache(&server).await);
        let body = Body::new();
        let mut calls = spawn_all(20, &one, || in_the_process(Arc::clone(&body), 1));
        body.a_run_has_begun().await;
        calls.extend(spawn_all(20, &two, || in_the_process(Arc::clone(&body), 1)));
        body.a_run_has_begun().await;
        body.let_all_end();
        let mut runs = all(calls).await;
        runs.dedup();
        assert_eq!((runs, body.runs()), (vec![1, 2], 2));
        for (cache, refused) in [(&one, 0), (&two, 0)] {
            let total = cache.stats().total;
            assert_each_counted_once(&total, 20);
            assert_eq!((total.loads, total.coalesced, total.writes_refused), (1, 19, refused));
        }
        // The first had the lease: its value is stored.
        let stored = scope(two, in_the_process::peek(1)).await.unwrap();
        assert_eq!(stored, Some(1));
    }

    #[tokio::test]
    async fn process_on_the_embedded_store_is_one_run() {
        let (cache, body) = (Cache::memory(), Body::new());
        let calls = spawn_all(20, &cache, || in_the_process(Arc::clone(&body), 1));
        body.a_run_has_begun().await;
        body.let_all_end();
        assert_eq!((all(calls).await, body.runs()), (vec![1; 20], 1));
    }

    /// All callers run the body, side by side; one of them stores.
    #[tokio::test]
    async fn off_joins_nobody() {
        on_each_store(async |cache| {
            let body = Body::new();
            let calls = spawn_all(20, &cache, || off(Arc::clone(&body), 1));
            for _ in 0..20 {
                body.a_run_has_begun().await;
            }
            body.let_all_end();
            let mut runs = all(calls).await;
            runs.sort_unstable();
            assert_eq!(runs, (1..=20).collect::<Vec<_>>());
            let total = cache.stats().total;
            assert_each_counted_once(&total, 20);
            assert_eq!((total.loads, total.coalesced), (20, 0));
            let stored = scope(cache.clone(), off::peek(1)).await.unwrap();
            assert!(stored.is_some(), "one of them held the lease");
            scope(cache.clone(), off(Arc::clone(&body), 1)).await;
            assert_eq!(body.runs(), 20);
        })
        .await;
    }
}

type Call<T> = Pin<Box<dyn Future<Output = T> + Send>>;
