//! Whether the error of a load can be given to the callers that joined it: where it is
//! `Clone + Send + 'static`. The type decides, as it does of the shape (see there): nothing is
//! asked of errors, and those that cannot be shared are not.

use std::any::Any;
use std::fmt;

use crate::shape::{Never, Probe};

/// How an error is put where other callers find it, and a clone of it got from there; nothing,
/// where it cannot be shared.
pub struct Sharer<E> {
    ways: Option<(Wrap<E>, Unwrap<E>)>,
}

type Wrap<E> = fn(&E) -> Box<dyn Any + Send>;
type Unwrap<E> = fn(&(dyn Any + Send)) -> Option<E>;

impl<E> Sharer<E> {
    /// Never shares.
    #[must_use]
    pub const fn none() -> Self {
        Self { ways: None }
    }

    /// A clone of the error for others to find, where it can be shared.
    #[must_use]
    pub fn wrap(&self, error: &E) -> Option<Box<dyn Any + Send>> {
        self.ways.map(|(wrap, _)| wrap(error))
    }

    /// A clone of the error that was [wrapped](Self::wrap).
    #[must_use]
    pub fn unwrap(&self, shared: &(dyn Any + Send)) -> Option<E> {
        self.ways.and_then(|(_, unwrap)| unwrap(shared))
    }
}

impl<E: Clone + Send + 'static> Sharer<E> {
    const fn cloning() -> Self {
        Self {
            ways: Some((
                |error| Box::new(error.clone()),
                |shared| shared.downcast_ref::<E>().cloned(),
            )),
        }
    }
}

impl<E> Clone for Sharer<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Sharer<E> {}

impl<E> fmt::Debug for Sharer<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sharer").field("shares", &self.ways.is_some()).finish()
    }
}

/// Method lookup prefers the first that fits; generated code has these traits in scope.
pub mod by_error {
    use super::{Never, Probe, Sharer};

    /// Errors that can be shared.
    pub trait Shared {
        /// The error.
        type Error;
        /// How it is shared.
        fn sharer(&self) -> Sharer<Self::Error>;
    }

    impl<T, E: Clone + Send + 'static> Shared for &&Probe<Result<T, E>> {
        type Error = E;
        fn sharer(&self) -> Sharer<E> {
            Sharer::cloning()
        }
    }

    /// Other errors.
    pub trait Unshared {
        /// The error.
        type Error;
        /// That it is not shared.
        fn sharer(&self) -> Sharer<Self::Error>;
    }

    impl<T, E> Unshared for &Probe<Result<T, E>> {
        type Error = E;
        fn sharer(&self) -> Sharer<E> {
            Sharer::none()
        }
    }

    /// Types without an error.
    pub trait Infallible {
        /// That there is nothing to share.
        fn sharer(&self) -> Sharer<Never>;
    }

    impl<R> Infallible for Probe<R> {
        fn sharer(&self) -> Sharer<Never> {
            Sharer::none()
        }
    }
}

/// What is asked of a return type in an expression: its shape, and how its error is shared. The
/// type itself stands beside it, in the user's own tokens, where the compiler shows what is
/// missing of it.
#[doc(hidden)]
#[macro_export]
macro_rules! __cached_probe {
    ($returns:ty) => {{
        #[allow(unused_imports)]
        use $crate::__private::by_error::{Infallible as _, Shared as _, Unshared as _};
        let sharer = (&&&$crate::__private::Probe::<$returns>::NEW).sharer();
        let kind = $crate::__private::kind_of!($returns);
        let asked = $crate::__private::asked($crate::__private::Probe::<$returns>::NEW, &kind);
        #[allow(unused_imports)]
        use $crate::__private::by_equality::{Comparable as _, Incomparable as _};
        (kind, sharer, (&&asked).equality())
    }};
}

/// As `probe!`, where the type may borrow: such an error cannot be shared, and the compiler would
/// not choose by that.
#[doc(hidden)]
#[macro_export]
macro_rules! __cached_unshared {
    ($returns:ty) => {
        (
            $crate::__private::kind_of!($returns),
            $crate::__private::Sharer::none(),
            $crate::__private::Equality::unknown(),
        )
    };
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::sync::Arc;

    type Alias<T> = Result<T, String>;

    struct NotClone;

    macro_rules! shares {
        ($($returns:ty => $expected:expr,)*) => {$(
            let (_, sharer, _) = crate::__cached_probe!($returns);
            assert_eq!(sharer.ways.is_some(), $expected, stringify!($returns));
        )*};
    }

    #[test]
    fn the_type_of_the_error_decides() {
        shares! {
            u32 => false,
            Option<Arc<u32>> => false,
            Result<u32, String> => true,
            Alias<u32> => true,
            Alias<Option<Arc<u32>>> => true,
            Alias<NotClone> => true,
            std::io::Result<u32> => false,
            Result<u32, Arc<std::io::Error>> => true,
            Result<u32, NotClone> => false,
            Result<u32, Rc<String>> => false,
        }
    }

    #[test]
    fn a_shared_error_comes_back_as_often_as_asked() {
        let (_, sharer, _) = crate::__cached_probe!(Alias<u32>);
        let shared = sharer.wrap(&"gone".to_owned()).unwrap();
        assert_eq!(sharer.unwrap(&*shared).as_deref(), Some("gone"));
        assert_eq!(sharer.unwrap(&*shared).as_deref(), Some("gone"));
        assert_eq!(sharer.unwrap(&5_u8), None);
    }
}
