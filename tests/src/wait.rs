//! Waiting for something another process or thread does.
//!
//! The only place in the tests that sleeps: what it waits for (a child process,
//! a socket, a server's counters) sends no notice that could be awaited.

use std::future::Future;
use std::panic::Location;
use std::thread;
use std::time::{Duration, Instant};

const STEP: Duration = Duration::from_millis(10);

/// Awaits `check` every 10 ms until it returns `true`.
///
/// The limit is real time, so it also holds under tokio's paused clock.
///
/// # Panics
///
/// When `timeout` has passed and `check` still returned `false`; the message
/// names the calling line.
#[track_caller]
pub fn eventually<F, Fut>(timeout: Duration, mut check: F) -> impl Future<Output = ()>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    let caller = Location::caller();
    async move {
        let start = Instant::now();
        while !check().await {
            if start.elapsed() >= timeout {
                give_up(timeout, caller);
            }
            tokio::time::sleep(STEP).await;
        }
    }
}

/// [`eventually`] for a test without a runtime: blocks its thread.
///
/// # Panics
///
/// As [`eventually`].
#[track_caller]
pub fn eventually_blocking(timeout: Duration, mut check: impl FnMut() -> bool) {
    let caller = Location::caller();
    if poll(timeout, || check().then_some(())).is_none() {
        give_up(timeout, caller);
    }
}

/// Calls `check` every 10 ms until it returns something, `None` after `timeout`.
pub(crate) fn poll<T>(timeout: Duration, mut check: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(found) = check() {
            return Some(found);
        }
        if start.elapsed() >= timeout {
            return None;
        }
        thread::sleep(STEP);
    }
}

fn give_up(timeout: Duration, caller: &Location<'_>) -> ! {
    panic!("what {caller} waits for did not happen within {timeout:?}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[tokio::test]
    async fn waits_until_the_check_holds() {
        let calls = Cell::new(0);
        eventually(Duration::from_secs(5), || async {
            calls.set(calls.get() + 1);
            calls.get() == 3
        })
        .await;
        assert_eq!(calls.get(), 3);
    }

    #[tokio::test]
    #[should_panic(expected = "wait.rs")]
    async fn names_the_line_that_waited_in_vain() {
        eventually(Duration::from_millis(30), || async { false }).await;
    }

    #[tokio::test(start_paused = true)]
    async fn measures_real_time_under_a_paused_clock() {
        let start = Instant::now();
        eventually(Duration::from_secs(5), || async {
            start.elapsed() > Duration::from_millis(50)
        })
        .await;
    }

    #[test]
    #[should_panic(expected = "did not happen within 30ms")]
    fn the_blocking_kind_gives_up_too() {
        eventually_blocking(Duration::from_millis(30), || false);
    }
}
