//! An associated function without `companion`: the type that a free function gets cannot be made here.

use cached_runtime::cache_result;

struct Order;

impl Order {
    #[cache_result(ttl = 60)]
    async fn total(id: u64) -> u64 {
        id
    }
}

fn main() {
    drop(Order::total(1));
}
