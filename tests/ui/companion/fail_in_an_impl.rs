use cached_runtime::cache_result;

struct User(u64);

impl User {
    #[cache_result(ttl = 60)]
    async fn load(id: u64) -> Option<Self> {
        Some(Self(id))
    }

    #[cache_result(ttl = 60)]
    fn next(id: u64) -> u64 {
        Self(id).0 + 1
    }
}

fn main() {}
