use cached_runtime::cache_result;
use serde::{Deserialize, Serialize};

pub struct Pool;

#[derive(Clone, Serialize, Deserialize)]
pub struct User {
    id: u64,
}

#[cache_result(ttl = 60, batch = ids)]
async fn get(db: &Pool, ids: Vec<u64>) -> std::collections::HashMap<u64, User> {
    Default::default()
}

fn main() {}
