//! What the compiler finds missing is said at the type that it is missing of.
#![allow(unused)]

use std::collections::HashMap;
use std::sync::Arc;

use cached_runtime::cache_result;
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize)]
struct Id(u64);

#[derive(Serialize, Deserialize)]
struct Ours;

struct Plain;

struct Connection;

#[cache_result(ttl = 60, batch = ids)]
async fn no_key(ids: &[Id]) -> Vec<(Id, u64)> {
    Vec::new()
}

#[cache_result(ttl = 60, batch = ids)]
async fn no_value(ids: &[u64]) -> HashMap<u64, Plain> {
    HashMap::new()
}

#[cache_result(ttl = 60, batch = ids)]
async fn no_map(ids: &[u64]) -> Vec<u64> {
    Vec::new()
}

#[cache_result(ttl = 60, batch = ids)]
async fn other_keys(ids: &[u64]) -> Result<HashMap<u32, Ours>, String> {
    Ok(HashMap::new())
}

#[cache_result(ttl = 60, batch = ids)]
async fn optional(ids: &[u64]) -> Option<HashMap<u64, u64>> {
    None
}

#[cache_result(ttl = 60, batch = ids)]
async fn counted(ids: &[u64]) -> Arc<HashMap<u64, u64>> {
    Arc::default()
}

#[cache_result(ttl = 60, batch = ids, skip(connection))]
async fn used_up(connection: Connection, ids: &[u64]) -> HashMap<u64, u64> {
    HashMap::new()
}

#[cache_result(ttl = 60, batch = ids, skip(connection))]
async fn exclusive(connection: &mut Connection, ids: &[u64]) -> HashMap<u64, u64> {
    HashMap::new()
}

fn main() {}
