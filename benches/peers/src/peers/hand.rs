//! What one writes without a library for it: GET and JSON on redis-rs's multiplexed connection,
//! or a lookup in an in-process cache.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;

use super::Way;
use crate::user::{User, user};

const TTL: Duration = Duration::from_secs(3600);

/// GET, and SETEX where nothing was found.
#[derive(Clone)]
pub(crate) struct Redis(MultiplexedConnection);

impl Redis {
    pub(crate) async fn connect(url: &str) -> Self {
        let client = redis::Client::open(url).unwrap();
        Self(client.get_multiplexed_async_connection().await.unwrap())
    }
}

impl Way for Redis {
    type Found = User;

    async fn find(&mut self, id: u64) -> User {
        let key = format!("hand:user:{id}");
        let found: Option<Vec<u8>> =
            redis::cmd("GET").arg(&key).query_async(&mut self.0).await.unwrap();
        if let Some(user) = found.and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
            return user;
        }
        let user = user(id);
        let mut cmd = redis::cmd("SETEX");
        cmd.arg(&key).arg(TTL.as_secs()).arg(serde_json::to_vec(&user).unwrap());
        let () = cmd.query_async(&mut self.0).await.unwrap();
        user
    }
}

/// `quick_cache`'s lookup and nothing else: no expiry, no key to make.
#[derive(Clone)]
pub(crate) struct Quick(Arc<quick_cache::sync::Cache<u64, Arc<User>>>);

impl Quick {
    pub(crate) fn filled(ids: u64) -> Self {
        let cache = quick_cache::sync::Cache::new(2 * usize::try_from(ids).unwrap());
        (0..ids).for_each(|id| cache.insert(id, Arc::new(user(id))));
        Self(Arc::new(cache))
    }
}

impl Way for Quick {
    type Found = Arc<User>;

    async fn find(&mut self, id: u64) -> Arc<User> {
        self.0.get(&id).unwrap()
    }
}

/// The same, and a clone of what was found.
#[derive(Clone)]
pub(crate) struct QuickOwned(Quick);

impl QuickOwned {
    pub(crate) fn of(quick: &Quick) -> Self {
        Self(quick.clone())
    }
}

impl Way for QuickOwned {
    type Found = User;

    async fn find(&mut self, id: u64) -> User {
        User::clone(&*self.0.find(id).await)
    }
}

/// moka's cache for async code.
#[derive(Clone)]
pub(crate) struct MokaFuture(moka::future::Cache<u64, Arc<User>>);

impl MokaFuture {
    pub(crate) async fn filled(ids: u64) -> Self {
        let cache = moka::future::Cache::builder().max_capacity(2 * ids).time_to_live(TTL).build();
        for id in 0..ids {
            cache.insert(id, Arc::new(user(id))).await;
        }
        cache.run_pending_tasks().await;
        Self(cache)
    }
}

impl Way for MokaFuture {
    type Found = Arc<User>;

    async fn find(&mut self, id: u64) -> Arc<User> {
        self.0.get(&id).await.unwrap()
    }
}

/// moka's cache for threads.
#[derive(Clone)]
pub(crate) struct MokaSync(moka::sync::Cache<u64, Arc<User>>);

impl MokaSync {
    pub(crate) fn filled(ids: u64) -> Self {
        let cache = moka::sync::Cache::builder().max_capacity(2 * ids).time_to_live(TTL).build();
        (0..ids).for_each(|id| cache.insert(id, Arc::new(user(id))));
        cache.run_pending_tasks();
        Self(cache)
    }
}

impl Way for MokaSync {
    type Found = Arc<User>;

    async fn find(&mut self, id: u64) -> Arc<User> {
        self.0.get(&id).unwrap()
    }
}
