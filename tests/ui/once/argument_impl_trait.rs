use cached_runtime::cache_result;
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
pub struct User {
    id: u64,
}

#[cache_result(ttl = 60)]
async fn get(t: impl Send + Clone + 'static, id: u64) -> Option<User> {
    None
}

fn main() {}
