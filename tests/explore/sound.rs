//! The machine as it is, with scheduled locks.

#[path = "../../cached-runtime/src/flight/flights.rs"]
pub mod flights;
#[path = "../../cached-runtime/src/flight/follower.rs"]
pub mod follower;
#[path = "../../cached-runtime/src/flight/leader.rs"]
pub mod leader;
#[path = "../../cached-runtime/src/flight/liveness.rs"]
pub mod liveness;
#[path = "../../cached-runtime/src/flight/nesting.rs"]
pub mod nesting;
#[path = "scenarios.rs"]
pub mod scenarios;
#[path = "sync.rs"]
pub mod sync;
