//! Leaders that are set aside: their futures live, and nobody polls them. They hold up nobody.

use std::collections::HashMap;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Instant;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Notify;

use super::*;

/// Where a call is set aside, in the middle of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    /// Its lookup is on its way.
    Lookup,
    /// Its body runs.
    Body,
    /// Its body has ended, and its commit is on its way.
    Commit,
}

/// Polls a call until it has come to a point, and not again.
async fn set_aside<F: Future>(call: &mut Pin<Box<F>>, until: impl Fn() -> bool) {
    in_time(poll_fn(|context| {
        if until() {
            return Poll::Ready(());
        }
        assert!(call.as_mut().poll(context).is_pending(), "it has not come to its point");
        if until() { Poll::Ready(()) } else { Poll::Pending }
    }))
    .await;
}

/// The embedded store answers at once.
fn can_stall(cache: &Cache, point: Point) -> bool {
    point == Point::Body || !format!("{cache:?}").contains("\"memory\"")
}

/// A body that is asleep for a moment the first time, so that it is woken after it was set aside.
struct Sleeper {
    runs: AtomicU64,
    ended: AtomicU64,
    asleep: Notify,
}

impl Sleeper {
    fn new() -> Arc<Self> {
        Arc::new(Self { runs: AtomicU64::new(0), ended: AtomicU64::new(0), asleep: Notify::new() })
    }

    async fn run(&self) -> u64 {
        let run = self.runs.fetch_add(1, Ordering::SeqCst) + 1;
        self.asleep.notify_one();
        // Something that the body waits for, and that wakes it.
        tokio::time::sleep(Duration::from_millis(20)).await;
        self.ended.fetch_add(1, Ordering::SeqCst);
        run
    }

    fn runs(&self) -> u64 {
        self.runs.load(Ordering::SeqCst)
    }

    fn ended(&self) -> u64 {
        self.ended.load(Ordering::SeqCst)
    }
}

#[cache_result(ttl = 60, skip(body))]
async fn sleeps(body: Arc<Sleeper>, id: u64) -> u64 {
    body.run().await
}

/// The same task calls again what it has set aside, and is answered by its own run; the one that was
/// set aside ends later as if nothing had been, and what it would store meets a fence.
#[tokio::test]
async fn a_task_calls_again_what_it_has_set_aside() {
    on_each_store(async |cache| {
        let points = [Point::Lookup, Point::Body, Point::Commit];
        for (id, point) in
            points.into_iter().enumerate().filter(|(_, point)| can_stall(&cache, *point))
        {
            let (body, id) = (Sleeper::new(), id as u64);
            let mut aside = Box::pin(scope(cache.clone(), sleeps(Arc::clone(&body), id)));
            let (started, polls) = (Instant::now(), AtomicU64::new(0));
            set_aside(&mut aside, || match point {
                Point::Lookup => polls.fetch_add(1, Ordering::SeqCst) == 1,
                Point::Body => body.runs() == 1,
                Point::Commit => body.ended() == 1,
            })
            .await;
            let again = scope(cache.clone(), sleeps(Arc::clone(&body), id));
            let value = in_time(again).await;
            assert!(
                started.elapsed() < Duration::from_secs(2),
                "{point:?}: {:?}",
                started.elapsed()
            );
            let late = in_time(aside).await;
            assert!(late <= 2, "{point:?}");
            let stored = scope(cache.clone(), sleeps::peek(id)).await.unwrap();
            assert_eq!(stored, Some(value), "{point:?}: the late commit meets a fence");
        }
    })
    .await;
}

/// As services come by it: two calls of one thing in one task, of which the first is polled by turns
/// with something that takes long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_branch_of_select_that_is_not_polled_holds_up_nobody() {
    on_each_store(async |cache| {
        let body = Sleeper::new();
        let task = tokio::spawn(scope(cache.clone(), {
            let body = Arc::clone(&body);
            async move {
                let first = sleeps(Arc::clone(&body), 1);
                tokio::pin!(first);
                tokio::select! {
                    value = &mut first => return (value, value),
                    // It wins once the body sleeps.
                    () = body.asleep.notified() => {}
                }
                let second = sleeps(Arc::clone(&body), 1).await;
                (first.await, second)
            }
        }));
        let (first, second) = in_time(task).await.unwrap();
        assert_eq!((first, second, body.runs()), (1, 2, 2));
    })
    .await;
}

