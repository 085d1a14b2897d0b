//! The value that is cached: of the size of a usual row.

use serde::{Deserialize, Serialize};

/// A user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "as it says")]
pub struct User {
    pub id: u64,
    pub name: String,
    pub email: String,
    pub role: String,
    pub tags: Vec<String>,
}

/// The user of this number: about 150 bytes as JSON.
#[must_use]
pub fn user(id: u64) -> User {
    User {
        id,
        name: format!("User number {id}"),
        email: format!("user{id}@example.com"),
        role: "administrator".to_owned(),
        tags: ["rust", "cache", "redis", "backend"].map(str::to_owned).to_vec(),
    }
}
