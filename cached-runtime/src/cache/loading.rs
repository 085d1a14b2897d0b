//! A load under way: what may be done with its value, who waits for it, and how it ends.

use std::any::Any;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::Cache;
use super::background::{Lease, Refreshing};
use super::call::Shared;
use super::tier::Writing;
use crate::entry::{self, Other};
use crate::flight::Leader;
use crate::function::Function;
use crate::io;
use crate::stats::Counters;
use crate::store::{Failure, Hold, Sight, Value};
use crate::token::Token;

/// What a caller that was not served may do with the value its body yields.
pub(crate) enum Fill {
    /// Store it where what is held still holds. A lease is given up when this is dropped.
    Fenced { hold: Hold, lease: Option<Lease> },
    /// Not store it: another call is filling the entry, or the store refuses writes.
    Unfenced,
    /// Not store it: the store was not asked, or not usable.
    Bypass,
}

/// Dropped before its end is told (the body's future was dropped, or it panicked), it hands the
/// lead and the lease to the next who waits, or gives the lease up.
pub(crate) struct Loading {
    cache: Cache,
    id: u128,
    fill: Option<Fill>,
    leader: Option<Leader<Fill, Shared, Token>>,
    /// What this call's own lookup saw, where that may be served if the load fails.
    pub(crate) spare: Option<Arc<Sight>>,
    /// When its body began, where that was before it was handed on.
    began: Option<Instant>,
    /// The place of a load that takes the place of a value that is still served.
    pub(crate) renewing: Option<Refreshing>,
    /// What is to stand beside its value.
    pub(super) others: Others,
    /// There is nothing but what others keep: no old value can stand in for the new one.
    pub(super) others_alone: bool,
}

/// What others keep in the entry that a load is for.
#[derive(Default)]
pub(super) struct Others(Option<(Instant, Vec<Other>)>);

impl Others {
    /// Of an entry that had still so long to live at this moment, or a little later.
    pub(super) fn seen(bytes: &[u8], remaining: Duration, at: Instant) -> Self {
        let others = entry::others(bytes, remaining);
        Self((!others.is_empty()).then_some((at, others)))
    }

    /// With how long each has still to live now, at least.
    fn left(&self) -> Vec<Other> {
        let Some((at, others)) = &self.0 else { return Vec::new() };
        let passed = at.elapsed();
        others.iter().filter_map(|other| other.after(passed)).collect()
    }
}

impl Loading {
    pub(crate) fn new(
        cache: &Cache,
        id: u128,
        fill: Fill,
        leader: Option<Leader<Fill, Shared, Token>>,
    ) -> Box<Self> {
        let cache = cache.clone();
        Box::new(Self {
            cache,
            id,
            fill: Some(fill),
            leader,
            spare: None,
            began: None,
            renewing: None,
            others: Others::default(),
            others_alone: false,
        })
    }

    /// What is to stand beside its value.
    pub(crate) fn others(&self) -> Vec<Other> {
        self.others.left()
    }

    /// Names the entry in this process.
    pub(crate) fn id(&self) -> u128 {
        self.id
    }

    /// When its body began: now, or before it was handed on.
    pub(crate) fn began(&mut self) -> Instant {
        *self.began.get_or_insert_with(Instant::now)
    }

    /// The call that is being polled goes on with it.
    pub(crate) fn led_here(&self) {
        if let Some(leader) = &self.leader {
            leader.led_here();
        }
    }

    /// Whether a value could be stored.
    pub(crate) fn is_fenced(&self) -> bool {
        matches!(self.fill, Some(Fill::Fenced { .. }))
    }

    /// Whether the store was not asked, or not usable.
    pub(crate) fn is_bypass(&self) -> bool {
        matches!(self.fill, Some(Fill::Bypass))
    }

