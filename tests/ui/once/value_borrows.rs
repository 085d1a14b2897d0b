use cached_runtime::cache_result;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub struct V<'a> {
    a: &'a str,
}

#[cache_result(ttl = 60)]
async fn get(id: &str) -> Option<V<'_>> {
    Some(V { a: "a" })
}

fn main() {}
