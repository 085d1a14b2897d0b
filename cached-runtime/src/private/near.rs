//! A call of a function with `local`, before its key is made: what this thread was given a moment
//! ago is found by the arguments themselves.

use std::borrow::Cow;
use std::cell::Cell;
use std::time::Duration;

use super::required::Argument;
use super::{Part, forced};
use crate::cache::Current;
use crate::function::{At, Function};
use crate::key::Trace;
use crate::loader::nearest;
use crate::local::{Keepable, Keeper};
use crate::shape::{Kind, Probe, ShapeOf};

/// So many calls in a row that wait for nothing count as one that does: tokio lets other tasks run
/// after 128 of these, which is some tens of microseconds of hits.
const FEW: u32 = 32;

/// A function, a trace of arguments that grows, and a cache.
pub struct Near<'a, R: ShapeOf<N>, const N: u8> {
    cache: Current,
    at: &'a At,
    /// `None` before the function's first call.
    function: Option<&'static Function>,
    trace: Trace,
    keeper: Keeper<R::Value>,
}

/// Begins a call. All that is asked of values that are kept in memory is asked here.
#[inline]
pub fn near<'a, R: Keepable<N>, const N: u8>(
    _: Probe<R>,
    _: Kind<N>,
    ttl: Option<Duration>,
    cache: Current,
    at: &'a At,
    generics: &[Cow<'static, str>],
) -> Near<'a, R, N> {
    let function = at.site().known::<R::Data>(&at.place, generics);
    Near { cache, at, function, trace: Trace::new(), keeper: Keeper::new::<R, N>(ttl) }
}

/// Whether it is time to let other tasks run: a call that is answered from memory waits for nothing.
#[inline]
#[must_use]
pub fn is_turn() -> bool {
    thread_local! {
        static CALLS: Cell<u32> = const { Cell::new(0) };
    }
    let calls = CALLS.get().wrapping_add(1);
    CALLS.set(calls);
    calls.is_multiple_of(FEW)
}

/// Lets other tasks run where tokio says so.
pub async fn turn() {
    tokio::task::coop::consume_budget().await;
}

impl<R: ShapeOf<N>, const N: u8> Near<'_, R, N> {
    /// Adds an argument of the key.
    #[inline]
    pub fn arg<T: Argument + ?Sized>(&mut self, value: &T) {
        self.trace.add(value);
    }

    /// Adds an argument whose type only its value knows (`impl Trait`).
    #[inline]
    pub fn typed_arg<T: Argument + ?Sized>(&mut self, value: &T) {
        self.trace.name(std::any::type_name::<T>());
        self.trace.add(value);
    }

    /// As [`typed_arg`](Self::typed_arg), in a template.
    #[inline]
    pub fn typed_capture<T: Argument + ?Sized>(&mut self, value: &T) {
        self.typed_arg(value);
    }

    /// A template's text, which is the same in each call.
    #[inline]
    pub fn text(&mut self, _: &str) {}

    /// Adds what a template captures.
    #[inline]
    pub fn capture<T: Argument + ?Sized>(&mut self, value: &T) {
        self.trace.add(value);
    }

    /// Adds what a tag captures: calls with other tags are others.
    #[inline]
    pub fn part(&mut self, part: &impl Part) {
        part.trace(&mut self.trace);
    }

    /// A tag.
    #[inline]
    pub fn tag(&mut self, template: impl FnOnce(&mut Self)) {
        template(self);
    }

    /// The function's own tag is the same in each call.
    #[inline]
    pub fn tag_function(&mut self) {}

    /// The cache, once more.
    #[must_use]
    pub fn cache(&self) -> Current {
        self.cache.again()
    }

    /// The function's place.
    #[must_use]
    pub fn at(&self) -> At {
        *self.at
    }

    #[inline]
    pub(super) fn kept(&self) -> (Keeper<R::Value>, Trace) {
        (self.keeper, self.trace)
    }

    /// What this thread has at hand.
    #[inline]
    #[must_use]
    pub fn look(&self) -> Option<R> {
        // Copies that nothing else can reach: what is known of them when this is compiled is known
        // all the way.
        let (keeper, trace) = self.kept();
        let function = self.function?;
        if forced::is_noted(function.site()) {
            return None;
        }
        nearest::<R, N>(&self.cache, function, &trace, &keeper)
    }
}
