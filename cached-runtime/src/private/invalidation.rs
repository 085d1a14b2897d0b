//! `#[cache_invalidate]`: what is to be removed is settled before the body runs, or learned from
//! its value, and removed after it succeeded.

use std::future::Future;

use serde::Serialize;

use super::presumed::never;
use super::{Current, Tag};
use crate::cache::{Cache, not_invalidated};
use crate::error::Error;
use crate::function::Function;
use crate::io::Task;
use crate::key::{Key, KeyBuilder, KeyError, tag_name};
use crate::loader::no_key;
use crate::shape::{Fallible, Kept, Kind, Opened, Probe, ShapeOf};
use crate::store::Failure;

/// An entry to be removed.
pub struct Target {
    cache: Cache,
    /// Whose it is, where that is known; failures are counted there.
    function: Option<&'static Function>,
    key: Result<Key, KeyError>,
}

impl Target {
    pub(super) fn new(
        cache: Cache,
        function: &'static Function,
        key: Result<Key, KeyError>,
    ) -> Self {
        Self { cache, function: Some(function), key }
    }
}

impl IntoIterator for Target {
    type Item = Self;
    type IntoIter = std::iter::Once<Self>;

    fn into_iter(self) -> Self::IntoIter {
        std::iter::once(self)
    }
}

/// What has a handle for the method that is named. Nothing: only where there is none of that name is
/// this asked.
#[diagnostic::on_unimplemented(
    message = "this method has no handle, so its entry cannot be named here",
    label = "no cached method with `companion`",
    note = "write `companion` into the `#[cache_result(…)]` of the method; or name a tag here that its \
            entries carry, `tags = [\"user:{{id}}\"]`"
)]
pub trait HasHandle {}

/// The entry of a method without a handle.
pub struct NoTarget;

impl NoTarget {
    /// Never called.
    #[must_use]
    pub fn target(self) -> Target {
        never()
    }
}

/// What a writing function invalidates.
#[must_use]
pub struct Invalidation {
    /// The function, for the log.
    function: &'static str,
    cache: Current,
    entries: Vec<Target>,
    tags: Vec<Result<String, KeyError>>,
    patterns: Vec<Result<Key, KeyError>>,
}

/// How an invalidation's error becomes one that the function returns: `on_error = "fail"`.
#[must_use]
pub fn returned<R: Fallible<N>, const N: u8>(
    _: Probe<R>,
    _: Kind<N>,
) -> Option<fn(Error) -> R::Error> {
    Some(R::error_of)
}

impl Invalidation {
    /// Nothing yet; keys, tags and patterns by hand are of `cache`.
    pub fn of(function: &'static str, cache: Current) -> Self {
        Self { function, cache, entries: Vec::new(), tags: Vec::new(), patterns: Vec::new() }
    }

    /// An entry of a cached function, or those of a batch.
    pub fn entry(&mut self, targets: impl IntoIterator<Item = Target>) {
        self.entries.extend(targets);
    }

    /// A key from a template.
    pub fn key(&mut self, template: impl FnOnce(&mut Template)) {
        let key = Template::rendered(template);
        self.entries.push(Target { cache: self.cache.clone(), function: None, key });
    }

    /// A tag from a template.
    pub fn tag(&mut self, template: impl FnOnce(&mut Tag)) {
        self.tags.push(Tag::rendered(template));
    }

    /// A pattern from a template.
    pub fn pattern(&mut self, template: impl FnOnce(&mut Template)) {
        self.patterns.push(Template::rendered(template));
    }

    /// Runs the body, and where it did not fail removes everything before the result is seen.
    pub async fn after<R, const N: u8, F>(self, probe: Probe<R>, kind: Kind<N>, body: F) -> R
    where
        R: ShapeOf<N>,
        F: Future<Output = R>,
    {
        self.after_with(probe, kind, body, |_, _| (), None).await
    }

    /// As [`after`](Self::after), blocking.
    pub fn after_blocking<R: ShapeOf<N>, const N: u8>(
        self,
        probe: Probe<R>,
        kind: Kind<N>,
        body: impl FnOnce() -> R,
    ) -> R {
        self.after_with_blocking(probe, kind, body, |_, _| (), None)
    }

