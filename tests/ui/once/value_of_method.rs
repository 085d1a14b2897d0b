use cached_runtime::cache_result;

#[derive(Clone)]
pub struct Plain {
    id: u64,
}

pub struct Repo;
impl Repo {
    #[cache_result(ttl = 60, skip(self), companion)]
    async fn get(&self, id: u64) -> Option<Plain> {
        None
    }
}

fn main() {}
