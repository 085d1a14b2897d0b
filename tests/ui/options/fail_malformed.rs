use cached_runtime::cache_result;

#[cache_result(ttl = 60, ttl = 30)]
async fn twice(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, jitter = 1.5)]
async fn jitter_too_large(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, jitter = -0.1)]
async fn jitter_negative(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, jitter = "10%")]
async fn jitter_as_text(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60 jitter = 0.1)]
async fn comma_missing(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, jitter = )]
async fn value_missing(id: u64) -> u64 {
    id
}

#[cache_result(60)]
async fn bare_value(id: u64) -> u64 {
    id
}

#[cache_result(ttl)]
async fn ttl_as_flag(id: u64) -> u64 {
    id
}

#[cache_result(ttl(60))]
async fn ttl_as_list(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, name = "shop:users", cache_if)]
async fn name_and_flag(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, name = 5, codec("Json"))]
async fn name_and_codec(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, compress(4096))]
async fn compress_as_list(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, companion = "no", crate = "cached_runtime")]
async fn companion_and_crate(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, cache_if = true, cache = "redis://localhost")]
async fn literals(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, cache = , key = "{id}" "{id}", jitter = 7)]
async fn reading_goes_on(id: u64) -> u64 {
    id
}

fn main() {}
