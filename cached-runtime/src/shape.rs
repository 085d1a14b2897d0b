//! What a function's return type is: `T`, `Option<T>`, `Result<T, E>` or `Result<Option<T>, E>`,
//! each with `T` in an `Arc` or not. The type decides, through aliases too, never its spelling.
//!
//! Two ways lead to the same number. In expressions, method lookup prefers the impl behind more
//! references (dtolnay's "autoref-based specialization", 2019), which also works where the type
//! mentions generics. In type position, where the companions' signatures stand, an associated
//! constant serves: an inherent one is preferred to a trait's, and a constant may be a generic
//! argument as long as no generics stand in it.

use std::marker::PhantomData;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};

/// A return type, as a value to ask.
pub struct Probe<R: ?Sized>(PhantomData<fn() -> PhantomData<R>>);

impl<R: ?Sized> Probe<R> {
    /// The one value.
    pub const NEW: Self = Self(PhantomData);
}

/// The answer: bit 0 an `Option` within, bit 1 a `Result` around, bit 2 an `Arc` inside.
pub struct Kind<const N: u8>;

// The values of `N`.
pub(crate) const PLAIN: u8 = 0;
pub(crate) const OPTION: u8 = 1;
pub(crate) const RESULT: u8 = 2;
pub(crate) const ARC: u8 = 4;

/// A return value, taken apart.
pub enum Opened<V, A, E> {
    /// The innermost value: inside `Ok` and `Some`.
    Value(V),
    /// `None`.
    Absent(A),
    /// `Err`.
    Failed(E),
}

/// There is none. It is serde's, so that a function without an error is not told to derive
/// serde for it.
pub enum Never {}

impl Serialize for Never {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        match *self {}
    }
}

impl<'de> Deserialize<'de> for Never {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom("there is no such value"))
    }
}

/// What is left of a return value that is no `Err`.
pub enum Kept<V, A> {
    /// The innermost value.
    Value(V),
    /// `None`.
    Absent(A),
}

/// A type seen as the shape `N`.
pub trait ShapeOf<const N: u8>: Sized {
    /// The innermost value, `T` or `Arc<T>`: what `put` takes and `peek` gives.
    type Value;
    /// What is stored: `T`.
    type Data;
    /// `()` where there can be none, else uninhabited.
    type Absence;
    /// The error, uninhabited where there is none.
    type Error;

    /// Takes a return value apart.
    fn open(self) -> Opened<Self::Value, Self::Absence, Self::Error>;
    /// Puts it together again.
    fn close(opened: Opened<Self::Value, Self::Absence, Self::Error>) -> Self;
    /// `None` where the shape has no way to say "there is none".
    fn absence() -> Option<Self::Absence>;
    /// The stored part of a value.
    fn data(value: &Self::Value) -> &Self::Data;
    /// A value from its stored part.
    fn wrap(data: Self::Data) -> Self::Value;
    /// Whether it is an `Err`.
    fn is_failure(&self) -> bool;
}

macro_rules! shapes {
    ($($n:expr, [$($generic:ident),*] $shape:ty, value $value:ty, data $data:ty, none $absence:ty, error $error:ty,
        open $this:ident $open:block, close { $($pattern:pat => $closed:expr,)+ },
        absence $absent:expr, data |$v:ident| $get:expr, wrap |$d:ident| $wrap:expr, failure |$f:ident| $failed:expr;)*) => {$(
        impl<$($generic),*> ShapeOf<{ $n }> for $shape {
            type Value = $value;
            type Data = $data;
            type Absence = $absence;
            type Error = $error;

            fn open(self) -> Opened<$value, $absence, $error> {
                let $this = self;
                $open
            }

            fn close(opened: Opened<$value, $absence, $error>) -> Self {
                match opened { $($pattern => $closed,)+ }
            }

            fn absence() -> Option<$absence> {
                $absent
            }

            fn data($v: &$value) -> &$data {
                $get
            }

            fn wrap($d: $data) -> $value {
                $wrap
            }

            fn is_failure(&self) -> bool {
                let $f = self;
                $failed
            }
        }
    )*};
}

