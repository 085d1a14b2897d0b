use cached_runtime::cache_result;

#[cache_result(ttl = 60, stale_while_revalidate = 0, stale_if_error = "5 minutes")]
async fn windows(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, refresh_ahead = 1)]
async fn ahead_of_nothing(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, refresh_ahead = "80%")]
async fn ahead_as_text(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, refresh_ahead)]
async fn ahead_alone(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, early_refresh = 0.0)]
async fn never_early(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, early_refresh = -1)]
async fn early_by_less_than_nothing(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, early_refresh(1))]
async fn early_in_parentheses(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, stale_while_revalidate = |user| user.window)]
async fn a_closure(id: u64) -> u64 {
    id
}

fn main() {}
