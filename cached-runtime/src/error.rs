//! The one error type of the public API.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

/// What went wrong, for code that reacts to it; the sentence for people is the [`Error`]'s `Display`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A URL, a namespace or another option that cannot be used. Only building a cache returns it.
    Config,
    /// The store could not be reached, or its connection broke before it answered.
    Unavailable,
    /// The store did not answer within the operation's deadline. An invalidation may or may not
    /// have been carried out.
    Timeout,
    /// The store answered, and refused (out of memory, read-only, loading, no permission …).
    Refused,
    /// An argument could not be made into a key, or a key or pattern is not usable.
    Key,
    /// A value that the codec cannot carry, or that is too large.
    Encode,
    /// [`Cache::install`](crate::Cache::install) was called twice.
    AlreadyInstalled,
}

/// An error of the cache. Calls of cached functions never return one: whatever happens to the
/// store, they answer with the body's value. What returns it are the verbs that promise
/// something: invalidating, putting, peeking, building a cache.
///
/// Its text holds no secret (passwords in URLs are left out) and no cached value.
pub struct Error {
    inner: Box<Inner>,
}

struct Inner {
    kind: ErrorKind,
    message: String,
    queued: bool,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { inner: Box::new(Inner { kind, message: message.into(), queued: false }) }
    }

    pub(crate) fn config(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Config, message)
    }

    pub(crate) fn with_queued(mut self, queued: bool) -> Self {
        self.inner.queued = queued;
        self
    }

    /// Whether this is an invalidation that failed and is queued: it will be carried out as soon
    /// as the store can be told. Until then this process does not use what is cached, but other
    /// processes may still serve it.
    #[must_use]
    pub fn queued(&self) -> bool {
        self.inner.queued
    }

    /// The kind, to match on.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.inner.kind)
            .field("message", &self.inner.message)
            .field("queued", &self.inner.queued)
            .finish()
    }
}

impl StdError for Error {}

/// The last character boundary of `text` at or before `at`: where a foreign text is cut.
pub(crate) fn floor_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// A user's text as a message has it: its beginning, where it is long.
pub(crate) fn shortened(text: &str) -> Cow<'_, str> {
    const LONGEST: usize = 120;
    if text.len() <= LONGEST {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("{}…", &text[..floor_boundary(text, LONGEST)]))
}
