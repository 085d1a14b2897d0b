//! What the verbs of a function presume of its types: that the function [asks](super::required) for
//! it. Were it asked again in each verb, whoever forgets a derive would read of it sixteen times.
//!
//! Where a type falls short, method lookup takes the last of the traits here, whose code is never
//! run: the function itself does not compile then.

use std::borrow::Cow;
use std::cell::Cell;
use std::marker::PhantomData;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::batch::batch;
use super::entry::{Entry, begin};
use super::options::{Always, Fixed, If, NoErrors, PerValue};
use super::plan::Plan;
use super::ways::{BatchKey, MapOf, ReturnsMap, Ways};
use crate::cache::Current;
use crate::coder::Choice;
use crate::equality::{Asked, Compares};
use crate::function::At;
use crate::key::KeyBuilder;
use crate::shape::{Kind, Never, OPTION, Probe, ShapeOf};
use crate::sharing::Sharer;

/// A return type, and the codec of its values.
pub struct Begun<R, const N: u8, C> {
    returns: PhantomData<fn() -> R>,
    codec: PhantomData<C>,
}

/// What an entry is begun with.
#[must_use]
pub fn begun<R: ShapeOf<N>, const N: u8, C>(
    _: Asked<R, N>,
    codec: PhantomData<C>,
) -> Begun<R, N, C> {
    Begun { returns: PhantomData, codec }
}

/// What a batch takes and returns, and the codec of its values.
pub struct BegunBatch<R, const N: u8, K, C> {
    types: PhantomData<fn() -> (R, K)>,
    codec: PhantomData<C>,
}

/// What the entries of a batch are begun with.
#[must_use]
pub fn begun_batch<R, const N: u8, K, C>(
    _: PhantomData<K>,
    _: Probe<R>,
    _: Kind<N>,
    codec: PhantomData<C>,
) -> BegunBatch<R, N, K, C> {
    BegunBatch { types: PhantomData, codec }
}

/// An argument, or what a template captures.
pub struct Given<'a, T: ?Sized>(pub &'a T);

/// What is added to a key, and how; the function has seen to its being `Serialize`.
pub struct Part<'a, T: ?Sized> {
    value: &'a T,
    add: fn(&mut KeyBuilder, PartOf, &T),
}

/// Where in a key something is added.
#[derive(Clone, Copy)]
pub enum PartOf {
    /// A segment.
    Arg,
    /// A segment whose type only its value knows.
    TypedArg,
    /// A capture of a template.
    Capture,
    /// A capture whose type only its value knows.
    TypedCapture,
}

/// The value of an option, and what it is given to.
pub struct Taken<P, T>(Cell<Option<(P, T)>>);

impl<P, T> Taken<P, T> {
    /// Both together.
    pub const fn new(by: P, value: T) -> Self {
        Self(Cell::new(Some((by, value))))
    }

    /// Both, once.
    #[allow(clippy::panic, reason = "generated code asks once")]
    fn take(&self) -> (P, T) {
        match self.0.take() {
            Some(taken) => taken,
            None => unreachable!("generated code asks once"),
        }
    }
}

impl<R: ShapeOf<N>, const N: u8> Entry<R, N> {
    /// Adds a part of the key.
    pub fn add<T: ?Sized>(&mut self, of: PartOf, part: &Part<'_, T>) {
        (part.add)(self.builder(), of, part.value);
    }
}

fn added<T: Serialize + ?Sized>(builder: &mut KeyBuilder, of: PartOf, value: &T) {
    match of {
        PartOf::Arg => builder.segment(value),
        PartOf::TypedArg => builder.typed_segment(value),
        PartOf::Capture => builder.capture(value),
        PartOf::TypedCapture => builder.typed_capture(value),
    }
}

/// What stands in for code that there cannot be.
#[allow(clippy::panic, reason = "never called")]
pub(super) fn never<T>() -> T {
    unreachable!("the function beside this does not compile")
}

/// Method lookup prefers the first that fits; generated code has these traits in scope.
pub mod by_presumption {
    use super::*;

    /// An entry of what can be stored.
    pub trait Begins<R: ShapeOf<N>, const N: u8> {
        /// Begins it.
        fn begin<Q: Compares<R::Data>>(
            &self,
            asked: (Sharer<R::Error>, Q),
            cache: Current,
            at: At,
            generics: &[Cow<'static, str>],
        ) -> Entry<R, N>;
    }

