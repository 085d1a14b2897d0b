//! One clock for all processes.

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds of `CLOCK_MONOTONIC`, which is one clock for the whole machine and is never set
/// back. `Instant` reads the same clock, but gives no number that another process could compare
/// with its own; `SystemTime` does, but may be set back.
pub(crate) fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    u64::try_from(now.tv_sec).unwrap() * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap()
}