/// A stream that buffers polls its calls only when it is asked for the next item.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_buffered_stream_that_is_not_asked_holds_up_nobody() {
    on_each_store(async |cache| {
        let body = Sleeper::new();
        let task = tokio::spawn(scope(cache.clone(), {
            let body = Arc::clone(&body);
            async move {
                let calls = (0..4).map(|id| sleeps(Arc::clone(&body), id));
                let mut buffered: FuturesUnordered<_> = calls.collect();
                let mut values = 0;
                while buffered.next().await.is_some() {
                    // What is done with an item needs all of them.
                    for id in 0..4 {
                        sleeps(Arc::clone(&body), id).await;
                        values += 1;
                    }
                }
                values
            }
        }));
        assert_eq!(in_time(task).await.unwrap(), 16);
        assert!(body.runs() <= 8, "each of them twice at most: {}", body.runs());
    })
    .await;
}

/// Who waits for the first is made the leader when that one goes away, is told so, and is not polled.
#[tokio::test]
async fn a_follower_that_is_to_lead_and_is_not_polled_holds_up_nobody() {
    on_each_store(async |cache| {
        let body = Sleeper::new();
        let call = || Box::pin(scope(cache.clone(), sleeps(Arc::clone(&body), 1)));
        let (mut first, mut second) = (call(), call());
        set_aside(&mut first, || body.runs() == 1).await;
        let polled = AtomicU64::new(0);
        set_aside(&mut second, || polled.fetch_add(1, Ordering::SeqCst) == 1).await;
        drop(first);
        assert_eq!(in_time(call()).await, 2, "with the lease that the second has");
        assert!(in_time(second).await >= 2);
    })
    .await;
}

/// Where the store does not take the value, a leader's audience waits for it all the same.
#[tokio::test]
async fn a_leader_that_cannot_store_and_is_not_polled_holds_up_nobody() {
    let server = cached_tests::RedisServer::start();
    let cache = patient::cache(&server).await;
    let body = Sleeper::new();
    // Without memory no lease is taken.
    server.cmd(&["CONFIG", "SET", "maxmemory", "1"]);
    let call = || Box::pin(scope(cache.clone(), sleeps(Arc::clone(&body), 1)));
    let (mut first, mut second) = (call(), call());
    let polled = AtomicU64::new(0);
    // The second joins while the first looks: it is its audience when the body begins.
    set_aside(&mut first, || polled.fetch_add(1, Ordering::SeqCst) == 1).await;
    let polled = AtomicU64::new(0);
    set_aside(&mut second, || polled.fetch_add(1, Ordering::SeqCst) == 1).await;
    set_aside(&mut first, || body.runs() == 1).await;
    assert_eq!(in_time(second).await, 2);
    assert_eq!(in_time(first).await, 1);
}

/// The leader waits for a load of another process, and is not polled when that is done.
#[tokio::test]
async fn a_leader_that_waits_for_another_process_holds_up_nobody() {
    let server = cached_tests::RedisServer::start();
    let (here, there) = (patient::cache(&server).await, patient::cache(&server).await);
    let (body, theirs) = (Sleeper::new(), Body::new());
    let load = tokio::spawn(scope(there, value(Arc::clone(&theirs), 1)));
    theirs.a_run_has_begun().await;
    let never = Body::new();
    let call = || Box::pin(scope(here.clone(), value(Arc::clone(&never), 1)));
    let mut aside = call();
    // It has looked, and asks to be woken.
    let since = Instant::now();
    set_aside(&mut aside, || since.elapsed() > Duration::from_millis(50)).await;
    theirs.let_one_end();
    in_time(load).await.unwrap();
    assert_eq!(in_time(call()).await, 1, "what the other process has stored");
    assert_eq!(in_time(aside).await, 1);
    assert_eq!((never.runs(), body.runs()), (0, 0));
}

