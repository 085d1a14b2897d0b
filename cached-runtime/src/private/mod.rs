//! What generated code names. Not for anything else: it changes without notice.

mod batch;
mod entry;
mod forced;
mod handle;
mod invalidation;
mod near;
mod options;
mod plan;
mod presumed;
mod required;
mod tag;
mod ways;

pub use std::borrow::Cow;

pub use cached_macro::{cache_result_is_missing_above_it_or_what_it_skips_is_given, with};
pub use serde::de::DeserializeOwned;

pub use self::batch::{Batch, batch};
pub use self::entry::{Entry, const_name, here};
pub use self::forced::{Forced, Mode, fetch, fetch_sync, force, force_sync};
pub use self::handle::{BlockingHandle, Handle, Recipe};
pub use self::invalidation::{HasHandle, Invalidation, NoTarget, Target, Template, returned};
pub use self::near::{Near, is_turn, near, turn};
pub(crate) use self::options::{Always, Fixed, NoErrors};
pub use self::options::{IntoTtl, KeepIf, Zstd, ZstdFeature};
pub use self::plan::Plan;
pub use self::presumed::{Begun, Given, PartOf, Taken, begun, begun_batch, by_presumption};
pub use self::required::{Keyed, Length, TagText, Tagged, by_serde, length};
pub use self::tag::{Captured, Part, Plain, Shown, Tag, Unasked, Unwritten, Written};
pub use self::ways::{Again, BatchKey, MapOf, ReturnsMap, Ways, again};
pub use crate::__cached_companion as if_this_type_is_in_the_way_write_companion_equals_false;
pub use crate::__cached_handle as in_an_impl_of_a_trait_leave_companion_out;
pub use crate::__cached_kind as kind_of;
pub use crate::__cached_owning as return_a_value_that_owns_what_it_points_to;
pub use crate::__cached_part as part;
pub use crate::__cached_place as place;
pub use crate::__cached_position as position;
pub use crate::__cached_presumed as presumed;
pub use crate::__cached_presumed_batch as presumed_batch;
pub use crate::__cached_probe as probe;
pub use crate::__cached_required as required;
pub use crate::__cached_shape as shape_of;
pub use crate::__cached_tag_part as tag_part;
pub use crate::__cached_taken as taken;
pub use crate::__cached_unshared as unshared;
pub use crate::cache::Current;
pub use crate::codec::zip::DEFAULT_THRESHOLD;
pub use crate::coder::{CacheDefault, Named};
pub use crate::equality::{Equality, asked, by_equality};
pub use crate::function::{At, Place, Side, Site};
pub use crate::local::Keepable;
pub use crate::policy::SingleFlight;
pub use crate::shape::{Fallible, Kind, Probe, ShapeOf, by_type, by_value};
pub use crate::sharing::{Sharer, by_error};

use crate::cache::Cache;

/// The cache of a call that names none.
#[must_use]
#[inline]
pub fn current() -> Current {
    crate::cache::current()
}

/// The cache that `cache = …` names: whatever dereferences to a `Cache`, which the compiler sees to.
#[must_use]
pub fn named(cache: &Cache) -> Current {
    Current::Own(cache.clone())
}

/// No cache at all, for a key that is only to be named.
#[must_use]
pub fn nowhere() -> Current {
    Current::nowhere()
}

/// The companion type of a free function. It goes through a macro for the sake of the macro's
/// name, which the compiler shows where there can be no such type: in an `impl`, or beside a module
/// of the function's name.
#[doc(hidden)]
#[macro_export]
macro_rules! __cached_companion {
    (
        $(#[$of_type:meta])*
        [$($visibility:tt)*] struct $name:ident [$($generics:tt)*] [$marker:ty]
        impl [$($declared:tt)*] [$($arguments:tt)*] { $($verbs:tt)* }
    ) => {
        $(#[$of_type])*
        #[$crate::__private::with(
            #[allow(unused, deprecated, nonstandard_style, unused_lifetimes, single_use_lifetimes)]
            #[allow(unused_qualifications, trivial_bounds)]
            #[allow(clippy::all, clippy::pedantic, clippy::nursery)]
            impl<$($declared)*> $name<$($arguments)*> { $($verbs)* }
        )]
        #[allow(non_camel_case_types, dead_code, missing_debug_implementations)]
        #[allow(missing_copy_implementations, clippy::all, clippy::pedantic, clippy::nursery)]
        $($visibility)* struct $name<$($generics)*> {
            #[doc(hidden)]
            __companion: $marker,
        }
    };
}

/// The handle of a method, by a macro whose name the compiler shows where there can be none: in the
/// `impl` of a trait.
#[doc(hidden)]
#[macro_export]
macro_rules! __cached_handle {
    (
        [$($apart:tt)*]
        #[$docs:meta]
        [$($visibility:tt)*] fn $name:ident [$($signature:tt)*] { $($body:tt)* }
    ) => {
        $($apart)*

        #[$docs]
        #[allow(unused, deprecated, nonstandard_style, unused_qualifications)]
        #[allow(clippy::all, clippy::pedantic, clippy::nursery)]
        $($visibility)* fn $name $($signature)* { $($body)* }
    };
}

/// The shape of a return type, in an expression.
#[doc(hidden)]
#[macro_export]
macro_rules! __cached_kind {
    ($returns:ty) => {{
        #[allow(unused_imports)]
        use $crate::__private::by_value::{First as _, Last as _, Second as _, Third as _};
        (&&&&$crate::__private::Probe::<$returns>::NEW).kind()
    }};
}

/// Where the code that names it stands; `free` where no generics of an `impl` can be around.
#[doc(hidden)]
#[macro_export]
macro_rules! __cached_place {
    () => {{
        fn here() {}
        $crate::__private::Place {
            here: $crate::__private::here(&here),
            path: $crate::__private::here(&|| ()),
        }
    }};
    (free) => {{
        fn here() {}
        let path = $crate::__private::here(&here);
        $crate::__private::Place { here: path, path }
    }};
}

/// Where the attribute stands whose code names it, in its file or in what a macro was given.
#[doc(hidden)]
#[macro_export]
macro_rules! __cached_position {
    () => {
        ::core::concat!(::core::file!(), ":", ::core::line!(), ":", ::core::column!())
    };
}

/// What `make` makes. An expression with a closure that is called in place keeps the closure, and what
/// it borrows, until its end: across an await.
#[inline(always)]
pub fn made<T>(make: impl FnOnce() -> T) -> T {
    make()
}

/// Never called: gives a block the type that its function returns, so that `return`, `?` and
/// coercions work in it as they did.
#[must_use]
#[allow(clippy::panic, reason = "never called")]
pub fn returning<R>() -> R {
    unreachable!("generated code calls this behind `if false`")
}
