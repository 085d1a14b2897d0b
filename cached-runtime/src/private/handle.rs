//! The handle of a method: `self.find_cache(id)`, with the verbs that a free function carries on
//! a type.
//!
//! A handle must say what `peek` gives without the attribute's knowing it: methods stand in
//! `impl`s whose generics it cannot see. So the most special return types have their `peek` and
//! `put` on the handle itself, plainer ones on what it dereferences to, step by step; method
//! lookup takes the first that fits.

use std::any::Any;
use std::future::Future;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use super::forced::{Mode, fetch, fetch_sync, force, force_sync};
use super::options::{Failures, KeepIf, Ttl};
use super::plan::Plan;
use super::{Site, Target};
use crate::cache::not_invalidated;
use crate::error::{Error, ErrorKind};
use crate::fetched::Fetched;
use crate::io::Task;
use crate::key::{Key, user_key};
use crate::loader::Loader;
use crate::shape::ShapeOf;
use crate::stats::FunctionStats;
use crate::store::{Failure, Sight};

/// A plan, with the shape of its return type hidden behind `V`.
#[allow(private_interfaces, reason = "for the handles alone")]
pub trait Recipe<R> {
    /// The attribute's site.
    fn site(&self) -> &'static Site;
    /// The key.
    fn key(&self) -> Key;
    /// For `#[cache_invalidate]`.
    fn target(&self) -> Target;
    /// The function's statistics.
    fn stats(&self) -> FunctionStats;
    /// Removes the entry.
    ///
    /// # Errors
    /// Where there is no key.
    fn invalidating(&self) -> Result<Task<()>, Error>;
    /// The outcome of that.
    ///
    /// # Errors
    /// Where the store could not be told.
    fn invalidated(&self, outcome: Result<(), Failure>) -> Result<(), Error>;
    /// Removes all entries of the function.
    fn sweeping(&self) -> Task<u64>;
    /// The outcome of that.
    ///
    /// # Errors
    /// Where the store could not be told.
    fn swept(&self, outcome: Result<u64, Failure>) -> Result<u64, Error>;
    /// Reads the entry.
    ///
    /// # Errors
    /// Where there is no key.
    fn reading(&self) -> Result<Task<Sight>, Error>;
    /// The outcome of that.
    ///
    /// # Errors
    /// Where the store could not be asked.
    fn peeked<V: 'static>(&self, found: Result<Sight, Failure>) -> Result<Option<V>, Error>;
    /// Stores a value.
    ///
    /// # Errors
    /// Where the value cannot be encoded.
    fn putting<V: 'static>(&self, value: &V) -> Result<Task<()>, Error>;
}

#[allow(private_interfaces, reason = "see the trait")]
impl<R, const N: u8, T, I, X> Recipe<R> for Plan<R, N, T, I, X>
where
    R: ShapeOf<N>,
    R::Value: 'static,
    T: Ttl<R::Data>,
    I: KeepIf<R::Data>,
    X: Failures<R::Error>,
{
    fn site(&self) -> &'static Site {
        self.loader.function.site()
    }

    fn key(&self) -> Key {
        let unusable = || user_key(&format!("{}:!", self.loader.function.segment));
        self.loader.key.clone().unwrap_or_else(|_| unusable())
    }

    fn target(&self) -> Target {
        Target::new(self.loader.cache.clone(), self.loader.function, self.loader.key.clone())
    }

    fn stats(&self) -> FunctionStats {
        self.loader.stats()
    }

    fn invalidating(&self) -> Result<Task<()>, Error> {
        self.loader.invalidation().map(|(_, task)| task)
    }

    fn invalidated(&self, outcome: Result<(), Failure>) -> Result<(), Error> {
        Loader::<R, N>::invalidated(&Recipe::key(self), outcome)
    }

    fn sweeping(&self) -> Task<u64> {
        self.loader.invalidation_of_all()
    }

    fn swept(&self, outcome: Result<u64, Failure>) -> Result<u64, Error> {
        outcome.map_err(|failure| not_invalidated(&self.loader.function.segment, failure))
    }

    fn reading(&self) -> Result<Task<Sight>, Error> {
        self.loader.reading()
    }

    fn peeked<V: 'static>(&self, found: Result<Sight, Failure>) -> Result<Option<V>, Error> {
        let mut value = self.loader.peeked(found)?;
        match (&mut value as &mut dyn Any).downcast_mut::<Option<V>>() {
            Some(value) => Ok(value.take()),
            None => Err(other_shape()),
        }
    }

    fn putting<V: 'static>(&self, value: &V) -> Result<Task<()>, Error> {
        match (value as &dyn Any).downcast_ref::<R::Value>() {
            Some(value) => Plan::putting(self, value),
            None => Err(other_shape()),
        }
    }
}

