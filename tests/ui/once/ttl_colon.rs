use cached_runtime::cache_result;

#[cache_result(ttl: 60)]
async fn get(id: u64) -> u64 {
    id
}

fn main() {}
