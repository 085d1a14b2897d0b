//! The local tier of a cache: opened by the first function that says `local`, and told of every
//! change that this process makes, before and after it is made. What others change it hears from
//! the store.

use std::sync::Arc;

use super::queue::Item;
use super::{Cache, Inner};
use crate::clock::Moment;
use crate::io::{self, Task};
use crate::local::Local;
use crate::stats::LocalStats;
use crate::store::{Store, Watched};

impl Cache {
    /// The local tier; `None` where nothing is to be kept.
    #[inline]
    pub(crate) fn local(&self) -> Option<&Local> {
        self.inner.local.get_or_init(|| self.opened()).as_deref()
    }

    /// The local tier, where a function has one.
    #[inline]
    pub(crate) fn local_in_use(&self) -> Option<&Local> {
        self.inner.local.get()?.as_deref()
    }

    #[cold]
    fn opened(&self) -> Option<Arc<Local>> {
        let config = self.config();
        let capacity = config.local_capacity;
        if capacity == 0 {
            return None;
        }
        match self.store() {
            Store::Memory(_) => Some(Arc::new(Local::alone(capacity, config.clock.clone()))),
            store @ (Store::Redis(_) | Store::Cluster(_)) => {
                let local = Arc::new(Local::watched(capacity, config.coherence_bound));
                store.watch(Arc::clone(&local) as Arc<dyn Watched>, config.coherence_bound);
                Some(local)
            }
            Store::Off(_) => None,
        }
    }

    pub(super) fn local_stats(&self) -> LocalStats {
        let Some(local) = self.local_in_use() else { return LocalStats::default() };
        LocalStats {
            coherent: local.is_coherent(),
            entries: u64::try_from(local.entries()).unwrap_or(u64::MAX),
            bytes: local.bytes(),
            capacity: local.capacity(),
        }
    }

    /// An entry is about to be written by this process, and will have been when what this returns is
    /// dropped.
    pub(crate) fn writing(&self, key: &str) -> Writing {
        self.touches(key);
        // A tier that is opened meanwhile must hear of the end as well.
        Writing { cache: self.clone(), key: key.to_owned() }
    }

    fn touches(&self, key: &str) {
        if let Some(local) = self.local_in_use() {
            drop(local.changed(key));
        }
    }

    /// What these are about is about to be removed by this process, or was.
    pub(super) fn touches_all(&self, items: &[Item]) {
        let Some(local) = self.local_in_use() else { return };
        for item in items {
            match item {
                Item::Key(key) => drop(local.changed(key)),
                Item::Tag(tag) => local.tag_changed(tag),
                Item::Pattern(_) => local.flush(),
            }
        }
    }
}

impl Inner {
    /// In a child process, which hears of no change by its parent's link.
    pub(super) fn local_in_child(&self) {
        let Some(Some(local)) = self.local.get() else { return };
        local.lost();
        self.store.watch(Arc::clone(local) as Arc<dyn Watched>, self.config.coherence_bound);
    }
}

/// A write under way, of which the local tier hears at its beginning and at its end.
pub(crate) struct Writing {
    cache: Cache,
    key: String,
}

impl Writing {
    /// The write, with its end.
    pub(crate) fn until<T: Send + 'static>(self, task: Task<T>) -> Task<T> {
        match task {
            Task::Pending(write) => Task::pending(async move {
                let outcome = write.await;
                drop(self);
                outcome
            }),
            ready @ Task::Ready(_) => ready,
        }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.cache.touches(&self.key);
    }
}

impl Watched for Local {
    fn now(&self) -> Moment {
        Self::now(self)
    }

    fn changed(&self, key: &str) {
        let Some(removed) = Self::changed(self, key) else { return };
        // It is a user's value: what its `Drop` does, and how long, is not for the I/O thread.
        if let Ok(io) = io::handle() {
            io.spawn_blocking(move || drop(removed));
        }
    }

    fn tag_changed(&self, tag: &str) {
        Self::tag_changed(self, tag);
    }

    fn all_changed(&self) {
        self.flush();
    }

    fn coherent_at(&self, moment: Moment) {
        Self::coherent_at(self, moment);
    }

    fn lost(&self) {
        Self::lost(self);
    }
}
