//! The same in a trait's impl, where `companion` would not do.

use cached_runtime::cache_result;

trait Orders {
    fn total(id: u64) -> u64;
}

struct Repo;

impl Orders for Repo {
    #[cache_result(ttl = 60)]
    fn total(id: u64) -> u64 {
        id
    }
}

fn main() {
    assert_eq!(Repo::total(1), 1);
}
