//! Single flight in the process: of the callers that want one thing at a time, one leads and the
//! others follow. It knows nothing of what they want; no caching, no I/O and no clock is in it.
//!
//! A flight is a series of rounds under one leader at a time. A round is open to whoever arrives
//! until its leader closes it; who arrives later waits for the next round. That keeps a caller
//! from being given a result that was decided before it asked.
//!
//! A leader whose future was woken and is not polled holds nobody up: its flight is taken from it.
//!
//! Nothing of a caller's runs under a lock: its values are cloned and dropped, and its wakers
//! woken, after the lock was given back.
//!
//! `tests/explore` includes these files, with another `sync`, and runs them under all sorts of
//! schedules.

mod flights;
mod follower;
mod leader;
mod liveness;
mod nesting;
mod sync;
#[cfg(test)]
mod tests;

pub(crate) use flights::{Flights, Joined};
pub(crate) use follower::{Follower, Told};
pub(crate) use leader::Leader;
pub(crate) use liveness::{Liveness, attended, current, tick};
pub(crate) use nesting::{enter, inside, within, within_all};
