//! Where an operation goes: to the primary that has the slot, as far as is known; then wherever that
//! one sends it.
//!
//! A server that sends elsewhere has done nothing, so that a token may be sent once more (invariant
//! I3). While a slot is on its way from one server to another, who has it answers for the keys that
//! are still there, and sends on for others (`ASK`), which the other answers to those who say that
//! they were sent (`ASKING`).

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::super::fault::{Address, Redirect};
use super::super::layout::FullKey;
use super::super::{Patience, RedisStore};
use super::map::{Map, Node};
use super::{ClusterStore, Known};
use crate::fault::Fault;
use crate::io;
use crate::store::Failure;

/// A server that was just told may not know yet, and send back; more often is a mistake of theirs.
const MOST_REDIRECTS: usize = 4;
/// While nobody has all of the keys, or the slot.
pub(super) const PAUSE: Duration = Duration::from_millis(20);
/// An answer that takes this long may never come.
const SUSPICIOUS: Duration = Duration::from_millis(200);

/// What an operation is about.
#[derive(Clone, Copy)]
pub(super) struct Aim {
    pub(super) slot: u16,
    /// Several commands, whose keys may be at two servers while the slot is on its way.
    pub(super) parted: bool,
}

impl Aim {
    /// One key, or several in one command, which is carried out for all of them or not at all.
    pub(super) fn whole(name: FullKey<'_>) -> Self {
        Self { slot: name.slot(), parted: false }
    }
}

/// A primary to ask, and how.
#[derive(Clone)]
pub(super) struct Way {
    pub(super) node: Arc<Node>,
    /// It is about to get the slot.
    pub(super) asking: bool,
}

impl Way {
    pub(super) fn store(&self) -> RedisStore {
        if self.asking { self.node.store.asking() } else { self.node.store.clone() }
    }
}

impl ClusterStore {
    /// A cached call's operation: not tried where the primary's circuit is open, and over within the
    /// deadline wherever it leads.
    pub(super) async fn asked<T, F: Future<Output = Result<T, Failure>>>(
        &self,
        aim: Aim,
        deadline: Duration,
        operation: impl Fn(RedisStore) -> F,
    ) -> Result<T, Failure> {
        let began = Instant::now();
        let known = self.inner.map.load().owner(aim.slot).map(Arc::clone);
        let (node, outcome) = match known {
            Some(node) => {
                if let Some(failure) = node.store.refusal() {
                    return Err(failure);
                }
                let outcome = operation(node.store.clone()).await;
                (node, outcome)
            }
            // Part of the deadline is gone by the time that somebody is known.
            None => {
                let node = Box::pin(self.found(aim.slot, deadline, Patience::None)).await?;
                let left = deadline.saturating_sub(began.elapsed());
                let outcome = Box::pin(self.within(left, &node, operation(node.store.clone())));
                let outcome = outcome.await;
                (node, outcome)
            }
        };
        match outcome {
            Err(failure) => {
                let (end, patience) = (began + deadline, Patience::None);
                Box::pin(self.follow(aim, &node, failure, (end, patience), operation)).await
            }
            outcome => outcome,
        }
    }

