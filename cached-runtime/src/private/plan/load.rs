//! Running a body, and what becomes of what it yields. See [`running`](super::running) for why this is
//! written by hand.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use super::super::forced::Slot;
use super::super::options::{Failures, Hold, KeepIf, Ttl, no_payload};
use super::Plan;
use super::running::Loads;
use crate::cache::{Loading, Shared};
use crate::coder::Coder;
use crate::entry::Content;
use crate::error::{Error, ErrorKind};
use crate::fetched::Source;
use crate::flight::enter;
use crate::io;
use crate::loader::{Ending, Loader, Origin, Outcome, Purpose, Terms};
use crate::shape::{Opened, ShapeOf};

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A load in its caller's time.
#[allow(clippy::type_complexity, reason = "named once")]
pub(super) struct Load<R: ShapeOf<N>, const N: u8, T, I, X: Hold, F> {
    /// Until the body has ended, or goes on in the background.
    parts: Option<Parts<R, N, T, I, X, F>>,
    /// Ends a load that takes longer than it may.
    limit: Option<Work>,
    /// Passes when an old value is to be served, and how the load goes on then.
    soft: Option<(Work, GoOn<R, N, T, I, X, F>)>,
    /// What is to be returned once it is seen to.
    held: Option<X::Held<R::Value, R::Absence, R::Error>>,
    end: Option<Work>,
}

/// What goes where the body goes.
pub(super) struct Parts<R: ShapeOf<N>, const N: u8, T, I, X, F> {
    pub(super) plan: Plan<R, N, T, I, X>,
    pub(super) loading: Box<Loading>,
    purpose: Purpose,
    slot: Slot,
    started: Instant,
    pub(super) body: Option<Pin<Box<F>>>,
}

/// Goes on in the background.
type GoOn<R, const N: u8, T, I, X, F> = fn(Parts<R, N, T, I, X, F>);

/// How a body ended for its caller.
enum Ran<R> {
    Yielded(R),
    /// It takes longer than a load may.
    TimedOut,
    /// It takes longer than its caller waits where there is an old value.
    Late,
}

impl<R: ShapeOf<N>, const N: u8, T, I, X: Hold, F> Unpin for Load<R, N, T, I, X, F> {}

impl<R, const N: u8, T, I, X, F> Load<R, N, T, I, X, F>
where
    R: ShapeOf<N>,
    X: Hold,
{
    pub(super) fn new(
        plan: Plan<R, N, T, I, X>,
        mut loading: Box<Loading>,
        purpose: Purpose,
        slot: Slot,
    ) -> Box<Self> {
        let started = loading.began();
        let ageing = &plan.settings().ageing;
        let limit = ageing.load_timeout.filter(|_| plan.on_timeout.is_some());
        let limit = limit.map(|limit| -> Work { Box::pin(io::sleep(limit)) });
        let parts = Some(Parts { plan, loading, purpose, slot, started, body: None });
        Box::new(Self { parts, limit, soft: None, held: None, end: None })
    }
}

