//! A call with its key, ready to be looked up, loaded and stored: generic over the return type,
//! and over nothing else.

use std::time::Duration;

use crate::cache::{Cache, Committing, Current, Fill, Judged, Unwritten, not_invalidated};
use crate::coder::Coder;
use crate::entry::Content;
use crate::error::Error;
use crate::fault::Fault;
use crate::function::Function;
use crate::io::Task;
use crate::key::{Key, KeyError};
use crate::shape::{Opened, ShapeOf};
use crate::stats::{Answer, FunctionStats};
use crate::store::{Failure, Looked};
use crate::token;

/// What a call found.
pub(crate) enum Found<R> {
    /// A stored value.
    Hit(R),
    /// Nothing usable: run the body, then do with its value what the fill says.
    Load(Fill),
}

/// How a value is to be kept.
#[derive(Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) ttl: Duration,
    pub(crate) jitter: f64,
    pub(crate) compress: Option<usize>,
}

/// Why the body is about to run: decides what is counted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A call that was not served.
    Call,
    /// `refresh`, which is no call.
    Refresh,
}

pub(crate) struct Loader<R: ShapeOf<N>, const N: u8> {
    pub(crate) cache: Current,
    pub(crate) function: &'static Function,
    pub(crate) key: Result<Key, KeyError>,
    pub(crate) coder: Coder<R::Data>,
}

/// How cached errors come back, where the function has `err_ttl`.
pub(crate) struct Errors<'a, E> {
    pub(crate) fingerprint: u64,
    pub(crate) coder: &'a Coder<E>,
}

impl<R: ShapeOf<N>, const N: u8> Loader<R, N> {
    /// Looks the key up; where nothing is there, the lease is now held.
    pub(crate) async fn begin(&self, errors: Option<Errors<'_, R::Error>>) -> Found<R> {
        let Some(key) = self.usable_key() else { return Found::Load(Fill::Bypass) };
        let token = token::fresh();
        let looked = self.cache.store().lookup(key.as_str(), &token).await;
        // A found value must not live across an await: its error may not be `Send`.
        let token = match self.judge(key, token, looked, errors) {
            Judged::Hit(found) => return Found::Hit(found),
            Judged::Load(fill) => return Found::Load(fill),
            Judged::Claim(token) => token,
        };
        let claimed = self.cache.store().claim(key.as_str(), &token).wait().await;
        Found::Load(self.claimed(key, &token, claimed))
    }

    /// As [`begin`](Self::begin), blocking this thread.
    pub(crate) fn begin_blocking(&self, errors: Option<Errors<'_, R::Error>>) -> Found<R> {
        let Some(key) = self.usable_key() else { return Found::Load(Fill::Bypass) };
        let token = token::fresh();
        let looked = self.cache.store().lookup_task(key.as_str(), &token).block();
        match self.judge(key, token, looked, errors) {
            Judged::Hit(found) => Found::Hit(found),
            Judged::Load(fill) => Found::Load(fill),
            Judged::Claim(token) => {
                let claimed = self.cache.store().claim(key.as_str(), &token).block();
                Found::Load(self.claimed(key, &token, claimed))
            }
        }
    }

    fn judge(
        &self,
        key: &Key,
        token: token::Token,
        looked: Result<Looked, Failure>,
        errors: Option<Errors<'_, R::Error>>,
    ) -> Judged<R> {
        self.cache.counters(self.function, |counters| {
            let judged = self
                .cache
                .judge(counters, key, token, looked, |bytes| self.read(key, bytes, errors));
            if matches!(judged, Judged::Hit(_)) {
                counters.answered(Answer::Hit);
            }
            judged
        })
    }

    /// The right to store what a `refresh` loads: over exactly what stands there now, whatever
    /// it is, another call's lease included.
    pub(crate) fn refreshing(&self, looked: Result<Looked, Failure>, token: token::Token) -> Fill {
        let Ok(key) = &self.key else { return Fill::Bypass };
        match looked {
            Ok(Looked::Leased) => self.cache.leased(key, &token),
            Ok(Looked::Present(bytes)) => Cache::over(&bytes),
            Ok(Looked::Unleased(_) | Looked::WrongType) => Fill::Unfenced,
            Err(failure) => {
                self.cache.counters(self.function, |counters| counters.fault(failure.fault));
                Fill::Bypass
            }
        }
    }

