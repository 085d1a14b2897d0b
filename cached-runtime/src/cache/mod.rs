//! The cache: what a program holds, and what its functions' calls go through.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use crate::config::Config;
use crate::error::Error;
use crate::function::Function;
use crate::io::{self, Forked};
use crate::key::{tag_name, user_key};
use crate::local::Local;
use crate::stats::{CacheStats, Counters};
use crate::store::{MemoryStore, Store};

mod aside;
mod background;
mod batch;
mod builder;
mod call;
mod capture;
mod global;
mod health;
mod invalidate;
mod loading;
mod queue;
mod spelling;
mod tier;
mod waiting;
mod watchdog;
mod write;

pub(crate) use batch::Glance;
pub use builder::CacheBuilder;
pub(crate) use call::{Call, Entered, Next, Renewal, Resolved, Shared, Unserved, Wants};
pub use global::Current;
pub(crate) use global::current;
pub use global::{Scoped, global, scope, scope_sync};
pub use health::{Health, HealthState, LocalHealth};
pub(crate) use invalidate::not_invalidated;
pub(crate) use loading::{Fill, Loading};
pub(crate) use write::Unwritten;

use self::background::Background;
use self::call::InFlight;
use self::queue::Queue;

/// A cache: a store, its settings, and the statistics of the functions that use it.
///
/// Cheap to clone; clones are the same cache. One cache serves any number of threads and tokio
/// runtimes. Most programs [install](Cache::install) one and never mention it again.
///
/// ```
/// use cached_runtime::{Cache, cache_result};
///
/// #[cache_result(ttl = 60)]
/// async fn shout(word: &str) -> String {
///     word.to_uppercase()
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), cached_runtime::Error> {
/// Cache::memory().install()?; // or Cache::connect("redis://localhost").await?.install()?
/// assert_eq!(shout("hello").await, "HELLO"); // runs the body
/// assert_eq!(shout("hello").await, "HELLO"); // comes from the cache
/// assert_eq!(shout::stats().hits(), 1);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Cache {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) config: Config,
    /// By [`Function::index`], which is dense; read without a lock.
    counters: ArcSwap<Vec<Option<Row>>>,
    background: Background,
    in_flight: Arc<InFlight>,
    /// Invalidations that failed.
    queue: Arc<Queue>,
    /// For its health alone.
    bypassed_calls: health::BypassedCalls,
    /// Made by the first function that wants one; `None` where none is to be had.
    local: OnceLock<Option<Arc<Local>>>,
    built: Instant,
}

impl Forked for Inner {
    fn in_child(self: Arc<Self>) {
        self.store.in_child();
        self.background.in_child();
        self.queue_in_child();
        self.local_in_child();
    }
}

#[derive(Clone)]
struct Row {
    function: &'static Function,
    counters: Arc<Counters>,
}

impl Cache {
    /// A cache with settings of its own.
    pub fn builder() -> CacheBuilder {
        CacheBuilder::default()
    }

