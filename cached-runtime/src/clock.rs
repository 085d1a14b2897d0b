//! Time as a parameter: the embedded store's clock, which tests can move by hand.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

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

    /// Time since the clock was made.
    pub(crate) fn elapsed(&self) -> Duration {
        match &self.kind {
            Kind::System(start) => start.elapsed(),
            Kind::Manual(nanos) => Duration::from_nanos(nanos.load(Ordering::SeqCst)),
        }
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