    /// A lookup for `refresh`, to be waited for or blocked on; none where there is no usable key.
    pub(crate) fn observe(&self) -> Option<(token::Token, Task<Looked>)> {
        let token = token::fresh();
        let key = self.usable_key()?;
        Some((token, self.cache.store().lookup_task(key.as_str(), &token)))
    }

    fn claimed(&self, key: &Key, token: &token::Token, claimed: Result<bool, Failure>) -> Fill {
        match claimed {
            Ok(true) => self.cache.leased(key, token),
            Ok(false) => Fill::Unfenced,
            Err(failure) => {
                self.cache.counters(self.function, |counters| counters.fault(failure.fault));
                Fill::Unfenced
            }
        }
    }

    /// The key, where calls can be cached by it; else the reason is counted, and said once.
    fn usable_key(&self) -> Option<&Key> {
        let fault = match &self.key {
            Ok(key) if !self.function.name_taken => return Some(key),
            Ok(_) => Fault::NameTaken,
            Err(_) => Fault::Key,
        };
        let first = self.cache.counters(self.function, |counters| counters.fault(fault));
        if first && let Err(error) = &self.key {
            tracing::warn!(
                function = self.function.segment,
                reason = %error,
                "an argument cannot be serialised into a key; such calls are not cached"
            );
        }
        None
    }

    fn read(
        &self,
        key: &Key,
        bytes: &[u8],
        errors: Option<Errors<'_, R::Error>>,
    ) -> Result<R, Fault> {
        let owner = Cache::owner(self.function, key, self.coder.id);
        let failure = errors.as_ref().map(|errors| errors.fingerprint);
        let (content, payload) = self.cache.read_entry(bytes, &owner, failure)?;
        let opened = match content {
            Content::Value => {
                let data = (self.coder.decode)(&payload).map_err(|_| Fault::Undecodable)?;
                Opened::Value(R::wrap(data))
            }
            Content::None => Opened::Absent(R::absence().ok_or(Fault::OtherShape)?),
            Content::Failure => {
                let errors = errors.ok_or(Fault::OtherShape)?;
                let error = (errors.coder.decode)(&payload).map_err(|_| Fault::Undecodable)?;
                Opened::Failed(error)
            }
        };
        Ok(R::close(opened))
    }

    /// Counts a body that has run.
    pub(crate) fn loaded(&self, purpose: Purpose, fill: &Fill, took: Duration, failed: bool) {
        self.cache.counters(self.function, |counters| {
            counters.loaded(took, failed);
            if purpose == Purpose::Call {
                counters.answered(match fill {
                    Fill::Bypass => Answer::Bypass,
                    Fill::Fenced { .. } | Fill::Unfenced => Answer::Miss,
                });
            }
        });
    }

    /// Prepares the commit of a body's outcome; `None` where nothing is to be stored.
    pub(crate) fn commit<D>(
        &self,
        fill: Fill,
        coder: &Coder<D>,
        (content, fingerprint): (Content, u64),
        value: Option<&D>,
        terms: Terms,
        load_time: Duration,
    ) -> Option<Committing> {
        let Fill::Fenced { .. } = &fill else { return None };
        let key = self.key.as_ref().ok()?;
        let Terms { ttl, jitter, compress } = terms;
        let unwritten = Unwritten { content, fingerprint, ttl, jitter, compress, load_time, key };
        match self.cache.write(self.function, &unwritten, coder, value) {
            Ok(write) => self.cache.commit(key, fill, write?),
            Err(failure) => {
                self.cache.not_written(self.function, &failure);
                None
            }
        }
    }

    /// Waits for a commit. A `refresh` whose value was refused, because another call stored an
    /// older one meanwhile or the entry was invalidated, leaves nothing behind that is older.
    pub(crate) async fn settle(&self, purpose: Purpose, committing: Option<Committing>) {
        let Some(Committing { task, lease }) = committing else { return };
        let stored = self.cache.committed(self.function, task.wait().await, lease);
        if let (Purpose::Refresh, false, Ok(key)) = (purpose, stored, &self.key) {
            self.forgotten(self.forget(key).wait().await);
        }
    }