shapes! {
    PLAIN, [T] T, value T, data T, none Never, error Never,
        open this { Opened::Value(this) },
        close { Opened::Value(value) => value, Opened::Absent(never) | Opened::Failed(never) => match never {}, },
        absence None, data |value| value, wrap |data| data, failure |_this| false;
    OPTION, [T] Option<T>, value T, data T, none (), error Never,
        open this { this.map_or(Opened::Absent(()), Opened::Value) },
        close { Opened::Value(value) => Some(value), Opened::Absent(()) => None, Opened::Failed(never) => match never {}, },
        absence Some(()), data |value| value, wrap |data| data, failure |_this| false;
    RESULT, [T, E] Result<T, E>, value T, data T, none Never, error E,
        open this { this.map_or_else(Opened::Failed, Opened::Value) },
        close { Opened::Value(value) => Ok(value), Opened::Absent(never) => match never {}, Opened::Failed(error) => Err(error), },
        absence None, data |value| value, wrap |data| data, failure |this| this.is_err();
    RESULT | OPTION, [T, E] Result<Option<T>, E>, value T, data T, none (), error E,
        open this { match this { Ok(Some(value)) => Opened::Value(value), Ok(None) => Opened::Absent(()), Err(error) => Opened::Failed(error) } },
        close { Opened::Value(value) => Ok(Some(value)), Opened::Absent(()) => Ok(None), Opened::Failed(error) => Err(error), },
        absence Some(()), data |value| value, wrap |data| data, failure |this| this.is_err();
    ARC, [T] Arc<T>, value Arc<T>, data T, none Never, error Never,
        open this { Opened::Value(this) },
        close { Opened::Value(value) => value, Opened::Absent(never) | Opened::Failed(never) => match never {}, },
        absence None, data |value| value, wrap |data| Arc::new(data), failure |_this| false;
    ARC | OPTION, [T] Option<Arc<T>>, value Arc<T>, data T, none (), error Never,
        open this { this.map_or(Opened::Absent(()), Opened::Value) },
        close { Opened::Value(value) => Some(value), Opened::Absent(()) => None, Opened::Failed(never) => match never {}, },
        absence Some(()), data |value| value, wrap |data| Arc::new(data), failure |_this| false;
    ARC | RESULT, [T, E] Result<Arc<T>, E>, value Arc<T>, data T, none Never, error E,
        open this { this.map_or_else(Opened::Failed, Opened::Value) },
        close { Opened::Value(value) => Ok(value), Opened::Absent(never) => match never {}, Opened::Failed(error) => Err(error), },
        absence None, data |value| value, wrap |data| Arc::new(data), failure |this| this.is_err();
    ARC | RESULT | OPTION, [T, E] Result<Option<Arc<T>>, E>, value Arc<T>, data T, none (), error E,
        open this { match this { Ok(Some(value)) => Opened::Value(value), Ok(None) => Opened::Absent(()), Err(error) => Opened::Failed(error) } },
        close { Opened::Value(value) => Ok(Some(value)), Opened::Absent(()) => Ok(None), Opened::Failed(error) => Err(error), },
        absence Some(()), data |value| value, wrap |data| Arc::new(data), failure |this| this.is_err();
}

/// In expressions: `(&&&&Probe::<R>::NEW).kind()`, with these traits in scope.
pub mod by_value {
    use super::{ARC, Arc, Kind, OPTION, PLAIN, Probe, RESULT};

    macro_rules! tiers {
        ($($tier:ident { $([$($generic:ident),*] $on:ty => $n:expr;)+ })*) => {$(
            /// One tier of the lookup.
            pub trait $tier {
                /// The answer's type.
                type Kind;
                /// The answer.
                fn kind(&self) -> Self::Kind;
            }
            $(impl<$($generic),*> $tier for $on {
                type Kind = Kind<{ $n }>;
                fn kind(&self) -> Self::Kind {
                    Kind
                }
            })+
        )*};
    }

