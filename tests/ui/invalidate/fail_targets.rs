use cached_runtime::{cache_invalidate, cache_result};

#[cache_result(ttl = 60)]
async fn get_user(id: u64) -> u64 {
    id
}

async fn not_cached(id: u64) -> u64 {
    id
}

struct Repo;

impl Repo {
    #[cache_result(ttl = 60, skip(self))]
    async fn without_handle(&self, id: u64) -> u64 {
        id
    }

    #[cache_invalidate(self.without_handle(id))]
    async fn write(&self, id: u64) {
        self.without_handle(id).await;
    }
}

struct NotClone(u64);

#[cache_result(ttl = 60, key = "{token.0}")]
async fn by_token(token: NotClone) -> u64 {
    token.0
}

#[cache_invalidate(not_cached(id))]
async fn plain_function(id: u64) {
    not_cached(id).await;
}

#[cache_invalidate(get_user(id))]
async fn wrong_type(id: String) {
    drop(id);
}

#[cache_invalidate(get_user())]
async fn too_few(id: u64) {
    drop(id);
}

#[cache_invalidate(get_user(missing))]
async fn unknown_name(id: u64) {
    drop(id);
}

#[cache_invalidate(nowhere(id))]
async fn unknown_function(id: u64) {
    drop(id);
}

#[cache_invalidate(by_token(token))]
async fn cannot_be_cloned(token: NotClone) {
    drop(token);
}

#[cache_invalidate(pattern = "*:{token}")]
async fn cannot_be_serialised(token: NotClone) {
    drop(token);
}

fn main() {}
