use cached_runtime::cache_result;

#[cache_result(
    ttl = 60,
    key = "{id}",
    tags = ["tenant:{tenant}", "user:{id}", "users"],
    invalidate_all
)]
async fn get_user(id: u64, tenant: &str, db: &[u8]) -> Option<String> {
    Some(format!("{id} {tenant} {}", db.len()))
}

#[cache_result(ttl = 60, tags = ["{kind}:{kind}", "{tag}{entry}"])]
fn names(kind: impl serde::Serialize, (a, _): ((u8, u8), u8), tag: u8, entry: u8) -> u8 {
    let _ = kind;
    a.0 + tag + entry
}

struct Repo {
    tenant: String,
}

impl Repo {
    #[cache_result(ttl = 60, skip(self), tags = ["tenant:{self.tenant}"], invalidate_all, companion)]
    async fn find(&self, id: u64) -> u64 {
        id
    }
}

async fn verbs(repo: &Repo) -> Result<(), cached_runtime::Error> {
    get_user::invalidate(1).await?;
    get_user::put(1, "a", &"Ada".to_owned()).await?;
    let _: Option<String> = get_user::peek(1, "a").await?;
    get_user::refresh(1, "a", &[]).await;
    get_user::fetch(1, "a", &[]).await;
    get_user::invalidate_all().await?;
    repo.find_cache(1).put(&1).await?;
    repo.find_cache(1).invalidate_all().await?;
    names(1, ((1, 2), 3), 4, 5);
    Ok(())
}

fn main() {
    drop(verbs(&Repo { tenant: "a".to_owned() }));
}
