//! The fault matrix: callers of cached functions while the server or the wire fails, one row for
//! each fault. `cargo run --release -p cached-matrix` prints it, and fails where a bound is broken.
//!
//! Each row goes through three phases with the same callers, async and blocking: all is well, the
//! fault, and the time until all is well again. Other tasks change what the cached functions read
//! and invalidate it, in this process and as another would, so that an old value shows.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a harness fails loudly"
)]

mod calls;
mod case;
mod control;
mod row;
mod run;
mod subject;
mod world;

pub use case::Case;
pub use row::{Row, Strictness, table};
pub use run::{Timing, run, run_control};
