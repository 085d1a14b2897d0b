//! One kept value, and whether it may be served.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::clock::Moment;
use crate::stats::Counters;

/// Where a value is kept: any type, behind a count of its own, so that a function that returns an
/// `Arc` gives the very one that is kept.
pub(crate) type Kept = Arc<dyn Any + Send + Sync>;

/// Whose entry it is: name, signature and type of the function, and the arguments' types and text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) function: u64,
    pub(crate) arguments: u64,
}

/// A tag of an entry, and its stamp from before the value was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag {
    pub(super) hash: u64,
    pub(super) stamp: u64,
}

pub(crate) struct Slot {
    /// The key, relative to the namespace, and its hash.
    pub(super) text: Box<str>,
    pub(super) hash: u64,
    pub(super) owner: Owner,
    /// `None` stands for "there is none".
    pub(crate) kept: Option<Kept>,
    /// What it weighs in the capacity, in bytes.
    pub(super) weight: u32,
    pub(super) epoch: u64,
    pub(super) deadline: Moment,
    pub(super) tags: Box<[Tag]>,
    /// When it was put here, and how old it was then.
    pub(super) since: Moment,
    pub(super) age: Option<Duration>,
    /// Of the function that put it here.
    pub(super) counters: Arc<Counters>,
    /// Nothing had happened to the key once it could be found here; before, it is not served.
    pub(super) confirmed: AtomicBool,
}

impl Slot {
    /// The slot, counted among what is kept until it is dropped.
    pub(super) fn counted(self) -> Self {
        self.counters.kept_locally(self.weight);
        self
    }

    pub(super) fn confirm(&self) {
        self.confirmed.store(true, Ordering::Release);
    }

    pub(super) fn is_confirmed(&self) -> bool {
        self.confirmed.load(Ordering::Acquire)
    }

    /// Whether it was put here no longer than `ttl` ago.
    pub(super) fn is_within(&self, ttl: Duration, now: Moment) -> bool {
        now < self.since.after(ttl)
    }

    /// How long ago the value was stored, where that is known.
    pub(super) fn age(&self, now: Moment) -> Option<Duration> {
        Some(self.age?.saturating_add(now.since(self.since)))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.counters.dropped_locally(self.weight);
    }
}
