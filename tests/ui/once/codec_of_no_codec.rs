use cached_runtime::cache_result;

pub struct Pool;

#[cache_result(ttl = 60, codec = Pool)]
async fn get(id: u64) -> u64 {
    id
}

fn main() {}
