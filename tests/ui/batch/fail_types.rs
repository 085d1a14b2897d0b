//! What the keys, the values and the other arguments of a batch must be.
#![allow(unused)]

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use cached_runtime::cache_result;

type Ids = Vec<u64>;

#[cache_result(ttl = 60, batch = ids)]
async fn a_set(ids: HashSet<u64>) -> HashMap<u64, u64> {
    HashMap::new()
}

#[cache_result(ttl = 60, batch = ids)]
async fn an_alias(ids: Ids) -> HashMap<u64, u64> {
    HashMap::new()
}

#[cache_result(ttl = 60, batch = ids)]
async fn an_impl(ids: &[impl Copy]) -> HashMap<u64, u64> {
    HashMap::new()
}

#[cache_result(ttl = 60, batch = a)]
async fn a_pattern((a, b): (Vec<u64>, u8)) -> HashMap<u64, u64> {
    HashMap::new()
}

fn main() {
    let _ = Arc::new(());
}
