//! What goes on behind a stale value runs on another thread.

use std::rc::Rc;

use cached_runtime::cache_result;

#[cache_result(ttl = 60, stale_while_revalidate = 60)]
async fn local(id: u64) -> u64 {
    let id = Rc::new(id);
    std::future::ready(()).await;
    *id
}

fn main() {}
