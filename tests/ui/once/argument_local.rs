use cached_runtime::cache_result;
use serde::{Deserialize, Serialize};

pub struct Pool;

#[derive(Clone, Serialize, Deserialize)]
pub struct User {
    id: u64,
}

#[cache_result(ttl = 60, local = "5s")]
async fn get(db: &Pool, id: u64) -> Option<User> {
    None
}

fn main() {}
