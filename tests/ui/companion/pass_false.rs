// The cure for each function that can have no companion type.
#![deny(warnings)]

use cached_runtime::cache_result;

pub struct Users;

impl Users {
    const STEP: u64 = 1;

    #[cache_result(ttl = 60, companion = false)]
    pub async fn associated(id: u64) -> u64 {
        id + Self::STEP
    }

    #[cache_result(ttl = 60, companion)]
    pub async fn with_handle(id: u64) -> u64 {
        id + Self::STEP
    }
}

pub mod orders {}

#[cache_result(ttl = 60, companion = false)]
pub async fn orders(id: u64) -> u64 {
    id
}

// `Self` in an item of the body says nothing of where the function stands.
#[cache_result(ttl = 60)]
fn with_item(id: u64) -> u64 {
    struct Twice(u64);
    impl Twice {
        fn of(id: u64) -> Self {
            Self(id * 2)
        }
    }
    Twice::of(id).0
}

fn main() {
    drop(Users::associated(1));
    drop(Users::with_handle_cache(1).invalidate());
    drop(orders(1));
    with_item(1);
    with_item::key(1);
}
