//! What the verb `fetch` tells of a call: its value, and where that came from.

use std::time::Duration;

/// What a cached function returned, and how it came about; the verb `fetch` gives it.
///
/// ```
/// use cached_runtime::{Cache, Source, cache_result};
///
/// #[cache_result(ttl = 60)]
/// async fn square(n: u64) -> u64 {
///     n * n // something slow
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let fetched = square::fetch(7).await;
/// assert_eq!(fetched.value, 49);
/// assert_eq!(fetched.source, Source::Loaded);
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fetched<R> {
    /// What the function returned: an `Err` is one here, too.
    pub value: R,
    /// Where it came from.
    pub source: Source,
    /// How long ago the value was stored; `None` where it was not, or where that is not known.
    pub age: Option<Duration>,
}

impl<R> Fetched<R> {
    pub(crate) fn new(value: R, source: Source, age: Option<Duration>) -> Self {
        Self { value, source, age }
    }
}

/// Where the value of a call came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// This call ran the body.
    Loaded,
    /// Another call's body was under way, and this call shared its outcome.
    Shared,
    /// This process's own memory (`local`), within the ttl.
    Local,
    /// The store, within the ttl.
    Store,
    /// The store, past the ttl: served by `stale_while_revalidate` or `stale_if_error`.
    Stale,
    /// The store was not asked or not usable, and the body ran.
    Bypass,
}
