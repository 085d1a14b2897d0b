//! What the programs that measure the peers share.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark fails loudly")]

pub mod allocations;
pub mod median;
pub mod zipf;
