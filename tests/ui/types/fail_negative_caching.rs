use cached_runtime::cache_result;

#[derive(Debug)]
struct NotSerde;

type Found<T> = Result<T, NotSerde>;

#[cache_result(ttl = 60, none_ttl = 5)]
async fn never_none(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, none_ttl = 5)]
async fn only_err(id: u64) -> Found<u64> {
    Ok(id)
}

#[cache_result(ttl = 60, err_ttl = 5)]
async fn never_err(id: u64) -> Option<u64> {
    Some(id)
}

#[cache_result(ttl = 60, err_ttl = 5)]
async fn error_not_serde(id: u64) -> Found<u64> {
    Ok(id)
}

fn main() {}
