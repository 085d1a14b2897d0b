use cached_runtime::{cache_invalidate, cache_result};
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
pub struct User {
    id: u64,
}

#[cache_result(ttl = 60)]
async fn get(id: u64) -> Option<User> {
    None
}
#[cache_invalidate(get::invalidate_all())]
async fn set(id: u64) -> Result<(), String> {
    Ok(())
}

fn main() {}
