//! Work that outlives its caller: leases given up when a body ends without a value, on the I/O thread;
//! and loads in the background, on the runtime of whoever asked for them.

use std::collections::HashSet;
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::watch;

use super::global::scoped;
use super::watchdog::Watchdog;
use super::{Cache, scope, scope_sync};
use crate::flight::attended;
use crate::io;
use crate::store::{Hold, Spot};

/// The most loads in the background at once, in one cache. Where there are as many, values are
/// served as they are, and the next caller asks again.
const MOST_REFRESHES: usize = 64;

#[derive(Default)]
pub(crate) struct Background {
    /// Each task has a receiver of it: none of them hears anything, but its sender can wait until
    /// there are none.
    tasks: watch::Sender<()>,
    pub(super) watchdog: Arc<Watchdog>,
    /// The entries that are loaded anew in the background.
    refreshes: Arc<Mutex<HashSet<u128>>>,
}

impl Background {
    /// Until no work is under way.
    pub(super) async fn idle(&self) {
        self.tasks.closed().await;
    }

    pub(super) fn in_child(&self) {
        self.watchdog.in_child();
    }

    /// Runs a task on this runtime that [`idle`](Self::idle) waits for.
    pub(super) fn spawn_on(
        &self,
        runtime: &Handle,
        task: impl Future<Output: Send> + Send + 'static,
    ) {
        let token = self.tasks.subscribe();
        io::spawn_on(runtime, async move {
            let _token = token;
            task.await;
        });
    }

    /// Runs a load on the caller's runtime, with the cache that is in scope here; where there is no
    /// runtime, it is dropped.
    pub(crate) fn spawn(&self, load: impl Future<Output = ()> + Send + 'static) {
        let Ok(runtime) = Handle::try_current() else { return };
        let load = attended(load);
        match scoped() {
            Some(cache) => self.spawn_on(&runtime, scope(cache, load)),
            None => self.spawn_on(&runtime, load),
        }
    }

    /// Runs a blocking load on a thread of its own; where there is none to be had, it is dropped.
    pub(crate) fn spawn_thread(&self, load: impl FnOnce() + Send + 'static) {
        let (token, scope) = (self.tasks.subscribe(), scoped());
        let thread = std::thread::Builder::new().name("cached-refresh".to_owned());
        let spawned = thread.spawn(move || {
            let _token = token;
            match scope {
                Some(cache) => scope_sync(cache, load),
                None => load(),
            }
        });
        if let Err(error) = spawned {
            tracing::warn!(%error, "no thread for a load in the background");
        }
    }

    /// The place of a load in the background; `None` where this entry is being loaded already, or
    /// too many are.
    pub(crate) fn refresh(&self, entry: u128) -> Option<Refreshing> {
        let mut refreshes = self.refreshes.lock().unwrap_or_else(PoisonError::into_inner);
        let free = refreshes.len() < MOST_REFRESHES && refreshes.insert(entry);
        free.then(|| Refreshing { refreshes: Arc::clone(&self.refreshes), entry })
    }
}

/// A load in the background, for as long as this lives.
pub(crate) struct Refreshing {
    refreshes: Arc<Mutex<HashSet<u128>>>,
    entry: u128,
}

impl Drop for Refreshing {
    fn drop(&mut self) {
        let mut refreshes = self.refreshes.lock().unwrap_or_else(PoisonError::into_inner);
        refreshes.remove(&self.entry);
    }
}

/// A lease held for a body that runs. Dropped before it is [settled](Lease::settled) (the body
/// failed, panicked or was dropped), it is given up, so that others need not wait for its end.
pub(crate) struct Lease {
    cache: Cache,
    hold: Hold,
    /// Where it is looked after.
    id: Option<NonZeroU64>,
    settled: bool,
}

impl Lease {
    pub(crate) fn hold(cache: &Cache, hold: Hold) -> Self {
        // Embedded leases don't expire, so there is nothing to renew; and one in an entry's own key is
        // seized where its holder is not polled.
        let looked_after = cache.store().is_shared() || hold.spot == Spot::Beside;
        let id = if looked_after { cache.look_after(&hold) } else { None };
        Self { cache: cache.clone(), hold, id, settled: false }
    }

    /// The commit decided: the value is stored, or the fence no longer held. Nothing is left
    /// to give up.
    pub(crate) fn settled(mut self) {
        self.settled = true;
    }

    /// Whether it stands beside a value that may still be served.
    pub(crate) fn is_beside(&self) -> bool {
        self.hold.spot == Spot::Beside
    }

    /// Gives it up now: whether it still stood, and nothing was invalidated meanwhile. Where that
    /// is not known within a commit's deadline it may not have, and is given up in the background.
    pub(crate) async fn given_up(mut self) -> bool {
        let deadline = self.cache.config().commit_deadline;
        let release = self.cache.store().release(&self.hold);
        match io::timeout(deadline, release.wait()).await {
            Some(Ok(stood)) => {
                self.settled = true;
                stood
            }
            Some(Err(_)) | None => false,
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let background = self.cache.background();
        if let Some(id) = self.id {
            background.watchdog.forget(id);
        }
        if self.settled {
            return;
        }
        match self.cache.store().release(&self.hold) {
            io::Task::Ready(_) => {}
            io::Task::Pending(release) => {
                if let Ok(io) = io::handle() {
                    // Where it fails, the lease's own end does the same a little later.
                    background.spawn_on(io, release);
                }
            }
        }
    }
}
