//! The embedded store: the same contract in this process's memory, so that a program runs
//! without a server. It owns the `lru` crate.

use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lru::{DefaultHasher, LruCache};

use super::{Looked, glob};
use crate::clock::Clock;
use crate::entry::{self, Fence};
use crate::token::Token;

const SHARDS: usize = 16;
/// What an entry costs beyond its key and value: map slot, list links, allocation headers.
const OVERHEAD: usize = 128;

/// Entries spread over shards by a seeded hash; each evicts the least recently used once its
/// share of the capacity is full.
#[derive(Clone)]
pub(crate) struct MemoryStore {
    inner: Arc<Inner>,
}

struct Inner {
    shards: Vec<Mutex<Shard>>,
    hasher: DefaultHasher,
    shard_capacity: usize,
    clock: Clock,
}

struct Shard {
    entries: LruCache<Box<str>, Slot>,
    bytes: usize,
}

struct Slot {
    value: Vec<u8>,
    /// On the store's clock; `None` for a lease.
    expires: Option<Duration>,
}

impl MemoryStore {
    pub(crate) fn new(capacity: usize, clock: Clock) -> Self {
        let shard = || Mutex::new(Shard { entries: LruCache::unbounded(), bytes: 0 });
        Self {
            inner: Arc::new(Inner {
                shards: (0..SHARDS).map(|_| shard()).collect(),
                hasher: DefaultHasher::default(),
                shard_capacity: (capacity / SHARDS).max(1),
                clock,
            }),
        }
    }

    /// The largest value that a store of this capacity holds, keys of usual length assumed.
    pub(crate) fn largest_value(capacity: usize) -> usize {
        (capacity / SHARDS).saturating_sub(4 * OVERHEAD)
    }

    pub(crate) fn lookup(&self, key: &str, token: &Token) -> Looked {
        let mut shard = self.shard(key);
        if let Some(value) = shard.live(key, self.now()) {
            return Looked::Present(value.to_vec());
        }
        shard.insert(key, entry::lease(token).to_vec(), None, self.inner.shard_capacity);
        Looked::Leased
    }

    pub(crate) fn claim(&self, key: &str, token: &Token) -> bool {
        self.lookup(key, token) == Looked::Leased
    }

    pub(crate) fn commit(&self, key: &str, fence: &Fence, value: Vec<u8>, ttl: Duration) -> bool {
        let mut shard = self.shard(key);
        let now = self.now();
        let holds = shard.live(key, now).is_some_and(|present| fence.holds(present));
        if holds {
            shard.insert(key, value, Some(now.saturating_add(ttl)), self.inner.shard_capacity);
        }
        holds
    }

    pub(crate) fn put(&self, key: &str, value: Vec<u8>, ttl: Duration) {
        let expires = Some(self.now().saturating_add(ttl));
        self.shard(key).insert(key, value, expires, self.inner.shard_capacity);
    }

    pub(crate) fn read(&self, key: &str) -> Option<Vec<u8>> {
        self.shard(key).live(key, self.now()).map(<[u8]>::to_vec)
    }

    pub(crate) fn delete(&self, keys: &[String]) -> u64 {
        let now = self.now();
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

    pub(crate) fn release(&self, key: &str, fence: &Fence) -> bool {
        let mut shard = self.shard(key);
        let holds = shard.live(key, self.now()).is_some_and(|present| fence.holds(present));
        if holds {
            shard.remove(key);
        }
        holds
    }

    pub(crate) fn holds(&self, key: &str, fence: &Fence) -> bool {
        self.shard(key).live(key, self.now()).is_some_and(|present| fence.holds(present))
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
    fn live(&mut self, key: &str, now: Duration) -> Option<&[u8]> {
        let expired = self.entries.peek(key)?.expired(now);
        if expired {
            self.remove(key);
            return None;
        }
        self.entries.get(key).map(|slot| slot.value.as_slice())
    }

    fn insert(&mut self, key: &str, value: Vec<u8>, expires: Option<Duration>, capacity: usize) {
        if weight(key, &value) > capacity {
            // It would drive out everything else, and then itself.
            self.remove(key);
            return;
        }
        self.bytes += weight(key, &value);
        if let Some((old_key, old)) = self.entries.push(key.into(), Slot { value, expires }) {
            self.bytes -= weight(&old_key, &old.value);
        }
        while self.bytes > capacity {
            let Some((key, slot)) = self.entries.pop_lru() else { break };
            self.bytes -= weight(&key, &slot.value);
        }
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
}

fn weight(key: &str, value: &[u8]) -> usize {
    key.len() + value.len() + OVERHEAD
}