impl<R, const N: u8, T, I, X, F> Load<R, N, T, I, X, F>
where
    R: ShapeOf<N>,
    T: Ttl<R::Data>,
    I: KeepIf<R::Data>,
    X: Failures<R::Error> + Hold,
    F: Future<Output = R>,
{
    /// Once it takes longer than its caller waits, it goes on in the background.
    pub(super) fn may_go_on_behind(mut self: Box<Self>) -> Box<Self>
    where
        Plan<R, N, T, I, X>: Send + Sync + 'static,
        R: 'static,
        F: Send + 'static,
    {
        if let Some(parts) = &self.parts
            && let Some(soft) = parts.plan.settings().ageing.soft_timeout
            && parts.loading.spare.is_some()
        {
            let go_on = |parts: Parts<R, N, T, I, X, F>| {
                let cache = parts.plan.loader.cache.clone();
                cache.background().spawn(async move {
                    let Parts { plan, loading, body: Some(body), .. } = parts else { return };
                    plan.load_behind(loading, body).await;
                });
            };
            self.soft = Some((Box::pin(io::sleep(soft)), go_on));
        }
        self
    }

    fn poll_body(&mut self, context: &mut Context<'_>) -> Poll<Ran<R>> {
        let Some(Parts { loading, body: Some(body), .. }) = &mut self.parts else {
            return Poll::Pending;
        };
        {
            let _inside = enter(loading.id());
            if let Poll::Ready(result) = body.as_mut().poll(context) {
                return Poll::Ready(Ran::Yielded(result));
            }
        }
        self.poll_limits(context)
    }

    fn poll_limits(&mut self, context: &mut Context<'_>) -> Poll<Ran<R>> {
        if let Some(limit) = &mut self.limit
            && limit.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Ran::TimedOut);
        }
        match &mut self.soft {
            Some((soft, _)) => soft.as_mut().poll(context).map(|()| Ran::Late),
            None => Poll::Pending,
        }
    }

    /// What is to be returned at once; else there is something to see to before.
    fn ended(&mut self, ran: Ran<R>) -> Option<R> {
        match ran {
            Ran::Yielded(result) => self.yielded(result.open()),
            Ran::TimedOut => {
                let failed = self.parts.as_ref().and_then(|parts| parts.plan.timed_out_error());
                self.yielded(Opened::Failed(failed?))
            }
            Ran::Late => self.late(),
        }
    }

    /// The old value, while the load goes on; nothing where it is of no use after all.
    fn late(&mut self) -> Option<R> {
        let ((_, go_on), parts) = (self.soft.take()?, self.parts.as_mut()?);
        let found = parts.plan.spare(&mut parts.loading, &parts.slot)?;
        go_on(self.parts.take()?);
        Some(found)
    }

    fn yielded(&mut self, opened: Opened<R::Value, R::Absence, R::Error>) -> Option<R> {
        let Some(Parts { plan, mut loading, purpose, slot, started, .. }) = self.parts.take()
        else {
            return Some(R::close(opened));
        };
        let took = started.elapsed();
        let failed = matches!(opened, Opened::Failed(_));
        plan.loader.loaded(took, failed);
        if failed && let Some(found) = plan.spare(&mut loading, &slot) {
            loading.ended(Some(Shared::Spare));
            return Some(found);
        }
        plan.answered(purpose, &loading, &slot);
        let ending = plan.ending(&loading, &opened, took);
        let held = match X::hold(opened) {
            Ok(held) => held,
            Err(error) => {
                let shared = if loading.is_joined() { plan.sharer.wrap(&error) } else { None };
                loading.failed(shared);
                return Some(R::close(Opened::Failed(error)));
            }
        };
        match ending.and_then(|ending| plan.loader.end(purpose, loading, ending)) {
            Some(end) => {
                (self.held, self.end) = (Some(held), Some(end));
                None
            }
            None => Some(R::close(X::opened(held))),
        }
    }
}

impl<R, const N: u8, T, I, X, F> Loads<F> for Load<R, N, T, I, X, F>
where
    R: ShapeOf<N>,
    T: Ttl<R::Data>,
    I: KeepIf<R::Data>,
    X: Failures<R::Error> + Hold,
    F: Future<Output = R>,
{
    fn runs(&mut self, body: F) {
        if let Some(parts) = &mut self.parts {
            parts.body = Some(Box::pin(body));
        }
    }
}

impl<R, const N: u8, T, I, X, F> Future for Load<R, N, T, I, X, F>
where
    R: ShapeOf<N>,
    T: Ttl<R::Data>,
    I: KeepIf<R::Data>,
    X: Failures<R::Error> + Hold,
    F: Future<Output = R>,
{
    type Output = R;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<R> {
        while self.end.is_none() {
            let ran = ready!(self.poll_body(context));
            if let Some(found) = self.ended(ran) {
                return Poll::Ready(found);
            }
        }
        if let Some(end) = &mut self.end {
            ready!(end.as_mut().poll(context));
        }
        match self.held.take() {
            Some(held) => Poll::Ready(R::close(X::opened(held))),
            // It was answered already.
            None => Poll::Pending,
        }
    }
}

impl<R, const N: u8, T, I, X> Plan<R, N, T, I, X>
where
    R: ShapeOf<N>,
    T: Ttl<R::Data>,
    I: KeepIf<R::Data>,
    X: Failures<R::Error>,
{
    /// What is to be done with what a body yielded, but an error that is not cached.
    pub(super) fn ending(
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
                let ttl = self.settings().none_ttl.unwrap_or_default();
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

    /// The error of a load that takes longer than it may.
    pub(super) fn timed_out_error(&self) -> Option<R::Error> {
        let (limit, error) = self.settings().ageing.load_timeout.zip(self.on_timeout)?;
        Some(error(timed_out(limit)))
    }
}

pub(super) fn timed_out(limit: Duration) -> Error {
    let text = format!("the load took longer than its `load_timeout` ({limit:?})");
    Error::new(ErrorKind::Timeout, text)
}
