use cached_runtime::cache_result;

const SECONDS: u64 = 60;

#[cache_result(ttl = SECONDS)]
async fn number(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 5 * 60)]
async fn product(id: u64) -> u64 {
    id
}

#[cache_result(ttl = Some(std::time::Duration::from_secs(5)))]
async fn option(id: u64) -> u64 {
    id
}

#[cache_result(ttl = seconds)]
async fn argument(id: u64, seconds: u64) -> u64 {
    id + seconds
}

#[cache_result(ttl = LIFE)]
async fn unknown(id: u64) -> u64 {
    id
}

fn main() {}
