use cached_runtime::cache_result;

#[derive(Clone)]
pub struct Plain {
    id: u64,
}

#[cache_result(ttl = 60)]
async fn get(id: u64) -> Result<Plain, String> {
    todo!()
}

fn main() {}
