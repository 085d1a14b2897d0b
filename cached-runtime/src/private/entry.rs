//! An entry being named: function and key, before anything is asked of it.

use std::borrow::Cow;
use std::fmt::Display;
use std::marker::PhantomData;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::options::{Always, Fixed, IntoTtl, NoErrors, PerValue};
use super::plan::Plan;
use super::required::Argument;
use super::{Near, Tag, forced};
use crate::cache::{Cache, Current, not_invalidated};
use crate::coder::{Choice, Coder};
use crate::equality::Equality;
use crate::error::Error;
use crate::function::{At, Function};
use crate::key::{Key, KeyBuilder, KeyError, Trace, tag_name};
use crate::loader::{Loader, Nearby};
use crate::local::Keeper;
use crate::shape::ShapeOf;
use crate::sharing::Sharer;
use crate::stats::FunctionStats;

/// A function, a key that grows, and a cache.
pub struct Entry<R: ShapeOf<N>, const N: u8> {
    cache: Current,
    function: &'static Function,
    builder: KeyBuilder,
    tags: Result<Vec<String>, KeyError>,
    coder: Coder<R::Data>,
    sharer: Sharer<R::Error>,
    /// With `local`: how values are kept, and the arguments.
    near: Option<(Keeper<R::Value>, Trace)>,
}

/// The name of a nested item or closure, in the compiler's words.
#[must_use]
pub fn here<T>(_: &T) -> &'static str {
    std::any::type_name::<T>()
}

/// The value of a const argument.
#[must_use]
pub fn const_name(value: impl Display) -> Cow<'static, str> {
    Cow::Owned(value.to_string())
}

