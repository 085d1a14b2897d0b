use cached_runtime::{Json, cache_result};

#[cache_result(ttl = 60, codec = Json::new())]
async fn get(id: u64) -> u64 {
    id
}

fn main() {}
