use cached_runtime::cache_result;
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
pub struct User {
    id: u64,
}

#[cache_result(ttl = |v: &Result<User, String>| std::time::Duration::from_secs(1))]
async fn get(id: u64) -> Result<User, String> {
    todo!()
}

fn main() {}