    tiers! {
        First {
            [T, E] &&&Probe<Result<Option<Arc<T>>, E>> => ARC | RESULT | OPTION;
            [T, E] &&&Probe<Result<Arc<T>, E>> => ARC | RESULT;
            [T] &&&Probe<Option<Arc<T>>> => ARC | OPTION;
            [T] &&&Probe<Arc<T>> => ARC;
        }
        Second {
            [T, E] &&Probe<Result<Option<T>, E>> => RESULT | OPTION;
        }
        Third {
            [T, E] &Probe<Result<T, E>> => RESULT;
            [T] &Probe<Option<T>> => OPTION;
        }
        Last {
            [T] Probe<T> => PLAIN;
        }
    }
}

/// In types: one layer of a type at a time.
pub mod by_type {
    use super::{ARC, Arc, OPTION, PLAIN, Probe, RESULT};

    impl<T> Probe<Option<T>> {
        /// What the outermost layer is.
        pub const LAYER: u8 = OPTION;
    }

    impl<T, E> Probe<Result<T, E>> {
        /// What the outermost layer is.
        pub const LAYER: u8 = RESULT;
    }

    impl<T> Probe<Arc<T>> {
        /// What the outermost layer is.
        pub const LAYER: u8 = ARC;
    }

    /// For all other types; an inherent constant is preferred.
    pub trait Other {
        /// What the outermost layer is.
        const LAYER: u8 = PLAIN;
    }

    impl<T> Other for Probe<T> {}

    /// What is inside the outermost layer `L`.
    pub trait Peel<const L: u8> {
        /// The type inside.
        type Inner;
    }

    impl<T> Peel<{ PLAIN }> for T {
        type Inner = T;
    }

    impl<T> Peel<{ OPTION }> for Option<T> {
        type Inner = T;
    }

    impl<T, E> Peel<{ RESULT }> for Result<T, E> {
        type Inner = T;
    }

    impl<T> Peel<{ ARC }> for Arc<T> {
        type Inner = T;
    }

    /// The shape of a type whose layers are these, from the outside in.
    #[must_use]
    pub const fn shape(first: u8, second: u8, third: u8) -> u8 {
        match (first, second, third) {
            (RESULT, OPTION, ARC) => RESULT | OPTION | ARC,
            (RESULT, OPTION, _) => RESULT | OPTION,
            (RESULT, ARC, _) => RESULT | ARC,
            (OPTION, ARC, _) => OPTION | ARC,
            _ => first,
        }
    }
}

/// The shape of a type without generics, as a constant.
#[doc(hidden)]
#[macro_export]
macro_rules! __cached_shape {
    ($first:ty) => {{
        // Nothing is named here that could be a type of the user's.
        #[allow(unused_imports)]
        use $crate::__private::by_type::Other as _;
        type __CachedSecond = <$first as $crate::__private::by_type::Peel<
            { $crate::__private::Probe::<$first>::LAYER },
        >>::Inner;
        type __CachedThird = <__CachedSecond as $crate::__private::by_type::Peel<
            { $crate::__private::Probe::<__CachedSecond>::LAYER },
        >>::Inner;
        $crate::__private::by_type::shape(
            $crate::__private::Probe::<$first>::LAYER,
            $crate::__private::Probe::<__CachedSecond>::LAYER,
            $crate::__private::Probe::<__CachedThird>::LAYER,
        )
    }};
}

/// Shapes with an `Option`.
#[diagnostic::on_unimplemented(
    message = "`none_ttl` needs a function that returns `Option<T>` or `Result<Option<T>, E>`",
    label = "this function never returns `None`",
    note = "remove `none_ttl`, or return an `Option`"
)]
pub trait HasNone {}

/// Shapes with a `Result`.
#[diagnostic::on_unimplemented(
    message = "`err_ttl` needs a function that returns `Result<T, E>`",
    label = "this function never returns `Err`",
    note = "remove `err_ttl`, or return a `Result`"
)]
pub trait HasErr {}

/// Return types that can carry an error of the cache.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot carry an error of the cache, which is to be returned here",
    label = "not a `Result` whose error is `From<cached_runtime::Error>`",
    note = "`load_timeout` and `on_error = \"fail\"` need a function that returns `Result<T, E>`, \
            with an `impl From<cached_runtime::Error> for E`"
)]
pub trait Fallible<const N: u8>: ShapeOf<N> {
    /// The cache's error as the function's.
    fn error_of(error: crate::Error) -> Self::Error;
}