    /// As [`after`](Self::after); `learn` adds what is known only from the value, where there is
    /// one, and what fails is returned where `on_error` says how, else logged.
    ///
    /// The body's error is not held across an await, so that a future stays `Send` where it is
    /// not; nor is one made of the cache's.
    pub async fn after_with<R, const N: u8, F, L>(
        mut self,
        _: Probe<R>,
        _: Kind<N>,
        body: F,
        learn: L,
        on_error: Option<fn(Error) -> R::Error>,
    ) -> R
    where
        R: ShapeOf<N>,
        F: Future<Output = R>,
        L: FnOnce(&mut Self, &R::Data),
    {
        let kept = {
            // The block ends the guard's work before the next await.
            let unfinished = Unfinished(Some(&self));
            let opened = body.await.open();
            unfinished.finished();
            match opened {
                Opened::Value(value) => Kept::Value(value),
                Opened::Absent(absence) => Kept::Absent(absence),
                Opened::Failed(error) => return R::close(Opened::Failed(error)),
            }
        };
        if let Kept::Value(value) = &kept {
            learn(&mut self, R::data(value));
        }
        let failed = self.run(on_error.is_some()).await;
        if let (Some(error), Some(own)) = (failed, on_error) {
            return R::close(Opened::Failed(own(error)));
        }
        R::close(match kept {
            Kept::Value(value) => Opened::Value(value),
            Kept::Absent(absence) => Opened::Absent(absence),
        })
    }

    /// As [`after_with`](Self::after_with), blocking.
    pub fn after_with_blocking<R, const N: u8, L>(
        mut self,
        _: Probe<R>,
        _: Kind<N>,
        body: impl FnOnce() -> R,
        learn: L,
        on_error: Option<fn(Error) -> R::Error>,
    ) -> R
    where
        R: ShapeOf<N>,
        L: FnOnce(&mut Self, &R::Data),
    {
        let unfinished = Unfinished(Some(&self));
        let opened = body().open();
        unfinished.finished();
        match &opened {
            Opened::Value(value) => learn(&mut self, R::data(value)),
            Opened::Absent(_) => {}
            Opened::Failed(_) => return R::close(opened),
        }
        match (self.run_blocking(on_error.is_some()), on_error) {
            (Some(error), Some(own)) => R::close(Opened::Failed(own(error))),
            _ => R::close(opened),
        }
    }

    /// Removes everything. Begun, it is carried out also where the caller goes away: the data has
    /// been written.
    async fn run(self, returned: bool) -> Option<Error> {
        let (removals, mut failed) = self.removals();
        let removals: Vec<_> =
            removals.into_iter().map(|removal| (removal.task.start(), removal.named)).collect();
        for (removal, named) in removals {
            if let Err(failure) = removal.done().await {
                failed.push((named, failure));
            }
        }
        self.report(failed, returned)
    }

    /// As [`run`](Self::run), blocking.
    fn run_blocking(self, returned: bool) -> Option<Error> {
        let (removals, mut failed) = self.removals();
        for Removal { task, named } in removals {
            if let Err(failure) = task.block() {
                failed.push((named, failure));
            }
        }
        self.report(failed, returned)
    }

    /// One removal of all keys and tags of a cache, under one deadline, then the patterns; and
    /// what cannot be removed, because an argument of its name cannot be serialised.
    fn removals(&self) -> (Vec<Removal>, Vec<Failed>) {
        let mut batches: Vec<Batch<'_>> = Vec::new();
        let mut failed = Vec::new();
        for Target { cache, function, key } in &self.entries {
            let owner = function.map(|function| (cache.clone(), function));
            match key {
                Ok(key) => {
                    let batch = Batch::of(cache, &mut batches);
                    batch.keys.push(key.as_str().to_owned());
                    batch.owners.extend(owner);
                }
                Err(error) => failed.push(Named::unusable(owner, error)),
            }
        }
        for tag in &self.tags {
            match tag {
                Ok(tag) => Batch::of(&self.cache, &mut batches).tags.push(tag.clone()),
                Err(error) => failed.push(Named::unusable(None, error)),
            }
        }
        let mut removals: Vec<Removal> = batches.into_iter().map(Batch::removal).collect();
        for pattern in &self.patterns {
            match pattern {
                Ok(pattern) => removals.push(Removal {
                    task: self.cache.sweeping(pattern.as_str()),
                    named: Named { what: pattern.as_str().to_owned(), owners: Vec::new() },
                }),
                Err(error) => failed.push(Named::unusable(None, error)),
            }
        }
        (removals, failed)
    }

