use cached_runtime::cache_result;
use serde::Deserialize;

#[derive(Deserialize)]
pub struct S {
    a: u8,
}
#[cache_result(ttl = 60)]
async fn get(id: u64) -> Option<S> {
    todo!()
}

fn main() {}
