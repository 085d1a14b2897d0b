use std::time::Duration;

use cached_runtime::cache_result;

struct NoCodec;

#[cache_result(ttl = 60, codec = NoCodec)]
async fn codec(id: u64) -> u64 {
    id
}

const URL: &str = "redis://localhost";

#[cache_result(ttl = 60, cache = URL)]
async fn cache(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, cache_if = |value| value + 1)]
async fn cache_if(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, cache_if = |value: &Option<u64>| value.is_some())]
async fn cache_if_of_the_whole(id: u64) -> Option<u64> {
    Some(id)
}

#[cache_result(ttl = 60, compress = "4k")]
async fn compress(id: u64) -> u64 {
    id
}

#[cache_result(ttl = |user: &u64| *user)]
async fn ttl_closure(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, none_ttl = SHORT)]
async fn none_ttl(id: u64) -> Option<u64> {
    Some(id)
}

const SHORT: u64 = 5;
const _LONG: Duration = Duration::from_secs(5);

fn main() {}
