use cached_runtime::{cache_invalidate, cache_result};

struct User {
    id: u64,
    email: String,
}

enum Failure {
    Cache(#[allow(dead_code)] cached_runtime::Error),
}

impl From<cached_runtime::Error> for Failure {
    fn from(error: cached_runtime::Error) -> Self {
        Self::Cache(error)
    }
}

#[cache_result(ttl = 60)]
async fn get_user(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60)]
async fn by_email(tenant: &str, email: &str) -> u64 {
    (tenant.len() + email.len()) as u64
}

#[cache_invalidate(
    get_user(1),
    |user| get_user(user.id),
    |user: &User| [by_email(&tenant, &user.email), get_user(id)],
    tags = ["users"],
    tags = |user| ["user:{user.id}", "tenant:{tenant}"],
    on_error = "fail"
)]
async fn create(tenant: String, id: u64) -> Result<Option<User>, Failure> {
    drop(tenant);
    Ok(Some(User { id, email: String::new() }))
}

#[cache_invalidate(|(id, _)| get_user(id), on_error = "log")]
fn blocking(r#type: String) -> (u64, String) {
    (1, r#type)
}

#[cache_invalidate(tags = |_| ["{r#type}"])]
fn raw(r#type: String) {
    drop(r#type);
}

struct Repo {
    tenant: String,
}

impl Repo {
    #[cache_result(ttl = 60, key = "{self.tenant}:{id}", companion)]
    async fn find(&self, id: u64) -> u64 {
        id
    }

    #[cache_invalidate(|user| self.find(user.id), tags = |user| ["{self.tenant}:{user.id}"])]
    async fn save(&self, id: u64) -> Option<User> {
        Some(User { id, email: self.tenant.clone() })
    }

    #[cache_invalidate(tags = ["{self.tenant}"], |user| get_user(user.id))]
    async fn rename(&mut self, id: u64) -> Option<User> {
        Some(User { id, email: std::mem::take(&mut self.tenant) })
    }
}

fn sendable<F: Future + Send>(_: &F) {}

fn main() {
    let mut repo = Repo { tenant: String::new() };
    sendable(&create(String::new(), 1));
    sendable(&repo.save(1));
    sendable(&repo.rename(1));
    let _ = (blocking(String::new()), raw(String::new()));
}
