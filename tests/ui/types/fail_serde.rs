use std::sync::Arc;

use cached_runtime::cache_result;
use serde::{Deserialize, Serialize};

struct Neither {
    id: u64,
}

#[derive(Serialize)]
struct OnlySerialize {
    id: u64,
}

#[derive(Deserialize)]
struct OnlyDeserialize {
    id: u64,
}

#[derive(Serialize, Deserialize)]
struct Both {
    id: u64,
}

#[cache_result(ttl = 60)]
async fn neither(id: u64) -> Neither {
    Neither { id }
}

#[cache_result(ttl = 60)]
async fn cannot_come_back(id: u64) -> Result<Option<Arc<OnlySerialize>>, u8> {
    Ok(Some(Arc::new(OnlySerialize { id })))
}

#[cache_result(ttl = 60)]
fn cannot_be_stored(id: u64) -> Option<OnlyDeserialize> {
    Some(OnlyDeserialize { id })
}

#[cache_result(ttl = 60)]
async fn argument(user: &Neither, both: Both) -> u64 {
    user.id + both.id
}

struct Repo;

impl Repo {
    #[cache_result(ttl = 60, skip(self), companion)]
    async fn method(&self, id: u64) -> Neither {
        Neither { id }
    }

    #[cache_result(ttl = 60, skip(self), companion)]
    async fn argument(&self, user: Neither) -> u64 {
        user.id
    }
}

#[cache_result(ttl = 60)]
async fn generic<T>(value: T) -> T {
    value
}

fn main() {}
