use cached_runtime::cache_result;

#[cache_result(ttl = 60, soft_timeout = "100ms")]
async fn nothing_stale(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, stale_if_error = 60, soft_timeout = "100ms", load_timeout = 1)]
fn blocking(id: u64) -> Result<u64, cached_runtime::Error> {
    Ok(id)
}

#[cache_result(ttl = 60, stale_if_error = 60, soft_timeout = 2, load_timeout = "1s")]
async fn in_the_wrong_order(id: u64) -> Result<u64, cached_runtime::Error> {
    Ok(id)
}

fn main() {}
