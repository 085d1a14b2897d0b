//! A cached call with all its options: runs the body, or not.

use std::future::Future;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use xxhash_rust::xxh3::xxh3_64;

use super::forced::{self, Mode};
use super::options::{
    Always, Failures, Fixed, If, KeepErrors, KeepIf, NoErrors, Ttl, ZstdFeature, no_payload,
};
use crate::cache::{Committing, Fill};
use crate::coder::Choice;
use crate::entry::Content;
use crate::error::Error;
use crate::fingerprint;
use crate::loader::{Errors, Found, Loader, Purpose, Terms};
use crate::shape::{HasErr, HasNone, Kept, Kind, Opened, ShapeOf};

/// A call and how its value is kept.
#[must_use]
pub struct Plan<R: ShapeOf<N>, const N: u8, T, I, X> {
    pub(super) loader: Loader<R, N>,
    ttl: T,
    keep: I,
    failures: X,
    none_ttl: Option<Duration>,
    jitter: f64,
    compress: Option<usize>,
}

/// What a call does next.
enum Start<R> {
    /// Return this.
    Answered(R),
    /// Run the body and nothing else.
    Uncached,
    /// Run the body, and do with its value what the fill says.
    Body(Fill, Purpose),
}

impl<R: ShapeOf<N>, const N: u8, T> Plan<R, N, T, Always, NoErrors<R::Error>> {
    pub(super) fn new(loader: Loader<R, N>, ttl: T) -> Self {
        let failures = NoErrors(PhantomData);
        Self { loader, ttl, keep: Always, failures, none_ttl: None, jitter: 0.0, compress: None }
    }
}

impl<R: ShapeOf<N>, const N: u8> Plan<R, N, Fixed, Always, NoErrors<R::Error>> {
    /// With one ttl for all values.
    pub(crate) fn fixed(loader: Loader<R, N>, ttl: Duration) -> Self {
        Self::new(loader, Fixed(ttl))
    }
}

impl<R: ShapeOf<N>, const N: u8, T, I, X> Plan<R, N, T, I, X> {
    /// With `jitter`.
    pub fn jitter(self, jitter: f64) -> Self {
        Self { jitter, ..self }
    }

    /// With `none_ttl`.
    pub fn none_ttl(self, ttl: Duration) -> Self
    where
        Kind<N>: HasNone,
    {
        Self { none_ttl: Some(ttl), ..self }
    }

    /// With `compress`.
    pub fn compress<Z: ZstdFeature>(self, threshold: usize) -> Self {
        Self { compress: Some(threshold), ..self }
    }

    /// With `cache_if`.
    pub fn cache_if<F: Fn(&R::Data) -> bool>(self, keep: F) -> Plan<R, N, T, If<F>, X> {
        let Self { loader, ttl, failures, none_ttl, jitter, compress, .. } = self;
        Plan { loader, ttl, keep: If(keep), failures, none_ttl, jitter, compress }
    }

    /// With `err_ttl`; `codec` as in the entry.
    pub fn err_ttl<C: Choice>(
        self,
        err_ttl: Duration,
        _: PhantomData<C>,
    ) -> Plan<R, N, T, I, KeepErrors<R::Error>>
    where
        Kind<N>: HasErr,
        R::Error: Serialize + DeserializeOwned,
    {
        let Self { loader, ttl, keep, none_ttl, jitter, compress, .. } = self;
        // An entry of an error is of another type than one of a value.
        let of_type = fingerprint::of_type::<R::Error>().to_le_bytes();
        let fingerprint = loader.function.fingerprint ^ xxh3_64(&of_type);
        let coder = C::coder(loader.cache.config().codec);
        let failures = KeepErrors { ttl: err_ttl, fingerprint, coder };
        Plan { loader, ttl, keep, failures, none_ttl, jitter, compress }
    }

    fn terms(&self, ttl: Duration) -> Terms {
        Terms { ttl, jitter: self.jitter, compress: self.compress }
    }
}