    /// Counts what failed, where the function is known. The first is handed back where it is to
    /// be returned; the others are logged.
    fn report(&self, failed: Vec<Failed>, returned: bool) -> Option<Error> {
        let mut first = None;
        for (Named { what, owners }, failure) in failed {
            for (cache, function) in &owners {
                cache.counters(function, |counters| counters.fault(failure.fault));
            }
            if returned && first.is_none() {
                first = Some(not_invalidated(&what, failure));
                continue;
            }
            let functions: Vec<&str> = owners.iter().map(|(_, f)| f.segment.as_str()).collect();
            tracing::error!(
                function = self.function,
                entries_of = functions.join(", "),
                reason = failure.message,
                "the data was written, but the cache could not be told: it may serve the old \
                 value until its ttl ends"
            );
        }
        first
    }
}

/// A body under way. Dropped before its end is known (its caller went away, or it panicked), what
/// it may have written is invalidated: that is too much at worst, and never too little.
struct Unfinished<'a>(Option<&'a Invalidation>);

impl Unfinished<'_> {
    fn finished(mut self) {
        self.0 = None;
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        let Some(invalidation) = self.0.take() else { return };
        let (removals, failed) = invalidation.removals();
        for Removal { task, .. } in removals {
            // Begun, it is carried out; what fails is queued.
            drop(task.start());
        }
        drop(invalidation.report(failed, false));
    }
}

/// Whose entry was to be removed.
type Owner = (Cache, &'static Function);

/// What was not removed, and why.
type Failed = (Named, Failure);

/// A removal to be carried out.
struct Removal {
    task: Task<u64>,
    named: Named,
}

/// What a removal removes, in the error's words.
struct Named {
    what: String,
    owners: Vec<Owner>,
}

impl Named {
    fn unusable(owner: Option<Owner>, error: &KeyError) -> Failed {
        let what = match &owner {
            Some((_, function)) => format!("{}:?", function.segment),
            None => "?".to_owned(),
        };
        (Self { what, owners: owner.into_iter().collect() }, no_key(error))
    }
}

/// What is removed from one cache.
struct Batch<'a> {
    cache: &'a Cache,
    keys: Vec<String>,
    tags: Vec<String>,
    owners: Vec<Owner>,
}

impl<'a> Batch<'a> {
    /// The one of this cache.
    fn of<'b>(cache: &'a Cache, batches: &'b mut Vec<Self>) -> &'b mut Self {
        let known = batches.iter().position(|batch| batch.cache.is_same(cache));
        let at = known.unwrap_or_else(|| {
            batches.push(Self { cache, keys: Vec::new(), tags: Vec::new(), owners: Vec::new() });
            batches.len() - 1
        });
        &mut batches[at]
    }

    fn removal(self) -> Removal {
        let names: Vec<&str> = self.keys.iter().chain(&self.tags).map(String::as_str).collect();
        let named = Named { what: names.join("\", \""), owners: self.owners };
        let tags = self.tags.into_iter().map(tag_name).collect();
        Removal { named, task: self.cache.removal(self.keys, tags) }
    }
}

/// The template of a key or a pattern being filled in.
pub struct Template(KeyBuilder);

impl Template {
    pub(super) fn rendered(fill_in: impl FnOnce(&mut Self)) -> Result<Key, KeyError> {
        let mut template = Self(KeyBuilder::new(""));
        fill_in(&mut template);
        template.0.finish()
    }

    /// Its text.
    pub fn text(&mut self, text: &str) {
        self.0.literal(text);
    }

    /// A captured argument.
    pub fn capture<T: Serialize + ?Sized>(&mut self, value: &T) {
        self.0.capture(value);
    }
}