    /// An operation that keeps a promise: tried until the deadline, while somebody may still do it.
    pub(super) async fn promised<T, F: Future<Output = Result<T, Failure>>>(
        &self,
        aim: Aim,
        deadline: Duration,
        operation: impl Fn(RedisStore) -> F,
    ) -> Result<T, Failure> {
        let end = Instant::now() + deadline;
        let left = || end.saturating_duration_since(Instant::now());
        loop {
            let node = self.owner(aim.slot, left(), Patience::Waits).await?;
            let outcome = tokio::select! {
                outcome = self.within(left(), &node, operation(node.store.clone())) => outcome,
                () = self.loses(&node, aim.slot) => continue,
            };
            let Err(failure) = outcome else { return outcome };
            let patience = (end, Patience::Waits);
            match self.follow(aim, &node, failure, patience, &operation).await {
                Err(failure) if failure.redirect.is_some() && left() > PAUSE => {
                    io::sleep(PAUSE).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// The operation, of which nothing is waited for that comes later.
    async fn within<T>(
        &self,
        left: Duration,
        node: &Node,
        operation: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        io::timeout(left, operation).await.unwrap_or_else(|| {
            // Its own deadline, which would have told, was still to come.
            node.store.overdue();
            Err(node.store.no_answer(left))
        })
    }

    /// Goes where `failure` says that the operation is carried out.
    async fn follow<T, F: Future<Output = Result<T, Failure>>>(
        &self,
        aim: Aim,
        node: &Arc<Node>,
        mut failure: Failure,
        (end, patience): (Instant, Patience),
        operation: impl Fn(RedisStore) -> F,
    ) -> Result<T, Failure> {
        let mut node = Arc::clone(node);
        for _ in 0..MOST_REDIRECTS {
            let Some(way) = self.redirected(aim, &node, &failure) else {
                self.notice(&failure);
                return Err(failure);
            };
            if let (Patience::None, Some(refusal)) = (patience, way.node.store.refusal()) {
                return Err(refusal);
            }
            let left = end.saturating_duration_since(Instant::now());
            match self.within(left, &way.node, operation(way.store())).await {
                Err(next) => failure = next,
                outcome => return outcome,
            }
            node = way.node;
        }
        Err(failure)
    }

    /// Where a failure leads, if it leads anywhere; what it tells of the slot is remembered.
    pub(super) fn redirected(&self, aim: Aim, from: &Node, failure: &Failure) -> Option<Way> {
        let way = match failure.redirect.as_deref()? {
            Redirect::Moved(to) => {
                let node = self.learn(from, to, Some(aim.slot))?;
                Way { node, asking: false }
            }
            Redirect::Ask(to) => Way { node: self.learn(from, to, None)?, asking: true },
            Redirect::Again | Redirect::Nobody => return None,
        };
        // What may have been carried out in part is not begun anew.
        (!aim.parted).then_some(way)
    }

    /// A server that another one named, which may have the slot.
    pub(super) fn learn(&self, from: &Node, to: &Address, slot: Option<u16>) -> Option<Arc<Node>> {
        let host = to.host.clone().unwrap_or_else(|| from.place.0.clone());
        let place = (host, to.port);
        let _changing = self.inner.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let map = self.inner.map.load();
        let known = map.find(&place);
        let is_new = known.is_none();
        let node = known.or_else(|| self.inner.node(&place))?;
        let owner = slot.and_then(|slot| map.owner(slot));
        if is_new || slot.is_some() && owner.is_none_or(|owner| !Arc::ptr_eq(owner, &node)) {
            self.becomes(map.with(Arc::clone(&node), slot));
        }
        Some(node)
    }

    /// The map is this from here on; for who holds the right to change it.
    pub(super) fn becomes(&self, map: Map) {
        let before = self.inner.map.swap(Arc::new(map));
        if let Some(gathering) = self.inner.gathering.get()
            && !self.inner.map.load().owns_as(&before)
        {
            gathering.all_changed();
        }
        self.inner.known.send_replace(Known::Map);
    }

    /// A failure after which the slots may be elsewhere.
    pub(super) fn notice(&self, failure: &Failure) {
        let suspect = match failure.redirect.as_deref() {
            Some(Redirect::Moved(_) | Redirect::Nobody) => true,
            Some(Redirect::Ask(_) | Redirect::Again) => false,
            None => {
                matches!(failure.fault, Fault::Unavailable | Fault::Timeout | Fault::ReadOnly)
            }
        };
        if suspect {
            self.inner.news.notify_one();
        }
    }

    /// The primary that has a slot. Who does not wait still waits for the very first answer.
    pub(super) async fn owner(
        &self,
        slot: u16,
        deadline: Duration,
        patience: Patience,
    ) -> Result<Arc<Node>, Failure> {
        if let Some(node) = self.inner.map.load().owner(slot) {
            return Ok(Arc::clone(node));
        }
        self.found(slot, deadline, patience).await
    }

    #[cold]
    async fn found(
        &self,
        slot: u16,
        deadline: Duration,
        patience: Patience,
    ) -> Result<Arc<Node>, Failure> {
        self.inner.news.notify_one();
        let mut known = self.inner.known.subscribe();
        let owner = || self.inner.map.load().owner(slot).map(Arc::clone);
        let enough = |known: &Known| match patience {
            Patience::None => !matches!(known, Known::Starting),
            Patience::Waits => owner().is_some(),
        };
        let waited = io::timeout(deadline, known.wait_for(enough)).await.is_some();
        owner().ok_or_else(|| match &*self.inner.known.borrow() {
            Known::Nothing(failure, _) => failure.clone(),
            Known::Starting if !waited => {
                let message = format!("no server of the {} within {deadline:?}", self.server());
                Failure::new(Fault::Unavailable, message)
            }
            Known::Starting | Known::Map => self.unowned(slot),
        })
    }

    pub(super) fn unowned(&self, slot: u16) -> Failure {
        let message = format!("no server of the {} has the slot {slot}", self.server());
        let redirect = Some(Box::new(Redirect::Nobody));
        Failure { redirect, ..Failure::new(Fault::Unavailable, message) }
    }

    /// Until another primary has the slot. Meanwhile the map is looked after: who waits for an answer
    /// that does not come may be the only one to know that something is wrong.
    pub(super) async fn loses(&self, node: &Arc<Node>, slot: u16) {
        let other = || {
            let map = self.inner.map.load();
            map.owner(slot).is_some_and(|owner| !Arc::ptr_eq(owner, node))
        };
        let mut known = self.inner.known.subscribe();
        // The channel is as long-lived as this store.
        while io::timeout(SUSPICIOUS, known.wait_for(|_| other())).await.is_none() {
            self.inner.news.notify_one();
        }
    }
}
