use cached_runtime::cache_result;

#[derive(Clone)]
pub struct Plain {
    id: u64,
}

#[cache_result(ttl = 60, batch = ids)]
async fn get(ids: Vec<u64>) -> std::collections::HashMap<u64, Plain> {
    Default::default()
}

fn main() {}
