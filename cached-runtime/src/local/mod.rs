//! The local tier: values kept in this process's own memory, typed, and when they may be served.
//! It owns the `quick_cache` crate.
//!
//! A value is served while nothing can have happened to it: its deadline has not come, the tier is
//! coherent (whoever tells it of changes has done so up to a moment that is not longer ago than the
//! coherence bound), and neither its key nor one of its tags was changed since it was read.
//!
//! A value that was read goes in only if nothing happened to its key since before it was asked for:
//! a [`Ticket`] taken before remembers the stamps (see [`stamps`]). Whatever changes a key bumps its
//! stamp, removes the slot, and bumps the stamp once more: who found the slot in between remembers a
//! stamp that does not stand any more.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use quick_cache::sync::Cache as Engine;
use quick_cache::{Equivalent, Lifecycle, Weighter};

use self::front::Asked;
use self::places::Found;
use self::slot::Tag;
use self::stamps::Stamps;
use crate::clock::{Clock, Moment};
use crate::function::Function;
use crate::key::Trace;
use crate::stats::Counters;

mod front;
mod keeper;
mod places;
mod slot;
mod stamps;
#[cfg(test)]
mod tests;

pub use self::keeper::Keepable;
pub(crate) use self::keeper::Keeper;
pub(crate) use self::slot::{Kept, Owner, Slot};

/// What an entry costs beyond its key and encoded value: the slot, its place in the map, the
/// value's own head, allocation headers.
const OVERHEAD: usize = 256;
/// An entry of this size is assumed when the map's size is chosen.
const USUAL: usize = 1024;
/// A thread's front remembers 16 bits of a key's hash.
const KEY_STAMPS: usize = 1 << 14;
const TAG_STAMPS: usize = 1 << 12;

pub(crate) struct Local {
    engine: Engine<Named, Arc<Slot>, ByWeight, Hashed, Evicted>,
    capacity: u64,
    /// Keyed by chance, so that nobody can choose keys that meet in the map.
    seed: RandomState,
    keys: Stamps<KEY_STAMPS>,
    tags: Stamps<TAG_STAMPS>,
    clock: Clock,
    coherence: Coherence,
}

/// Read by each hit and written seldom: on a cache line of its own.
#[repr(align(128))]
struct Coherence {
    /// Another one when everything may have changed.
    epoch: AtomicU64,
    /// Until when what is kept may be served.
    until: AtomicU64,
    bound: Duration,
}

/// How everything stood before a value was read.
pub(crate) struct Ticket {
    epoch: u64,
    at: Moment,
    hash: u64,
    stamp: u64,
    tags: Box<[Tag]>,
}

/// A value that was read, and how it is to be kept.
pub(crate) struct Read {
    pub(crate) owner: Owner,
    /// `None` stands for "there is none".
    pub(crate) kept: Option<Kept>,
    /// As encoded.
    pub(crate) bytes: usize,
    /// Since the ticket was taken.
    pub(crate) good_for: Duration,
    /// When it was read.
    pub(crate) age: Option<Duration>,
}

/// What is asked for.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) owner: Owner,
    pub(crate) key: &'a str,
    pub(crate) tags: &'a [String],
    pub(crate) function: &'static Function,
    pub(crate) trace: &'a Trace,
    /// How long ago it may have been kept at most.
    pub(crate) ttl: Option<Duration>,
}

impl Local {
    /// A tier of so many bytes, over which a link watches: nothing is kept or served until it has
    /// said that the tier is [coherent](Self::coherent_at).
    pub(crate) fn watched(capacity: usize, bound: Duration) -> Self {
        Self::new(capacity, Clock::system(), Coherence::none(bound))
    }

    /// A tier whose every change is made through it.
    pub(crate) fn alone(capacity: usize, clock: Clock) -> Self {
        Self::new(capacity, clock, Coherence::always())
    }

    fn new(capacity: usize, clock: Clock, coherence: Coherence) -> Self {
        let items = (capacity / USUAL).clamp(64, 1 << 20);
        let capacity = u64::try_from(capacity).unwrap_or(u64::MAX);
        Self {
            engine: Engine::with(items, capacity, ByWeight, Hashed, Evicted),
            capacity,
            seed: RandomState::new(),
            keys: Stamps::new(),
            tags: Stamps::new(),
            clock,
            coherence,
        }
    }

