use cached_runtime::cache_result;

#[cache_result(ttl = 60, single_flight = "proces")]
async fn slip(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, single_flight = "everywhere")]
async fn stranger(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, single_flight = false)]
async fn switched_off(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, single_flight)]
async fn alone(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, single_flight = Process)]
async fn no_text(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, invalidate_all = "yes")]
async fn a_flag(id: u64) -> u64 {
    id
}

fn main() {}
