// A type that is not found is reported as without the attribute, and once.

use cached_runtime::cache_result;

#[cache_result(ttl = 60)]
async fn returned(id: u64) -> Result<Option<Usr>, Eror> {
    Ok(Some(Usr { id }))
}

#[cache_result(ttl = 60)]
async fn argument(id: UserId) -> u64 {
    0
}

struct Repo;

impl Repo {
    #[cache_result(ttl = 60, skip(self), companion)]
    async fn find(&self, id: UserId) -> Usr {
        Usr { id }
    }
}

fn main() {}
