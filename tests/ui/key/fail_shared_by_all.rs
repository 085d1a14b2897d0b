use cached_runtime::cache_result;

#[cache_result(ttl = 60, key = "users")]
async fn text_alone(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60)]
async fn writes_through(out: &mut Vec<u64>, id: u64) -> u64 {
    out.push(id);
    id
}

fn main() {}
