//! How values of a function are kept in memory and given from there, as plain functions: what that
//! asks of the type is asked once, where the attribute says `local`.

use std::sync::Arc;
use std::time::Duration;

use super::slot::Kept;
use crate::shape::{ARC, OPTION, PLAIN, RESULT, ShapeOf};

/// How values of type `V` (`T`, or `Arc<T>`) are kept, and for how long at most.
pub(crate) struct Keeper<V> {
    pub(crate) ttl: Option<Duration>,
    pub(crate) keep: fn(&V) -> Kept,
    pub(crate) give: fn(&Kept) -> Option<V>,
}

impl<V> Clone for Keeper<V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for Keeper<V> {}

/// Return types whose values can be kept in this process's memory: a clone of `T` on each hit, or
/// for `Arc<T>` one more reference.
#[diagnostic::on_unimplemented(
    message = "values of `{Self}` cannot be kept in this process's memory",
    label = "`local` needs a value that is `Clone + Send + Sync + 'static`",
    note = "each hit gets a clone: derive `Clone` for the value, or return it as `Arc<T>`, where \
            nothing is cloned; or leave `local` out"
)]
pub trait Keepable<const N: u8>: ShapeOf<N> {
    /// A value as it is kept.
    fn keep(value: &Self::Value) -> Kept;
    /// A value that is kept, for one caller; `None` where it is of another type.
    fn give(kept: &Kept) -> Option<Self::Value>;
}

impl<V> Keeper<V> {
    #[inline]
    pub(crate) fn new<R: Keepable<N, Value = V>, const N: u8>(ttl: Option<Duration>) -> Self {
        Self { ttl, keep: R::keep, give: R::give }
    }
}

macro_rules! keepable {
    ($([$($generic:ident),*] $n:expr, $by_value:ty, $by_reference:ty;)*) => {$(
        #[diagnostic::do_not_recommend]
        impl<T: Clone + Send + Sync + 'static $(, $generic)*> Keepable<{ $n }> for $by_value {
            fn keep(value: &T) -> Kept {
                Arc::new(value.clone())
            }

            #[inline(always)]
            fn give(kept: &Kept) -> Option<T> {
                kept.downcast_ref::<T>().cloned()
            }
        }

        #[diagnostic::do_not_recommend]
        impl<T: Send + Sync + 'static $(, $generic)*> Keepable<{ ARC | $n }> for $by_reference {
            fn keep(value: &Arc<T>) -> Kept {
                Arc::<T>::clone(value)
            }

            #[inline(always)]
            fn give(kept: &Kept) -> Option<Arc<T>> {
                Arc::clone(kept).downcast::<T>().ok()
            }
        }
    )*};
}

keepable! {
    [] PLAIN, T, Arc<T>;
    [] OPTION, Option<T>, Option<Arc<T>>;
    [E] RESULT, Result<T, E>, Result<Arc<T>, E>;
    [E] RESULT | OPTION, Result<Option<T>, E>, Result<Option<Arc<T>>, E>;
}
