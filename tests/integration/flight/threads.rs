//! Callers that are no tasks: a sync function, called from threads of all kinds.

use std::sync::{Condvar, Mutex};

use cached_runtime::scope_sync;

use super::*;

/// A gate that a sync body waits at.
#[derive(Default)]
struct Gate {
    runs: AtomicU64,
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn run(&self) -> u64 {
        let run = self.runs.fetch_add(1, Ordering::SeqCst) + 1;
        let open = self.opened.wait_while(self.open.lock().unwrap(), |open| !*open);
        drop(open.unwrap());
        run
    }

    fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }
}

#[cache_result(ttl = 60, skip(gate))]
fn waits(gate: &Gate, id: u64) -> u64 {
    gate.run()
}

/// Until this many callers are in the cache, as far as that can be seen from outside.
fn all_have_called(called: &AtomicU64, count: u64) {
    cached_tests::eventually_blocking(LONG, || called.load(Ordering::SeqCst) == count);
    // Between saying so and calling a thread may pause; one that is late is served all the same.
    std::thread::sleep(Duration::from_millis(20));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn threads_and_tasks_share_a_flight() {
    on_each_store(async |cache| {
        let (gate, called) = (Arc::<Gate>::default(), Arc::<AtomicU64>::default());
        let call = || {
            let (cache, gate, called) = (cache.clone(), Arc::clone(&gate), Arc::clone(&called));
            move || {
                called.fetch_add(1, Ordering::SeqCst);
                scope_sync(cache, || waits(&gate, 1))
            }
        };
        let threads: Vec<_> = (0..8).map(|_| std::thread::spawn(call())).collect();
        let tasks: Vec<_> = (0..8).map(|_| tokio::task::spawn_blocking(call())).collect();
        tokio::task::block_in_place(|| all_have_called(&called, 16));
        gate.open();
        assert_eq!(all(tasks).await, [1; 8]);
        for thread in threads {
            assert_eq!(tokio::task::block_in_place(|| thread.join().unwrap()), 1);
        }
        assert_eq!(gate.runs.load(Ordering::SeqCst), 1);
        assert_each_counted_once(&cache.stats().total, 16);
    })
    .await;
}

/// Inside of a runtime's own threads: each blocks one of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_in_a_runtimes_threads_share_a_flight() {
    on_each_store(async |cache| {
        let gate = Arc::<Gate>::default();
        let calls = spawn_all(3, &cache, || {
            let gate = Arc::clone(&gate);
            async move { waits(&gate, 1) }
        });
        cached_tests::eventually(LONG, async || gate.runs.load(Ordering::SeqCst) == 1).await;
        gate.open();
        assert_eq!(all(calls).await, [1; 3]);
        assert_eq!(gate.runs.load(Ordering::SeqCst), 1);
    })
    .await;
}

/// An async function and a sync one that share entries by name share flights as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_of_one_name_share_a_flight() {
    #[cache_result(ttl = 60, name = "integration.flight.one_name", skip(body))]
    async fn as_a_task(body: Arc<Body>, id: u64) -> u64 {
        body.run().await
    }
    #[cache_result(ttl = 60, name = "integration.flight.one_name", skip(gate))]
    fn in_a_thread(gate: Arc<Gate>, id: u64) -> u64 {
        gate.run() + 100
    }
    on_each_store(async |cache| {
        let (body, gate) = (Body::new(), Arc::<Gate>::default());
        gate.open();
        let task = spawn_all(1, &cache, || as_a_task(Arc::clone(&body), 1));
        body.a_run_has_begun().await;
        let called = Arc::<AtomicU64>::default();
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (cache, gate, called) = (cache.clone(), Arc::clone(&gate), Arc::clone(&called));
                std::thread::spawn(move || {
                    called.fetch_add(1, Ordering::SeqCst);
                    scope_sync(cache, || in_a_thread(gate, 1))
                })
            })
            .collect();
        tokio::task::block_in_place(|| all_have_called(&called, 4));
        body.let_all_end();
        assert_eq!(all(task).await, [1]);
        for thread in threads {
            assert_eq!(tokio::task::block_in_place(|| thread.join().unwrap()), 1);
        }
        assert_eq!((body.runs(), gate.runs.load(Ordering::SeqCst)), (1, 0));
    })
    .await;
}

/// A sync body that panics, in a thread: the threads that wait get a value.
#[test]
fn a_panic_in_a_thread_is_its_callers_own() {
    #[cache_result(ttl = 60, skip(gate))]
    fn panics_at_first(gate: &Gate) -> u64 {
        let run = gate.run();
        assert!(run > 1, "on purpose");
        run
    }
    let (cache, gate, called) = (Cache::memory(), Gate::default(), AtomicU64::new(0));
    std::thread::scope(|threads| {
        let calls: Vec<_> = (0..8)
            .map(|_| {
                threads.spawn(|| {
                    called.fetch_add(1, Ordering::SeqCst);
                    scope_sync(cache.clone(), || panics_at_first(&gate))
                })
            })
            .collect();
        all_have_called(&called, 8);
        gate.open();
        let ended: Vec<_> = calls.into_iter().map(|call| call.join().ok()).collect();
        let served = ended.iter().filter(|value| **value == Some(2)).count();
        assert_eq!((served, ended.iter().flatten().count()), (7, 7), "{ended:?}");
    });
    assert_eq!(gate.runs.load(Ordering::SeqCst), 2);
}

/// A sync function blocks the one thread on which the leader, a task, would go on: it must not wait
/// for that without end.
#[test]
fn a_leader_whose_thread_is_blocked_is_not_waited_for_without_end() {
    #[cache_result(ttl = 60, name = "one_thread")]
    async fn as_task(id: u64) -> u64 {
        // Longer than the sync call needs to begin.
        tokio::time::sleep(Duration::from_millis(50)).await;
        id
    }

    #[cache_result(ttl = 60, name = "one_thread")]
    fn in_thread(id: u64) -> u64 {
        id + 1
    }

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let cache = Cache::builder().url("memory:").wait_max(Duration::from_millis(300));
        let cache = cache.build().await.unwrap();
        let task = tokio::spawn(scope(cache.clone(), as_task(1)));
        tokio::task::yield_now().await;
        assert_eq!(scope_sync(cache.clone(), || in_thread(1)), 2, "its own body ran");
        assert_eq!(task.await.unwrap(), 1);
    });
}