    impl<R, const N: u8, C: Choice> Begins<R, N> for &Begun<R, N, C>
    where
        R: ShapeOf<N, Data: Serialize + DeserializeOwned>,
    {
        fn begin<Q: Compares<R::Data>>(
            &self,
            (sharer, equality): (Sharer<R::Error>, Q),
            cache: Current,
            at: At,
            generics: &[Cow<'static, str>],
        ) -> Entry<R, N> {
            begin(sharer, equality.equality(), self.codec, cache, at, generics)
        }
    }

    /// An entry of what cannot.
    pub trait BeginsNot<R: ShapeOf<N>, const N: u8> {
        /// Never called.
        fn begin<Q>(
            &self,
            _: (Sharer<R::Error>, Q),
            _: Current,
            _: At,
            _: &[Cow<'static, str>],
        ) -> Entry<R, N> {
            never()
        }
    }

    impl<R: ShapeOf<N>, const N: u8, C> BeginsNot<R, N> for Begun<R, N, C> {}

    /// The entries of a batch.
    pub trait BeginsBatch<const N: u8> {
        /// Their entry, and how keys and maps are used.
        type Entry;
        /// Begins them.
        fn begin(&self, cache: Current, at: At, generics: &[Cow<'static, str>]) -> Self::Entry;
    }

    impl<R, const N: u8, K, C> BeginsBatch<N> for &BegunBatch<R, N, K, C>
    where
        K: BatchKey,
        R: ShapeOf<N>,
        R::Value: MapOf<K, Of: Serialize + DeserializeOwned>,
        Kind<N>: ReturnsMap,
        C: Choice,
    {
        type Entry = (
            Entry<Option<<R::Value as MapOf<K>>::Of>, OPTION>,
            Ways<R, N, K, <R::Value as MapOf<K>>::Of>,
        );

        fn begin(&self, cache: Current, at: At, generics: &[Cow<'static, str>]) -> Self::Entry {
            batch(PhantomData, Probe::NEW, Kind, self.codec, cache, at, generics)
        }
    }

    /// What is no batch.
    pub trait BeginsNoBatch {
        /// Never called.
        fn begin(
            &self,
            _: Current,
            _: At,
            _: &[Cow<'static, str>],
        ) -> (Entry<Option<Never>, OPTION>, ()) {
            never()
        }
    }

    impl<R, const N: u8, K, C> BeginsNoBatch for BegunBatch<R, N, K, C> {}

    /// Arguments that can be part of the key.
    pub trait Adds<'a, T: ?Sized> {
        /// The part.
        fn part(&self) -> Part<'a, T>;
    }

    impl<'a, T: Serialize + ?Sized> Adds<'a, T> for &Given<'a, T> {
        fn part(&self) -> Part<'a, T> {
            Part { value: self.0, add: added::<T> }
        }
    }

    /// Arguments that cannot.
    pub trait AddsNot<'a, T: ?Sized> {
        /// Never called.
        fn part(&self) -> Part<'a, T> {
            never()
        }
    }

    impl<'a, T: ?Sized> AddsNot<'a, T> for Given<'a, T> {}

    /// Options of the right type.
    pub trait Gives<T> {
        /// The value.
        fn value(&self) -> T;
    }

    impl Gives<Duration> for &Taken<PhantomData<Duration>, Duration> {
        fn value(&self) -> Duration {
            self.take().1
        }
    }

    impl Gives<usize> for &Taken<PhantomData<usize>, usize> {
        fn value(&self) -> usize {
            self.take().1
        }
    }

    /// Options of another type.
    pub trait GivesNot<T> {
        /// Never called.
        fn value(&self) -> T {
            never()
        }
    }

    impl<T, U> GivesNot<T> for Taken<PhantomData<T>, U> {}

    /// A `ttl` that is the same for each value.
    pub trait Lasts<R: ShapeOf<N>, const N: u8> {
        /// The plan.
        fn cached(&self) -> Plan<R, N, Fixed, Always, NoErrors<R::Error>>;
    }

    impl<R: ShapeOf<N>, const N: u8> Lasts<R, N> for &&Taken<Entry<R, N>, Duration> {
        fn cached(&self) -> Plan<R, N, Fixed, Always, NoErrors<R::Error>> {
            let (entry, ttl) = self.take();
            entry.cached(ttl)
        }
    }

    /// A `ttl` by value.
    pub trait LastsBy<R: ShapeOf<N>, const N: u8, F> {
        /// The plan.
        fn cached(&self) -> Plan<R, N, PerValue<F>, Always, NoErrors<R::Error>>;
    }

    impl<R, const N: u8, F> LastsBy<R, N, F> for &Taken<Entry<R, N>, F>
    where
        R: ShapeOf<N>,
        F: Fn(&R::Data) -> Duration,
    {
        fn cached(&self) -> Plan<R, N, PerValue<F>, Always, NoErrors<R::Error>> {
            let (entry, ttl) = self.take();
            entry.cached_by(ttl)
        }
    }

    /// What is no `ttl`.
    pub trait LastsNot<R: ShapeOf<N>, const N: u8> {
        /// Never called.
        fn cached(&self) -> Plan<R, N, Fixed, Always, NoErrors<R::Error>> {
            never()
        }
    }

    impl<R: ShapeOf<N>, const N: u8, T> LastsNot<R, N> for Taken<Entry<R, N>, T> {}

    /// A `cache_if` that is asked about the value.
    pub trait Keeps<R: ShapeOf<N>, const N: u8, T, I> {
        /// The plan.
        fn kept(&self) -> Plan<R, N, T, I, NoErrors<R::Error>>;
    }

    impl<R, const N: u8, T, F> Keeps<R, N, T, If<F>>
        for &Taken<Plan<R, N, T, Always, NoErrors<R::Error>>, F>
    where
        R: ShapeOf<N>,
        F: Fn(&R::Data) -> bool,
    {
        fn kept(&self) -> Plan<R, N, T, If<F>, NoErrors<R::Error>> {
            let (plan, keep) = self.take();
            plan.cache_if(keep)
        }
    }

    /// A `cache_if` that is asked about anything else.
    pub trait KeepsNot<R: ShapeOf<N>, const N: u8, T> {
        /// Never called.
        fn kept(&self) -> Plan<R, N, T, Always, NoErrors<R::Error>> {
            never()
        }
    }

    impl<R: ShapeOf<N>, const N: u8, T, F> KeepsNot<R, N, T>
        for Taken<Plan<R, N, T, Always, NoErrors<R::Error>>, F>
    {
    }
}

/// The entry that a verb begins.
#[doc(hidden)]
#[macro_export]
macro_rules! __cached_presumed {
    ($ask:ident, $returns:ty, $codec:expr, $cache:expr, $at:expr, $generics:expr $(,)?) => {{
        let (kind, sharer, equality) = $crate::__private::$ask!($returns);
        let asked = $crate::__private::asked($crate::__private::Probe::<$returns>::NEW, &kind);
        #[allow(unused_imports)]
        use $crate::__private::by_presumption::{Begins as _, BeginsNot as _};
        (&&$crate::__private::begun(asked, $codec)).begin(
            (sharer, equality),
            $cache,
            $at,
            $generics,
        )
    }};
}

/// The entries that a verb of a batch begins.
#[doc(hidden)]
#[macro_export]
macro_rules! __cached_presumed_batch {
    ($key:expr, $probe:expr, $kind:expr, $codec:expr, $cache:expr, $at:expr, $generics:expr $(,)?) => {{
        #[allow(unused_imports)]
        use $crate::__private::by_presumption::{BeginsBatch as _, BeginsNoBatch as _};
        (&&$crate::__private::begun_batch($key, $probe, $kind, $codec))
            .begin($cache, $at, $generics)
    }};
}

/// A part of the key, in a verb.
#[doc(hidden)]
#[macro_export]
macro_rules! __cached_part {
    ($given:expr) => {{
        #[allow(unused_imports)]
        use $crate::__private::by_presumption::{Adds as _, AddsNot as _};
        (&&$crate::__private::Given($given)).part()
    }};
}

/// The value of an option, in a verb: of this type, given to the entry, given to the plan.
#[doc(hidden)]
#[macro_export]
macro_rules! __cached_taken {
    ($ty:ty: $value:expr) => {{
        #[allow(unused_imports)]
        use $crate::__private::by_presumption::{Gives as _, GivesNot as _};
        (&&$crate::__private::Taken::new(::core::marker::PhantomData::<$ty>, $value)).value()
    }};
    (ttl $entry:expr, $ttl:expr) => {{
        #[allow(unused_imports)]
        use $crate::__private::by_presumption::{Lasts as _, LastsBy as _, LastsNot as _};
        (&&&$crate::__private::Taken::new($entry, $ttl)).cached()
    }};
    (cache_if $plan:expr, $keep:expr) => {{
        #[allow(unused_imports)]
        use $crate::__private::by_presumption::{Keeps as _, KeepsNot as _};
        (&&$crate::__private::Taken::new($plan, $keep)).kept()
    }};
}
