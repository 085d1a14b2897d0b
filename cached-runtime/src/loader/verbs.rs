//! What is done with an entry apart from calling its function.

use std::sync::Arc;
use std::time::Duration;

use super::ending::Terms;
use super::{Loader, Serving};
use crate::cache::{Call, Fill, Loading, Unwritten, not_invalidated};
use crate::entry::{self, Content};
use crate::error::Error;
use crate::fault::Fault;
use crate::io::Task;
use crate::key::{Key, KeyError};
use crate::shape::ShapeOf;
use crate::store::{Asked, Failure, Sight};
use crate::token::Token;

impl<R: ShapeOf<N>, const N: u8> Loader<R, N> {
    /// The right to store what a `refresh` loads: over exactly what stands there now, whatever
    /// it is, another call's lease included.
    pub(crate) async fn refreshing(&self) -> Box<Loading> {
        let Some(key) = self.usable_key() else {
            return Loading::new(&self.cache, 0, Fill::Bypass, None);
        };
        let mut call = Call::new(&self.cache, self.wants(key, &Serving::PLAIN));
        match call.look().await {
            Ok(sight) => call.over(&sight).await,
            Err(failure) => call.unasked(&failure),
        }
    }

    /// Stores a value from the caller. One that is not to be kept (ttl zero) removes what is
    /// there: it is out of date.
    pub(crate) fn put(&self, data: &R::Data, terms: Terms) -> Result<Task<()>, Error> {
        let what = "the value is not stored";
        let key = self.own_key(what)?;
        let Some(ttl) = terms.drawn_ttl() else { return Ok(self.forget(key)) };
        let Terms { compress, stale, .. } = terms;
        let unwritten = Unwritten {
            content: Content::Value,
            fingerprint: self.function.fingerprint,
            ttl,
            stale,
            // Those of now come later.
            versions: vec![Token::default(); self.tags.len()],
            compress,
            load_time: Duration::ZERO,
            key,
            // It is stored whatever stands there.
            others: Vec::new(),
        };
        let written = self.cache.write(self.function, &unwritten, &self.coder, Some(data));
        let mut value = written.map_err(|failure| failure.into_error(what))?;
        let writing = self.cache.writing(key.as_str());
        if self.tags.is_empty() {
            let put = self.cache.store().put(key.as_str(), Arc::default(), value);
            return Ok(writing.until(put));
        }
        let (cache, key, tags) = (self.cache.clone(), key.clone(), self.tags.clone());
        let put = Task::pending(async move {
            let tags = cache.capture(&key, &tags).await?;
            let versions: Vec<Token> = tags.iter().map(|captured| captured.version).collect();
            entry::set_versions(&mut value.bytes, &versions);
            cache.store().put(key.as_str(), tags, value).wait().await
        });
        Ok(writing.until(put))
    }

    pub(crate) fn forget(&self, key: &Key) -> Task<()> {
        let task = self.cache.removal(vec![key.as_str().to_owned()], Vec::new());
        match task {
            Task::Ready(result) => Task::Ready(result.map(|_| ())),
            Task::Pending(delete) => Task::pending(async move { delete.await.map(|_| ()) }),
        }
    }

    /// Removes the entry.
    pub(crate) fn invalidation(&self) -> Result<(&Key, Task<()>), Error> {
        let key = self.checked_key("the entry is not invalidated")?;
        Ok((key, self.forget(key)))
    }

    pub(crate) fn invalidated(key: &Key, outcome: Result<(), Failure>) -> Result<(), Error> {
        outcome.map_err(|failure| not_invalidated(key.as_str(), failure))
    }

    /// Removes all entries of the function: by its tag where they carry it, else one by one.
    pub(crate) fn invalidation_of_all(&self) -> Task<u64> {
        let tag = self.function.tag();
        if self.tags.contains(&tag) {
            return self.cache.removal(Vec::new(), vec![tag]);
        }
        self.cache.sweep_function(self.function)
    }

    pub(crate) async fn peek(&self) -> Result<Option<R::Value>, Error> {
        let found = self.reading()?.wait().await;
        self.peeked(found)
    }

    pub(crate) fn reading(&self) -> Result<Task<Sight>, Error> {
        let key = self.own_key("the cache could not be read")?;
        Ok(self.cache.store().read(Asked {
            key: key.as_str(),
            tags: &self.tags,
            age: true,
            large: self.function.sizes.is_large(),
        }))
    }

    /// What a read found, for `peek`: a value that is fresh.
    pub(crate) fn peeked(&self, found: Result<Sight, Failure>) -> Result<Option<R::Value>, Error> {
        let what = "the cache could not be read";
        let key = self.checked_key(what)?;
        let sight = found.map_err(|failure| failure.into_error(what))?;
        let usable = !self.cache.is_queued(key.as_str(), &self.tags);
        Ok(self.fresh(key, &sight).filter(|_| usable))
    }

    /// The key of an entry that is this function's own: `put` and `peek` must not touch another's.
    fn own_key(&self, what: &str) -> Result<&Key, Error> {
        if self.function.name_taken {
            let why = "another function has the same name; give this one its own with `name`";
            return Err(Failure::new(Fault::NameTaken, why).into_error(what));
        }
        self.checked_key(what)
    }

    fn checked_key(&self, what: &str) -> Result<&Key, Error> {
        self.key.as_ref().map_err(|error| unusable(error, what))
    }
}

/// The error of a verb whose arguments make no key.
pub(crate) fn unusable(error: &KeyError, what: &str) -> Error {
    no_key(error).into_error(what)
}

/// Why nothing is done where the arguments make no key.
pub(crate) fn no_key(error: &KeyError) -> Failure {
    Failure::new(Fault::Key, format!("an argument cannot be serialised into a key: {error}"))
}
