//! cachekit-rs: its macro over Redis (the client is fred) and over its own in-process layer.
//! Values are MessagePack in both; there is no choice.

use cachekit::{CacheKit, CachekitError, cachekit};

use super::Way;
use crate::user::{User, user};

/// `#[cachekit]` with a client of the preset for production.
#[derive(Clone)]
pub(crate) struct Kit(CacheKit);

impl Kit {
    /// Without its in-process layer, so that a hit is Redis's.
    pub(crate) async fn redis(url: &str) -> Self {
        Self(CacheKit::production(url).await.unwrap().no_l1().build().unwrap())
    }

    /// With it, and room for all keys.
    pub(crate) async fn l1(url: &str) -> Self {
        let builder = CacheKit::production(url).await.unwrap();
        Self(builder.l1_capacity(20_000).build().unwrap())
    }
}

impl Way for Kit {
    type Found = User;

    async fn find(&mut self, id: u64) -> User {
        find_user(&self.0, id).await.unwrap()
    }
}

#[cachekit(client = cache, ttl = 3600, interop = "find_user", namespace = "users")]
async fn find_user(cache: &CacheKit, id: u64) -> Result<User, CachekitError> {
    Ok(user(id))
}
