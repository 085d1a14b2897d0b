//! Whether a function's values are large: such travel on connections of their own, so that they hold
//! up nobody else's; and whether they are too large for the time that a call may wait.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::policy::backoff;

/// From here on an entry is large, in bytes. At 40 MB/s it takes 6.5 ms.
pub(crate) const LARGE: usize = 256 * 1024;
/// A function is as others again after so many entries in a row that are not.
const SMALL_IN_A_ROW: u32 = 100;
/// How long a function whose values did not come in time is left alone: at first, and at last.
const FIRST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(60);

/// What was learnt of one function's entries.
#[derive(Default)]
pub(crate) struct Sizes {
    large: AtomicBool,
    small_in_a_row: AtomicU32,
    /// So many in a row did not come, or go, in time.
    late: AtomicU32,
    /// In ms, as [`now`] counts; 0 where it is not left alone.
    rests_until: AtomicU64,
    said: AtomicBool,
}

impl Sizes {
    pub(crate) fn is_large(&self) -> bool {
        self.large.load(Ordering::Relaxed)
    }

    /// An entry of this many bytes came. Two relaxed loads for one that is small, as all are.
    #[inline]
    pub(crate) fn came(&self, bytes: usize) {
        if bytes >= LARGE || self.is_large() {
            self.learn(bytes);
            if self.late.load(Ordering::Relaxed) != 0 {
                self.late.store(0, Ordering::Relaxed);
            }
        }
    }

    /// An entry of this many bytes is to be stored.
    #[inline]
    pub(crate) fn goes(&self, bytes: usize) {
        if bytes >= LARGE || self.is_large() {
            self.learn(bytes);
        }
    }

    #[cold]
    fn learn(&self, bytes: usize) {
        if bytes >= LARGE {
            self.large.store(true, Ordering::Relaxed);
            self.small_in_a_row.store(0, Ordering::Relaxed);
        } else if self.small_in_a_row.fetch_add(1, Ordering::Relaxed) + 1 >= SMALL_IN_A_ROW {
            self.large.store(false, Ordering::Relaxed);
        }
    }

    /// One did not come, or go, in time. How long the function is left alone; and whether that is to be
    /// said.
    pub(crate) fn was_late(&self, now: Duration) -> (Duration, bool) {
        let late = self.late.fetch_add(1, Ordering::Relaxed);
        let rest = backoff(late, FIRST_REST, LONGEST_REST, 1.0);
        let until = u64::try_from((now + rest).as_millis()).unwrap_or(u64::MAX);
        self.rests_until.store(until, Ordering::Relaxed);
        (rest, !self.said.swap(true, Ordering::Relaxed))
    }

    /// Whether it is left alone.
    #[inline]
    pub(crate) fn rests(&self) -> bool {
        let until = self.rests_until.load(Ordering::Relaxed);
        // The clock is read only after one was late.
        until != 0 && now().as_millis() < u128::from(until)
    }
}

/// Since the first time anybody asked.
pub(crate) fn now() -> Duration {
    static ZERO: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    ZERO.get_or_init(Instant::now).elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_large_from_one_entry_on_until_many_were_not() {
        let sizes = Sizes::default();
        sizes.came(LARGE - 1);
        assert!(!sizes.is_large());
        sizes.goes(LARGE);
        for _ in 1..SMALL_IN_A_ROW {
            sizes.came(10);
            assert!(sizes.is_large());
        }
        sizes.came(10);
        assert!(!sizes.is_large());
        sizes.came(LARGE);
        assert!(sizes.is_large());
    }

    #[test]
    fn what_is_late_is_left_alone_for_longer_and_longer_and_said_once() {
        let sizes = Sizes::default();
        let seconds = |rest: Duration| rest.as_secs();
        let rests: Vec<_> = (0..8).map(|_| sizes.was_late(now())).collect();
        let times: Vec<_> = rests.iter().map(|(rest, _)| seconds(*rest)).collect();
        assert_eq!(times, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(rests.iter().filter(|(_, said)| *said).count(), 1);
        assert!(sizes.rests());
        sizes.came(LARGE);
        assert_eq!(seconds(sizes.was_late(now()).0), 1, "one came in between");
    }
}
