//! hitbox: its macro over its Redis backend, and over its moka backend.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hitbox::backend::CacheBackend;
use hitbox_backend::format::{BincodeFormat, Format, JsonFormat};
use hitbox_fn::Cache;
use hitbox_fn::prelude::{PolicyConfig, cached};
use hitbox_moka::MokaBackend;
use hitbox_redis::{ConnectionMode, RedisBackend};

use super::Way;
use crate::user::{User, user};

/// `#[cached]` with one of its backends, everything else as it is by default.
pub(crate) struct Hitbox<B>(Arc<Cache<B>>);

impl<B> Clone for Hitbox<B> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<B: CacheBackend> Hitbox<B> {
    fn over(backend: B) -> Self {
        let policy = PolicyConfig::builder().ttl(Duration::from_secs(3600)).build();
        Self(Arc::new(Cache::builder().backend(backend).policy(policy).build()))
    }
}

/// Values as JSON, as with the others.
pub(crate) fn redis_json(url: &str) -> Hitbox<RedisBackend<JsonFormat>> {
    redis(url, JsonFormat)
}

/// Values as its Redis backend has them by default.
pub(crate) fn redis_bincode(url: &str) -> Hitbox<RedisBackend<BincodeFormat>> {
    redis(url, BincodeFormat)
}

fn redis<F: Format>(url: &str, format: F) -> Hitbox<RedisBackend<F>> {
    let backend = RedisBackend::builder()
        .connection(ConnectionMode::single(url))
        .value_format(format)
        .build();
    Hitbox::over(backend.unwrap())
}

/// In memory. It keeps encoded values, JSON by default.
pub(crate) fn moka() -> Hitbox<MokaBackend> {
    Hitbox::over(MokaBackend::builder().max_entries(20_000).build())
}

impl<B: CacheBackend + Send + Sync + 'static> Way for Hitbox<B> {
    type Found = User;

    async fn find(&mut self, id: u64) -> User {
        find_user(id).cache(&self.0).await.unwrap()
    }
}

#[cached]
async fn find_user(id: u64) -> Result<User, Infallible> {
    Ok(user(id))
}