    /// A cache on the Redis or Valkey at `url`, with the defaults of [`CacheBuilder`].
    ///
    /// `Ok` also where the server cannot be reached: the cache then connects by itself as soon
    /// as it can, and until then each call runs its body.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for a URL or a `CACHE_NAMESPACE` that is
    /// not usable.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        Self::builder().url(url).build().await
    }

    /// A cache in this process's memory, empty, with the default settings.
    ///
    /// It speaks the same protocol as Redis, and so has the same semantics; it is what a program
    /// without a Redis runs on, and what tests use.
    #[must_use]
    pub fn memory() -> Self {
        Self::on_memory(Config::default())
    }

    fn on_memory(mut config: Config) -> Self {
        // What the store could never hold is refused, and counted, before it gets there.
        let largest = MemoryStore::largest_value(config.memory_capacity);
        config.max_value_bytes = config.max_value_bytes.min(largest);
        let store = MemoryStore::new(config.memory_capacity, config.clock.clone());
        Self::of(Store::Memory(store), config)
    }

    fn on_redis(url: &str, config: Config) -> Result<Self, Error> {
        Ok(Self::of(Store::open(url, &config)?, config))
    }

    fn of(store: Store, config: Config) -> Self {
        let queue = Arc::<Queue>::default();
        if let Store::Redis(redis) = &store {
            redis.before_closing(queue.clone());
        }
        let cache = Self {
            inner: Arc::new(Inner {
                store,
                config,
                counters: ArcSwap::default(),
                background: Background::default(),
                in_flight: Arc::default(),
                queue,
                bypassed_calls: health::BypassedCalls::default(),
                local: OnceLock::new(),
                built: Instant::now(),
            }),
        };
        let inner: Weak<dyn Forked> = Arc::<Inner>::downgrade(&cache.inner);
        io::tell(inner);
        cache
    }

    /// Removes the entry under `key`, which is relative to the namespace:
    /// `shop.users.get_user:42`. How many there were: 0 or 1. It takes what a function's `key(…)`
    /// displays, and keys by hand as they are.
    ///
    /// After `Ok` no process serves a value whose load began before this call: a fill that is
    /// under way is revoked, not only a stored value removed.
    ///
    /// # Errors
    /// Where the store could not be told. The removal is then [queued](Error::queued): it is
    /// carried out as soon as it can be, and until then this process does not use the entry, while
    /// others may still serve it. [`ErrorKind::Key`](crate::ErrorKind::Key) where there was none,
    /// and the text can be the key of none: it is not spelled as the keys of functions are, or
    /// begins with the namespace. The error says how to write it.
    pub async fn invalidate_key(&self, key: impl AsRef<str>) -> Result<u64, Error> {
        let key = key.as_ref();
        checked_key(key)?;
        let deleted = self.removal(vec![key.to_owned()], Vec::new()).wait().await;
        match deleted.map_err(|failure| not_invalidated(key, failure))? {
            0 => spelling::checked(key, self.namespace()).map(|()| 0),
            removed => Ok(removed),
        }
    }

    /// Removes all entries whose keys, relative to the namespace, match a glob as in Redis:
    /// `*get_user*:42`. How many there were.
    ///
    /// `*` any text, `?` one byte, `[ab]` `[^a]` `[a-z]` classes, `\` escapes. Walks the whole
    /// keyspace (SCAN, never KEYS), so it is for a person's hand and for rare events. It sees what
    /// stands in the key: an argument that was too long and became a digest cannot be matched.
    ///
    /// # Errors
    /// Where the store could not be told; some entries may be removed already. The removal is
    /// [queued](Error::queued), as with [`invalidate_key`](Self::invalidate_key).
    pub async fn invalidate_pattern(&self, pattern: impl AsRef<str>) -> Result<u64, Error> {
        let pattern = pattern.as_ref();
        let swept = self.sweeping(pattern).wait().await;
        swept.map_err(|failure| not_invalidated(pattern, failure))
    }

    /// Removes all entries that carry `tag`: those of functions with `tags = […]` in their
    /// attribute. One command, in a cluster 16, however many entries there are.
    ///
    /// After `Ok` no process serves a value that carries the tag and whose load began before this
    /// call.
    ///
    /// A tag is text, and compared as a whole: what `tags = ["team:{name}"]` makes is what
    /// `format!("team:{name}")` makes, whatever is in the name.
    ///
    /// # Errors
    /// Where the store could not be told. The entries may then still be served.
    pub async fn invalidate_tag(&self, tag: impl AsRef<str>) -> Result<(), Error> {
        self.invalidate_tags([tag]).await
    }

    /// As [`invalidate_tag`](Self::invalidate_tag), for several tags in one command, in a cluster
    /// in 16 for each.
    ///
    /// # Errors
    /// As there.
    pub async fn invalidate_tags<T: AsRef<str>>(
        &self,
        tags: impl IntoIterator<Item = T>,
    ) -> Result<(), Error> {
        let tags: Vec<String> = tags.into_iter().map(|tag| tag.as_ref().to_owned()).collect();
        let named = tags.join(", ");
        let names = tags.into_iter().map(tag_name).collect();
        let removed = self.removal(Vec::new(), names).wait().await;
        removed.map(|_| ()).map_err(|failure| not_invalidated(&named, failure))
    }

    /// Removes all entries of this cache's namespace. How many there were.
    ///
    /// # Errors
    /// As [`invalidate_pattern`](Self::invalidate_pattern).
    pub async fn clear(&self) -> Result<u64, Error> {
        self.invalidate_pattern("*").await
    }

    /// The statistics of this cache in this process: each function that was used with it, and
    /// the total. Displays as a table.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        let rows = self.inner.counters.load();
        let mut by_name = BTreeMap::new();
        for row in rows.iter().flatten() {
            let stats = row.counters.snapshot(&row.function.segment);
            by_name
                .entry(row.function.segment.as_str())
                .and_modify(|known: &mut crate::FunctionStats| known.add(&stats))
                .or_insert(stats);
        }
        CacheStats::of(by_name.into_values().collect(), self.local_stats())
    }

    /// Waits until the work in the background is done: loads, for as long as their bodies take (put a
    /// timeout around this where that may be long), leases being given up, and, for as long as
    /// [`invalidate_deadline`](CacheBuilder::invalidate_deadline), queued invalidations being
    /// carried out. What is left of these is said in the log. The cache stays usable; call it
    /// last, before the program ends.
    pub async fn shutdown(&self) {
        self.inner.background.idle().await;
        self.settle_queue().await;
    }

    /// Carries an invalidation out, and then waits until every process that is alive is clean of
    /// what it was about: for as long as the [coherence bound](CacheBuilder::coherence_bound). What
    /// is kept by functions with `local` elsewhere may be served that much longer; after this it is
    /// not. On the embedded store there is nothing to wait for.
    ///
    /// ```
    /// # use cached_runtime::{Cache, cache_result};
    /// #[cache_result(ttl = "1h")]
    /// async fn may_enter(user: u64) -> bool {
    ///     true // ask the database
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), cached_runtime::Error> {
    /// # let cache = Cache::memory();
    /// cache.invalidate_global(may_enter::invalidate(42)).await?;
    /// cache.invalidate_global(cache.invalidate_tag("permissions")).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Those of the invalidation; then nothing is waited for.
    pub async fn invalidate_global<T, E>(
        &self,
        invalidation: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let outcome = invalidation.await?;
        if self.inner.store.is_shared() {
            crate::io::sleep(self.inner.config.coherence_bound).await;
        }
        Ok(outcome)
    }

    /// The namespace in front of this cache's keys.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.inner.config.namespace
    }

    /// Whether both are clones of one cache.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    pub(crate) fn store(&self) -> &Store {
        &self.inner.store
    }

    pub(crate) fn config(&self) -> &Config {
        &self.inner.config
    }

    pub(crate) fn in_flight(&self) -> &Arc<InFlight> {
        &self.inner.in_flight
    }

    pub(crate) fn background(&self) -> &Background {
        &self.inner.background
    }

    /// Lets `use_them` use the counters of a function.
    pub(crate) fn counters<T>(
        &self,
        function: &'static Function,
        use_them: impl FnOnce(&Counters) -> T,
    ) -> T {
        let rows = self.inner.counters.load();
        match rows.get(function.index) {
            Some(Some(row)) => use_them(&row.counters),
            _ => use_them(&self.add_counters(function)),
        }
    }

    /// The counters of a function, to keep.
    pub(crate) fn counters_of(&self, function: &'static Function) -> Arc<Counters> {
        let rows = self.inner.counters.load();
        match rows.get(function.index) {
            Some(Some(row)) => Arc::clone(&row.counters),
            _ => self.add_counters(function),
        }
    }

    #[cold]
    fn add_counters(&self, function: &'static Function) -> Arc<Counters> {
        let fresh = Arc::new(Counters::default());
        self.inner.counters.rcu(|rows| {
            let mut rows = rows.as_ref().clone();
            if rows.len() <= function.index {
                rows.resize(function.index + 1, None);
            }
            rows[function.index]
                .get_or_insert_with(|| Row { function, counters: Arc::clone(&fresh) });
            rows
        });
        let rows = self.inner.counters.load();
        match rows.get(function.index) {
            Some(Some(row)) => Arc::clone(&row.counters),
            _ => fresh,
        }
    }
}

impl AsRef<Self> for Cache {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let store = match &self.inner.store {
            Store::Redis(redis) => redis.server().to_owned(),
            Store::Cluster(cluster) => cluster.server().to_owned(),
            Store::Memory(_) => "memory".to_owned(),
            Store::Off(failure) => format!("off: {}", failure.message),
        };
        f.debug_struct("Cache")
            .field("store", &store)
            .field("namespace", &self.inner.config.namespace)
            .finish()
    }
}

/// A tenth of a lease's life is spared for the way: it is renewed well before its end.
pub(crate) fn renewal_interval(lease: Duration) -> Duration {
    lease.mul_f64(0.3)
}

/// The text of a key by hand must not be empty: it would be the namespace's own name.
pub(crate) fn checked_key(text: &str) -> Result<crate::Key, Error> {
    if text.is_empty() {
        return Err(Error::new(crate::ErrorKind::Key, "the key is empty"));
    }
    Ok(user_key(text))
}
