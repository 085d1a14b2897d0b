use cached_runtime::{cache_invalidate, cache_result};

struct User {
    id: u64,
}

struct NotClone(u64);

#[cache_result(ttl = 60)]
async fn get_user(id: u64) -> u64 {
    id
}

#[cache_invalidate(|user| get_user(user.name))]
async fn unknown_field() -> Option<User> {
    Some(User { id: 1 })
}

#[cache_invalidate(|user| get_user(user))]
async fn another_type() -> Option<User> {
    Some(User { id: 1 })
}

#[cache_invalidate(|user| get_user(token.0 + user.id))]
async fn cannot_be_cloned(token: NotClone) -> Option<User> {
    Some(User { id: token.0 })
}

#[cache_invalidate(get_user(1), on_error = "fail")]
async fn no_result() -> Option<User> {
    None
}

#[cache_invalidate(get_user(1), on_error = "fail")]
fn an_error_of_its_own() -> Result<u64, String> {
    Ok(1)
}

fn main() {}
