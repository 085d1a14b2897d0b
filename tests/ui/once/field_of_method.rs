use cached_runtime::cache_result;

pub struct Repo {
    tenant: u64,
}

impl Repo {
    #[cache_result(ttl = 60, key = "{self.tenan}:{id}", companion)]
    pub async fn get(&self, id: u64) -> Option<u64> {
        Some(self.tenant + id)
    }
}

fn main() {}
