//! The embedded store: the same contract in this process's memory, so that a program runs
//! without a server. It owns the `lru` crate.

use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lru::{DefaultHasher, LruCache};

use self::expiry::Expiry;
use super::{
    Asked, Captured, Hold, Looked, Preparation, Prepared, Sight, Spot, TAG_MARGIN, Value, glob,
};
use crate::clock::Clock;
use crate::entry::{self, Fence};
use crate::token::Token;

mod expiry;

const SHARDS: usize = 16;
/// What an entry costs beyond its key and value: map slot, list links, allocation headers.
const OVERHEAD: usize = 128;
/// How long a tag's version lives at least. One that is gone makes its entries invalid, so it
/// outlives the bodies that were started under it, which nothing here measures.
const TAG_LIFE: Duration = Duration::from_secs(60 * 60);

/// Entries spread over shards by a seeded hash; each evicts the least recently used once its
/// share of the capacity is full.
#[derive(Clone)]
pub(crate) struct MemoryStore {
    inner: Arc<Inner>,
}

struct Inner {
    shards: Vec<Mutex<Shard>>,
    /// The leases that stand beside entries.
    beside: Mutex<Shard>,
    /// The tags' versions.
    tags: Mutex<Shard>,
    hasher: DefaultHasher,
    shard_capacity: usize,
    clock: Clock,
    expiry: Expiry,
}

impl Inner {
    fn all(&self) -> impl Iterator<Item = &Mutex<Shard>> {
        self.shards.iter().chain([&self.beside, &self.tags])
    }
}

struct Shard {
    entries: LruCache<Box<str>, Slot>,
    bytes: usize,
    /// When the first of them ends, or earlier; `None` where none does.
    soonest: Option<Duration>,
}

struct Slot {
    value: Vec<u8>,
    /// On the store's clock; `None` for a lease.
    expires: Option<Duration>,
}

impl MemoryStore {
    pub(crate) fn new(capacity: usize, clock: Clock) -> Self {
        let shard =
            || Mutex::new(Shard { entries: LruCache::unbounded(), bytes: 0, soonest: None });
        Self {
            inner: Arc::new(Inner {
                shards: (0..SHARDS).map(|_| shard()).collect(),
                beside: shard(),
                tags: shard(),
                hasher: DefaultHasher::default(),
                shard_capacity: (capacity / SHARDS).max(1),
                clock,
                expiry: Expiry::default(),
            }),
        }
    }

    /// The largest value that a store of this capacity holds, keys of usual length assumed.
    pub(crate) fn largest_value(capacity: usize) -> usize {
        (capacity / SHARDS).saturating_sub(4 * OVERHEAD)
    }

    pub(crate) fn lookup(&self, asked: Asked<'_>, token: &Token) -> Sight {
        self.look(asked, |shard| {
            let lease = entry::lease(token).to_vec();
            shard.insert(asked.key, lease, None, self.inner.shard_capacity);
            Looked::Leased
        })
    }

    pub(crate) fn read(&self, asked: Asked<'_>) -> Sight {
        self.look(asked, |_| Looked::Unleased(None))
    }

    /// What is there, or what `absent` makes of the shard where nothing is.
    fn look(&self, asked: Asked<'_>, absent: impl FnOnce(&mut Shard) -> Looked) -> Sight {
        let (looked, remaining) = {
            let (mut shard, now) = (self.shard(asked.key), self.now());
            match shard.live(asked.key, now) {
                Some(slot) => (Looked::Present(slot.value.clone()), slot.remaining(now)),
                None => (absent(&mut shard), None),
            }
        };
        let versions = self.versions(asked.tags);
        Sight { looked, aged: asked.age, remaining, versions, told: true }
    }

    pub(crate) fn claim(&self, key: &str, token: &Token) -> bool {
        self.lookup(Asked { key, tags: &[], age: false, large: false }, token).looked
            == Looked::Leased
    }

