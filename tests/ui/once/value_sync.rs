use cached_runtime::cache_result;

#[derive(Clone)]
pub struct Plain {
    id: u64,
}

#[cache_result(ttl = 60)]
fn get(id: u64) -> Plain {
    todo!()
}

fn main() {}
