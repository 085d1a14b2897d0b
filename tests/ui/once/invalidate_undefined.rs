use cached_runtime::cache_invalidate;

#[cache_invalidate(gett(id))]
async fn set(id: u64) -> Result<(), String> {
    Ok(())
}

fn main() {}
