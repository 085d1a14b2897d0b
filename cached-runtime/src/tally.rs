//! Counters that many threads count on without a cache line going between them: each thread has a
//! lane of its own, and a reader adds the lanes up. (LongAdder, Java 8, does the same.)

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// So many threads have a lane of their own; all others share the last.
const OWN: usize = 31;

/// What each call counts one of.
#[derive(Default)]
pub(crate) struct Tally {
    lanes: [OnceLock<Arc<Lane>>; OWN + 1],
}

/// What one thread counted, or many that share it.
#[repr(align(128))]
pub(crate) struct Lane {
    shared: bool,
    local: AtomicU64,
    remote: AtomicU64,
}

impl Lane {
    fn new(place: usize) -> Arc<Self> {
        let shared = place >= OWN;
        Arc::new(Self { shared, local: AtomicU64::new(0), remote: AtomicU64::new(0) })
    }

    /// To be called by the lane's own thread alone, unless it is a shared one.
    #[inline]
    pub(crate) fn count_local(&self) {
        self.count(&self.local);
    }

    #[inline]
    fn count(&self, counter: &AtomicU64) {
        if self.shared {
            counter.fetch_add(1, Ordering::Relaxed);
        } else {
            // Nobody else writes here.
            counter.store(counter.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        }
    }
}

impl Tally {
    #[inline]
    pub(crate) fn count_local(&self) {
        let lane = self.lane();
        lane.count(&lane.local);
    }

    #[inline]
    pub(crate) fn count_remote(&self) {
        let lane = self.lane();
        lane.count(&lane.remote);
    }

    pub(crate) fn local(&self) -> u64 {
        self.sum(|lane| &lane.local)
    }

    pub(crate) fn remote(&self) -> u64 {
        self.sum(|lane| &lane.remote)
    }

    /// This thread's lane.
    #[inline]
    pub(crate) fn lane(&self) -> &Arc<Lane> {
        let place = PLACE.try_with(|place| place.0).unwrap_or(OWN);
        self.lanes[place].get_or_init(|| Lane::new(place))
    }

    fn sum(&self, counter: impl Fn(&Lane) -> &AtomicU64) -> u64 {
        let lanes = self.lanes.iter().filter_map(OnceLock::get);
        lanes.map(|lane| counter(lane).load(Ordering::Relaxed)).sum()
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
