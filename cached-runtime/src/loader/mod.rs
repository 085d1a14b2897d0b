//! A call with its key, ready to be looked up, loaded and stored: generic over the return type,
//! and over nothing else.

use std::time::Duration;

use crate::cache::{Call, Current, Entered, Fill, Loading, Next, Renewal, Resolved, Shared, Wants};
use crate::coder::Coder;
use crate::fault::Fault;
use crate::fetched::Source;
use crate::function::Function;
use crate::key::{Key, KeyError, Trace};
use crate::local::Keeper;
use crate::policy::{Ageing, SingleFlight};
use crate::shape::ShapeOf;
use crate::sharing::Sharer;
use crate::stats::{Answer, Counters, FunctionStats};

mod batch;
mod ending;
mod near;
mod read;
mod verbs;

pub(crate) use batch::Begun;
pub(crate) use ending::{Ending, Outcome, Purpose, Terms};
pub(crate) use near::{Nearby, nearest};
use read::Judged;
pub(crate) use verbs::{no_key, unusable};

/// Function, key, tags, and the cache they are in.
pub(crate) struct Loader<R: ShapeOf<N>, const N: u8> {
    pub(crate) cache: Current,
    pub(crate) function: &'static Function,
    pub(crate) key: Result<Key, KeyError>,
    pub(crate) tags: Vec<String>,
    pub(crate) coder: Coder<R::Data>,
    /// Where values are kept in this process's memory as well: how, and the arguments.
    pub(crate) near: Option<Box<(Keeper<R::Value>, Trace)>>,
}

/// How a call is to be served.
#[derive(Clone, Copy)]
pub(crate) struct Serving<'a> {
    pub(crate) ageing: &'a Ageing,
    pub(crate) flight: SingleFlight,
    /// Whether the age of what is served is asked for.
    pub(crate) age: bool,
    /// Whether the body can run in the background.
    pub(crate) owned: bool,
}

impl Serving<'_> {
    /// As a function without options is.
    pub(crate) const PLAIN: Self =
        Self { ageing: &Ageing::OFF, flight: SingleFlight::Fleet, age: false, owned: false };
}

/// How errors of a function come back: those that are cached (`err_ttl`), and those that calls in
/// one flight share.
pub(crate) struct Errors<'a, E> {
    pub(crate) cached: Option<(u64, &'a Coder<E>)>,
    pub(crate) sharer: Sharer<E>,
}

impl<E> Clone for Errors<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Errors<'_, E> {}

/// Where a value came from, and how long ago it was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) source: Source,
    pub(crate) age: Option<Duration>,
}

/// What a call found.
pub(crate) enum Found<R> {
    /// A value to return, and maybe to load anew in the background.
    Hit(R, Origin, Option<Renewal>),
    /// Nothing usable: run the body, then do with its value what the loading says.
    Load(Box<Loading>),
    /// Whoever loads takes longer than a load may.
    TimedOut,
}

impl<R: ShapeOf<N>, const N: u8> Loader<R, N> {
    /// Looks the key up, alone or with others; where nothing usable is there, the right to load is
    /// now held, or it is known that there is none.
    ///
    /// Not an `async fn`: that would keep its arguments twice, in each call's future.
    #[allow(clippy::manual_async_fn, reason = "an `async fn` keeps its arguments twice")]
    pub(crate) fn begin<'a>(
        &'a self,
        serving: Serving<'a>,
        errors: Errors<'a, R::Error>,
    ) -> impl Future<Output = Found<R>> + use<'a, R, N> {
        async move {
            let Some(key) = self.usable_key() else {
                return Found::Load(Loading::new(&self.cache, 0, Fill::Bypass, None));
            };
            let mut call = Call::new(&self.cache, self.wants(key, &serving));
            match call.enter().await {
                Entered::Look => {}
                Entered::Load(loading) => return Found::Load(loading),
                Entered::TimedOut => return self.timed_out(),
                Entered::Shared(shared) => {
                    let spare = match &shared {
                        Shared::Failed { .. } | Shared::Spare => Box::pin(call.spare()).await,
                        Shared::Sight(_) | Shared::Loaded { .. } => None,
                    };
                    if let Some((found, origin)) =
                        self.joined(key, &serving, &shared, spare, errors)
                    {
                        return Found::Hit(found, origin, None);
                    }
                    if let Shared::Loaded { bypass, .. } = shared {
                        // The value that it waited for is of no use to it, nor would the next one be.
                        return Found::Load(call.on_its_own(bypass));
                    }
                    // What serves the leader does not serve this call: it goes its own way.
                }
            }
            loop {
                let ticket = self.ticket(key);
                let sight = match call.look().await {
                    Ok(sight) => sight,
                    Err(failure) => return Found::Load(call.unasked(&failure)),
                };
                // A found value must not live across an await: its error may not be `Send`.
                let next = match self.judge(&call, key, &sight, &serving, errors) {
                    Judged::Serve(found, origin, good_for) => {
                        let found = self.keep_near(ticket, key, &sight, (found, origin, good_for));
                        call.served(sight);
                        self.answered(origin.source);
                        return Found::Hit(found, origin, None);
                    }
                    Judged::Renew(found, origin, renewal) if serving.owned => {
                        call.served(sight);
                        self.answered(origin.source);
                        return Found::Hit(found, origin, Some(renewal));
                    }
                    Judged::Renew(_, _, renewal) => Next::Renew(renewal),
                    Judged::Not(unserved) => Next::Resolve(unserved),
                };
                match Box::pin(call.next(sight, next)).await {
                    Resolved::Again => {}
                    Resolved::Load(loading) => return Found::Load(loading),
                    Resolved::Spare(sight) => {
                        // It was whole and valid a moment ago.
                        if let Some((found, origin)) = self.served(key, &sight, &serving, errors) {
                            return Found::Hit(found, origin, None);
                        }
                    }
                    Resolved::TimedOut => return self.timed_out(),
                }
            }
        }
    }

    /// The load of another is this call's, and fails.
    fn timed_out(&self) -> Found<R> {
        self.count(|counters| counters.coalesced(Answer::Miss));
        Found::TimedOut
    }

    fn wants<'a>(&'a self, key: &'a Key, serving: &Serving<'a>) -> Wants<'a> {
        let Serving { ageing, flight, age, .. } = serving;
        let (function, tags) = (self.function, &self.tags[..]);
        // What is kept is kept no longer than the store keeps it.
        let age = *age || self.near.is_some();
        Wants { function, key, tags, ageing, flight: *flight, age }
    }

    /// The key, where calls can be cached by it; else the reason is counted, and said once.
    pub(crate) fn usable_key(&self) -> Option<&Key> {
        let fault = match &self.key {
            Ok(key) if !self.function.name_taken => return Some(key),
            Ok(_) => Fault::NameTaken,
            Err(_) => Fault::Key,
        };
        let first = self.count(|counters| counters.fault(fault));
        if first && let Err(error) = &self.key {
            tracing::warn!(
                function = self.function.segment,
                reason = %error,
                "an argument cannot be serialised into a key; such calls are not cached"
            );
        }
        None
    }

    pub(crate) fn stats(&self) -> FunctionStats {
        self.count(|counters| counters.snapshot(&self.function.segment))
    }

    fn count<T>(&self, count: impl FnOnce(&Counters) -> T) -> T {
        self.cache.counters(self.function, count)
    }
}
