//! Whether the server takes writes now: after a refusal lookups only read for a while, so that a
//! server without memory is not asked twice for each call.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::fault::Fault;

/// How long lookups only read before they try to write again.
const PAUSE: Duration = Duration::from_millis(500);

pub(super) struct Writes {
    started: Instant,
    /// In ms since `started`; 0 where there was no refusal yet.
    paused_until: AtomicU64,
    paused_by: Mutex<Option<Fault>>,
}

impl Writes {
    pub(super) fn new() -> Self {
        Self {
            started: Instant::now(),
            paused_until: AtomicU64::new(0),
            paused_by: Mutex::new(None),
        }
    }

    pub(super) fn paused(&self) -> bool {
        // The clock is only read after a refusal.
        let until = self.paused_until.load(Ordering::Relaxed);
        until != 0 && millis(self.started.elapsed()) < until
    }

    /// Why writes are paused, or were last.
    pub(super) fn paused_by(&self) -> Option<Fault> {
        *self.paused_by.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn pause(&self, fault: Fault) {
        *self.paused_by.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
        let until = millis(self.started.elapsed() + PAUSE);
        self.paused_until.store(until, Ordering::Relaxed);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
