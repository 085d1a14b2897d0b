use cached_runtime::cache_result;
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
pub struct User {
    id: u64,
}

#[cache_result(ttl = 60, tags = ["x:{user.nam}"])]
async fn get(user: &User) -> Option<User> {
    None
}

fn main() {}
