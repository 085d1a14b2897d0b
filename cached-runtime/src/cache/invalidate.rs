//! Removals: the one place where an invalidation that fails is queued.

use super::Cache;
use super::queue::Item;
use crate::error::Error;
use crate::fault::Fault;
use crate::function::Function;
use crate::io::Task;
use crate::store::{Failure, Store};

impl Cache {
    /// Removes keys, and what has one of these tags; says how many there were. Where it fails, or
    /// whoever waits for it goes away, the removal is queued.
    pub(crate) fn removal(&self, keys: Vec<String>, tags: Vec<String>) -> Task<u64> {
        let named = tags.iter().cloned().map(Item::Tag);
        let items = keys.iter().cloned().map(Item::Key).chain(named).collect();
        self.invalidating(items, || self.inner.store.delete(keys, tags))
    }

    /// Removes the keys that match a glob, as [`removal`](Self::removal) does.
    pub(crate) fn sweeping(&self, pattern: &str) -> Task<u64> {
        let items = vec![Item::Pattern(pattern.to_owned())];
        self.invalidating(items, || self.inner.store.sweep(pattern))
    }

    /// Removes every entry of one function.
    pub(crate) fn sweep_function(&self, function: &'static Function) -> Task<u64> {
        // A function without arguments has the segment alone as its key.
        let (store, alone) = (&self.inner.store, function.segment.clone());
        let others = format!("{alone}:*");
        let items = vec![Item::Key(alone.clone()), Item::Pattern(others.clone())];
        let both = || match (store.delete(vec![alone], Vec::new()), store.sweep(&others)) {
            (Task::Ready(alone), Task::Ready(others)) => {
                Task::Ready(alone.and_then(|alone| Ok(alone + others?)))
            }
            (alone, others) => {
                Task::pending(async move { Ok(alone.wait().await? + others.wait().await?) })
            }
        };
        self.invalidating(items, both)
    }

    /// Whether an invalidation of the entry waits in the queue, so that this process must not use
    /// it. One relaxed load while nothing is queued.
    pub(crate) fn is_queued(&self, key: &str, tags: &[String]) -> bool {
        self.inner.queue.holds(key, tags)
    }

    /// Gives the queue a last chance, and says what is left of it.
    pub(super) async fn settle_queue(&self) {
        if self.inner.queue.len() == 0 {
            return;
        }
        let cache = self.clone();
        let flush = Task::pending(async move { Ok(cache.inner.flushed().await) });
        let left = flush.wait().await.unwrap_or_else(|_| self.inner.queue.len());
        if left > 0 {
            tracing::warn!(
                left,
                "invalidations are not carried out: other processes may still \
                                  serve what they were about"
            );
        }
    }

    /// A removal that is queued where it fails. This process's own memory is clean of what it is
    /// about before it is made, and whatever came of it once more after it: what was read before is
    /// not to be kept.
    fn invalidating(&self, items: Vec<Item>, task: impl FnOnce() -> Task<u64>) -> Task<u64> {
        self.touches_all(&items);
        match task() {
            // Only what is on the way can fail for a reason that passes.
            Task::Ready(outcome) => {
                self.touches_all(&items);
                Task::Ready(outcome)
            }
            Task::Pending(removal) => {
                let unsettled = Unsettled { cache: self.clone(), items: Vec::new() };
                Task::pending(async move {
                    // From here on it may have been sent.
                    let mut unsettled = unsettled;
                    unsettled.items = items;
                    unsettled.settle(removal.await)
                })
            }
        }
    }
}

/// A removal that has begun. Dropped before its outcome is known, it is queued.
struct Unsettled {
    cache: Cache,
    items: Vec<Item>,
}

impl Unsettled {
    fn settle(mut self, outcome: Result<u64, Failure>) -> Result<u64, Failure> {
        if outcome.is_ok() {
            self.cache.touches_all(&self.items);
        }
        outcome.inspect(|_| self.items.clear()).map_err(|mut failure| {
            // What is not asked for anything serves nothing.
            if failure.fault == Fault::Off || matches!(self.cache.inner.store, Store::Off(_)) {
                self.items.clear();
            }
            failure.queued = !self.items.is_empty();
            failure
        })
    }
}

impl Drop for Unsettled {
    fn drop(&mut self) {
        if !self.items.is_empty() {
            let items = std::mem::take(&mut self.items);
            // Queued first: from then on nothing that is read is kept.
            self.cache.inner.queue_up(items.iter().cloned());
            self.cache.touches_all(&items);
        }
    }
}

/// The error of an invalidation.
pub(crate) fn not_invalidated(what: &str, failure: Failure) -> Error {
    let what = format!("\"{what}\" is not invalidated and may still be served");
    if !failure.queued {
        return failure.into_error(&what);
    }
    let message = format!(
        "{}; it is queued and will be carried out: until then this process does not use what is \
         cached, others may",
        failure.message
    );
    Failure { message, ..failure }.into_error(&what)
}
