// Arguments may have the names that generated code uses.
#![deny(warnings)]

use cached_runtime::cache_result;

#[cache_result(ttl = 60)]
async fn load(value: u64, entry: u64, plan: u64, call: u64, key: u64) -> u64 {
    value + entry + plan + call + key
}

#[cache_result(ttl = 60)]
async fn destructured((a, b): (u64, u64), arg0: u64, (c, d): (u64, u64)) -> u64 {
    a + b + arg0 + c + d
}

struct Repo;

impl Repo {
    #[cache_result(ttl = 60, skip(self), companion)]
    async fn find(&self, value: u64, entry: u64, plan: u64, call: u64, body: u64) -> u64 {
        value + entry + plan + call + body
    }

    #[cache_result(ttl = 60, skip(self), companion)]
    fn find_now(&self, (a, b): (u64, u64), arg0: u64, (c, d): (u64, u64)) -> u64 {
        a + b + arg0 + c + d
    }
}

fn main() {
    drop(load(1, 2, 3, 4, 5));
    drop(load::put(1, 2, 3, 4, 5, &6));
    drop(destructured((1, 2), 3, (4, 5)));
    drop(Repo.find(1, 2, 3, 4, 5));
    drop(Repo.find_cache(1, 2, 3, 4, 5).key());
    Repo.find_now_cache((1, 2), 3, (4, 5)).key();
    Repo.find_now((1, 2), 3, (4, 5));
}
