//! `#[cache_invalidate]`: what is to be removed is settled before the body runs, and removed
//! after it succeeded.

use crate::cache::Cache;
use crate::function::Function;
use crate::io::Task;
use crate::key::{Key, KeyBuilder};
use crate::shape::{Kept, Kind, Opened, Probe, ShapeOf};
use crate::store::Failure;

/// An entry to be removed.
pub struct Target {
    cache: Cache,
    /// Whose it is, where that is known; failures are counted there.
    function: Option<&'static Function>,
    key: Key,
}

impl Target {
    pub(super) fn new(cache: Cache, function: &'static Function, key: Key) -> Self {
        Self { cache, function: Some(function), key }
    }
}

/// What a writing function invalidates.
#[must_use]
pub struct Invalidation {
    /// The function, for the log.
    function: &'static str,
    cache: super::Current,
    entries: Vec<Target>,
    patterns: Vec<String>,
}

impl Invalidation {
    /// Nothing yet; keys and patterns by hand are of `cache`.
    pub fn of(function: &'static str, cache: super::Current) -> Self {
        Self { function, cache, entries: Vec::new(), patterns: Vec::new() }
    }

    /// An entry of a cached function.
    pub fn entry(&mut self, target: Target) {
        self.entries.push(target);
    }

    /// A key from a template.
    pub fn key(&mut self, template: impl FnOnce(&mut Template)) {
        if let Some(key) = self.rendered(template) {
            self.entries.push(Target { cache: self.cache.clone(), function: None, key });
        }
    }

    /// A pattern from a template.
    pub fn pattern(&mut self, template: impl FnOnce(&mut Template)) {
        if let Some(pattern) = self.rendered(template) {
            self.patterns.push(pattern.as_str().to_owned());
        }
    }

    fn rendered(&self, fill_in: impl FnOnce(&mut Template)) -> Option<Key> {
        let mut template = Template(KeyBuilder::new(""));
        fill_in(&mut template);
        match template.0.finish() {
            Ok(key) => Some(key),
            Err(error) => {
                tracing::error!(
                    function = self.function,
                    reason = %error,
                    "an argument cannot be serialised into a key; nothing is invalidated for it"
                );
                None
            }
        }
    }

    /// Runs the body, and where it did not fail removes everything before the result is seen.
    ///
    /// The error alone is not held across an await, so that a future stays `Send` where it
    /// is not.
    pub async fn after<R: ShapeOf<N>, const N: u8, F: Future<Output = R>>(
        self,
        _: Probe<R>,
        _: Kind<N>,
        body: F,
    ) -> R {
        let kept = match body.await.open() {
            Opened::Value(value) => Kept::Value(value),
            Opened::Absent(absence) => Kept::Absent(absence),
            Opened::Failed(error) => return R::close(Opened::Failed(error)),
        };
        self.run().await;
        R::close(match kept {
            Kept::Value(value) => Opened::Value(value),
            Kept::Absent(absence) => Opened::Absent(absence),
        })
    }

    /// As [`after`](Self::after), blocking.
    pub fn after_blocking<R: ShapeOf<N>, const N: u8>(
        self,
        _: Probe<R>,
        _: Kind<N>,
        body: impl FnOnce() -> R,
    ) -> R {
        let result = body();
        if !result.is_failure() {
            self.run_blocking();
        }
        result
    }

    /// Removes everything; what fails is logged, and counted where the function is known. Begun, it
    /// is carried out also where the caller goes away: the data has been written.
    async fn run(self) {
        let removals = self.removals().into_iter();
        let started: Vec<_> = removals.map(|(task, functions)| (task.start(), functions)).collect();
        for (removal, functions) in started {
            self.report(&functions, removal.done().await);
        }
    }

    /// As [`run`](Self::run), blocking.
    fn run_blocking(self) {
        for (task, functions) in self.removals() {
            self.report(&functions, task.block());
        }
    }

    /// One deletion for all keys of a cache, under one deadline; then the patterns.
    fn removals(&self) -> Vec<(Task<u64>, Vec<Owner>)> {
        let mut by_cache: Vec<(&Cache, Vec<String>, Vec<Owner>)> = Vec::new();
        for Target { cache, function, key } in &self.entries {
            let at = by_cache.iter().position(|(known, ..)| known.is_same(cache));
            let at = at.unwrap_or_else(|| {
                by_cache.push((cache, Vec::new(), Vec::new()));
                by_cache.len() - 1
            });
            if let Some((_, keys, functions)) = by_cache.get_mut(at) {
                keys.push(key.as_str().to_owned());
                functions.extend(function.map(|function| (cache.clone(), function)));
            }
        }
        let keys = by_cache
            .into_iter()
            .map(|(cache, keys, functions)| (cache.store().delete(keys), functions));
        let patterns = self.patterns.iter();
        let patterns = patterns.map(|pattern| (self.cache.store().sweep(pattern), Vec::new()));
        keys.chain(patterns).collect()
    }

    fn report(&self, functions: &[Owner], outcome: Result<u64, Failure>) {
        let Err(failure) = outcome else { return };
        for (cache, function) in functions {
            cache.counters(function, |counters| counters.fault(failure.fault));
        }
        let functions: Vec<&str> = functions.iter().map(|(_, f)| f.segment.as_str()).collect();
        tracing::error!(
            function = self.function,
            entries_of = functions.join(", "),
            reason = failure.message,
            "the data was written, but the cache could not be told: it may serve the old value \
             until its ttl ends"
        );
    }
}

/// Whose entry was to be removed.
type Owner = (Cache, &'static Function);

/// A template being filled in.
pub struct Template(KeyBuilder);

impl Template {
    /// Its text.
    pub fn text(&mut self, text: &str) {
        self.0.literal(text);
    }

    /// A captured argument.
    pub fn capture<T: serde::Serialize + ?Sized>(&mut self, value: &T) {
        self.0.capture(value);
    }
}
