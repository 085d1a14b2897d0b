//! Running a plan: the body, or not; here, or behind the caller.

use std::future::Future;
use std::time::{Duration, Instant};

use super::super::forced::{self, Slot, Taken};
use super::super::options::{Failures, KeepErrors, KeepIf, NoErrors, Ttl, no_payload};
use super::{Plan, Settings};
use crate::cache::{Loading, Renewal, Shared};
use crate::coder::Coder;
use crate::entry::Content;
use crate::error::{Error, ErrorKind};
use crate::fetched::Source;
use crate::flight::{attended, within};
use crate::io;
use crate::loader::{Ending, Errors, Found, Loader, Origin, Outcome, Purpose, Serving, Terms};
use crate::shape::{Kept, Opened, ShapeOf};

/// How long a load in the background that failed keeps others from being tried.
const FAILED_PAUSE: Duration = Duration::from_secs(1);
/// How long this process does not ask again whether another still loads in the background.
const BUSY_PAUSE: Duration = Duration::from_millis(100);

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
        let start = match self.loader.begin(&self.serving(&slot, owned), self.errors()).await {
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

    pub(in super::super) fn serving(&self, slot: &Slot, owned: bool) -> Serving {
        let Settings { ageing, flight, .. } = self.settings;
        Serving { ageing, flight, age: slot.is_asked(), owned }
    }

    fn errors(&self) -> Errors<'_, R::Error> {
        Errors { cached: self.failures.kept(), sharer: self.sharer }
    }

    /// Runs the body, no longer than a load may take.
    async fn outcome<F: Future<Output = R>>(
        &self,
        loading: &Loading,
        started: Instant,
        body: F,
    ) -> Opened<R::Value, R::Absence, R::Error> {
        let body = within(loading.id(), body);
        let Some((limit, error)) = self.settings.ageing.load_timeout.zip(self.on_timeout) else {
            return body.await.open();
        };
        match io::timeout(Some(limit.saturating_sub(started.elapsed())), body).await {
            Some(result) => result.open(),
            None => Opened::Failed(error(timed_out(limit))),
        }
    }

    /// What is to be done with what a body yielded, but an error that is not cached.
    fn ending(
        &self,
        loading: &Loading,
        opened: &Opened<R::Value, R::Absence, R::Error>,
        took: Duration,
    ) -> Option<Ending> {
        self.ending_of(&self.loader, loading, opened, took)
    }

    /// As [`ending`](Self::ending), of another entry that is kept in the same way.
    pub(in super::super) fn ending_of(
        &self,
        loader: &Loader<R, N>,
        loading: &Loading,
        opened: &Opened<R::Value, R::Absence, R::Error>,
        took: Duration,
    ) -> Option<Ending> {
        let fingerprint = loader.function.fingerprint;
        Some(match opened {
            Opened::Value(value) => {
                let data = R::data(value);
                let ttl = if self.keep.keeps(data) { self.ttl.ttl(data) } else { Duration::ZERO };
                let coder = &loader.coder;
                let content = Content::Value;
                let outcome = Outcome { content, fingerprint, coder, value: Some(data) };
                loader.ending(loading, &outcome, self.terms(ttl), took)
            }
            Opened::Absent(_) => {
                // The codec's number stands in the envelope of an empty payload as well.
                let coder = &Coder { id: loader.coder.id, ..no_payload() };
                let content = Content::None;
                let outcome = Outcome { content, fingerprint, coder, value: None };
                let ttl = self.settings.none_ttl.unwrap_or_default();
                loader.ending(loading, &outcome, self.terms(ttl), took)
            }
            Opened::Failed(error) => {
                let (ttl, (fingerprint, coder)) = self.failures.ttl().zip(self.failures.kept())?;
                let content = Content::Failure;
                let outcome = Outcome { content, fingerprint, coder, value: Some(error) };
                // An error is not kept beyond its ttl.
                let terms = Terms { stale: Duration::ZERO, ..self.terms(ttl) };
                loader.ending(loading, &outcome, terms, took)
            }
        })
    }

    /// An old value in place of an error.
    fn spare(&self, loading: &mut Loading, slot: &Slot) -> Option<R> {
        let (spare, key) = (loading.spare.take()?, self.loader.key.as_ref().ok()?);
        let serving = self.serving(slot, false);
        let (found, origin) = self.loader.served(key, &spare, &serving, self.errors())?;
        slot.fill(origin);
        Some(found)
    }

    /// The call was answered by its own body.
    fn answered(&self, purpose: Purpose, loading: &Loading, slot: &Slot) {
        let bypass = loading.is_bypass();
        let source = if bypass { Source::Bypass } else { Source::Loaded };
        slot.fill(Origin { source, age: None });
        if purpose == Purpose::Call {
            self.loader.missed(bypass);
        }
    }

    /// An error that is not cached: an old value in its place, where there is one.
    fn failed(
        &self,
        purpose: Purpose,
        mut loading: Box<Loading>,
        slot: &Slot,
        error: R::Error,
    ) -> R {
        if let Some(found) = self.spare(&mut loading, slot) {
            loading.ended(Some(Shared::Spare));
            return found;
        }
        self.answered(purpose, &loading, slot);
        let shared = if loading.is_joined() { self.sharer.wrap(&error) } else { None };
        loading.failed(shared);
        R::close(Opened::Failed(error))
    }

    /// Loads in the background; nobody waits for the value.
    async fn load_behind<F: Future<Output = R>>(&self, mut loading: Box<Loading>, body: F) {
        let started = loading.began();
        loading.led_here();
        let mut behind = Behind { loader: &self.loader, started, loading: Some(loading) };
        let ending = {
            let Some(loading) = &behind.loading else { return };
            let opened = self.outcome(loading, started, body).await;
            let took = started.elapsed();
            let failed = matches!(opened, Opened::Failed(_));
            self.loader.loaded(took, failed);
            self.ending(loading, &opened, took).filter(|_| !failed)
        };
        let Some(loading) = behind.loading.take() else { return };
        match ending {
            Some(ending) => self.loader.end(Purpose::Renewal, loading, ending).await,
            None => loading.failed_behind(FAILED_PAUSE),
        }
    }

    /// Loads in the background what is still served, if no other process does.
    async fn renew<F: Future<Output = R>>(self, renewal: Renewal, body: F) {
        match self.loader.cache.renew(renewal).await {
            Ok(loading) => self.load_behind(loading, body).await,
            // Until then there is no use in asking again.
            Err(renewing) => {
                io::sleep(BUSY_PAUSE).await;
                drop(renewing);
            }
        }
    }

    /// The error of a call whose load, by whomever, takes longer than a load may.
    fn timed_out(&self) -> Option<R> {
        let (limit, error) = self.settings.ageing.load_timeout.zip(self.on_timeout)?;
        Some(R::close(Opened::Failed(error(timed_out(limit)))))
    }
}