impl<R, const N: u8, T, I, X> Plan<R, N, T, I, X>
where
    R: ShapeOf<N>,
    T: Ttl<R::Data>,
    I: KeepIf<R::Data>,
    X: Failures<R::Error>,
{
    /// Stores a value from the caller.
    ///
    /// # Errors
    /// Where the store could not be told, or the value not be encoded.
    pub async fn put(self, value: &R::Value) -> Result<(), Error> {
        let outcome = self.putting(value)?.wait().await;
        outcome.map_err(|failure| failure.into_error("the value is not stored"))
    }

    /// As [`put`](Self::put), blocking.
    ///
    /// # Errors
    /// As there.
    pub fn put_blocking(self, value: &R::Value) -> Result<(), Error> {
        let outcome = self.putting(value)?.block();
        outcome.map_err(|failure| failure.into_error("the value is not stored"))
    }

    /// A value that `cache_if` refuses is not kept, nor is what it replaces.
    pub(super) fn putting(&self, value: &R::Value) -> Result<crate::io::Task<()>, Error> {
        let data = R::data(value);
        let ttl = if self.keep.keeps(data) { self.ttl.ttl(data) } else { Duration::ZERO };
        self.loader.put(data, self.terms(ttl))
    }

    async fn start(&self) -> Start<R> {
        match forced::take(self.loader.function.site()) {
            None => match self.loader.begin(self.errors()).await {
                Found::Hit(found) => Start::Answered(found),
                Found::Load(fill) => Start::Body(fill, Purpose::Call),
            },
            Some(Mode::Uncached) => Start::Uncached,
            Some(Mode::Refresh) => {
                let fill = match self.loader.observe() {
                    Some((token, task)) => self.loader.refreshing(task.wait().await, token),
                    None => Fill::Bypass,
                };
                Start::Body(fill, Purpose::Refresh)
            }
        }
    }

    fn start_blocking(&self) -> Start<R> {
        match forced::take(self.loader.function.site()) {
            None => match self.loader.begin_blocking(self.errors()) {
                Found::Hit(found) => Start::Answered(found),
                Found::Load(fill) => Start::Body(fill, Purpose::Call),
            },
            Some(Mode::Uncached) => Start::Uncached,
            Some(Mode::Refresh) => {
                let fill = match self.loader.observe() {
                    Some((token, task)) => self.loader.refreshing(task.block(), token),
                    None => Fill::Bypass,
                };
                Start::Body(fill, Purpose::Refresh)
            }
        }
    }

    fn errors(&self) -> Option<Errors<'_, R::Error>> {
        let (fingerprint, coder) = self.failures.kept()?;
        Some(Errors { fingerprint, coder })
    }

    fn commit_value(&self, fill: Fill, value: &R::Value, took: Duration) -> Option<Committing> {
        let data = R::data(value);
        if !self.keep.keeps(data) {
            return None;
        }
        let (content, coder) = (Content::Value, &self.loader.coder);
        let owner = (content, self.loader.function.fingerprint);
        self.loader.commit(fill, coder, owner, Some(data), self.terms(self.ttl.ttl(data)), took)
    }

    fn commit_none(&self, fill: Fill, took: Duration) -> Option<Committing> {
        // The codec's number stands in the envelope of an empty payload as well.
        let coder = crate::coder::Coder { id: self.loader.coder.id, ..no_payload() };
        let owner = (Content::None, self.loader.function.fingerprint);
        self.loader.commit(fill, &coder, owner, None, self.terms(self.none_ttl?), took)
    }
}