    pub(crate) fn mark(&self, key: &str, token: &Token) -> bool {
        let (mut beside, now) = (lock(&self.inner.beside), self.now());
        let free = beside.live(key, now).is_none();
        if free {
            let lease = entry::lease(token).to_vec();
            beside.insert(key, lease, None, self.inner.shard_capacity);
        }
        free
    }

    pub(crate) fn prepare(&self, preparation: &Preparation) -> Prepared {
        let Preparation { key, seize, absent, .. } = preparation;
        let seized = seize.as_ref().is_some_and(|(fence, token)| {
            let (mut shard, now) = (self.shard(key), self.now());
            let holds = shard.holds(key, fence, now);
            if holds {
                shard.insert(key, entry::lease(token).to_vec(), None, self.inner.shard_capacity);
            }
            holds
        });
        let (mut tags, now) = (lock(&self.inner.tags), self.now());
        let mut version = |(tag, fresh): &(String, Token)| {
            let present =
                tags.live(tag, now).and_then(|slot| slot.value.as_slice().try_into().ok());
            present.unwrap_or_else(|| {
                let life = Some(now.saturating_add(TAG_LIFE));
                tags.insert(tag, fresh.to_vec(), life, self.inner.shard_capacity);
                self.expect_expiry();
                *fresh
            })
        };
        Prepared { seized, versions: absent.iter().map(&mut version).collect() }
    }

    /// The tags are compared before the entry's lock is taken. A version that changes in between
    /// makes the value that is stored invalid.
    pub(crate) fn commit(&self, hold: &Hold, value: Value) -> bool {
        let unchanged = self.unchanged(&hold.tags);
        let (mut shard, now) = (self.shard(&hold.key), self.now());
        if !shard.holds(&hold.key, &hold.fence, now) {
            return false;
        }
        if !unchanged {
            shard.remove(&hold.key);
            return false;
        }
        let expires = Some(now.saturating_add(value.life));
        shard.insert(&hold.key, value.bytes, expires, self.inner.shard_capacity);
        drop(shard);
        self.expect_expiry();
        self.outlive(&hold.tags, value.life);
        true
    }

    pub(crate) fn put(&self, key: &str, tags: &[Captured], value: Value) {
        let expires = Some(self.now().saturating_add(value.life));
        self.shard(key).insert(key, value.bytes, expires, self.inner.shard_capacity);
        self.expect_expiry();
        self.outlive(tags, value.life);
    }

    fn expect_expiry(&self) {
        self.inner.expiry.expect(|| Arc::downgrade(&self.inner));
    }

    /// In a child process.
    pub(super) fn in_child(&self) {
        self.inner.expiry.ended();
    }

    pub(crate) fn delete(&self, keys: &[String], tags: &[String]) -> u64 {
        let now = self.now();
        for tag in tags {
            lock(&self.inner.tags).remove(tag);
        }
        let gone = |key: &&String| {
            let mut shard = self.shard(key);
            let there = shard.live(key, now).is_some();
            shard.remove(key);
            there
        };
        keys.iter().filter(gone).count() as u64
    }

    pub(crate) fn sweep(&self, pattern: &str) -> u64 {
        let now = self.now();
        let mut removed = 0;
        for shard in &self.inner.shards {
            let mut shard = lock(shard);
            let matching: Vec<Box<str>> = shard
                .entries
                .iter()
                .map(|(key, _)| key)
                .filter(|key| glob::matches(pattern.as_bytes(), key.as_bytes()))
                .cloned()
                .collect();
            for key in matching {
                removed += u64::from(shard.live(&key, now).is_some());
                shard.remove(&key);
            }
        }
        removed
    }

    pub(crate) fn release(&self, hold: &Hold) -> bool {
        let unchanged = self.unchanged(&hold.tags);
        let (mut shard, now) = (self.spot(hold), self.now());
        let holds = shard.holds(&hold.key, &hold.fence, now);
        if holds {
            shard.remove(&hold.key);
        }
        holds && unchanged
    }

    pub(crate) fn holds(&self, hold: &Hold) -> bool {
        self.spot(hold).holds(&hold.key, &hold.fence, self.now())
    }

