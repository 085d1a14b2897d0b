use cached_runtime::cache_result;

#[cache_result(ttl = 60, time = 60)]
async fn time(id: u64) -> u64 {
    id
}

#[cache_result(expire = 60)]
async fn expire(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, expiration = 60)]
async fn expiration(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, expires_in = 60)]
async fn expires_in(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, timeout = 60)]
async fn timeout(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, key_prefix = "users")]
async fn key_prefix(id: u64) -> u64 {
    id
}

#[cache_result(tll = 60)]
async fn slip(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, elephant)]
async fn stranger(id: u64) -> u64 {
    id
}

fn main() {}