    /// As [`settle`](Self::settle), blocking this thread.
    pub(crate) fn settle_blocking(&self, purpose: Purpose, committing: Option<Committing>) {
        let Some(Committing { task, lease }) = committing else { return };
        let stored = self.cache.committed(self.function, task.block(), lease);
        if let (Purpose::Refresh, false, Ok(key)) = (purpose, stored, &self.key) {
            self.forgotten(self.forget(key).block());
        }
    }

    fn forgotten(&self, outcome: Result<(), Failure>) {
        if let Err(failure) = outcome {
            self.cache.counters(self.function, |counters| counters.fault(failure.fault));
        }
    }

    /// Stores a value from the caller. One that is not to be kept (ttl zero) removes what is
    /// there: it is out of date.
    pub(crate) fn put(&self, data: &R::Data, terms: Terms) -> Result<Task<()>, Error> {
        let what = "the value is not stored";
        let key = self.own_key(what)?;
        let Terms { ttl, jitter, compress } = terms;
        let unwritten = Unwritten {
            content: Content::Value,
            fingerprint: self.function.fingerprint,
            ttl,
            jitter,
            compress,
            load_time: Duration::ZERO,
            key,
        };
        match self.cache.write(self.function, &unwritten, &self.coder, Some(data)) {
            Ok(Some(write)) => Ok(self.cache.store().put(key.as_str(), write.bytes, write.ttl)),
            Ok(None) => Ok(self.forget(key)),
            Err(failure) => Err(failure.into_error(what)),
        }
    }

    pub(crate) fn stats(&self) -> FunctionStats {
        let function = self.function;
        self.cache.counters(function, |counters| counters.snapshot(&function.segment))
    }

    pub(crate) fn forget(&self, key: &Key) -> Task<()> {
        let task = self.cache.store().delete(vec![key.as_str().to_owned()]);
        match task {
            Task::Ready(result) => Task::Ready(result.map(|_| ())),
            Task::Pending(delete) => Task::pending(async move { delete.await.map(|_| ()) }),
        }
    }

    pub(crate) fn invalidation(&self) -> Result<(&Key, Task<()>), Error> {
        let key = self.checked_key("the entry is not invalidated")?;
        Ok((key, self.forget(key)))
    }

    pub(crate) fn invalidated(key: &Key, outcome: Result<(), Failure>) -> Result<(), Error> {
        outcome.map_err(|failure| not_invalidated(key.as_str(), failure))
    }

    pub(crate) async fn peek(&self) -> Result<Option<R::Value>, Error> {
        let found = self.reading()?.wait().await;
        self.peeked(found)
    }

    /// What a read found, for `peek`.
    pub(crate) fn peeked(
        &self,
        found: Result<Option<Vec<u8>>, Failure>,
    ) -> Result<Option<R::Value>, Error> {
        let what = "the cache could not be read";
        let (found, key) =
            (found.map_err(|failure| failure.into_error(what))?, self.checked_key(what)?);
        let value = found.and_then(|bytes| self.read(key, &bytes, None).ok());
        Ok(value.and_then(|value| match value.open() {
            Opened::Value(value) => Some(value),
            Opened::Absent(_) | Opened::Failed(_) => None,
        }))
    }

    pub(crate) fn reading(&self) -> Result<Task<Option<Vec<u8>>>, Error> {
        let key = self.own_key("the cache could not be read")?;
        Ok(self.cache.store().read(key.as_str()))
    }

    /// The key of an entry that is this function's own: `put` and `peek` must not touch another's.
    fn own_key(&self, what: &str) -> Result<&Key, Error> {
        if self.function.name_taken {
            let why = "another function has the same name; give this one its own with `name`";
            return Err(Failure::new(Fault::NameTaken, why).into_error(what));
        }
        self.checked_key(what)
    }

    fn checked_key(&self, what: &str) -> Result<&Key, Error> {
        self.key.as_ref().map_err(|error| {
            let why = format!("an argument cannot be serialised into a key: {error}");
            Failure::new(Fault::Key, why).into_error(what)
        })
    }
}
