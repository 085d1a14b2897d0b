//! Who calls how often, and for which users.

use std::borrow::Borrow;
use std::sync::{Arc, Barrier};

use cached_peers::zipf::zipf;
use tokio::runtime::{Builder, Runtime};

use crate::peers::Way;
use crate::rounds::{Sample, Stretch};

/// Users, some much more in demand than others.
pub(crate) const USERS: u64 = 10_000;

/// Concurrent callers, calls of all of them together, and the ids that they ask for in turn.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) callers: u64,
    pub(crate) calls: u64,
    pub(crate) ids: Arc<[u64]>,
}

/// Ids by Zipf's law.
pub(crate) fn popular() -> Arc<[u64]> {
    let users = usize::try_from(USERS).unwrap();
    zipf(users, 1 << 16, 7).into_iter().map(|id| id as u64).collect()
}

/// One id and no other.
pub(crate) fn hot() -> Arc<[u64]> {
    Arc::new([1])
}

/// Asks for every user, more than once: what is kept nearer after a first hit is there then.
pub(crate) fn fill<W: Way>(runtime: &Runtime, way: &W) {
    let load = Load { callers: 16, calls: 16 * USERS, ids: (0..USERS).collect() };
    concurrently(runtime, way, &load);
}

/// A task for each caller, all in this runtime.
pub(crate) fn concurrently<W: Way>(runtime: &Runtime, way: &W, load: &Load) -> Sample {
    let Load { callers, calls, ids } = load;
    let each = calls / callers;
    runtime.block_on(async {
        let stretch = Stretch::begin();
        let tasks: Vec<_> = (0..*callers)
            .map(|caller| {
                let (mut way, ids) = (way.clone(), ids.clone());
                tokio::spawn(async move { one_caller(&mut way, &ids, caller, each).await })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        stretch.end(each * callers)
    })
}

/// A thread for each caller, with a runtime of its own: of two tasks in one runtime nothing
/// says that they run at the same time.
pub(crate) fn on_threads<W: Way>(way: &W, load: &Load) -> Sample {
    let Load { callers, calls, ids } = load;
    let each = calls / callers;
    let barrier = &Barrier::new(usize::try_from(*callers).unwrap());
    let on_thread = |caller| {
        let mut way = way.clone();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            barrier.wait();
            let stretch = Stretch::begin();
            one_caller(&mut way, ids, caller, each).await;
            stretch.end(each)
        })
    };
    let samples: Vec<Sample> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..*callers).map(|caller| scope.spawn(move || on_thread(caller))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let slowest = samples.into_iter().max_by(|a, b| a.nanoseconds.total_cmp(&b.nanoseconds));
    slowest.unwrap()
}

async fn one_caller<W: Way>(way: &mut W, ids: &[u64], caller: u64, calls: u64) {
    // Callers begin at different points of the sequence.
    let from = usize::try_from(caller * 7919).unwrap() % ids.len();
    for (call, id) in (1..=calls).zip(ids.iter().cycle().skip(from)) {
        let found = way.find(*id).await;
        assert_eq!(found.borrow().id, *id);
        // A loop that always finds the value at once would never let the runtime do its work.
        if call % 1024 == 0 {
            tokio::task::yield_now().await;
        }
    }
}
