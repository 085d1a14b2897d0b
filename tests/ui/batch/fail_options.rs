//! What `batch` names, and what it does not go with.
#![allow(unused)]

use std::collections::HashMap;
use std::time::Duration;

use cached_runtime::cache_result;

type Map = HashMap<u64, u64>;

#[cache_result(ttl = 60, batch)]
async fn alone(ids: &[u64]) -> Map {
    HashMap::new()
}

#[cache_result(ttl = 60, batch = "ids")]
async fn text(ids: &[u64]) -> Map {
    HashMap::new()
}

#[cache_result(ttl = 60, batch = idz)]
async fn slip(ids: &[u64]) -> Map {
    HashMap::new()
}

#[cache_result(ttl = 60, batch = ids, skip(ids))]
async fn skipped(db: u8, ids: &[u64]) -> Map {
    HashMap::new()
}

#[cache_result(ttl = 60, batch = ids, key = "{tenant}")]
async fn one_for_all(tenant: u8, ids: &[u64]) -> Map {
    HashMap::new()
}

#[cache_result(
    ttl = 60,
    batch = ids,
    err_ttl = 1,
    stale_while_revalidate = 1,
    stale_if_error = 1,
    refresh_ahead = 0.5,
    early_refresh,
    soft_timeout = 1,
    load_timeout = 2
)]
async fn everything(ids: &[u64]) -> Result<Map, cached_runtime::Error> {
    Ok(HashMap::new())
}

#[cache_result(ttl = 60, bulk = ids)]
async fn another_name(ids: &[u64]) -> Map {
    HashMap::new()
}

struct Repo;

impl Repo {
    #[cache_result(ttl = 60, batch = ids, skip(self), companion)]
    async fn with_handle(&self, ids: &[u64]) -> Map {
        HashMap::new()
    }

    #[cache_result(ttl = 60, batch = ids, skip(self))]
    async fn by_value(self, ids: &[u64]) -> Map {
        HashMap::new()
    }
}

fn main() {
    let _ = Duration::ZERO;
}
