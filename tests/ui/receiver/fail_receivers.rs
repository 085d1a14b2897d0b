use std::sync::Arc;

use cached_runtime::{Cache, cache_result};

struct Repo {
    cache: Cache,
    tenant: u64,
}

impl Repo {
    #[cache_result(ttl = 60)]
    async fn no_ruling(&self, id: u64) -> u64 {
        self.tenant + id
    }

    #[cache_result(ttl = 60, key = "{id}")]
    async fn key_without_it(self: Arc<Self>, id: u64) -> u64 {
        self.tenant + id
    }

    #[cache_result(ttl = 60, cache = self.cache)]
    async fn cache_is_no_ruling(&self, id: u64) -> u64 {
        self.tenant + id
    }

    #[cache_result(ttl = 60, skip(self))]
    async fn by_mut(&mut self, id: u64) -> u64 {
        self.tenant += 1;
        id
    }

    #[cache_result(ttl = 60, skip(self))]
    async fn by_mut_typed(self: &mut Self, id: u64) -> u64 {
        self.tenant += 1;
        id
    }

    #[cache_result(ttl = 60, key = "{self.tenant}", skip(self))]
    async fn both(&self) -> u64 {
        self.tenant
    }
}

fn main() {}