/// A load behind its caller, while its body runs. One that panics has failed like any other.
struct Behind<'a, R: ShapeOf<N>, const N: u8> {
    loader: &'a Loader<R, N>,
    started: Instant,
    loading: Option<Box<Loading>>,
}

impl<R: ShapeOf<N>, const N: u8> Drop for Behind<'_, R, N> {
    fn drop(&mut self) {
        if let Some(loading) = self.loading.take()
            && std::thread::panicking()
        {
            self.loader.loaded(self.started.elapsed(), true);
            loading.failed_behind(FAILED_PAUSE);
        }
    }
}

fn timed_out(limit: Duration) -> Error {
    let text = format!("the load took longer than its `load_timeout` ({limit:?})");
    Error::new(ErrorKind::Timeout, text)
}

/// The ways to run a plan, which differ in `load` only.
macro_rules! runs {
    () => {
        /// The call: the stored value, or the body's.
        pub fn run<F: Future<Output = R>>(self, body: F) -> impl Future<Output = R> {
            attended(self.running(body))
        }

        async fn running<F: Future<Output = R>>(self, body: F) -> R {
            let (begun, slot) = {
                let (start, slot) = self.start(false).await;
                let begun = match start {
                    Start::Answered(found) | Start::Renewed(found, _) => return found,
                    Start::Uncached => None,
                    Start::Body(loading, purpose) => Some((loading, purpose)),
                };
                (begun, slot)
            };
            match begun {
                Some((loading, purpose)) => self.load(purpose, loading, &slot, body).await,
                None => body.await,
            }
        }

        /// As [`run`](Self::run), with a body that may go on when its caller does not wait any
        /// more.
        pub fn run_owned<F>(self, body: F) -> impl Future<Output = R>
        where
            Self: Send + Sync + 'static,
            R: 'static,
            F: Future<Output = R> + Send + 'static,
        {
            attended(self.running_owned(body))
        }

        async fn running_owned<F>(self, body: F) -> R
        where
            Self: Send + Sync + 'static,
            R: 'static,
            F: Future<Output = R> + Send + 'static,
        {
            // What goes on needs a runtime to do so.
            let owned = tokio::runtime::Handle::try_current().is_ok();
            let (begun, slot) = {
                let (start, slot) = self.start(owned).await;
                let begun = match start {
                    Start::Answered(found) => return found,
                    Start::Renewed(found, renewal) => {
                        let cache = self.loader.cache.clone();
                        cache.background().spawn(self.renew(renewal, body));
                        return found;
                    }
                    Start::Uncached => None,
                    Start::Body(loading, purpose) => Some((loading, purpose)),
                };
                (begun, slot)
            };
            let Some((mut loading, purpose)) = begun else { return body.await };
            let soft = self.settings.ageing.soft_timeout.filter(|_| owned);
            let (Some(soft), true) = (soft, loading.spare.is_some()) else {
                return self.load(purpose, loading, &slot, body).await;
            };
            loading.began();
            let mut body = Box::pin(body);
            let in_time = io::timeout(Some(soft), within(loading.id(), &mut body)).await;
            if let Some(result) = in_time {
                let done = std::future::ready(result);
                return self.load(purpose, loading, &slot, done).await;
            }
            match self.spare(&mut loading, &slot) {
                Some(found) => {
                    let cache = self.loader.cache.clone();
                    let load = async move { self.load_behind(loading, body).await };
                    cache.background().spawn(load);
                    found
                }
                None => self.load(purpose, loading, &slot, body).await,
            }
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
            let (start, slot) = io::block_on(self.start(true));
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
            let body = async move { io::unblocked(body) };
            io::block_on(self.load(purpose, loading, &slot, body))
        }
    };
}

