//! What a cached function asks of its types, each with the sentence that says what to do where it is
//! missing. The function alone asks; what stands beside it [presumes](super::presumed) that it has.
//!
//! Which derive a value lacks is found by autoref dispatch, as its shape is: each answer has its own
//! bound, and so its own sentence.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::entry::{Entry, begin};
use super::{Near, Part, Tag};
use crate::cache::Current;
use crate::coder::Choice;
use crate::equality::{Asked, Compares};
use crate::function::At;
use crate::shape::ShapeOf;
use crate::sharing::Sharer;

/// Arguments that are part of the key.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be part of the key of a cached function: it is not `Serialize`",
    label = "not `serde::Serialize`",
    note = "where the result does not depend on it (a pool, a client, a config), leave it out of the \
            key by its name: `#[cache_result(ttl = 60, skip(db))]`",
    note = "where the result depends on it, `#[derive(serde::Serialize)]` on its type"
)]
pub trait Argument: Serialize {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + ?Sized> Argument for T {}

/// Values that have neither derive, as far as the compiler knows.
#[diagnostic::on_unimplemented(
    message = "values of type `{Self}` cannot be cached: it is neither `Serialize` nor `Deserialize`",
    label = "this value cannot be written and read back",
    note = "`#[derive(serde::Serialize, serde::Deserialize)]` on `{Self}`, or on the type in it that \
            has neither; a type parameter needs both as bounds (`T: Serialize + DeserializeOwned`)",
    note = "for types of other crates look for a feature `serde`, or return a type of your own"
)]
pub trait Storable: Serialize + DeserializeOwned {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> Storable for T {}

/// Values that can be written, and not read back as far as the compiler knows.
#[diagnostic::on_unimplemented(
    message = "values of type `{Self}` cannot be read back from the cache: it is not `Deserialize`",
    label = "this value can be written, not read back",
    note = "`#[derive(serde::Deserialize)]` on `{Self}`, or on the type in it that lacks it; a type \
            parameter needs the bound `DeserializeOwned`",
    note = "a type that borrows (`&'static str` within) owns nothing when it is read back: let it own \
            what it has (`String`, `Vec<T>`, `Cow<'static, str>`)"
)]
pub trait Readable: DeserializeOwned {}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned> Readable for T {}

/// Values that can be read back, and not be written as far as the compiler knows.
#[diagnostic::on_unimplemented(
    message = "values of type `{Self}` cannot be written to the cache: it is not `Serialize`",
    label = "this value can be read back, not written",
    note = "`#[derive(serde::Serialize)]` on `{Self}`, or on the type in it that lacks it; a type \
            parameter needs the bound `Serialize`"
)]
pub trait Writable: Serialize {}

#[diagnostic::do_not_recommend]
impl<T: Serialize> Writable for T {}

/// What a template fills a key into.
pub trait Keyed {
    /// Adds the template's text.
    fn text(&mut self, text: &str);
    /// Adds what it captures.
    fn capture<T: Argument + ?Sized>(&mut self, value: &T);
    /// Adds what it captures, of a type that only its value knows.
    fn typed_capture<T: Argument + ?Sized>(&mut self, value: &T);
}

/// What templates fill tags into.
pub trait Tagged {
    /// One tag.
    type Tag: TagText;
    /// Adds a tag.
    fn tag(&mut self, template: impl FnOnce(&mut Self::Tag));
}

/// What a template fills one tag into.
pub trait TagText {
    /// Adds the template's text.
    fn text(&mut self, text: &str);
    /// Adds what it captures.
    fn part(&mut self, part: &impl Part);
}

macro_rules! forwarded {
    ($([$($generics:tt)*] $of:ty, tag [$($of_tag:tt)*] $tag:ty;)*) => {$(
        impl<$($generics)*> Keyed for $of {
            #[inline]
            fn text(&mut self, text: &str) {
                <$of>::text(self, text);
            }

            #[inline]
            fn capture<T: Argument + ?Sized>(&mut self, value: &T) {
                <$of>::capture(self, value);
            }

            #[inline]
            fn typed_capture<T: Argument + ?Sized>(&mut self, value: &T) {
                <$of>::typed_capture(self, value);
            }
        }

        impl<$($generics)*> Tagged for $of {
            type Tag = $tag;

            #[inline]
            fn tag(&mut self, template: impl FnOnce(&mut $tag)) {
                <$of>::tag(self, template);
            }
        }

        impl<$($of_tag)*> TagText for $tag {
            #[inline]
            fn text(&mut self, text: &str) {
                <$tag>::text(self, text);
            }

            #[inline]
            fn part(&mut self, part: &impl Part) {
                <$tag>::part(self, part);
            }
        }
    )*};
}

