use cached_runtime::cache_result;

struct NotSerde(u64);

#[cache_result(ttl = 60, key = "{id.0}", tags = ["user:{id}"])]
async fn not_serde(id: NotSerde) -> u64 {
    id.0
}

#[cache_result(ttl = 60, key = "{id}", tags = ["tenant:{tenant}"])]
async fn put_and_peek_want_what_the_tags_use(id: u64, tenant: String) -> u64 {
    id + tenant.len() as u64
}

fn main() {
    drop(put_and_peek_want_what_the_tags_use::invalidate(1));
    drop(put_and_peek_want_what_the_tags_use::peek(1));
    drop(put_and_peek_want_what_the_tags_use::put(1, &1));
}
