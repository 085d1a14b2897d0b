use cached_runtime::cache_result;
use serde::{Deserialize, Serialize};

pub struct Pool;

#[derive(Clone, Serialize, Deserialize)]
pub struct User {
    id: u64,
}

pub struct Repo;
impl Repo {
    #[cache_result(ttl = 60, skip(self), companion)]
    async fn get(&self, db: &Pool, id: u64) -> Option<User> {
        None
    }
}

fn main() {}
