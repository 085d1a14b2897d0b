//! The in-process caches, each set up for the same job: a bound in bytes, the same hasher, and
//! lookups by a borrowed key.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use equivalent::Equivalent;
use foldhash::fast::RandomState;

/// What each cache may hold, in bytes.
pub(crate) const CAPACITY: u64 = 64 << 20;
/// About how many entries that is, which some ask for.
const ENTRIES: usize = 8_000;

/// A function and its arguments.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) function: u32,
    pub(crate) text: Box<str>,
}

/// The same, borrowed from the arguments of a call.
pub(crate) struct Lookup<'a> {
    pub(crate) function: u32,
    pub(crate) text: &'a str,
}

impl Key {
    pub(crate) fn borrowed(&self) -> Lookup<'_> {
        Lookup { function: self.function, text: &self.text }
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.borrowed().hash(state);
    }
}

impl Hash for Lookup<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.function.hash(state);
        self.text.hash(state);
    }
}

impl Equivalent<Key> for Lookup<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.function == key.function && *self.text == *key.text
    }
}

/// Bytes of all values that live now, whoever holds them, and the most there were.
static LIVE: AtomicU64 = AtomicU64::new(0);
static MOST: AtomicU64 = AtomicU64::new(0);

pub(crate) struct Value(Box<[u8]>);

impl Value {
    pub(crate) fn new(size: usize) -> Arc<Self> {
        let live = LIVE.fetch_add(size as u64, Relaxed) + size as u64;
        MOST.fetch_max(live, Relaxed);
        Arc::new(Self(vec![1; size].into()))
    }

    pub(crate) fn most_bytes_alive() -> u64 {
        MOST.load(Relaxed)
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        LIVE.fetch_sub(self.0.len() as u64, Relaxed);
    }
}

fn weight(key: &Key, value: &Arc<Value>) -> usize {
    key.text.len() + value.0.len()
}

pub(crate) trait Engine: Sync {
    fn new() -> Self;
    fn find(&self, key: &Lookup<'_>) -> Option<Arc<Value>>;
    fn put(&self, key: Key, value: Arc<Value>);
    /// Waits until what was put off is done.
    fn settle(&self) {}
    /// What it says that it holds, in bytes.
    fn weight(&self) -> u64;
}

#[derive(Clone)]
pub(crate) struct Weigher;

impl quick_cache::Weighter<Key, Arc<Value>> for Weigher {
    fn weight(&self, key: &Key, value: &Arc<Value>) -> u64 {
        weight(key, value) as u64
    }
}

pub(crate) type Quick = quick_cache::sync::Cache<Key, Arc<Value>, Weigher, RandomState>;

impl Engine for Quick {
    fn new() -> Self {
        Quick::with(ENTRIES, CAPACITY, Weigher, RandomState::default(), Default::default())
    }

    fn find(&self, key: &Lookup<'_>) -> Option<Arc<Value>> {
        self.get(key)
    }

    fn put(&self, key: Key, value: Arc<Value>) {
        self.insert(key, value);
    }

    fn weight(&self) -> u64 {
        self.weight()
    }
}

pub(crate) type Moka = moka::sync::Cache<Key, Arc<Value>, RandomState>;

impl Engine for Moka {
    fn new() -> Self {
        moka::sync::Cache::builder()
            .max_capacity(CAPACITY)
            .weigher(|key, value| u32::try_from(weight(key, value)).unwrap())
            .build_with_hasher(RandomState::default())
    }

    fn find(&self, key: &Lookup<'_>) -> Option<Arc<Value>> {
        self.get(key)
    }

    fn put(&self, key: Key, value: Arc<Value>) {
        self.insert(key, value);
    }

    fn settle(&self) {
        self.run_pending_tasks();
    }

    fn weight(&self) -> u64 {
        self.weighted_size()
    }
}

type FoyerCache = foyer_memory::Cache<Key, Arc<Value>, RandomState>;

fn foyer(eviction: impl Into<foyer_memory::EvictionConfig>) -> FoyerCache {
    foyer_memory::CacheBuilder::new(usize::try_from(CAPACITY).unwrap())
        .with_eviction_config(eviction)
        .with_hash_builder(RandomState::default())
        .with_weighter(weight)
        .build()
}

/// foyer with its default eviction, LRU.
pub(crate) struct FoyerLru(FoyerCache);
/// foyer with S3-FIFO, whose lookups take a lock for reading only.
pub(crate) struct FoyerS3(FoyerCache);

impl Engine for FoyerLru {
    fn new() -> Self {
        Self(foyer(foyer_memory::LruConfig::default()))
    }

    fn find(&self, key: &Lookup<'_>) -> Option<Arc<Value>> {
        self.0.get(key).map(|entry| entry.value().clone())
    }

    fn put(&self, key: Key, value: Arc<Value>) {
        self.0.insert(key, value);
    }

    fn weight(&self) -> u64 {
        self.0.usage() as u64
    }
}

impl Engine for FoyerS3 {
    fn new() -> Self {
        Self(foyer(foyer_memory::S3FifoConfig::default()))
    }

    fn find(&self, key: &Lookup<'_>) -> Option<Arc<Value>> {
        self.0.get(key).map(|entry| entry.value().clone())
    }

    fn put(&self, key: Key, value: Arc<Value>) {
        self.0.insert(key, value);
    }

    fn weight(&self) -> u64 {
        self.0.usage() as u64
    }
}
