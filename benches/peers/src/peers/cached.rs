//! The crate `cached`: its macro over Redis, and its two macros in memory.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use cached::AsyncRedisCache;
use cached::macros::{cached, concurrent_cached};

use super::Way;
use crate::user::{User, user};

/// The store is made by the first call, which has no argument to take a URL from.
static URL: OnceLock<String> = OnceLock::new();

/// `#[concurrent_cached]` over `AsyncRedisCache`, by default one multiplexed connection. Values
/// are MessagePack; there is no choice.
#[derive(Clone)]
pub(crate) struct Redis;

impl Redis {
    pub(crate) fn connect(url: &str) -> Self {
        URL.set(url.to_owned()).unwrap();
        Self
    }
}

impl Way for Redis {
    type Found = User;

    async fn find(&mut self, id: u64) -> User {
        redis_user(id).await.unwrap()
    }
}

#[concurrent_cached(
    map_error = |error| format!("{error:?}"),
    ty = "AsyncRedisCache<u64, User>",
    create = {
        AsyncRedisCache::builder("users")
            .ttl(Duration::from_secs(3600))
            .connection_string(URL.get().unwrap())
            .build()
            .await
            .unwrap()
    }
)]
async fn redis_user(id: u64) -> Result<User, String> {
    Ok(user(id))
}

macro_rules! in_memory {
    ($(#[$doc:meta])* $way:ident, $function:ident, $found:ty) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub(crate) struct $way;

        impl Way for $way {
            type Found = $found;

            async fn find(&mut self, id: u64) -> $found {
                $function(id).await.unwrap()
            }
        }
    };
}

in_memory!(
    /// `#[cached]`, one lock around the whole cache; an `Arc` for each caller.
    Shared, shared_user, Arc<User>
);
in_memory!(
    /// The same, a value for each caller.
    Owned, owned_user, User
);
in_memory!(
    /// `#[concurrent_cached]`, a lock for each shard; an `Arc` for each caller.
    ShardedShared, sharded_shared_user, Arc<User>
);
in_memory!(
    /// The same, a value for each caller.
    ShardedOwned, sharded_owned_user, User
);

#[cached(max_size = 20_000, ttl_secs = 3600)]
async fn shared_user(id: u64) -> Result<Arc<User>, Infallible> {
    Ok(Arc::new(user(id)))
}

#[cached(max_size = 20_000, ttl_secs = 3600)]
async fn owned_user(id: u64) -> Result<User, Infallible> {
    Ok(user(id))
}

#[concurrent_cached(max_size = 20_000, ttl_secs = 3600)]
async fn sharded_shared_user(id: u64) -> Result<Arc<User>, Infallible> {
    Ok(Arc::new(user(id)))
}

#[concurrent_cached(max_size = 20_000, ttl_secs = 3600)]
async fn sharded_owned_user(id: u64) -> Result<User, Infallible> {
    Ok(user(id))
}