/// Begins an entry.
pub(super) fn begin<R, const N: u8, C>(
    sharer: Sharer<R::Error>,
    equality: Equality<R::Data>,
    _: PhantomData<C>,
    cache: Current,
    at: At,
    generics: &[Cow<'static, str>],
) -> Entry<R, N>
where
    R: ShapeOf<N>,
    R::Data: Serialize + DeserializeOwned,
    C: Choice,
{
    let function = at.site().function::<R::Data>(&at.place, generics);
    let coder = Coder { equality, ..C::coder::<R::Data>(cache.config().codec) };
    let builder = KeyBuilder::new(&function.segment);
    Entry { cache, function, builder, tags: Ok(Vec::new()), coder, sharer, near: None }
}

impl<R: ShapeOf<N>, const N: u8> Entry<R, N> {
    pub(super) fn builder(&mut self) -> &mut KeyBuilder {
        &mut self.builder
    }

    /// Adds an argument as a segment.
    pub fn arg<T: Argument + ?Sized>(&mut self, value: &T) {
        self.builder.segment(value);
    }

    /// Adds an argument whose type only its value knows (`impl Trait`): what serde sees of it counts
    /// too.
    pub fn typed_arg<T: Argument + ?Sized>(&mut self, value: &T) {
        self.builder.typed_segment(value);
    }

    /// As [`typed_arg`](Self::typed_arg), in a template.
    pub fn typed_capture<T: Argument + ?Sized>(&mut self, value: &T) {
        self.builder.typed_capture(value);
    }

    /// Adds a template's text.
    pub fn text(&mut self, text: &str) {
        self.builder.literal(text);
    }

    /// Adds what a template captures.
    pub fn capture<T: Argument + ?Sized>(&mut self, value: &T) {
        self.builder.capture(value);
    }

    /// Adds a tag from a template. One that cannot be made is as bad as a key that cannot:
    /// invalidating it would not reach the entry.
    pub fn tag(&mut self, template: impl FnOnce(&mut Tag)) {
        if let Ok(tags) = &mut self.tags {
            match Tag::rendered(template) {
                Ok(text) => tags.push(tag_name(text)),
                Err(error) => self.tags = Err(error),
            }
        }
    }

    /// Adds the tag of the function itself, by which `invalidate_all` removes all its entries.
    pub fn tag_function(&mut self) {
        if let Ok(tags) = &mut self.tags {
            tags.push(self.function.tag());
        }
    }

    /// A key that grows beside this one, of the same function.
    pub(super) fn beside(loader: &Loader<R, N>) -> Self {
        let Loader { cache, function, coder, .. } = loader;
        let builder = KeyBuilder::new(&function.segment);
        let (cache, coder, sharer) = (cache.again(), *coder, Sharer::none());
        Self { cache, function, builder, tags: Ok(Vec::new()), coder, sharer, near: None }
    }

    /// With `local`.
    #[must_use]
    pub fn local(mut self, near: &Near<'_, R, N>) -> Self {
        self.near = Some(near.kept());
        self
    }

    /// What this process's memory has.
    #[must_use]
    pub fn nearby(&self) -> Option<R> {
        let (keeper, trace) = self.near.as_ref()?;
        if forced::is_noted(self.function.site()) {
            return None;
        }
        let (key, arguments) = self.builder.view()?;
        let tags = self.tags.as_ref().ok()?;
        let kept = Nearby { cache: &self.cache, function: self.function, keeper, trace };
        kept.find(key, arguments, tags).map(|(found, _)| found)
    }

    pub(super) fn loader(self) -> Loader<R, N> {
        let Self { cache, function, builder, tags, coder, near, .. } = self;
        let (key, tags) = match tags {
            Ok(tags) => (builder.finish(), tags),
            Err(error) => (Err(error), Vec::new()),
        };
        let near = near.map(Box::new);
        Loader { cache, function, key, tags, coder, near }
    }

    /// With `ttl = expression`.
    pub fn cached_for<M, T: IntoTtl<R::Data, M>>(
        self,
        ttl: T,
    ) -> Plan<R, N, T::Ttl, Always, NoErrors<R::Error>> {
        let sharer = self.sharer;
        Plan::new(self.loader(), ttl.into_ttl(), sharer)
    }

    /// With `ttl` a literal.
    pub fn cached(self, ttl: Duration) -> Plan<R, N, Fixed, Always, NoErrors<R::Error>> {
        let sharer = self.sharer;
        Plan::new(self.loader(), Fixed(ttl), sharer)
    }

    /// With `ttl = |value| …`.
    pub fn cached_by<F: Fn(&R::Data) -> Duration>(
        self,
        ttl: F,
    ) -> Plan<R, N, PerValue<F>, Always, NoErrors<R::Error>> {
        let sharer = self.sharer;
        Plan::new(self.loader(), PerValue(ttl), sharer)
    }

    /// The key. Where an argument cannot be serialised it is the key of no entry.
    #[must_use]
    pub fn key(self) -> Key {
        let segment = &self.function.segment;
        self.builder.finish().unwrap_or_else(|_| crate::key::user_key(&format!("{segment}:!")))
    }

    /// Removes the entry.
    ///
    /// # Errors
    /// Where the store could not be told.
    pub async fn invalidate(self) -> Result<(), Error> {
        let loader = self.loader();
        let (key, task) = loader.invalidation()?;
        Loader::<R, N>::invalidated(key, task.wait().await)
    }

    /// As [`invalidate`](Self::invalidate), blocking.
    ///
    /// # Errors
    /// As there.
    pub fn invalidate_blocking(self) -> Result<(), Error> {
        let loader = self.loader();
        let (key, task) = loader.invalidation()?;
        Loader::<R, N>::invalidated(key, task.block())
    }

    /// What is stored.
    ///
    /// # Errors
    /// Where the store could not be asked.
    pub async fn peek(self) -> Result<Option<R::Value>, Error> {
        self.loader().peek().await
    }

    /// As [`peek`](Self::peek), blocking.
    ///
    /// # Errors
    /// As there.
    pub fn peek_blocking(self) -> Result<Option<R::Value>, Error> {
        let loader = self.loader();
        let found = loader.reading()?.block();
        loader.peeked(found)
    }

    /// Removes every entry of the function.
    ///
    /// # Errors
    /// Where the store could not be told.
    pub async fn invalidate_all(self) -> Result<u64, Error> {
        let loader = self.loader();
        let swept = loader.invalidation_of_all().wait().await;
        swept.map_err(|failure| not_invalidated(&loader.function.segment, failure))
    }

    /// As [`invalidate_all`](Self::invalidate_all), blocking.
    ///
    /// # Errors
    /// As there.
    pub fn invalidate_all_blocking(self) -> Result<u64, Error> {
        let loader = self.loader();
        let swept = loader.invalidation_of_all().block();
        swept.map_err(|failure| not_invalidated(&loader.function.segment, failure))
    }

    /// The function's statistics.
    #[must_use]
    pub fn stats(self) -> FunctionStats {
        self.loader().stats()
    }

    /// The key and the cache it is in, for `#[cache_invalidate]`.
    #[must_use]
    pub fn target(self) -> super::Target {
        let (cache, function): (Cache, _) = (self.cache.clone(), self.function);
        super::Target::new(cache, function, self.builder.finish())
    }
}
