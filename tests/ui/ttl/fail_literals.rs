use cached_runtime::cache_result;

#[cache_result()]
async fn missing(id: u64) -> u64 {
    id
}

#[cache_result]
async fn missing_with_no_list(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 0)]
async fn zero(id: u64) -> u64 {
    id
}

#[cache_result(ttl = "0s")]
async fn zero_text(id: u64) -> u64 {
    id
}

#[cache_result(ttl = -5)]
async fn negative(id: u64) -> u64 {
    id
}

#[cache_result(ttl = "-5s")]
async fn negative_text(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 0.0001)]
async fn too_short(id: u64) -> u64 {
    id
}

#[cache_result(ttl = "5 min")]
async fn malformed(id: u64) -> u64 {
    id
}

#[cache_result(ttl = "five minutes")]
async fn words(id: u64) -> u64 {
    id
}

#[cache_result(ttl = "")]
async fn empty(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 99999999999999999999999999)]
async fn absurd(id: u64) -> u64 {
    id
}

#[cache_result(ttl = "3651d")]
async fn too_long(id: u64) -> u64 {
    id
}

#[cache_result(ttl = true)]
async fn boolean(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 5m)]
async fn no_quotes(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60u64)]
async fn suffix(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, none_ttl = 0, err_ttl = |error| 5)]
async fn other_durations(id: u64) -> Result<Option<u64>, u8> {
    Ok(Some(id))
}

fn main() {}
