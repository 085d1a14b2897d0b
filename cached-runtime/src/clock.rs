//! Time as a parameter: the embedded store's clock, which tests can move by hand, and the coarse
//! clock of the local tier. It owns the `coarsetime` crate.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use coarsetime::Instant as Coarse;

/// The clock by which the embedded in-memory store expires its entries.
///
/// The default runs by itself. One made with [`Clock::manual`] stands still until it is
/// [advanced](Clock::advance), so that a test of expiry need not sleep. Redis keeps its own time:
/// a manual clock has no effect there.
///
/// ```
/// use cached_runtime::{Cache, Clock};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), cached_runtime::Error> {
/// let clock = Clock::manual();
/// let cache = Cache::builder().url("memory:").clock(clock.clone()).build().await?;
/// cache.set("greeting", &"hello".to_owned(), Duration::from_secs(60)).await?;
/// clock.advance(Duration::from_secs(61));
/// assert_eq!(cache.get::<String>("greeting").await?, None);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Clock {
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    System(Instant),
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// The clock that runs by itself (monotonic).
    #[must_use]
    pub fn system() -> Self {
        Self { kind: Kind::System(Instant::now()) }
    }

    /// A clock that stands still until it is advanced. Clones share their time.
    #[must_use]
    pub fn manual() -> Self {
        Self { kind: Kind::Manual(Arc::new(AtomicU64::new(0))) }
    }

    /// Moves a manual clock forward; without effect on one that runs by itself.
    pub fn advance(&self, by: Duration) {
        if let Kind::Manual(nanos) = &self.kind {
            nanos.fetch_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX), Ordering::SeqCst);
        }
    }

    /// The moment, to within a [grain](Self::grain): read from the kernel's coarse clock, which costs
    /// a fifth of what a precise one does.
    #[inline]
    pub(crate) fn now(&self) -> Moment {
        match &self.kind {
            Kind::System(_) => Moment(Coarse::now_without_cache_update().as_ticks()),
            Kind::Manual(nanos) => {
                Moment::default().after(Duration::from_nanos(nanos.load(Ordering::SeqCst)))
            }
        }
    }

    /// How late [`now`](Self::now) may be: the kernel's tick, 1 to 10 ms on Linux, 16 on Windows.
    pub(crate) fn grain(&self) -> Duration {
        match &self.kind {
            Kind::System(_) => Duration::from_millis(20),
            Kind::Manual(_) => Duration::ZERO,
        }
    }

    /// Time since the clock was made.
    pub(crate) fn elapsed(&self) -> Duration {
        match &self.kind {
            Kind::System(start) => start.elapsed(),
            Kind::Manual(nanos) => Duration::from_nanos(nanos.load(Ordering::SeqCst)),
        }
    }
}

/// A moment of a [`Clock`], which only that clock's others can be compared with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

impl Moment {
    /// Before all others.
    pub(crate) const NEVER: Self = Self(0);
    /// After all others.
    pub(crate) const FOREVER: Self = Self(u64::MAX);

    pub(crate) fn after(self, span: Duration) -> Self {
        let span = coarsetime::Duration::new(span.as_secs(), span.subsec_nanos());
        Self(self.0.saturating_add(span.as_ticks()))
    }

    /// Zero where that is later.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        coarsetime::Duration::from_ticks(self.0.saturating_sub(earlier.0)).into()
    }

    /// For a place that threads share.
    pub(crate) const fn to_bits(self) -> u64 {
        self.0
    }

    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.kind {
            Kind::System(_) => "Clock::system",
            Kind::Manual(_) => "Clock::manual",
        };
        f.debug_struct(name).field("elapsed", &self.elapsed()).finish()
    }
}
