//! What becomes of a body's outcome: decided before anything is awaited, so that an error need not
//! live across an await.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::Loader;
use crate::cache::{Cache, Loading, Shared, Unwritten};
use crate::coder::Coder;
use crate::entry::Content;
use crate::policy::effective_ttl;
use crate::shape::ShapeOf;
use crate::stats::Answer;
use crate::store::Value;
use crate::token::Token;

/// How a value is to be kept.
#[derive(Clone, Copy)]
pub(crate) struct Terms {
    /// Zero: not at all.
    pub(crate) ttl: Duration,
    pub(crate) jitter: f64,
    pub(crate) compress: Option<usize>,
    /// How long it is kept beyond its ttl.
    pub(crate) stale: Duration,
}

impl Terms {
    /// The ttl to store with; `None` where the value is not to be stored.
    pub(super) fn drawn_ttl(&self) -> Option<Duration> {
        let chance = if self.jitter > 0.0 { fastrand::f64() } else { 0.0 };
        effective_ttl(self.ttl, self.jitter, chance)
    }
}

/// Why a body runs: decides what is counted, and what a refused commit means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A call that was not served.
    Call,
    /// `refresh`, which is no call. What stands there after it must be no older than its value.
    Refresh,
    /// A load in the background.
    Renewal,
}

/// What is to be done with an outcome.
pub(crate) enum Ending {
    Commit(Value),
    /// Nothing is stored; this is for those who wait.
    Ended(Option<Shared>),
}

/// An outcome as its envelope has it.
pub(crate) struct Outcome<'a, D> {
    pub(crate) content: Content,
    /// Of the function and what the payload is.
    pub(crate) fingerprint: u64,
    pub(crate) coder: &'a Coder<D>,
    pub(crate) value: Option<&'a D>,
}

impl<R: ShapeOf<N>, const N: u8> Loader<R, N> {
    /// Counts a body that has run.
    pub(crate) fn loaded(&self, took: Duration, failed: bool) {
        self.count(|counters| counters.loaded(took, failed));
    }

    /// Counts a call that was answered by its own body.
    pub(crate) fn missed(&self, bypass: bool) {
        let answer = if bypass { Answer::Bypass } else { Answer::Miss };
        self.count(|counters| counters.answered(answer));
    }

    /// What is to be done with an outcome that can be encoded.
    pub(crate) fn ending<D>(
        &self,
        loading: &Loading,
        outcome: &Outcome<'_, D>,
        terms: Terms,
        load_time: Duration,
    ) -> Ending {
        let Ok(key) = &self.key else { return Ending::Ended(None) };
        let ttl = terms.drawn_ttl().filter(|_| loading.is_fenced());
        if ttl.is_none() && !loading.is_joined() {
            return Ending::Ended(None);
        }
        let Terms { compress, stale, .. } = terms;
        // Also where nothing was captured: who joined reads an entry of as many tags.
        let mut versions = loading.versions();
        versions.resize(self.tags.len(), Token::default());
        let unwritten = Unwritten {
            content: outcome.content,
            fingerprint: outcome.fingerprint,
            ttl: ttl.unwrap_or_default(),
            stale,
            versions,
            compress,
            load_time,
            key,
            others: loading.others(),
        };
        match (self.cache.write(self.function, &unwritten, outcome.coder, outcome.value), ttl) {
            (Ok(value), Some(_)) => Ending::Commit(value),
            (Ok(value), None) => {
                let bypass = loading.is_bypass();
                Ending::Ended(Some(Shared::Loaded { bytes: Arc::new(value.bytes), bypass }))
            }
            (Err(failure), _) => {
                self.cache.not_written(self.function, &failure);
                Ending::Ended(None)
            }
        }
    }

    /// Carries out an ending; what there is to wait for.
    pub(crate) fn end(
        &self,
        purpose: Purpose,
        loading: Box<Loading>,
        ending: Ending,
    ) -> Option<Pin<Box<dyn Future<Output = ()> + Send>>> {
        let value = match ending {
            Ending::Commit(value) => Some((loading, value)),
            Ending::Ended(shared) => {
                loading.ended(shared);
                None
            }
        };
        // What stands there, or what another call stored meanwhile, may be older than this value.
        let outdated = match (purpose, &self.key) {
            (Purpose::Refresh, Ok(key)) => Some(key.as_str().to_owned()),
            _ => None,
        };
        if value.is_none() && outdated.is_none() {
            return None;
        }
        let (cache, function) = (Cache::clone(&self.cache), self.function);
        Some(Box::pin(async move {
            let stored = match value {
                Some((loading, value)) => loading.commit(function, value).await,
                None => false,
            };
            if let (false, Some(key)) = (stored, outdated)
                && let Err(failure) = cache.removal(vec![key], Vec::new()).wait().await
            {
                cache.counters(function, |counters| counters.fault(failure.fault));
            }
        }))
    }
}
