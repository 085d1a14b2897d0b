use cached_runtime::{cache_invalidate, cache_result};

#[cache_result(ttl = 60)]
struct User {
    id: u64,
}

#[cache_result(ttl = 60)]
impl User {
    fn id(&self) -> u64 {
        self.id
    }
}

#[cache_result(ttl = 60)]
mod users {
    pub fn find(id: u64) -> u64 {
        id
    }
}

#[cache_result(ttl = 60)]
trait Find {
    fn find(&self);
}

#[cache_invalidate(find(id))]
enum Kind {
    A,
}

fn main() {
    let user = User { id: users::find(1) };
    drop((user.id(), Kind::A));
}
