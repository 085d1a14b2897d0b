//! A cached call with all its options.

use std::marker::PhantomData;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use xxhash_rust::xxh3::xxh3_64;

use super::options::{Always, Failures, Fixed, If, KeepErrors, KeepIf, NoErrors, Ttl, ZstdFeature};
use crate::coder::Choice;
use crate::error::Error;
use crate::fingerprint;
use crate::loader::{Loader, Terms};
use crate::policy::{Ageing, SingleFlight};
use crate::shape::{Fallible, HasErr, HasNone, Kind, ShapeOf};
use crate::sharing::Sharer;

mod behind;
mod load;
mod run;
mod running;

/// A call and how its value is kept.
#[must_use]
pub struct Plan<R: ShapeOf<N>, const N: u8, T, I, X> {
    pub(super) loader: Loader<R, N>,
    ttl: T,
    keep: I,
    failures: X,
    sharer: Sharer<R::Error>,
    on_timeout: Option<fn(Error) -> R::Error>,
    /// Where there are any: most functions have none, and a plan is moved about.
    settings: Option<Box<Settings>>,
}

/// The options that are the same whatever the function returns.
struct Settings {
    none_ttl: Option<Duration>,
    jitter: f64,
    compress: Option<usize>,
    ageing: Ageing,
    flight: SingleFlight,
}

impl Settings {
    const NONE: Self = Self {
        none_ttl: None,
        jitter: 0.0,
        compress: None,
        ageing: Ageing::OFF,
        flight: SingleFlight::Fleet,
    };
}

impl<R: ShapeOf<N>, const N: u8, T> Plan<R, N, T, Always, NoErrors<R::Error>> {
    pub(super) fn new(loader: Loader<R, N>, ttl: T, sharer: Sharer<R::Error>) -> Self {
        let (failures, settings) = (NoErrors(PhantomData), None);
        Self { loader, ttl, keep: Always, failures, sharer, on_timeout: None, settings }
    }
}

impl<R: ShapeOf<N>, const N: u8> Plan<R, N, Fixed, Always, NoErrors<R::Error>> {
    /// With one ttl for all values.
    pub(crate) fn fixed(loader: Loader<R, N>, ttl: Duration) -> Self {
        Self::new(loader, Fixed(ttl), Sharer::none())
    }
}

impl<R: ShapeOf<N>, const N: u8, T, I, X> Plan<R, N, T, I, X> {
    fn settings(&self) -> &Settings {
        self.settings.as_deref().unwrap_or(&Settings::NONE)
    }

    fn set(&mut self) -> &mut Settings {
        self.settings.get_or_insert_with(|| Box::new(Settings::NONE))
    }

    /// With `jitter`.
    pub fn jitter(mut self, jitter: f64) -> Self {
        self.set().jitter = jitter;
        self
    }

    /// With `stale_while_revalidate`.
    pub fn stale_while_revalidate(mut self, window: Duration) -> Self {
        self.set().ageing.stale_while_revalidate = window;
        self
    }

    /// With `stale_if_error`.
    pub fn stale_if_error(mut self, window: Duration) -> Self {
        self.set().ageing.stale_if_error = window;
        self
    }

    /// With `refresh_ahead`.
    pub fn refresh_ahead(mut self, fraction: f64) -> Self {
        self.set().ageing.refresh_ahead = Some(fraction);
        self
    }

    /// With `early_refresh`.
    pub fn early_refresh(mut self, beta: f64) -> Self {
        self.set().ageing.early_refresh = Some(beta);
        self
    }

    /// With `soft_timeout`.
    pub fn soft_timeout(mut self, after: Duration) -> Self {
        self.set().ageing.soft_timeout = Some(after);
        self
    }

    /// With `load_timeout`.
    pub fn load_timeout(mut self, after: Duration) -> Self
    where
        R: Fallible<N>,
    {
        self.set().ageing.load_timeout = Some(after);
        self.on_timeout = Some(R::error_of);
        self
    }

    /// With `single_flight`.
    pub fn single_flight(mut self, flight: SingleFlight) -> Self {
        self.set().flight = flight;
        self
    }

    /// With `none_ttl`.
    pub fn none_ttl(mut self, ttl: Duration) -> Self
    where
        Kind<N>: HasNone,
    {
        self.set().none_ttl = Some(ttl);
        self
    }

    /// With `compress`, which this build must be able to.
    pub fn compress<Z: ZstdFeature>(self, threshold: usize) -> Self {
        self.compressed(threshold)
    }

    /// With `compress`.
    pub fn compressed(mut self, threshold: usize) -> Self {
        self.set().compress = Some(threshold);
        self
    }

    /// With `cache_if`.
    pub fn cache_if<F: Fn(&R::Data) -> bool>(self, keep: F) -> Plan<R, N, T, If<F>, X> {
        let Self { loader, ttl, failures, sharer, on_timeout, settings, .. } = self;
        Plan { loader, ttl, keep: If(keep), failures, sharer, on_timeout, settings }
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
        let Self { loader, ttl, keep, sharer, on_timeout, settings, .. } = self;
        // An entry of an error is of another type than one of a value.
        let of_type = fingerprint::of_type::<R::Error>().to_le_bytes();
        let fingerprint = loader.function.fingerprint ^ xxh3_64(&of_type);
        let coder = C::coder(loader.cache.config().codec);
        let failures = KeepErrors { ttl: err_ttl, fingerprint, coder };
        Plan { loader, ttl, keep, failures, sharer, on_timeout, settings }
    }

    fn terms(&self, ttl: Duration) -> Terms {
        let Settings { jitter, compress, ageing, .. } = self.settings();
        Terms { ttl, jitter: *jitter, compress: *compress, stale: ageing.window() }
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
}
