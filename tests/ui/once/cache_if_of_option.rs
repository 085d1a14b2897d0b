use cached_runtime::cache_result;
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
pub struct User {
    id: u64,
}

#[cache_result(ttl = 60, cache_if = |v: &Option<User>| v.is_some())]
async fn get(id: u64) -> Option<User> {
    todo!()
}

fn main() {}
