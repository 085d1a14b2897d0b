use cached_runtime::cache_result;

#[cache_result(ttl = 60, skip(db))]
async fn get_user(db: &str, id: u64) -> Option<String> {
    Some(format!("{db} {id}"))
}

#[cache_result(ttl = 60)]
fn get_order(id: u64) -> u64 {
    id
}

struct Repo;

impl Repo {
    #[cache_result(ttl = 60, skip(self))]
    async fn find(&self, id: u64) -> u64 {
        id
    }
}

async fn caller() {
    get_user::invalidate("db", 1).await.unwrap();
    get_user::invalidate("1").await.unwrap();
    get_user::put(1, &Some("a".to_owned())).await.unwrap();
    get_user::evict(1).await.unwrap();
    get_order::invalidate(1).await.unwrap();
    Repo.find_cache(1).invalidate().await.unwrap();
}

fn main() {
    drop(caller());
}
