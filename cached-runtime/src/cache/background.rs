//! Work that outlives its caller: leases renewed while a body runs, and given up when it ends
//! without a value. All of it runs on the I/O thread.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::task::TaskTracker;

use super::{Cache, renewal_interval};
use crate::entry::Fence;
use crate::io;
use crate::store::Store;

pub(crate) struct Background {
    /// Closed from the start: it takes tasks all the same, and can be waited for any time.
    tasks: TaskTracker,
    keeper: Arc<Keeper>,
}

impl Default for Background {
    fn default() -> Self {
        let tasks = TaskTracker::new();
        tasks.close();
        Self { tasks, keeper: Arc::default() }
    }
}

/// The leases that this process holds, and the one task that renews them while there are any.
#[derive(Default)]
struct Keeper {
    held: Mutex<Held>,
    next: AtomicU64,
}

#[derive(Default)]
struct Held {
    leases: HashMap<u64, Kept>,
    running: bool,
}

struct Kept {
    key: String,
    fence: Fence,
    renewed: Instant,
}

impl Background {
    /// Until no work is under way.
    pub(super) async fn idle(&self) {
        self.tasks.wait().await;
    }
}

impl Keeper {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Renews what is due until nothing is held any more.
    async fn run(self: Arc<Self>, store: Store, interval: Duration) {
        loop {
            tokio::time::sleep(interval / 3).await;
            let due: Vec<(u64, String, Fence)> = {
                let mut held = self.held();
                if held.leases.is_empty() {
                    held.running = false;
                    return;
                }
                let due = held.leases.iter_mut();
                due.filter(|(_, kept)| kept.renewed.elapsed() >= interval)
                    .map(|(&id, kept)| {
                        kept.renewed = Instant::now();
                        (id, kept.key.clone(), kept.fence.clone())
                    })
                    .collect()
            };
            for (id, key, fence) in due {
                // Each on its own: a server that does not answer one must not keep the others.
                let (keeper, renewal) = (Arc::clone(&self), store.renew(&key, &fence));
                tokio::spawn(async move {
                    // A lease that is gone stays gone: the commit will be refused, and renewing
                    // it any longer would only cost. A renewal that failed is tried again.
                    if let Ok(false) = renewal.wait().await {
                        keeper.held().leases.remove(&id);
                    }
                });
            }
        }
    }
}

/// A lease held for a body that runs. Dropped before it is [settled](Lease::settled) (the body
/// failed, panicked or was dropped), it is given up, so that others need not wait for its end.
pub(crate) struct Lease {
    cache: Cache,
    key: String,
    fence: Fence,
    id: u64,
    settled: bool,
}

impl Lease {
    pub(super) fn hold(cache: &Cache, key: &str, fence: Fence) -> Self {
        let keeper = &cache.background().keeper;
        let id = keeper.next.fetch_add(1, Ordering::Relaxed);
        let lease = Self {
            cache: cache.clone(),
            key: key.to_owned(),
            fence: fence.clone(),
            id,
            settled: false,
        };
        // Embedded leases don't expire, so there is nothing to renew.
        if matches!(cache.store(), Store::Redis(_)) {
            let mut held = keeper.held();
            let kept = Kept { key: key.to_owned(), fence, renewed: Instant::now() };
            held.leases.insert(id, kept);
            if !held.running
                && let Ok(io) = io::handle()
            {
                held.running = true;
                let interval = renewal_interval(cache.config().lease);
                io.spawn(Arc::clone(keeper).run(cache.store().clone(), interval));
            }
        }
        lease
    }

    /// The commit decided: the value is stored, or the fence no longer held. Nothing is left
    /// to give up.
    pub(crate) fn settled(mut self) {
        self.settled = true;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let background = self.cache.background();
        background.keeper.held().leases.remove(&self.id);
        if self.settled {
            return;
        }
        match self.cache.store().release(&self.key, &self.fence) {
            io::Task::Ready(_) => {}
            io::Task::Pending(release) => {
                if let Ok(io) = io::handle() {
                    // Where it fails, the lease's own end does the same a little later.
                    background.tasks.spawn_on(release, io);
                }
            }
        }
    }
}
