use std::fmt::Display;
use std::future::Future;

use cached_runtime::cache_result;

#[cache_result(ttl = 60)]
const fn constant(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60)]
unsafe extern "C" fn foreign(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60)]
fn opaque(id: u64) -> impl Display {
    id
}

#[cache_result(ttl = 60)]
fn future_of_opaque(id: u64) -> impl Future<Output = impl Display> {
    async move { id }
}

#[cache_result(ttl = 60)]
async fn nothing(id: u64) {
    drop(id);
}

#[cache_result(ttl = 60)]
async fn unit(id: u64) -> () {
    drop(id);
}

#[cache_result(ttl = 60)]
fn reference(text: &str) -> &str {
    text
}

#[cache_result(ttl = 60)]
fn reference_inside(text: &str) -> Result<Option<&'_ str>, u8> {
    Ok(Some(text))
}

#[cache_result(ttl = 60)]
fn never(id: u64) -> ! {
    panic!("{id}")
}

trait Find {
    #[cache_result(ttl = 60, skip(self))]
    async fn declaration(&self, id: u64) -> u64;
}

fn main() {}