macro_rules! fallible {
    ($($n:expr, $value:ty;)*) => {$(
        #[diagnostic::do_not_recommend]
        impl<T, E: From<crate::Error>> Fallible<{ $n }> for Result<$value, E> {
            fn error_of(error: crate::Error) -> E {
                error.into()
            }
        }
    )*};
}

fallible! {
    RESULT, T;
    RESULT | OPTION, Option<T>;
    ARC | RESULT, Arc<T>;
    ARC | RESULT | OPTION, Option<Arc<T>>;
}

#[diagnostic::do_not_recommend]
impl HasNone for Kind<{ OPTION }> {}
#[diagnostic::do_not_recommend]
impl HasNone for Kind<{ RESULT | OPTION }> {}
#[diagnostic::do_not_recommend]
impl HasNone for Kind<{ ARC | OPTION }> {}
#[diagnostic::do_not_recommend]
impl HasNone for Kind<{ ARC | RESULT | OPTION }> {}
#[diagnostic::do_not_recommend]
impl HasErr for Kind<{ RESULT }> {}
#[diagnostic::do_not_recommend]
impl HasErr for Kind<{ RESULT | OPTION }> {}
#[diagnostic::do_not_recommend]
impl HasErr for Kind<{ ARC | RESULT }> {}
#[diagnostic::do_not_recommend]
impl HasErr for Kind<{ ARC | RESULT | OPTION }> {}

#[cfg(test)]
#[allow(clippy::needless_borrow, reason = "the references are what is looked up")]
mod tests {
    use super::by_value::*;
    use super::*;

    type Alias = std::io::Result<Option<Arc<u32>>>;
    type Sqlx<T> = Result<T, std::fmt::Error>;

    fn number<const N: u8>(_: Kind<N>) -> u8 {
        N
    }

    macro_rules! both_ways_say {
        ($($shape:ty => $expected:expr,)*) => {$(
            const { assert!(crate::__cached_shape!($shape) == $expected) };
            assert_eq!(number((&&&&Probe::<$shape>::NEW).kind()), $expected, stringify!($shape));
        )*};
    }

    #[test]
    fn the_type_decides_through_aliases_too() {
        both_ways_say! {
            u32 => 0,
            Vec<Option<u32>> => 0,
            Option<u32> => 1,
            Option<Option<u32>> => 1,
            Result<u32, ()> => 2,
            Sqlx<Vec<u32>> => 2,
            Result<Result<u32, ()>, ()> => 2,
            Sqlx<Option<u32>> => 3,
            Arc<u32> => 4,
            Option<Arc<u32>> => 5,
            Sqlx<Arc<u32>> => 6,
            Alias => 7,
        }
    }

    #[test]
    fn generic_code_sees_the_layers_it_can_name() {
        fn outer<T>() -> u8 {
            number((&&&&Probe::<Result<Option<T>, ()>>::NEW).kind())
        }
        assert_eq!(outer::<u8>(), 3);
    }

    #[test]
    fn opening_and_closing_is_the_identity() {
        fn same<const N: u8, R: ShapeOf<N> + Clone + PartialEq + std::fmt::Debug>(
            _: Kind<N>,
            all: &[R],
        ) {
            for one in all {
                assert_eq!(R::close(one.clone().open()), *one);
            }
        }
        same(Kind::<0>, &[1, 2]);
        same(Kind::<1>, &[Some(1), None]);
        same(Kind::<2>, &[Ok(1), Err("no")]);
        same(Kind::<3>, &[Ok(Some(1)), Ok(None), Err("no")]);
        same(Kind::<4>, &[Arc::new(1)]);
        same(Kind::<5>, &[Some(Arc::new(1)), None]);
        same(Kind::<6>, &[Ok(Arc::new(1)), Err("no")]);
        same(Kind::<7>, &[Ok(Some(Arc::new(1))), Ok(None), Err("no")]);
    }
}
