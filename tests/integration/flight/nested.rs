//! Cached functions that call cached functions, themselves among them: no deadlock.

use tokio::sync::Barrier;

use super::*;

#[cache_result(ttl = 60, skip(runs, depth))]
async fn recursive(runs: Arc<AtomicU64>, id: u64, depth: u64) -> u64 {
    runs.fetch_add(1, Ordering::SeqCst);
    if depth == 0 { id } else { 1 + again(runs, id, depth - 1).await }
}

/// The way round through another function.
fn again(runs: Arc<AtomicU64>, id: u64, depth: u64) -> Call<u64> {
    Box::pin(recursive(runs, id, depth))
}

#[tokio::test]
async fn a_function_may_call_itself_with_the_same_arguments() {
    on_each_store(async |cache| {
        let runs = Arc::new(AtomicU64::new(0));
        let called = scope(cache.clone(), recursive(Arc::clone(&runs), 10, 3));
        assert_eq!(in_time(called).await, 13);
        assert_eq!(runs.load(Ordering::SeqCst), 4);
        cache.shutdown().await;
        let stored = scope(cache.clone(), recursive::peek(10)).await.unwrap();
        assert_eq!(stored, Some(13), "the outermost call's value is the one that is kept");
        assert_each_counted_once(&cache.stats().total, 4);
    })
    .await;
}

/// Followers of the outermost call get its value, not one of those in between.
#[tokio::test]
async fn those_who_wait_for_a_recursion_get_its_value() {
    on_each_store(async |cache| {
        let runs = Arc::new(AtomicU64::new(0));
        let calls = spawn_all(20, &cache, || recursive(Arc::clone(&runs), 10, 3));
        assert_eq!(all(calls).await, [13; 20]);
        assert_eq!(runs.load(Ordering::SeqCst), 4);
    })
    .await;
}

#[test]
fn a_sync_function_may_call_itself_too() {
    #[cache_result(ttl = 60, skip(depth))]
    fn counted(id: u64, depth: u64) -> u64 {
        if depth == 0 { id } else { 1 + around(id, depth - 1) }
    }
    fn around(id: u64, depth: u64) -> u64 {
        counted(id, depth)
    }
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let called = cached_runtime::scope_sync(Cache::memory(), || counted(10, 3));
        done.send(called).unwrap();
    });
    assert_eq!(ended.recv_timeout(LONG), Ok(13));
}

/// Two bodies that need each other's value, and begin side by side.
struct Cycle {
    both_begun: Barrier,
    runs: AtomicU64,
}

impl Cycle {
    fn new() -> Arc<Self> {
        Arc::new(Self { both_begun: Barrier::new(2), runs: AtomicU64::new(0) })
    }
}

#[cache_result(ttl = 60, skip(cycle, outermost))]
async fn left(cycle: Arc<Cycle>, outermost: bool) -> u64 {
    cycle.runs.fetch_add(1, Ordering::SeqCst);
    if !outermost {
        return 1;
    }
    cycle.both_begun.wait().await;
    10 + inner_right(cycle).await
}

#[cache_result(ttl = 60, skip(cycle, outermost))]
async fn right(cycle: Arc<Cycle>, outermost: bool) -> u64 {
    cycle.runs.fetch_add(1, Ordering::SeqCst);
    if !outermost {
        return 2;
    }
    cycle.both_begun.wait().await;
    20 + inner_left(cycle).await
}

fn inner_left(cycle: Arc<Cycle>) -> Call<u64> {
    Box::pin(left(cycle, false))
}

fn inner_right(cycle: Arc<Cycle>) -> Call<u64> {
    Box::pin(right(cycle, false))
}

/// What `left` and `right` may come to: at least one of them has to run what the other one was
/// running already.
fn assert_cycle(left: u64, right: u64) {
    // Run by itself, the inner call is 1 or 2; waited for, it is the other's whole value.
    assert!([12, 10 + 21].contains(&left), "left {left}, right {right}");
    assert!([21, 20 + 12].contains(&right), "left {left}, right {right}");
    assert!(left == 12 || right == 21, "left {left}, right {right}");
}

#[tokio::test]
async fn functions_that_wait_for_each_other_do_not_wait_for_ever() {
    on_each_store(async |cache| {
        let cycle = Cycle::new();
        let one = tokio::spawn(scope(cache.clone(), left(Arc::clone(&cycle), true)));
        let two = tokio::spawn(scope(cache.clone(), right(Arc::clone(&cycle), true)));
        assert_cycle(in_time(one).await.unwrap(), in_time(two).await.unwrap());
        assert_eq!(cycle.runs.load(Ordering::SeqCst), 3, "one of the two had to run again");
        assert_each_counted_once(&cache.stats().total, 4);
    })
    .await;
}

/// Between two processes no one sees the cycle; it is over after `wait_max`.
#[tokio::test]
async fn nor_between_processes() {
    let server = cached_tests::RedisServer::start();
    let cache = async || {
        let short = Duration::from_millis(300);
        patient::builder(&server.url()).wait_max(short).build().await.unwrap()
    };
    let cycle = Cycle::new();
    let one = tokio::spawn(scope(cache().await, left(Arc::clone(&cycle), true)));
    let two = tokio::spawn(scope(cache().await, right(Arc::clone(&cycle), true)));
    assert_cycle(in_time(one).await.unwrap(), in_time(two).await.unwrap());
}
