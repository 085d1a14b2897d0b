use cached_runtime::cache_result;

// Every mistake is reported in one compile, and calls of the function are none.
#[cache_result(ttl = 0, jitter = 2, skip(db), key = "{ident}", colour = "red")]
async fn get_user(id: u64) -> u64 {
    id
}

async fn caller() -> u64 {
    get_user(1).await
}

fn main() {
    drop(caller());
}
