#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark fails loudly")]
#![allow(dead_code)]
mod peers;
mod user;
fn main(){}