    fn versions(&self, tags: &[String]) -> Vec<Option<Token>> {
        if tags.is_empty() {
            return Vec::new();
        }
        let (mut known, now) = (lock(&self.inner.tags), self.now());
        let mut version = |tag: &String| known.live(tag, now)?.value.as_slice().try_into().ok();
        tags.iter().map(&mut version).collect()
    }

    fn unchanged(&self, captured: &[Captured]) -> bool {
        if captured.is_empty() {
            return true;
        }
        let (mut known, now) = (lock(&self.inner.tags), self.now());
        captured.iter().all(|Captured { tag, version }| {
            known.live(tag, now).is_some_and(|slot| slot.value == version)
        })
    }

    /// Lets the tags live longer than a value of theirs.
    fn outlive(&self, tags: &[Captured], life: Duration) {
        if tags.is_empty() {
            return;
        }
        let (mut known, now) = (lock(&self.inner.tags), self.now());
        let until = now.saturating_add(life).saturating_add(TAG_MARGIN);
        for Captured { tag, .. } in tags {
            if let Some(slot) = known.entries.get_mut(tag.as_str()) {
                slot.expires = slot.expires.max(Some(until));
            }
        }
    }

    fn spot(&self, hold: &Hold) -> MutexGuard<'_, Shard> {
        match hold.spot {
            Spot::Entry { .. } => self.shard(&hold.key),
            Spot::Beside => lock(&self.inner.beside),
        }
    }

    fn now(&self) -> Duration {
        self.inner.clock.elapsed()
    }

    fn shard(&self, key: &str) -> MutexGuard<'_, Shard> {
        let hash = self.inner.hasher.hash_one(key);
        // The map inside uses the low bits; the shard is chosen by the high ones.
        let index = usize::try_from(hash >> 56).unwrap_or(0) % SHARDS;
        lock(&self.inner.shards[index])
    }
}

/// A panic under the lock cannot leave a shard half-changed in a way that matters to a cache.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shard {
    /// The value under `key` unless it has expired, in which case it goes.
    fn live(&mut self, key: &str, now: Duration) -> Option<&Slot> {
        let expired = self.entries.peek(key)?.expired(now);
        if expired {
            self.remove(key);
            return None;
        }
        self.entries.get(key)
    }

    /// Whether what stands under `key` is what the fence remembers.
    fn holds(&mut self, key: &str, fence: &Fence, now: Duration) -> bool {
        self.live(key, now).is_some_and(|slot| fence.holds(&slot.value))
    }

    fn insert(&mut self, key: &str, value: Vec<u8>, expires: Option<Duration>, capacity: usize) {
        if weight(key, &value) > capacity {
            // It would drive out everything else, and then itself.
            self.remove(key);
            return;
        }
        self.bytes += weight(key, &value);
        self.soonest = self.soonest.into_iter().chain(expires).min();
        if let Some((old_key, old)) = self.entries.push(key.into(), Slot { value, expires }) {
            self.bytes -= weight(&old_key, &old.value);
        }
        while self.bytes > capacity {
            let Some((key, slot)) = self.entries.pop_lru() else { break };
            self.bytes -= weight(&key, &slot.value);
        }
    }

    /// Gives back what has expired.
    fn expire(&mut self, now: Duration) {
        if self.soonest.is_none_or(|soonest| soonest > now) {
            return;
        }
        let expired = self.entries.iter().filter(|(_, slot)| slot.expired(now));
        for key in expired.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            self.remove(&key);
        }
        self.soonest = self.entries.iter().filter_map(|(_, slot)| slot.expires).min();
    }

    fn remove(&mut self, key: &str) {
        if let Some((key, slot)) = self.entries.pop_entry(key) {
            self.bytes -= weight(&key, &slot.value);
        }
    }
}

impl Slot {
    fn expired(&self, now: Duration) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    fn remaining(&self, now: Duration) -> Option<Duration> {
        self.expires.map(|expires| expires.saturating_sub(now))
    }
}

fn weight(key: &str, value: &[u8]) -> usize {
    key.len() + value.len() + OVERHEAD
}