/// Without `err_ttl`: an error is never held across an await, so that a future stays `Send`
/// where only the error is not.
impl<R, const N: u8, T, I> Plan<R, N, T, I, NoErrors<R::Error>>
where
    R: ShapeOf<N>,
    T: Ttl<R::Data>,
    I: KeepIf<R::Data>,
{
    /// The call: the stored value, or the body's.
    pub async fn run<F: Future<Output = R>>(self, body: F) -> R {
        let next = match self.start().await {
            Start::Answered(found) => return found,
            Start::Uncached => None,
            Start::Body(fill, purpose) => Some((fill, purpose)),
        };
        let Some((fill, purpose)) = next else { return body.await };
        let started = Instant::now();
        // The block ends the life of the whole result before the next await.
        let (kept, took) = {
            let result = body.await;
            let took = started.elapsed();
            self.loader.loaded(purpose, &fill, took, result.is_failure());
            match result.open() {
                Opened::Value(value) => (Kept::Value(value), took),
                Opened::Absent(absence) => (Kept::Absent(absence), took),
                Opened::Failed(error) => return R::close(Opened::Failed(error)),
            }
        };
        match kept {
            Kept::Value(value) => {
                let committing = self.commit_value(fill, &value, took);
                self.loader.settle(purpose, committing).await;
                R::close(Opened::Value(value))
            }
            Kept::Absent(absence) => {
                let committing = self.commit_none(fill, took);
                self.loader.settle(purpose, committing).await;
                R::close(Opened::Absent(absence))
            }
        }
    }

    /// As [`run`](Self::run), blocking.
    pub fn run_blocking(self, body: impl FnOnce() -> R) -> R {
        let (fill, purpose) = match self.start_blocking() {
            Start::Answered(found) => return found,
            Start::Uncached => return body(),
            Start::Body(fill, purpose) => (fill, purpose),
        };
        let started = Instant::now();
        let opened = body().open();
        let took = started.elapsed();
        self.loader.loaded(purpose, &fill, took, matches!(opened, Opened::Failed(_)));
        let committing = match &opened {
            Opened::Value(value) => self.commit_value(fill, value, took),
            Opened::Absent(_) => self.commit_none(fill, took),
            Opened::Failed(_) => None,
        };
        self.loader.settle_blocking(purpose, committing);
        R::close(opened)
    }
}

/// With `err_ttl`.
impl<R, const N: u8, T, I> Plan<R, N, T, I, KeepErrors<R::Error>>
where
    R: ShapeOf<N>,
    T: Ttl<R::Data>,
    I: KeepIf<R::Data>,
{
    /// The call: the stored value or error, or the body's.
    pub async fn run<F: Future<Output = R>>(self, body: F) -> R {
        let (fill, purpose) = match self.start().await {
            Start::Answered(found) => return found,
            Start::Uncached => return body.await,
            Start::Body(fill, purpose) => (fill, purpose),
        };
        let started = Instant::now();
        let opened = body.await.open();
        let took = started.elapsed();
        let committing = self.outcome(fill, purpose, &opened, took);
        self.loader.settle(purpose, committing).await;
        R::close(opened)
    }

    /// As [`run`](Self::run), blocking.
    pub fn run_blocking(self, body: impl FnOnce() -> R) -> R {
        let (fill, purpose) = match self.start_blocking() {
            Start::Answered(found) => return found,
            Start::Uncached => return body(),
            Start::Body(fill, purpose) => (fill, purpose),
        };
        let started = Instant::now();
        let opened = body().open();
        let took = started.elapsed();
        let committing = self.outcome(fill, purpose, &opened, took);
        self.loader.settle_blocking(purpose, committing);
        R::close(opened)
    }

    fn outcome(
        &self,
        fill: Fill,
        purpose: Purpose,
        opened: &Opened<R::Value, R::Absence, R::Error>,
        took: Duration,
    ) -> Option<Committing> {
        self.loader.loaded(purpose, &fill, took, matches!(opened, Opened::Failed(_)));
        match opened {
            Opened::Value(value) => self.commit_value(fill, value, took),
            Opened::Absent(_) => self.commit_none(fill, took),
            Opened::Failed(error) => {
                let KeepErrors { ttl, fingerprint, coder } = &self.failures;
                let owner = (Content::Failure, *fingerprint);
                self.loader.commit(fill, coder, owner, Some(error), self.terms(*ttl), took)
            }
        }
    }
}
