//! Which cache a call uses: the one in scope, else the one installed, else the environment's.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};

use super::Cache;
use super::builder::from_environment;
use crate::config::Config;
use crate::error::{Error, ErrorKind};
use crate::fault::Fault;
use crate::store::{Failure, Store};

static INSTALLED: OnceLock<Cache> = OnceLock::new();

thread_local! {
    /// Whether there is a scope: most calls ask no more.
    static SCOPED: Cell<bool> = const { Cell::new(false) };
    static SCOPE: RefCell<Option<Cache>> = const { RefCell::new(None) };
}

impl Cache {
    /// Makes this the cache of all functions that name no other. Once per program, before the
    /// first call of a cached function.
    ///
    /// ```standalone_crate
    /// use cached_runtime::{Cache, ErrorKind, global};
    ///
    /// # fn main() -> Result<(), cached_runtime::Error> {
    /// Cache::memory().install()?;
    /// assert_eq!(global().namespace(), "cache");
    /// let again = Cache::memory().install();
    /// assert_eq!(again.map_err(|error| error.kind()), Err(ErrorKind::AlreadyInstalled));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyInstalled`] where one is installed already, or a cached function was
    /// called before and took the environment's.
    pub fn install(&self) -> Result<(), Error> {
        INSTALLED.set(self.clone()).map_err(|_| {
            Error::new(
                ErrorKind::AlreadyInstalled,
                "a cache is installed already (a cached function that is called before \
                 `install` installs the environment's); install yours first, or use \
                 `cached_runtime::scope` for another one in a task",
            )
        })
    }
}

/// The installed cache; where there is none, one made now from the environment and installed.
///
/// `CACHE_URL`, else `REDIS_URL` says where (as [`CacheBuilder::url`](crate::CacheBuilder::url)
/// takes it), `CACHE_NAMESPACE` the namespace. Without either URL it is the embedded in-memory
/// store. Which one it became is said once in the log. A URL that is not usable is an error in
/// the log, and a cache that caches nothing: each call is a bypass.
#[must_use]
pub fn global() -> Cache {
    installed().clone()
}

#[inline]
fn installed() -> &'static Cache {
    INSTALLED.get_or_init(from_environment)
}

/// The cache of a call, without touching a reference count where it is the installed one.
#[doc(hidden)]
pub enum Current {
    /// The installed one.
    Installed(&'static Cache),
    /// Another.
    Own(Cache),
}

impl Current {
    /// The same once more.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::Installed(cache) => Self::Installed(cache),
            Self::Own(cache) => Self::Own(cache.clone()),
        }
    }

    /// A cache that caches nothing, where only a key is wanted.
    pub(crate) fn nowhere() -> Self {
        static NOWHERE: OnceLock<Cache> = OnceLock::new();
        Self::Installed(NOWHERE.get_or_init(|| {
            Cache::of(Store::Off(Failure::new(Fault::Off, "no cache")), Config::default())
        }))
    }
}

impl Deref for Current {
    type Target = Cache;

    #[inline]
    fn deref(&self) -> &Cache {
        match self {
            Self::Installed(cache) => cache,
            Self::Own(cache) => cache,
        }
    }
}

/// The cache of the scope that this runs in, if it is one.
#[inline]
pub(super) fn scoped() -> Option<Cache> {
    if SCOPED.get() { of_scope() } else { None }
}

fn of_scope() -> Option<Cache> {
    match SCOPE.try_with(|scope| scope.borrow().clone()) {
        Ok(cache) => cache,
        // A thread that ends has no scope any more, and none in its place is right.
        Err(_) => Some(Current::nowhere().clone()),
    }
}

#[inline]
pub(crate) fn current() -> Current {
    match scoped() {
        Some(cache) => Current::Own(cache),
        None => Current::Installed(installed()),
    }
}

/// Runs a future with `cache` in place of the installed one, for the cached functions, async
/// and sync, that it calls. Made for tests: each has a cache of its own, also in parallel.
///
/// Tasks that the future spawns are on their own: give them the scope again.
///
/// ```
/// use cached_runtime::{Cache, cache_result, scope};
///
/// #[cache_result(ttl = "5m")]
/// async fn double(n: u32) -> u32 {
///     2 * n
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let cache = Cache::memory();
/// scope(cache.clone(), async {
///     assert_eq!(double(21).await, 42);
///     assert_eq!(double(21).await, 42);
/// })
/// .await;
/// assert_eq!((cache.stats().total.misses, cache.stats().total.hits()), (1, 1));
/// # }
/// ```
pub fn scope<F: Future>(cache: Cache, future: F) -> Scoped<F> {
    Scoped { cache, future: Box::pin(future) }
}

/// Runs a closure with `cache` in place of the installed one, for the cached functions that it
/// calls on this thread.
pub fn scope_sync<T>(cache: Cache, run: impl FnOnce() -> T) -> T {
    let _entered = Entered::new(cache);
    run()
}

/// The future of [`scope`].
#[must_use = "a scope does nothing unless it is awaited"]
pub struct Scoped<F> {
    cache: Cache,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let _entered = Entered::new(self.cache.clone());
        self.future.as_mut().poll(context)
    }
}

/// Puts back the outer scope, also when the inner one panics.
struct Entered {
    outer: Option<Cache>,
}

impl Entered {
    fn new(cache: Cache) -> Self {
        SCOPED.set(true);
        Self { outer: SCOPE.try_with(|scope| scope.replace(Some(cache))).ok().flatten() }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        SCOPED.set(self.outer.is_some());
        let _ = SCOPE.try_with(|scope| scope.replace(self.outer.take()));
    }
}