    /// The versions of the tags under which the body runs.
    pub(crate) fn versions(&self) -> Vec<Token> {
        match &self.fill {
            Some(Fill::Fenced { hold, .. }) => hold.tags.iter().map(|tag| tag.version).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether anybody waits for what the body yields.
    pub(crate) fn is_joined(&self) -> bool {
        self.leader.as_ref().is_some_and(Leader::has_followers)
    }

    /// Stores the value where nothing was invalidated meanwhile, and only then shares it: nobody
    /// joins once the commit is sent (invariant I4). Says whether it was stored.
    pub(crate) async fn commit(self, function: &'static Function, value: Value) -> bool {
        let cache = self.cache.clone();
        let Some((hold, commit)) = self.committing(function, &value) else { return false };
        let large = value.is_large();
        let committed = cache.store().commit(&hold, value).wait().await;
        if large {
            cache.were_late(function, std::slice::from_ref(&committed));
        }
        commit.done(&cache, function, committed)
    }

    /// Closes the load, since its value is about to be stored.
    pub(super) fn committing(
        mut self,
        function: &'static Function,
        value: &Value,
    ) -> Option<(Hold, Committing)> {
        let Some(Fill::Fenced { hold, lease }) = self.fill.take() else { return None };
        function.sizes.goes(value.bytes.len());
        let leader = self.leader.take();
        let shared = leader.as_ref().and_then(|leader| {
            leader.close();
            leader.has_followers().then(|| Arc::new(value.bytes.clone()))
        });
        let writing = self.cache.writing(&hold.key);
        Some((hold, Committing { lease, leader, shared, writing }))
    }

    /// The body ended with an error, which is shared where it can be.
    pub(crate) fn failed(self, error: Option<Box<dyn Any + Send>>) {
        let bypass = self.is_bypass();
        let shared = |error| Shared::Failed { error: Arc::new(Mutex::new(error)), bypass };
        self.ended(error.map(shared));
    }

    /// A load behind its caller failed. Those who joined look for an old value of their own; where it
    /// was to take the place of one that is still served, the next is not tried before `pause` is over:
    /// whatever makes it fail may need a moment.
    pub(crate) fn failed_behind(self, pause: Duration) {
        if self.renewing.is_none() {
            return self.ended(Some(Shared::Spare));
        }
        let cache = self.cache.clone();
        if let Ok(io) = io::handle() {
            cache.background().spawn_on(io, async move {
                io::sleep(pause).await;
                self.ended(None);
            });
        }
    }

    /// The body ended without a value to store. What it yielded is shared with those who joined,
    /// once it is certain that nothing was invalidated meanwhile; where there is nothing to share,
    /// they are left to themselves.
    pub(crate) fn ended(mut self, shared: Option<Shared>) {
        let (fill, leader) = (self.fill.take(), self.leader.take());
        let Some(leader) = leader.filter(Leader::has_followers) else { return };
        let (shared, lease) = match (shared, fill) {
            (None, Some(fill @ Fill::Fenced { lease: Some(_), .. })) => {
                return leader.release(Some(fill));
            }
            (None, _) => return leader.release(None),
            (Some(shared), Some(Fill::Fenced { lease: Some(lease), .. })) => (shared, lease),
            // Those who joined did so before the body began.
            (Some(shared), _) => return leader.finish(shared),
        };
        if lease.is_beside() {
            return match self.others_alone {
                true => leader.finish_early(shared),
                // Each looks for itself whether an old value is still there.
                false => leader.finish(Shared::Spare),
            };
        }
        leader.close();
        let verified = async move {
            if lease.given_up().await {
                leader.finish(shared);
            } else {
                leader.finish_early(shared);
            }
        };
        if let Ok(io) = io::handle() {
            self.cache.background().spawn_on(io, verified);
        }
    }
}

/// A commit under way. Dropped before its outcome is known, those who wait look again, and the
/// lease is given up behind it.
pub(super) struct Committing {
    lease: Option<Lease>,
    leader: Option<Leader<Fill, Shared, Token>>,
    shared: Option<Arc<Vec<u8>>>,
    writing: Writing,
}

impl Committing {
    /// Tells the outcome; whether the value was stored.
    pub(super) fn done(
        self,
        cache: &Cache,
        function: &'static Function,
        committed: Result<bool, Failure>,
    ) -> bool {
        let Self { lease, leader, shared, writing } = self;
        drop(writing);
        let stored = match committed {
            Ok(stored) => {
                // One beside the entry is given up; one in its place went with the commit.
                if let Some(lease) = lease.filter(|lease| !lease.is_beside()) {
                    lease.settled();
                }
                if !stored {
                    cache.counters(function, Counters::write_refused);
                }
                stored
            }
            // Not known: the lease is given up behind it.
            Err(failure) => {
                cache.counters(function, |counters| counters.fault(failure.fault));
                false
            }
        };
        let Some(leader) = leader else { return stored };
        match shared.map(|bytes| Shared::Loaded { bytes, bypass: false }) {
            Some(shared) if stored => leader.finish(shared),
            // Who called before the body began may have its value whatever was invalidated since.
            Some(shared) => leader.finish_early(shared),
            None => leader.again(),
        }
        stored
    }
}

impl Drop for Loading {
    fn drop(&mut self) {
        let (Some(fill), Some(leader)) = (self.fill.take(), self.leader.take()) else { return };
        if let fill @ Fill::Fenced { lease: Some(_), .. } = fill {
            // Where nobody waits, the lease is given up.
            drop(leader.hand_over(fill));
        }
    }
}