/// Another process waits for the lease of a call that is not polled: that is given up long before it
/// would end.
#[tokio::test]
async fn other_processes_wait_for_half_a_second() {
    let server = cached_tests::RedisServer::start();
    let lease = Duration::from_secs(60);
    let cache = async || patient::builder(&server.url()).lease(lease).build().await.unwrap();
    let (here, there) = (cache().await, cache().await);
    let body = Sleeper::new();
    let mut aside = Box::pin(scope(here, sleeps(Arc::clone(&body), 1)));
    set_aside(&mut aside, || body.runs() == 1).await;
    let other = tokio::spawn(scope(there.clone(), sleeps(Arc::clone(&body), 1)));
    assert_eq!(in_time(other).await.unwrap(), 2);
    assert_eq!(in_time(aside).await, 1);
    assert_eq!(scope(there, sleeps::peek(1)).await.unwrap(), Some(2), "its commit met a fence");
}

/// A body that takes long and is polled keeps its lead, however long that is, and so does one that
/// blocks its thread.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_leader_that_is_at_work_keeps_its_lead() {
    #[cache_result(ttl = 60, skip(runs, blocks))]
    async fn long(runs: Arc<AtomicU64>, blocks: bool) -> u64 {
        let run = runs.fetch_add(1, Ordering::SeqCst) + 1;
        // Longer than a leader that is woken may wait for its poll: that is what it is about.
        let takes = Duration::from_millis(700);
        if blocks {
            std::thread::sleep(takes);
        } else {
            tokio::time::sleep(takes).await;
        }
        run
    }
    on_each_store(async |cache| {
        for blocks in [false, true] {
            let runs = Arc::new(AtomicU64::new(0));
            let calls = spawn_all(10, &cache, || long(Arc::clone(&runs), blocks));
            assert_eq!(all(calls).await, [1; 10]);
            scope(cache.clone(), long::invalidate()).await.unwrap();
        }
    })
    .await;
}

/// A batch leads several flights, and is set aside in its body.
#[tokio::test]
async fn a_batch_that_is_not_polled_holds_up_nobody() {
    #[cache_result(ttl = 60, name = "stalled.by_id", skip(body), batch = ids)]
    async fn by_ids(body: Arc<Sleeper>, ids: Vec<u64>) -> HashMap<u64, u64> {
        let run = body.run().await;
        ids.into_iter().map(|id| (id, run)).collect()
    }
    #[cache_result(ttl = 60, name = "stalled.by_id", skip(body))]
    async fn by_id(body: Arc<Sleeper>, id: u64) -> Option<u64> {
        Some(body.run().await)
    }
    on_each_store(async |cache| {
        let body = Sleeper::new();
        let call =
            |ids: &[u64]| Box::pin(scope(cache.clone(), by_ids(Arc::clone(&body), ids.to_vec())));
        let mut aside = call(&[1, 2, 3]);
        set_aside(&mut aside, || body.runs() == 1).await;
        let one = in_time(scope(cache.clone(), by_id(Arc::clone(&body), 1))).await;
        assert_eq!(one, Some(2), "of a function with a single key");
        let others = in_time(call(&[1, 2, 3, 4])).await;
        assert_eq!(others.len(), 4);
        assert_eq!(others[&1], 2, "which stored it");
        assert_eq!(in_time(aside).await.len(), 3);
    })
    .await;
}

/// A value past its ttl is loaded under a lease beside it, by a call that is not polled.
#[tokio::test]
async fn a_leader_with_a_lease_beside_an_old_value_holds_up_nobody() {
    #[cache_result(ttl = "50ms", stale_if_error = "1h", skip(body))]
    async fn ages(body: Arc<Sleeper>, id: u64) -> Result<u64, String> {
        Ok(body.run().await)
    }
    on_each_store(async |cache| {
        let body = Sleeper::new();
        let call = || Box::pin(scope(cache.clone(), ages(Arc::clone(&body), 1)));
        assert_eq!(in_time(call()).await, Ok(1));
        // Until its ttl has passed.
        tokio::time::sleep(Duration::from_millis(80)).await;
        let mut aside = call();
        set_aside(&mut aside, || body.runs() == 2).await;
        let started = Instant::now();
        assert_eq!(in_time(call()).await, Ok(3));
        assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
        assert_eq!(in_time(aside).await, Ok(2));
    })
    .await;
}
