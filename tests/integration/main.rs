//! Integration tests, by behaviour.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod examples;
mod fencing;
mod garbage;
mod patient;
mod protocol;
mod shapes;