/// A generic method whose type parameter turned out to be an `Option` or an `Arc` itself.
fn other_shape() -> Error {
    Error::new(
        ErrorKind::Encode,
        "here the return type looks like another shape than inside the generic method; write \
         the `Option` or `Arc` out in the method's return type",
    )
}

macro_rules! handles {
    ($(
        $(#[$doc:meta])*
        $handle:ident, $first:ident, $second:ident, $third:ident, $last:ident;
        async $($async:ident)?; call $call:ident: $bound:path; settle |$task:ident| $settle:expr;
        force |$site:ident, $mode:ident, $run:ident| $force:expr;
        fetch |$of:ident, $fetched:ident| $fetch:expr;
    )*) => {$(
        $(#[$doc])*
        #[must_use = "a handle does nothing before one of its verbs is called"]
        pub struct $handle<R, P, F> {
            call: F,
            entry: $first<R, P>,
        }

        // A verb that only reads the handle borrows one of these, and no call: a future that borrows a
        // call may be sent to another thread only where the call may be shared by threads.
        /// The most special return types.
        pub struct $first<R, P>($second<R, P>);
        /// Return types less special.
        pub struct $second<R, P>($third<R, P>);
        /// Return types less special still.
        pub struct $third<R, P>($last<R, P>);
        /// All return types.
        pub struct $last<R, P> {
            recipe: P,
            returns: PhantomData<fn() -> R>,
        }

        impl<R, P, F> Deref for $handle<R, P, F> {
            type Target = $first<R, P>;
            fn deref(&self) -> &$first<R, P> {
                &self.entry
            }
        }

        impl<R, P> Deref for $first<R, P> {
            type Target = $second<R, P>;
            fn deref(&self) -> &$second<R, P> {
                &self.0
            }
        }

        impl<R, P> Deref for $second<R, P> {
            type Target = $third<R, P>;
            fn deref(&self) -> &$third<R, P> {
                &self.0
            }
        }

        impl<R, P> Deref for $third<R, P> {
            type Target = $last<R, P>;
            fn deref(&self) -> &$last<R, P> {
                &self.0
            }
        }

        impl<R, P: Recipe<R>, F: $bound> $handle<R, P, F> {
            /// A handle of this plan, and the call that it stands for.
            pub fn new(recipe: P, call: F) -> Self {
                let last = $last { recipe, returns: PhantomData };
                Self { call, entry: $first($second($third(last))) }
            }

            /// Runs the body and stores its value, unless the entry is invalidated meanwhile.
            pub $($async)? fn refresh(self) -> R {
                let ($site, $mode, $run) = (self.recipe.site(), Mode::Refresh, self.call);
                $force
            }

            /// Runs the body, nothing else.
            pub $($async)? fn uncached(self) -> R {
                let ($site, $mode, $run) = (self.recipe.site(), Mode::Uncached, self.call);
                $force
            }

            /// Calls the method, and says where its value came from.
            pub $($async)? fn fetch(self) -> Fetched<R> {
                let ($of, $fetched) = (self.recipe.site(), self.call);
                $fetch
            }
        }

        impl<R, P: Recipe<R>> $last<R, P> {
            /// The entry's key, relative to the namespace.
            pub fn key(&self) -> Key {
                self.recipe.key()
            }

            /// Removes the entry: after `Ok` no process serves a value whose load began before
            /// this call.
            ///
            /// # Errors
            /// Where the store could not be told. The entry may then still be served.
            pub $($async)? fn invalidate(&self) -> Result<(), Error> {
                let $task = self.recipe.invalidating()?;
                self.recipe.invalidated($settle)
            }

            /// Removes all entries of the method. How many there were.
            ///
            /// # Errors
            /// Where the store could not be told.
            pub $($async)? fn invalidate_all(&self) -> Result<u64, Error> {
                let $task = self.recipe.sweeping();
                self.recipe.swept($settle)
            }

            /// The method's statistics.
            pub fn stats(&self) -> FunctionStats {
                self.recipe.stats()
            }

            /// The entry as a target of `#[cache_invalidate]`.
            #[doc(hidden)]
            pub fn target(&self) -> Target {
                self.recipe.target()
            }
        }

        handles!(@verbs [T, E] $first<Result<Option<Arc<T>>, E>, P>, Result<Option<Arc<T>>, E>, Arc<T>; $($async)?; |$task| $settle);
        handles!(@verbs [T, E] $first<Result<Arc<T>, E>, P>, Result<Arc<T>, E>, Arc<T>; $($async)?; |$task| $settle);
        handles!(@verbs [T] $first<Option<Arc<T>>, P>, Option<Arc<T>>, Arc<T>; $($async)?; |$task| $settle);
        handles!(@verbs [T] $first<Arc<T>, P>, Arc<T>, Arc<T>; $($async)?; |$task| $settle);
        handles!(@verbs [T, E] $second<Result<Option<T>, E>, P>, Result<Option<T>, E>, T; $($async)?; |$task| $settle);
        handles!(@verbs [T, E] $third<Result<T, E>, P>, Result<T, E>, T; $($async)?; |$task| $settle);
        handles!(@verbs [T] $third<Option<T>, P>, Option<T>, T; $($async)?; |$task| $settle);
        handles!(@verbs [T] $last<T, P>, T, T; $($async)?; |$task| $settle);
    )*};
    (@verbs [$($generic:ident),*] $on:ty, $returns:ty, $value:ty; $($async:ident)?; |$task:ident| $settle:expr) => {
        impl<$($generic,)* P: Recipe<$returns>> $on
        where
            $value: 'static,
        {
            /// What is stored, without running the body.
            ///
            /// # Errors
            /// Where the store could not be asked.
            pub $($async)? fn peek(&self) -> Result<Option<$value>, Error> {
                let $task = self.recipe.reading()?;
                self.recipe.peeked($settle)
            }

            /// Stores a value, as if the body had just returned it; `ttl` and `cache_if` apply.
            ///
            /// # Errors
            /// Where the store could not be told, or the value not be encoded.
            pub $($async)? fn put(&self, value: &$value) -> Result<(), Error> {
                let $task = self.recipe.putting(value)?;
                $settle.map_err(|failure| failure.into_error("the value is not stored"))
            }
        }
    };
}

handles! {
    /// One call of a cached async method, and what can be done with its entry.
    Handle, HandleFirst, HandleSecond, HandleThird, HandleLast;
    async async; call call: Future<Output = R>; settle |task| task.wait().await;
    force |site, mode, call| force(site, mode, call).await;
    fetch |site, call| fetch(site, call).await;

    /// One call of a cached method, and what can be done with its entry.
    BlockingHandle, BlockingFirst, BlockingSecond, BlockingThird, BlockingLast;
    async; call call: FnOnce() -> R; settle |task| task.block();
    force |site, mode, call| force_sync(site, mode, call);
    fetch |site, call| fetch_sync(site, call);
}