    /// What `give` makes of the value that this thread has at hand for a call of `function`, where it
    /// may be served; counted.
    #[inline]
    pub(crate) fn nearest<T>(
        &self,
        function: &'static Function,
        trace: &Trace,
        ttl: Option<Duration>,
        give: impl FnOnce(Option<&Kept>) -> Option<T>,
    ) -> Option<T> {
        let is_good = |found: &Found<'_>| {
            let (place, now) = (found.place, self.clock.now());
            self.is_current(place.epoch, place.deadline, now)
                && self.keys.of(place.hash.into()) == place.stamp
                && (!place.tagged || found.slot().is_some_and(|slot| self.has_current_tags(slot)))
                && ttl.is_none_or(|ttl| found.slot().is_some_and(|slot| slot.is_within(ttl, now)))
        };
        front::look(&Asked { function, trace }, is_good, give, |slot| self.hear(slot))
    }

    /// What `give` makes of the kept value and its age, where it may be served; counted.
    pub(crate) fn nearby<T>(
        &self,
        wanted: Wanted<'_>,
        counters: impl FnOnce() -> Arc<Counters>,
        give: impl FnOnce(&Slot, Option<Duration>) -> Option<T>,
    ) -> Option<T> {
        let Wanted { owner, key, tags, function, trace, ttl } = wanted;
        let hash = self.seed.hash_one(key);
        let stamp = self.keys.of(hash);
        let slot = self.engine.get(&Query { hash, text: key })?;
        let now = self.clock.now();
        let ours = slot.owner == owner && slot.is_confirmed() && self.has_tags(&slot, tags);
        if !ours || !self.is_good(&slot, ttl, now) {
            return None;
        }
        let given = give(&slot, slot.age(now))?;
        let counters = counters();
        counters.hit_locally();
        front::put(&Asked { function, trace }, stamp, slot, || counters.lane());
        Some(given)
    }

    /// For a value that is about to be read; `None` where nothing can be kept now.
    pub(crate) fn ticket(&self, key: &str, tags: &[String]) -> Option<Ticket> {
        let at = self.clock.now();
        // The epoch first: one that ends in between makes the ticket worthless.
        let epoch = self.coherence.epoch.load(Ordering::Acquire);
        if at >= self.coherence.until() {
            return None;
        }
        let hash = self.seed.hash_one(key);
        let tag = |tag: &String| {
            let hash = self.seed.hash_one(tag);
            Tag { hash, stamp: self.tags.of(hash) }
        };
        let tags = tags.iter().map(tag).collect();
        Some(Ticket { epoch, at, hash, stamp: self.keys.of(hash), tags })
    }

    /// Keeps what was read, unless something happened to it since the ticket was taken.
    pub(crate) fn keep(&self, ticket: Ticket, key: &str, read: Read, counters: Arc<Counters>) {
        let Ticket { epoch, at, hash, stamp, tags } = ticket;
        let good_for = read.good_for.saturating_sub(self.clock.grain());
        let weight = read.bytes.saturating_add(key.len() + OVERHEAD);
        let Ok(weight) = u32::try_from(weight) else { return };
        if good_for.is_zero() || u64::from(weight) > self.engine.shard_capacity() {
            return;
        }
        let slot = Slot {
            text: key.into(),
            hash,
            owner: read.owner,
            kept: read.kept,
            weight,
            epoch,
            since: at,
            deadline: at.after(good_for),
            tags,
            age: read.age,
            counters,
            confirmed: AtomicBool::new(false),
        };
        let slot = Arc::new(slot.counted());
        self.engine.insert(Named(Arc::clone(&slot)), Arc::clone(&slot));
        // Only now, when whoever changes the key finds it.
        if self.keys.of(hash) == stamp && self.coherence.is_of(epoch) {
            slot.confirm();
        } else {
            self.engine.remove_if(&Query { hash, text: key }, |there| Arc::ptr_eq(there, &slot));
        }
    }

    /// The value under a key, or the right to fill it, changes or has changed. What was kept is for
    /// the caller to drop: it may be a user's value.
    pub(crate) fn changed(&self, key: &str) -> Option<Arc<Slot>> {
        let hash = self.seed.hash_one(key);
        self.keys.bump(hash);
        let removed = self.engine.remove(&Query { hash, text: key });
        self.keys.bump(hash);
        removed.map(|(_, slot)| slot)
    }

    /// The version of a tag changes or has changed.
    pub(crate) fn tag_changed(&self, tag: &str) {
        self.tags.bump(self.seed.hash_one(tag));
    }

    /// Everything may have changed.
    pub(crate) fn flush(&self) {
        self.coherence.epoch.swap(next_epoch(), Ordering::AcqRel);
    }

    /// Nobody tells of changes any more.
    pub(crate) fn lost(&self) {
        self.coherence.until.store(Moment::NEVER.to_bits(), Ordering::Release);
        self.flush();
    }

    /// Every change up to this moment was told.
    pub(crate) fn coherent_at(&self, moment: Moment) {
        // The clock by which hits are served may be late by a grain.
        let bound = self.coherence.bound.saturating_sub(self.clock.grain());
        self.coherence.until.store(moment.after(bound).to_bits(), Ordering::Release);
    }

    pub(crate) fn is_coherent(&self) -> bool {
        self.clock.now() < self.coherence.until()
    }

    pub(crate) fn now(&self) -> Moment {
        self.clock.now()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.engine.weight()
    }

    pub(crate) fn entries(&self) -> usize {
        self.engine.len()
    }

    pub(crate) fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Whether nothing can have happened to a slot that was found by its key, and it is not too old
    /// for who asks: another may have kept it for longer.
    fn is_good(&self, slot: &Slot, ttl: Option<Duration>, now: Moment) -> bool {
        self.is_current(slot.epoch, slot.deadline, now)
            && ttl.is_none_or(|ttl| slot.is_within(ttl, now))
            && self.has_current_tags(slot)
    }

    #[inline]
    fn is_current(&self, epoch: u64, deadline: Moment, now: Moment) -> bool {
        now < deadline && now < self.coherence.until() && self.coherence.is_of(epoch)
    }

    #[inline]
    fn has_current_tags(&self, slot: &Slot) -> bool {
        slot.tags.iter().all(|tag| tag.stamp == self.tags.of(tag.hash))
    }

    fn has_tags(&self, slot: &Slot, tags: &[String]) -> bool {
        slot.tags.len() == tags.len()
            && slot.tags.iter().zip(tags).all(|(had, tag)| had.hash == self.seed.hash_one(tag))
    }

    /// A hit in some thread's front is one of the tier as well.
    #[cold]
    fn hear(&self, slot: &Slot) {
        let _ = self.engine.get(&Query { hash: slot.hash, text: &slot.text });
    }
}

