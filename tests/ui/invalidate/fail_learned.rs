use cached_runtime::{cache_invalidate, cache_result};

#[cache_result(ttl = 60)]
async fn get_user(id: u64) -> u64 {
    id
}

#[cache_invalidate(|| get_user(1))]
async fn takes_nothing() -> u64 {
    1
}

#[cache_invalidate(|user| user.id)]
async fn no_call() -> u64 {
    1
}

#[cache_invalidate(tags = |user| "user:{user}")]
async fn no_list() -> u64 {
    1
}

#[cache_invalidate(tags = |user| ["user:{usr.id}", "{other}"])]
async fn unknown_names(id: u64) -> u64 {
    id
}

struct Repo {
    tenant: u64,
}

impl Repo {
    #[cache_invalidate(|id| self.find(id), tags = |id| ["{self.tenant}:{id}"])]
    async fn after_the_body(&mut self) -> u64 {
        self.tenant
    }
}

#[cache_invalidate(get_user(1), on_error = "panic")]
async fn unknown_way() -> u64 {
    1
}

#[cache_invalidate(get_user(1), on_error = "fail")]
async fn nothing_to_return() {}

fn main() {}
