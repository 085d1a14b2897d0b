use cached_runtime::cache_result;

struct Users;

impl Users {
    #[cache_result(ttl = 60)]
    async fn associated(id: u64) -> u64 {
        id
    }

    #[cache_result(ttl = 60)]
    pub fn visible(id: u64) -> u64 {
        id
    }
}

mod orders {}

#[cache_result(ttl = 60)]
async fn orders(id: u64) -> u64 {
    id
}

fn main() {}
