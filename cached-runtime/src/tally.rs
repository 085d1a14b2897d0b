//! Counters that many threads count on without a cache line going between them: each thread has a
//! lane of its own, and a reader adds the lanes up. (LongAdder, Java 8, does the same.)

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// So many threads have a lane of their own; all others share the last.
const OWN: usize = 31;

/// What each call counts one of.
#[derive(Default)]
pub(crate) struct Tally {
    lanes: Box<[Lane; OWN + 1]>,
}

#[derive(Default)]
#[repr(align(64))]
struct Lane {
    local: AtomicU64,
    remote: AtomicU64,
}

impl Tally {
    #[inline]
    pub(crate) fn count_local(&self) {
        self.count(|lane| &lane.local);
    }

    #[inline]
    pub(crate) fn count_remote(&self) {
        self.count(|lane| &lane.remote);
    }

    pub(crate) fn local(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.local.load(Ordering::Relaxed)).sum()
    }

    pub(crate) fn remote(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.remote.load(Ordering::Relaxed)).sum()
    }

    #[inline]
    fn count(&self, which: impl Fn(&Lane) -> &AtomicU64) {
        let own = PLACE.try_with(|place| place.0).unwrap_or(OWN);
        let counter = which(&self.lanes[own]);
        if own < OWN {
            // Nobody else writes here.
            counter.store(counter.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        } else {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// This thread's lane, for as long as the thread lives.
struct Place(usize);

thread_local! {
    static PLACE: Place = Place::take();
}

static FREE: Mutex<Vec<usize>> = Mutex::new(Vec::new());
static TAKEN: Mutex<usize> = Mutex::new(0);

impl Place {
    #[cold]
    fn take() -> Self {
        // The lock also makes what the lane's last thread counted visible to this one.
        let free = FREE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Self(free.unwrap_or_else(|| {
            let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
            let lane = (*taken).min(OWN);
            *taken = lane + 1;
            lane
        }))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.0 < OWN {
            FREE.lock().unwrap_or_else(PoisonError::into_inner).push(self.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_however_many_threads_count() {
        let tally = Tally::default();
        for _ in 0..3 {
            std::thread::scope(|scope| {
                for _ in 0..2 * OWN {
                    scope.spawn(|| {
                        for _ in 0..1_000 {
                            tally.count_local();
                        }
                        tally.count_remote();
                    });
                }
            });
        }
        assert_eq!(tally.local(), 3 * 2 * OWN as u64 * 1_000);
        assert_eq!(tally.remote(), 3 * 2 * OWN as u64);
    }
}
