use std::collections::HashMap;

use cached_runtime::cache_result;

#[cache_result(ttl = 60, local = false)]
async fn switched_off(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, local = true)]
async fn switched_on(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, local = )]
async fn value_missing(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, local = 0)]
async fn no_time(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, local = "5 seconds")]
fn a_long_unit(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, local = "11y")]
async fn no_unit(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, local = |value| value.window)]
async fn a_closure(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, local())]
async fn an_empty_list(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, local(5))]
async fn no_name(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, local(ttl))]
async fn no_value(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, local(tll = 5, capacity = 100))]
async fn unknown_names(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, local(ttl = 5, ttl = "5s"))]
async fn twice_inside(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, local(ttl = "3651d"))]
async fn too_long(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, local(ttl = |value| value.window))]
async fn a_closure_inside(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, local, local = 5)]
async fn twice(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, batch = ids, local)]
async fn of_several(ids: &[u64]) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, *id)).collect()
}

#[cache_result(ttl = 60, near_cache)]
async fn another_name(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, local_ttl = 5)]
async fn a_name_of_its_own(id: u64) -> u64 {
    id
}

fn main() {}
