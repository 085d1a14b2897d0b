//! Each call counts once, as a hit, a miss or a bypass, whatever happens meanwhile.

use std::sync::atomic::{AtomicU64, Ordering};

use cached_runtime::{Cache, cache_result, scope, scope_sync};
use cached_tests::RedisServer;

use super::patient;

const TASKS: u64 = 64;
const CALLS: u64 = 200;

/// How often a body ran. The tests that use it are in one process: each has its own.
struct Bodies(AtomicU64);

impl Bodies {
    fn ran(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn count(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

#[cache_result(ttl = 60, skip(bodies))]
async fn half(bodies: &'static Bodies, n: u64) -> Result<u64, String> {
    bodies.ran();
    if n.is_multiple_of(2) { Ok(n / 2) } else { Err(format!("{n} is odd")) }
}

#[cache_result(ttl = 60, skip(bodies))]
fn half_now(bodies: &'static Bodies, n: u64) -> Option<u64> {
    bodies.ran();
    n.is_multiple_of(2).then_some(n / 2)
}

fn new_bodies() -> &'static Bodies {
    Box::leak(Box::new(Bodies(AtomicU64::new(0))))
}

/// All tasks call, and nobody is told anything but the truth.
async fn storm(cache: &Cache, bodies: &'static Bodies) {
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            tokio::spawn(scope(cache.clone(), async move {
                for call in 0..CALLS {
                    let n = (task * 7 + call * 13) % 101;
                    match half(bodies, n).await {
                        Ok(half) => assert_eq!(2 * half, n),
                        Err(error) => assert_eq!(error, format!("{n} is odd")),
                    }
                }
            }))
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

fn assert_exact(cache: &Cache, bodies: &Bodies, calls: u64) {
    let total = cache.stats().total;
    assert_eq!(total.hits() + total.misses + total.bypasses, calls, "{total}");
    assert_eq!(total.calls(), calls);
    assert_eq!(total.loads, bodies.count(), "{total}");
    // What shared another's load, or waited for it, did not run a body of its own.
    assert_eq!(total.loads + total.coalesced, total.misses + total.bypasses, "{total}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn are_exact_under_concurrency() {
    patient::on_each_store(async |cache| {
        let bodies = new_bodies();
        storm(&cache, bodies).await;
        assert_exact(&cache, bodies, TASKS * CALLS);
        let total = cache.stats().total;
        assert_eq!(total.bypasses, 0, "{total}");
        assert!(total.hits() > 0 && total.load_failures > 0, "{total}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn are_exact_while_the_server_comes_and_goes() {
    let server = RedisServer::start();
    let cache = Cache::connect(&server.url()).await.unwrap();
    let bodies = new_bodies();
    let mut rounds = 0;
    std::thread::scope(|threads| {
        let outages = threads.spawn(|| {
            for _ in 0..3 {
                server.kill();
                server.restart();
                server.stop();
                server.cont();
            }
        });
        while rounds == 0 || !outages.is_finished() {
            rounds += 1;
            tokio::task::block_in_place(|| {
                tokio::runtime::Handle::current().block_on(storm(&cache, bodies));
            });
        }
    });
    assert_exact(&cache, bodies, rounds * TASKS * CALLS);
}

#[test]
fn are_exact_for_sync_functions() {
    let server = RedisServer::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let cache = runtime.block_on(Cache::connect(&server.url())).unwrap();
    let bodies = new_bodies();
    std::thread::scope(|threads| {
        for thread in 0..8 {
            let cache = cache.clone();
            threads.spawn(move || {
                scope_sync(cache, || {
                    for call in 0..CALLS {
                        let n = (thread + call) % 20;
                        assert_eq!(half_now(bodies, n), (n % 2 == 0).then_some(n / 2));
                    }
                });
            });
        }
        server.kill();
        server.restart();
    });
    assert_exact(&cache, bodies, 8 * CALLS);
}

/// Per function, in total, and apart for each cache.
#[tokio::test]
async fn are_kept_per_function_and_per_cache() {
    patient::on_each_store(async |cache| {
        let (bodies, other) = (new_bodies(), Cache::memory());
        scope(cache.clone(), async {
            for n in [2, 2, 4, 3] {
                let _ = half(bodies, n).await;
            }
            for n in [2, 2] {
                half_now(bodies, n);
            }
            half(bodies, 2).await.unwrap();
            scope(other.clone(), half(bodies, 2)).await.unwrap();
        })
        .await;
        let stats = scope(cache.clone(), async { (half::stats(), half_now::stats()) }).await;
        assert_eq!((stats.0.hits(), stats.0.misses, stats.0.load_failures), (2, 3, 1));
        assert_eq!((stats.1.hits(), stats.1.misses), (1, 1));
        assert_eq!(stats.0.hit_rate(), 0.4);
        let all = cache.stats();
        assert_eq!(all.functions, [stats.0, stats.1]);
        assert_eq!((all.total.hits(), all.total.misses), (3, 4));
        assert_eq!((other.stats().total.hits(), other.stats().total.misses), (0, 1));
    })
    .await;
}

/// `peek`, `put`, `invalidate`, `refresh` and `uncached` are no calls.
#[tokio::test]
async fn count_calls_alone() {
    patient::on_each_store(async |cache| {
        let bodies = new_bodies();
        scope(cache.clone(), async {
            half::put(2, &1).await.unwrap();
            half::peek(2).await.unwrap();
            half::uncached(bodies, 2).await.unwrap();
            half::refresh(bodies, 2).await.unwrap();
            half::invalidate(2).await.unwrap();
        })
        .await;
        let total = cache.stats().total;
        assert_eq!((total.calls(), total.loads, bodies.count()), (0, 1, 2));
    })
    .await;
}

#[tokio::test]
async fn read_as_a_table() {
    let (cache, bodies) = (Cache::memory(), new_bodies());
    scope(cache.clone(), async {
        for n in [2, 2, 2, 4] {
            half(bodies, n).await.unwrap();
        }
        half_now(bodies, 3);
    })
    .await;
    let table = cache.stats().to_string();
    let lines: Vec<&str> = table.lines().collect();
    let first = |line: &str| line.split_whitespace().next().map(str::to_owned);
    let names: Vec<_> = lines.iter().filter_map(|line| first(line)).collect();
    let functions = ["integration.stats.half", "integration.stats.half_now"];
    assert_eq!(names, ["function", functions[0], functions[1], "total"], "{table}");
    for column in ["calls", "hit rate", "hits", "misses", "bypasses", "errors"] {
        assert!(lines[0].contains(column), "{table}");
    }
    let cells: Vec<&str> = lines[1].split_whitespace().skip(1).take(4).collect();
    assert_eq!(cells, ["4", "50.0%", "2", "2"], "{table}");
    let end = lines[0].find("calls").unwrap() + "calls".len();
    assert!(lines.iter().all(|line| !line[..end].ends_with(' ')), "columns align:\n{table}");
}
