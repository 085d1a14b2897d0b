use cached_runtime::cache_result;

#[cache_result(ttl = 60)]
async fn serde_json(id: u64) -> String {
    serde_json::to_string(&id).unwrap()
}

mod users {
    pub(super) struct Row(pub(super) u64);
}

mod inner {
    use super::users;

    #[super::cache_result(ttl = 60)]
    fn orders(id: u64) -> u64 {
        // These are its own verbs, and another's path.
        let _ = orders::peek(id);
        users::Row(id).0
    }
}

fn main() {}
