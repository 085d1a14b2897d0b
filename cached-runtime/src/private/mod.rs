//! What generated code names. Not for anything else: it changes without notice.

mod entry;
mod forced;
mod handle;
mod invalidation;
mod options;
mod plan;

pub use std::borrow::Cow;

pub use self::entry::{Entry, const_name, entry, here};
pub use self::forced::{Forced, Mode, force, force_sync};
pub use self::handle::{BlockingHandle, Handle, Recipe};
pub use self::invalidation::{Invalidation, Target, Template};
pub(crate) use self::options::{Always, Fixed, NoErrors};
pub use self::options::{IntoTtl, KeepIf, Zstd, ZstdFeature};
pub use self::plan::Plan;
pub use crate::__cached_kind as kind_of;
pub use crate::__cached_place as place;
pub use crate::__cached_shape as shape_of;
pub use crate::cache::Current;
pub use crate::codec::zip::DEFAULT_THRESHOLD;
pub use crate::coder::{CacheDefault, Named};
pub use crate::function::{At, Place, Site};
pub use crate::shape::{Kind, Probe, ShapeOf, by_type, by_value};

use crate::cache::Cache;

/// The cache of a call that names none.
#[must_use]
pub fn current() -> Current {
    crate::cache::current()
}

/// The cache that `cache = …` names: a `Cache`, a reference or an `Arc` of one.
pub fn named<C: AsRef<Cache> + ?Sized>(cache: &C) -> Current {
    Current::Own(cache.as_ref().clone())
}

/// No cache at all, for a key that is only to be named.
#[must_use]
pub fn nowhere() -> Current {
    Current::nowhere()
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

/// Never called: gives a block the type that its function returns, so that `return`, `?` and
/// coercions work in it as they did.
#[must_use]
#[allow(clippy::panic, reason = "never called")]
pub fn returning<R>() -> R {
    unreachable!("generated code calls this behind `if false`")
}
