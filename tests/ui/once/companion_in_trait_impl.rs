//! A trait's impl cannot have what `companion` makes beside a method.

use cached_runtime::cache_result;

trait Orders {
    async fn count(&self, customer: u64) -> u64;
}

struct Repo;

impl Orders for Repo {
    #[cache_result(ttl = 60, companion, skip(self))]
    async fn count(&self, customer: u64) -> u64 {
        customer
    }
}

fn main() {
    drop(Repo.count(1));
}
