use cached_runtime::{cache_invalidate, cache_result};
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
pub struct User {
    id: u64,
}

pub struct Repo;
impl Repo {
    #[cache_result(ttl = 60, skip(self))]
    async fn get(&self, id: u64) -> Option<User> {
        None
    }
    #[cache_invalidate(self.get(id))]
    async fn set(&self, id: u64) -> Result<(), String> {
        Ok(())
    }
}

fn main() {}
