//! Values that are stored and cannot be read back: whoever waited for one does not wait for the next.

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use serde::{Deserialize, Deserializer, Serialize};

use super::*;

/// Cannot be read any more once this is set: as after a mistake in a hand-written `Deserialize` that
/// depends on more than the bytes.
static BROKEN: AtomicBool = AtomicBool::new(false);

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Fickle(u64);

impl<'de> Deserialize<'de> for Fickle {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = u64::deserialize(deserializer)?;
        if BROKEN.load(Ordering::SeqCst) {
            return Err(serde::de::Error::custom("not any more"));
        }
        Ok(Self(value))
    }
}

const TAKES: Duration = Duration::from_millis(200);

#[cache_result(ttl = 60, skip(runs))]
async fn fickle(runs: Arc<AtomicU64>, id: u64) -> Fickle {
    let run = runs.fetch_add(1, Ordering::SeqCst) + 1;
    // How long a body takes is what this is about.
    tokio::time::sleep(TAKES).await;
    Fickle(run)
}

/// Of a batch's keys and of a sync function the same is true.
#[cache_result(ttl = 60, name = "useless.blocking", skip(runs))]
fn blocking(runs: Arc<AtomicU64>, id: u64) -> Fickle {
    let run = runs.fetch_add(1, Ordering::SeqCst) + 1;
    // As above.
    std::thread::sleep(TAKES);
    Fickle(run)
}

/// Two bodies one after the other, and time for forty tasks on a busy machine.
const TWO: Duration = TAKES.saturating_mul(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn forty_callers_do_not_run_one_after_the_other() {
    on_each_store(async |cache| {
        BROKEN.store(false, Ordering::SeqCst);
        let runs = Arc::new(AtomicU64::new(0));
        // The first store of a function is checked: the value can be read by then.
        scope(cache.clone(), fickle(Arc::clone(&runs), 0)).await;
        scope(cache.clone(), fickle(Arc::clone(&runs), 1)).await;
        BROKEN.store(true, Ordering::SeqCst);
        for id in [1, 2] {
            // First over a value that is there, then over none.
            let started = Instant::now();
            let calls = spawn_all(40, &cache, || fickle(Arc::clone(&runs), id));
            all(calls).await;
            assert!(started.elapsed() < TWO, "{id}: {:?}", started.elapsed());
        }
        let started = Instant::now();
        let (calls, tasks) = (cache.clone(), Arc::clone(&runs));
        let threads: Vec<_> = (0..40)
            .map(|_| {
                let (cache, runs) = (calls.clone(), Arc::clone(&tasks));
                std::thread::spawn(move || {
                    cached_runtime::scope_sync(cache, || blocking(runs, 1));
                })
            })
            .collect();
        tokio::task::block_in_place(|| threads.into_iter().for_each(|it| it.join().unwrap()));
        assert!(started.elapsed() < TWO, "blocking: {:?}", started.elapsed());
        assert_each_counted_once(&cache.stats().total, 2 + 80 + 40);
    })
    .await;
}

/// In several processes, each with callers of its own, who wait for each other's leases.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nor_do_those_of_other_processes() {
    #[cache_result(ttl = 60, name = "useless.fleet", skip(runs))]
    async fn fleet(runs: Arc<AtomicU64>, id: u64) -> AlwaysBroken {
        runs.fetch_add(1, Ordering::SeqCst);
        // As above.
        tokio::time::sleep(TAKES).await;
        AlwaysBroken(id)
    }
    let server = cached_tests::RedisServer::start();
    let runs = Arc::new(AtomicU64::new(0));
    let mut calls = Vec::new();
    let started = Instant::now();
    for _ in 0..8 {
        let cache = patient::cache(&server).await;
        calls.extend(spawn_all(5, &cache, || fleet(Arc::clone(&runs), 1)));
    }
    all(calls).await;
    assert!(started.elapsed() < TWO, "{:?}", started.elapsed());
}

/// Can be written, and never read.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct AlwaysBroken(u64);

impl<'de> Deserialize<'de> for AlwaysBroken {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom("never"))
    }
}