forwarded! {
    [R: ShapeOf<N>, const N: u8] Entry<R, N>, tag [] Tag;
    ['a, R: ShapeOf<N>, const N: u8] Near<'a, R, N>, tag ['a, R: ShapeOf<N>, const N: u8] Near<'a, R, N>;
}

/// Lengths of time that are no literal.
#[diagnostic::on_unimplemented(
    message = "a `{Self}` is no length of time here; only a literal is one",
    label = "not a `std::time::Duration`",
    note = "write a literal, in seconds (`60`, `0.25`) or with its unit (`\"5m\"`), or a `Duration`: \
            `Duration::from_secs(…)`"
)]
pub trait Length {
    /// It.
    fn length(self) -> Duration;
}

impl Length for Duration {
    fn length(self) -> Duration {
        self
    }
}

/// A length of time that an option names by its path.
pub fn length(length: impl Length) -> Duration {
    length.length()
}

/// Method lookup prefers the first that fits; `required!` has these traits in scope.
pub mod by_serde {
    use super::*;

    macro_rules! tiers {
        ($($(#[$doc:meta])* $tier:ident: has [$($has:tt)*] on $asked:ty, lacks [$($lacks:tt)*];)*) => {$(
            $(#[$doc])*
            pub trait $tier<R: ShapeOf<N>, const N: u8> {
                /// Begins an entry.
                fn begin<C: Choice, Q: Compares<R::Data>>(
                    &self,
                    asked: (Sharer<R::Error>, Q),
                    codec: PhantomData<C>,
                    cache: Current,
                    at: At,
                    generics: &[Cow<'static, str>],
                ) -> Entry<R, N>
                where
                    R::Data: $($lacks)*;
            }

            impl<R: ShapeOf<N, Data: $($has)*>, const N: u8> $tier<R, N> for $asked {
                #[inline]
                fn begin<C: Choice, Q: Compares<R::Data>>(
                    &self,
                    (sharer, equality): (Sharer<R::Error>, Q),
                    codec: PhantomData<C>,
                    cache: Current,
                    at: At,
                    generics: &[Cow<'static, str>],
                ) -> Entry<R, N>
                where
                    R::Data: $($lacks)*,
                {
                    begin(sharer, equality.equality(), codec, cache, at, generics)
                }
            }
        )*};
    }

    tiers! {
        /// Both ways.
        Whole: has [Serialize + DeserializeOwned] on &&&Asked<R, N>, lacks [Sized];
        /// Written, not read.
        Unreadable: has [Serialize] on &&Asked<R, N>, lacks [Readable];
        /// Read, not written.
        Unwritable: has [DeserializeOwned] on &Asked<R, N>, lacks [Writable];
        /// Neither.
        Unstorable: has [Sized] on Asked<R, N>, lacks [Storable];
    }
}

/// The entry of a cached function, begun with all that is asked of what it returns.
#[doc(hidden)]
#[macro_export]
macro_rules! __cached_required {
    ($ask:ident, $returns:ty, $codec:expr, $cache:expr, $at:expr, $generics:expr $(,)?) => {{
        let (kind, sharer, equality) = $crate::__private::$ask!($returns);
        let asked = $crate::__private::asked($crate::__private::Probe::<$returns>::NEW, &kind);
        #[allow(unused_imports)]
        use $crate::__private::by_serde::{
            Unreadable as _, Unstorable as _, Unwritable as _, Whole as _,
        };
        (&&&&asked).begin((sharer, equality), $codec, $cache, $at, $generics)
    }};
}

/// A step of the plan, of a return type that may borrow. Where it does, its lifetimes are what is wrong,
/// and all that the compiler shows of ours then is the macro's name.
#[doc(hidden)]
#[macro_export]
macro_rules! __cached_owning {
    ($entry:expr, cached $arguments:tt) => { $entry.cached $arguments };
    ($entry:expr, cached_by $arguments:tt) => { $entry.cached_by $arguments };
    ($entry:expr, cached_for $arguments:tt) => { $entry.cached_for $arguments };
}
