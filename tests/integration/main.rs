//! Integration tests, by behaviour.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod connection;
mod examples;
mod failure;
mod fencing;
mod garbage;
mod keys;
mod patient;
mod protocol;
mod shapes;
mod stats;
