//! Says in the log, once, that the server became unusable, and once that it is back.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::fault::Fault;

/// How long there must be no fault before the server counts as back: keeps a server on the edge
/// from filling the log.
const CALM: Duration = Duration::from_secs(1);

pub(super) struct Health {
    /// Where, without the password.
    server: String,
    degraded: AtomicBool,
    last_fault: Mutex<Option<Instant>>,
}

impl Health {
    pub(super) fn new(server: String) -> Self {
        Self { server, degraded: AtomicBool::new(false), last_fault: Mutex::new(None) }
    }

    pub(super) fn server(&self) -> &str {
        &self.server
    }

    pub(super) fn failed(&self, fault: Fault, detail: &str) {
        *self.last_fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        if !self.degraded.swap(true, Ordering::AcqRel) {
            tracing::warn!(
                server = self.server,
                cause = fault.label(),
                detail,
                "the cache's server is not usable; cached functions run their bodies until it is"
            );
        }
    }

    /// An operation that reads and writes went through. One relaxed load while all is well.
    pub(super) fn worked(&self) {
        if !self.degraded.load(Ordering::Relaxed) {
            return;
        }
        let last = *self.last_fault.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| last.elapsed() >= CALM)
            && self.degraded.swap(false, Ordering::AcqRel)
        {
            tracing::info!(server = self.server, "the cache's server is usable again");
        }
    }
}
