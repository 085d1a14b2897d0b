//! Beginning a call: what it does next, and with whom it waits.

use std::future::Future;
use std::pin::Pin;

use super::super::forced::{self, Slot, Taken};
use super::super::options::{Failures, Hold, KeepIf, Ttl};
use super::load::Load;
use super::running::{Begun, Loads as _, Running};
use super::{Plan, Settings};
use crate::cache::{Loading, Renewal};
use crate::flight::attended;
use crate::io;
use crate::loader::{Errors, Found, Purpose, Serving};
use crate::shape::{Opened, ShapeOf};

/// What a call does next.
enum Start<R> {
    /// Return this.
    Answered(R),
    /// Return this, and load it anew in the background.
    Renewed(R, Renewal),
    /// Run the body and nothing else.
    Uncached,
    /// Run the body, and do with its value what the loading says.
    Body(Box<Loading>, Purpose),
}

impl<R, const N: u8, T, I, X> Plan<R, N, T, I, X>
where
    R: ShapeOf<N>,
    T: Ttl<R::Data>,
    I: KeepIf<R::Data>,
    X: Failures<R::Error> + Hold,
{
    /// The call: the stored value, or the body's.
    pub fn run<F: Future<Output = R>>(self, body: F) -> impl Future<Output = R> {
        let start = async move {
            let (start, slot) = self.start(false).await;
            match start {
                Start::Answered(found) | Start::Renewed(found, _) => Begun::Answered(found),
                Start::Uncached => Begun::Uncached,
                Start::Body(loading, purpose) => {
                    Begun::Load(Load::new(self, loading, purpose, slot))
                }
            }
        };
        attended(Running::new(start, body))
    }

    /// As [`run`](Self::run), with a body that may go on when its caller does not wait any more.
    pub fn run_owned<F>(self, body: F) -> impl Future<Output = R>
    where
        Self: Send + Sync + 'static,
        R: 'static,
        F: Future<Output = R> + Send + 'static,
    {
        let start = async move {
            // What goes on needs a runtime to do so.
            let owned = tokio::runtime::Handle::try_current().is_ok();
            let (start, slot) = self.start(owned).await;
            match start {
                Start::Answered(found) => Begun::Answered(found),
                Start::Renewed(found, renewal) => {
                    let renew = |body: F| {
                        let cache = self.loader.cache.clone();
                        cache.background().spawn(self.renew(renewal, body));
                    };
                    Begun::Renewed(found, Box::new(renew))
                }
                Start::Uncached => Begun::Uncached,
                Start::Body(loading, purpose) => {
                    let load = Load::new(self, loading, purpose, slot);
                    Begun::Load(if owned { load.may_go_on_behind() } else { load })
                }
            }
        };
        attended(Running::new(start, body))
    }

    /// As [`run`](Self::run), blocking.
    pub fn run_blocking(self, body: impl FnOnce() -> R) -> R {
        io::block_on(self.run(async move { io::unblocked(body) }))
    }

    /// As [`run_owned`](Self::run_owned), blocking.
    pub fn run_blocking_owned<F>(self, body: F) -> R
    where
        Self: Send + Sync + 'static,
        R: 'static,
        F: FnOnce() -> R + Send + 'static,
    {
        let (start, slot) = io::block_on(Box::pin(self.start(true)));
        let (loading, purpose) = match start {
            Start::Answered(found) => return found,
            Start::Renewed(found, renewal) => {
                let cache = self.loader.cache.clone();
                cache.background().spawn_thread(move || {
                    io::block_on(self.renew(renewal, async move { io::unblocked(body) }));
                });
                return found;
            }
            Start::Uncached => return body(),
            Start::Body(loading, purpose) => (loading, purpose),
        };
        let mut load = Load::new(self, loading, purpose, slot);
        load.runs(async move { io::unblocked(body) });
        io::block_on(Pin::new(load))
    }
}

impl<R, const N: u8, T, I, X> Plan<R, N, T, I, X>
where
    R: ShapeOf<N>,
    T: Ttl<R::Data>,
    I: KeepIf<R::Data>,
    X: Failures<R::Error>,
{
    /// Finds out what to do; the slot is to be filled with how the call was answered.
    async fn start(&self, owned: bool) -> (Start<R>, Slot) {
        let slot = match forced::take(self.loader.function.site()) {
            None => Slot::none(),
            Some(Taken::Fetch(slot)) => {
                // A call that says where its value came from has not looked there yet.
                if let Some((found, origin)) = self.loader.nearby() {
                    slot.fill(origin);
                    return (Start::Answered(found), slot);
                }
                slot
            }
            Some(Taken::Uncached) => return (Start::Uncached, Slot::none()),
            Some(Taken::Refresh) => {
                let loading = Box::pin(self.loader.refreshing()).await;
                return (Start::Body(loading, Purpose::Refresh), Slot::none());
            }
        };
        let start = match self.loader.begin(self.serving(&slot, owned), self.errors()).await {
            Found::Hit(found, origin, renewal) => {
                slot.fill(origin);
                match renewal {
                    Some(renewal) => Start::Renewed(found, renewal),
                    None => Start::Answered(found),
                }
            }
            Found::Load(loading) => Start::Body(loading, Purpose::Call),
            Found::TimedOut => self.timed_out().map_or(Start::Uncached, Start::Answered),
        };
        (start, slot)
    }

    pub(in super::super) fn serving(&self, slot: &Slot, owned: bool) -> Serving<'_> {
        let Settings { ageing, flight, .. } = self.settings();
        Serving { ageing, flight: *flight, age: slot.is_asked(), owned }
    }

    pub(super) fn errors(&self) -> Errors<'_, R::Error> {
        Errors { cached: self.failures.kept(), sharer: self.sharer }
    }

    /// The error of a call whose load, by whomever, takes longer than a load may.
    fn timed_out(&self) -> Option<R> {
        self.timed_out_error().map(|error| R::close(Opened::Failed(error)))
    }
}
