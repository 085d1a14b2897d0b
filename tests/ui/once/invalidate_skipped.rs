use cached_runtime::{cache_invalidate, cache_result};
use serde::{Deserialize, Serialize};

pub struct Pool;

#[derive(Clone, Serialize, Deserialize)]
pub struct User {
    id: u64,
}

#[cache_result(ttl = 60, skip(db))]
async fn get(db: &Pool, id: u64) -> Option<User> {
    None
}
#[cache_invalidate(get(db, id))]
async fn set(db: &Pool, id: u64) -> Result<(), String> {
    Ok(())
}

fn main() {}