/// No two tiers ever have the same one.
fn next_epoch() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Coherence {
    fn none(bound: Duration) -> Self {
        let until = AtomicU64::new(Moment::NEVER.to_bits());
        Self { epoch: AtomicU64::new(next_epoch()), until, bound }
    }

    fn always() -> Self {
        let until = AtomicU64::new(Moment::FOREVER.to_bits());
        Self { epoch: AtomicU64::new(next_epoch()), until, bound: Duration::ZERO }
    }

    #[inline]
    fn until(&self) -> Moment {
        Moment::from_bits(self.until.load(Ordering::Acquire))
    }

    #[inline]
    fn is_of(&self, epoch: u64) -> bool {
        self.epoch.load(Ordering::Acquire) == epoch
    }
}

/// A slot under its key.
struct Named(Arc<Slot>);

impl PartialEq for Named {
    fn eq(&self, other: &Self) -> bool {
        self.0.text == other.0.text
    }
}

impl Eq for Named {}

impl Hash for Named {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash);
    }
}

/// A key that is looked for.
struct Query<'a> {
    hash: u64,
    text: &'a str,
}

impl Hash for Query<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Equivalent<Named> for Query<'_> {
    fn equivalent(&self, named: &Named) -> bool {
        *named.0.text == *self.text
    }
}

/// Keys bring their hash along.
#[derive(Clone, Default)]
struct Hashed;

impl BuildHasher for Hashed {
    type Hasher = Brought;

    fn build_hasher(&self) -> Brought {
        Brought(0)
    }
}

struct Brought(u64);

impl Hasher for Brought {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
}

/// What is driven out is dropped when the map's lock is free again: it is a user's value, whose
/// `Drop` may do as it likes.
#[derive(Clone)]
struct Evicted;

impl Lifecycle<Named, Arc<Slot>> for Evicted {
    type RequestState = Vec<Arc<Slot>>;

    fn on_evict(&self, evicted: &mut Self::RequestState, _: Named, slot: Arc<Slot>) {
        evicted.push(slot);
    }
}

#[derive(Clone)]
struct ByWeight;

impl Weighter<Named, Arc<Slot>> for ByWeight {
    fn weight(&self, _: &Named, slot: &Arc<Slot>) -> u64 {
        u64::from(slot.weight)
    }
}
