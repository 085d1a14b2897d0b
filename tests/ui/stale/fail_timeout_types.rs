use cached_runtime::cache_result;

#[derive(Debug)]
struct Own;

struct Repo;

#[cache_result(ttl = 60, load_timeout = 1)]
async fn no_result(id: u64) -> Option<u64> {
    Some(id)
}

#[cache_result(ttl = 60, load_timeout = 1)]
async fn an_error_of_its_own(id: u64) -> Result<u64, Own> {
    Ok(id)
}

impl Repo {
    #[cache_result(ttl = 60, skip(self), load_timeout = 1, companion)]
    async fn method(&self, id: u64) -> Result<Option<u64>, Own> {
        Ok(Some(id))
    }
}

#[cache_result(ttl = 60, stale_if_error = id)]
async fn no_duration(id: u64) -> Result<u64, cached_runtime::Error> {
    Ok(id)
}

fn main() {}
