use cached_runtime::cache_result;
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
pub struct User {
    id: u64,
}

#[cache_result(ttl = 60, cache_if = |v: &Result<User, String>| v.is_ok())]
async fn get(id: u64) -> Result<User, String> {
    todo!()
}

fn main() {}
