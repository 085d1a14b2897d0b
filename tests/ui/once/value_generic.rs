use cached_runtime::cache_result;

#[cache_result(ttl = 60)]
async fn get<T: 'static>(id: u64) -> Option<T> {
    None
}

fn main() {}
