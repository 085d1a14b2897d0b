//! Cache-aside without the attribute: keys by hand.

use std::future::Future;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Cache, Current, checked_key, not_invalidated};
use crate::__private::{Always, Fixed, NoErrors, Plan};
use crate::coder::{CacheDefault, Choice};
use crate::error::Error;
use crate::function::Function;
use crate::key::Key;
use crate::loader::Loader;
use crate::policy::Policy;
use crate::shape::ShapeOf;

type ByHand<R, const N: u8> = Plan<R, N, Fixed, Always, NoErrors<<R as ShapeOf<N>>::Error>>;

impl Cache {
    /// The value under `key`, or what `load` yields, which is then stored by `policy`.
    ///
    /// The key is relative to the namespace and stands as it is. As with cached functions, an
    /// `Err` is not stored, the store's trouble is never the caller's, and a value whose load
    /// began before an invalidation is not stored after it.
    ///
    /// ```
    /// use cached_runtime::{Cache, Policy};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), std::io::Error> {
    /// # let cache = Cache::memory();
    /// let rate: f64 = cache
    ///     .get_or_load("rate:EUR:USD", Duration::from_secs(60), || async {
    ///         Ok::<_, std::io::Error>(1.08) // ask the bank
    ///     })
    ///     .await?;
    /// # assert_eq!(rate, 1.08);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Those of `load`, nothing else.
    pub async fn get_or_load<T, E, F, Fut>(
        &self,
        key: impl AsRef<str>,
        policy: impl Into<Policy>,
        load: F,
    ) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let policy = policy.into();
        let plan = match checked_key(key.as_ref()) {
            Ok(key) => self.plan::<Result<T, E>, 2>(key, policy),
            Err(error) => {
                tracing::error!(%error, "get_or_load is called without a key; nothing is cached");
                return load().await;
            }
        };
        // The body must start after the lookup has captured the fence: hence the outer block.
        plan.run(async { load().await }).await
    }

    /// The value stored under `key` by [`set`](Self::set) or [`get_or_load`](Self::get_or_load),
    /// if there is one of this type.
    ///
    /// # Errors
    /// Where the store cannot be asked.
    pub async fn get<T: Serialize + DeserializeOwned>(
        &self,
        key: impl AsRef<str>,
    ) -> Result<Option<T>, Error> {
        self.loader::<T, 0>(checked_key(key.as_ref())?).peek().await
    }

    /// Stores a value under `key`, whatever stood there. A fill of that key that is under way
    /// will not overwrite it. A ttl of zero removes what is there.
    ///
    /// # Errors
    /// Where the store cannot be told, or the value cannot be encoded.
    pub async fn set<T: Serialize + DeserializeOwned>(
        &self,
        key: impl AsRef<str>,
        value: &T,
        policy: impl Into<Policy>,
    ) -> Result<(), Error> {
        let key = checked_key(key.as_ref())?;
        self.plan::<T, 0>(key, policy.into()).put(value).await
    }

    fn plan<R: ShapeOf<N>, const N: u8>(&self, key: Key, policy: Policy) -> ByHand<R, N>
    where
        R::Data: Serialize + DeserializeOwned,
    {
        let Policy { ttl, jitter } = policy;
        Plan::fixed(self.loader(key), ttl).jitter(jitter)
    }

    fn loader<R: ShapeOf<N>, const N: u8>(&self, key: Key) -> Loader<R, N>
    where
        R::Data: Serialize + DeserializeOwned,
    {
        Loader {
            cache: Current::Own(self.clone()),
            function: Function::by_hand::<R::Data>(),
            key: Ok(key),
            tags: Vec::new(),
            coder: CacheDefault::coder(self.config().codec),
            near: None,
        }
    }

    /// Removes what is stored under `key`: whether there was something. As
    /// [`invalidate_key`](Self::invalidate_key).
    ///
    /// # Errors
    /// Where the store cannot be told; the value may then still be served.
    pub async fn remove(&self, key: impl AsRef<str>) -> Result<bool, Error> {
        let key = checked_key(key.as_ref())?;
        let deleted = self.removal(vec![key.as_str().to_owned()], Vec::new()).wait().await;
        let deleted = deleted.map_err(|failure| not_invalidated(key.as_str(), failure))?;
        Ok(deleted > 0)
    }
}
