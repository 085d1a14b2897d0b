//! What the tests stand on: real Redis servers, clusters and Sentinels, servers
//! and wires that fail on demand, captured logs, and the one way to wait for
//! something.
//!
//! Everything here runs on threads of its own rather than on the test's tokio
//! runtime, so that a paused clock, a single-threaded runtime or a runtime that
//! is dropped half-way changes nothing on the other end of the wire. Each
//! server listens on its own loopback port and ends when it is dropped; a value
//! kept in a `static` is never dropped, so keep servers in the test.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a harness fails loudly"
)]

mod certs;
mod cluster;
mod faulty;
mod logs;
mod ports;
mod process;
mod program;
mod proxy;
mod redis_server;
mod resp;
mod sentinel;
mod wait;

pub use certs::Authority;
pub use cluster::RedisCluster;
pub use faulty::{Fault, FaultyServer};
pub use logs::Logs;
pub use program::{Ability, server_can};
pub use proxy::{Proxy, Wire};
pub use redis_server::RedisServer;
pub use sentinel::{Sentinel, Watched};
pub use wait::{eventually, eventually_blocking};
