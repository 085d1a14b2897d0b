//! This library: one attribute.

use std::convert::Infallible;

use cached_runtime::{Cache, cache_result};

use super::Way;
use crate::user::{User, user};

/// Makes the server behind `url` the cache of all functions.
pub(crate) async fn install(url: &str) {
    Cache::connect(url).await.unwrap().install().unwrap();
}

/// `#[cache_result]` over Redis.
#[derive(Clone)]
pub(crate) struct Ours;

impl Way for Ours {
    type Found = User;

    async fn find(&mut self, id: u64) -> User {
        find_user(id).await.unwrap()
    }
}

#[cache_result(ttl = "1h")]
async fn find_user(id: u64) -> Result<User, Infallible> {
    Ok(user(id))
}

pub(crate) mod local {
    use std::convert::Infallible;
    use std::sync::Arc;

    use cached_runtime::cache_result;

    use crate::peers::Way;
    use crate::user::{User, user};

    /// `#[cache_result(local)]`, an `Arc` for each caller.
    #[derive(Clone)]
    pub(crate) struct Shared;

    impl Way for Shared {
        type Found = Arc<User>;

        async fn find(&mut self, id: u64) -> Arc<User> {
            share_user(id).await.unwrap()
        }
    }

    /// The same, a value for each caller.
    #[derive(Clone)]
    pub(crate) struct Owned;

    impl Way for Owned {
        type Found = User;

        async fn find(&mut self, id: u64) -> User {
            own_user(id).await.unwrap()
        }
    }

    #[cache_result(ttl = "1h", local)]
    async fn share_user(id: u64) -> Result<Arc<User>, Infallible> {
        Ok(Arc::new(user(id)))
    }

    #[cache_result(ttl = "1h", local)]
    async fn own_user(id: u64) -> Result<User, Infallible> {
        Ok(user(id))
    }
}
