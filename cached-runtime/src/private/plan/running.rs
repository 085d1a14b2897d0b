//! A call under way: it finds out what to do, then runs the body, or not.
//!
//! By hand, not by `async`, like [`load`](super::load): bodies call cached functions, and each level of
//! that stands on the thread's stack. What is left there while a body runs are small frames; whatever
//! happens before or after it does so in functions of its own.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// What a call does next.
pub(super) enum Begun<R, F, L> {
    /// Return this.
    Answered(R),
    /// Return this, and hand the body over.
    Renewed(R, Box<dyn FnOnce(F) + Send>),
    /// Run the body and nothing else.
    Uncached,
    /// Run the body, and see to what it yields.
    Load(Box<L>),
}

/// A load that gets its body once it is certain that it runs.
pub(super) trait Loads<F>: Future {
    fn runs(&mut self, body: F);
}

/// Small, but for the body: it stands in whatever awaits it, and is moved through each frame up to
/// there.
pub(super) struct Running<S, F, L> {
    start: Pin<Box<S>>,
    /// Not polled here, so that it may still be moved.
    body: Option<F>,
    load: Option<Pin<Box<L>>>,
    uncached: Option<Pin<Box<F>>>,
}

impl<S, F, L> Unpin for Running<S, F, L> {}

impl<S, F, L> Running<S, F, L> {
    pub(super) fn new(start: S, body: F) -> Self {
        Self { start: Box::pin(start), body: Some(body), load: None, uncached: None }
    }
}

impl<R, S, F, L> Running<S, F, L>
where
    S: Future<Output = Begun<R, F, L>>,
    F: Future<Output = R>,
    L: Loads<F, Output = R>,
{
    /// Until it is known what to do; what is to be returned, where nothing runs.
    fn begin(&mut self, context: &mut Context<'_>) -> Poll<Option<R>> {
        let begun = ready!(self.start.as_mut().poll(context));
        let Some(body) = self.body.take() else { return Poll::Pending };
        match begun {
            Begun::Answered(found) => return Poll::Ready(Some(found)),
            Begun::Renewed(found, behind) => {
                behind(body);
                return Poll::Ready(Some(found));
            }
            Begun::Uncached => self.uncached = Some(Box::pin(body)),
            Begun::Load(mut load) => {
                load.runs(body);
                self.load = Some(Box::into_pin(load));
            }
        }
        Poll::Ready(None)
    }
}

impl<R, S, F, L> Future for Running<S, F, L>
where
    S: Future<Output = Begun<R, F, L>>,
    F: Future<Output = R>,
    L: Loads<F, Output = R>,
{
    type Output = R;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<R> {
        if self.body.is_some()
            && let Some(found) = ready!(self.begin(context))
        {
            return Poll::Ready(found);
        }
        let this = &mut *self;
        match (&mut this.load, &mut this.uncached) {
            (Some(load), _) => load.as_mut().poll(context),
            (None, Some(body)) => body.as_mut().poll(context),
            // It was answered already.
            (None, None) => Poll::Pending,
        }
    }
}
