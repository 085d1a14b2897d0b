use cached_runtime::cache_result;

struct User {
    id: u64,
}

#[cache_result(ttl = 60, key = "{user.uid}")]
async fn no_field(user: User) -> u64 {
    user.id
}

#[cache_result(ttl = 60, key = "{user}")]
async fn whole(user: User) -> u64 {
    user.id
}

struct Session {
    user: User,
}

#[cache_result(ttl = 60, key = "{session.user}")]
async fn field_without_serialize(session: &Session) -> u64 {
    session.user.id
}

struct Repo {
    tenant: String,
}

impl Repo {
    #[cache_result(ttl = 60, key = "{self.tenent}:{id}")]
    async fn no_field_of_self(&self, id: u64) -> String {
        format!("{} {id}", self.tenant)
    }
}

fn main() {}