/// Without `err_ttl`: an error is never held across an await, so that a future stays `Send`
/// where only the error is not.
impl<R, const N: u8, T, I> Plan<R, N, T, I, NoErrors<R::Error>>
where
    R: ShapeOf<N>,
    T: Ttl<R::Data>,
    I: KeepIf<R::Data>,
{
    runs!();

    async fn load<F: Future<Output = R>>(
        &self,
        purpose: Purpose,
        mut loading: Box<Loading>,
        slot: &Slot,
        body: F,
    ) -> R {
        let started = loading.began();
        // The block ends the life of what may be an error before the next await.
        let (kept, ending) = {
            let opened = self.outcome(&loading, started, body).await;
            let took = started.elapsed();
            self.loader.loaded(took, matches!(opened, Opened::Failed(_)));
            let ending = self.ending(&loading, &opened, took);
            match opened {
                Opened::Value(value) => (Kept::Value(value), ending),
                Opened::Absent(absence) => (Kept::Absent(absence), ending),
                Opened::Failed(error) => return self.failed(purpose, loading, slot, error),
            }
        };
        self.answered(purpose, &loading, slot);
        if let Some(ending) = ending {
            Box::pin(self.loader.end(purpose, loading, ending)).await;
        }
        R::close(match kept {
            Kept::Value(value) => Opened::Value(value),
            Kept::Absent(absence) => Opened::Absent(absence),
        })
    }
}

/// With `err_ttl`.
impl<R, const N: u8, T, I> Plan<R, N, T, I, KeepErrors<R::Error>>
where
    R: ShapeOf<N>,
    T: Ttl<R::Data>,
    I: KeepIf<R::Data>,
{
    runs!();

    async fn load<F: Future<Output = R>>(
        &self,
        purpose: Purpose,
        mut loading: Box<Loading>,
        slot: &Slot,
        body: F,
    ) -> R {
        let started = loading.began();
        let opened = self.outcome(&loading, started, body).await;
        let took = started.elapsed();
        let failed = matches!(opened, Opened::Failed(_));
        self.loader.loaded(took, failed);
        if failed && let Some(found) = self.spare(&mut loading, slot) {
            loading.ended(Some(Shared::Spare));
            return found;
        }
        self.answered(purpose, &loading, slot);
        if let Some(ending) = self.ending(&loading, &opened, took) {
            Box::pin(self.loader.end(purpose, loading, ending)).await;
        }
        R::close(opened)
    }
}
