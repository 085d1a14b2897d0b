use cached_runtime::{cache_invalidate, cache_result};

#[cache_result(ttl = 60)]
async fn get_user(id: u64) -> u64 {
    id
}

#[cache_invalidate]
async fn no_target(id: u64) -> u64 {
    id
}

#[cache_invalidate()]
async fn no_target_in_a_list(id: u64) -> u64 {
    id
}

#[cache_invalidate(get_user)]
async fn no_call(id: u64) -> u64 {
    id
}

#[cache_invalidate("get_user:{id}")]
async fn bare_text(id: u64) -> u64 {
    id
}

#[cache_invalidate(pattern = "*get_user*:{user_id}", key = "users:{idd}")]
async fn unknown_arguments(id: u64) -> u64 {
    id
}

#[cache_invalidate(get_user(id), patern = "*:{id}", keys = ["a"])]
async fn unknown_options(id: u64) -> u64 {
    id
}

#[cache_invalidate(key = id, pattern = "{id", crate = "cached_runtime")]
async fn malformed(id: u64) -> u64 {
    id
}

#[cache_invalidate(get_user(id) get_user(id))]
async fn no_comma(id: u64) -> u64 {
    id
}

#[cache_invalidate(get_user(id))]
const fn constant(id: u64) -> u64 {
    id
}

#[cache_invalidate(get_user(1), cache = a, cache = b)]
async fn twice() {}

trait Write {
    #[cache_invalidate(get_user(id))]
    async fn declaration(&self, id: u64) -> u64;
}

fn main() {}
