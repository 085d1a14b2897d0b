//! What all cache.

use serde::{Deserialize, Serialize};

/// About 150 bytes of JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, hitbox_fn::CacheableResponse)]
pub(crate) struct User {
    pub(crate) id: u64,
    name: String,
    email: String,
    role: String,
    tags: Vec<String>,
}

pub(crate) fn user(id: u64) -> User {
    User {
        id,
        name: format!("User number {id}"),
        email: format!("user{id}@example.com"),
        role: "administrator".to_owned(),
        tags: ["rust", "cache", "redis", "backend"].map(str::to_owned).to_vec(),
    }
}
