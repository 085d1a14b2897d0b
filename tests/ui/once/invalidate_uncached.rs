use cached_runtime::cache_invalidate;

async fn get(id: u64) -> u64 {
    id
}
#[cache_invalidate(get(id))]
async fn set(id: u64) -> Result<(), String> {
    Ok(())
}

fn main() {}
