//! What the flights share between threads. `tests/explore` has a file of the same contents in
//! types whose every step it schedules.

use std::cell::RefCell;

pub(super) use std::sync::{Mutex, MutexGuard};
pub(super) use tokio::sync::oneshot;

use super::nesting::Waits;

/// Who waits for whom, over all flights of the process.
pub(super) static WAITS: Mutex<Waits> = Mutex::new(Waits::new());

thread_local! {
    /// The flights that the task on this thread leads, the innermost last.
    pub(super) static LEADING: RefCell<Vec<u128>> = const { RefCell::new(Vec::new()) };
}
