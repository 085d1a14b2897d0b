//! `companion` in a trait's impl, where the key has fields.

use cached_runtime::cache_result;

struct Customer {
    id: u64,
}

trait Orders {
    fn count(&self, customer: &Customer) -> u64;
}

struct Repo {
    tenant: u64,
}

impl Orders for Repo {
    #[cache_result(ttl = 60, companion, key = "{self.tenant}:{customer.id}", tags = ["c:{customer.id}"])]
    fn count(&self, customer: &Customer) -> u64 {
        customer.id
    }
}

fn main() {
    let _ = Repo { tenant: 1 }.count(&Customer { id: 1 });
}
