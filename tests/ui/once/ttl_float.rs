use cached_runtime::cache_result;

const TTL: f64 = 60.0;
#[cache_result(ttl = TTL)]
async fn get(id: u64) -> u64 {
    id
}

fn main() {}
