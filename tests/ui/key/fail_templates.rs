use cached_runtime::cache_result;

#[cache_result(ttl = 60, key = "{user_id}")]
async fn no_argument(tenant: u64, id: u64) -> u64 {
    tenant + id
}

#[cache_result(ttl = 60, key = "{tenent}:{id}")]
async fn slip(tenant: u64, id: u64) -> u64 {
    tenant + id
}

#[cache_result(ttl = 60, key = "{id}")]
async fn no_arguments() -> u64 {
    1
}

#[cache_result(ttl = 60, key = "{self.id}")]
async fn no_self(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, key = "{tenant}{id}")]
async fn ambiguous(tenant: u64, id: u64) -> u64 {
    tenant + id
}

#[cache_result(ttl = 60, key = "{id:?}")]
async fn format(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, key = "{id + 1}")]
async fn expression(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, key = "{id")]
async fn not_closed(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, key = "user {id}*")]
async fn characters(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, key = "")]
async fn empty(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, key = id)]
async fn no_text(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, key = "{{id}}")]
async fn doubled(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, key = "{}", skip(id))]
async fn nameless(id: u64) -> u64 {
    id
}

fn main() {}
