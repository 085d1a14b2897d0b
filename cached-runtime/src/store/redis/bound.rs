//! How many operations wait for a server at once: a full bound is answered at once, so that a slow
//! server does not pile up callers.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::fault::Fault;
use crate::store::Failure;

/// On a cache line of its own: every operation writes it, and reads what stands beside it.
#[repr(align(128))]
pub(super) struct InFlight {
    limit: usize,
    waiting: AtomicUsize,
}

/// A place among those who wait, left when dropped.
pub(super) struct Place<'a>(&'a AtomicUsize);

impl InFlight {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, waiting: AtomicUsize::new(0) }
    }

    pub(super) fn enter(&self) -> Result<Place<'_>, Failure> {
        let place = Place(&self.waiting);
        if self.waiting.fetch_add(1, Ordering::Relaxed) < self.limit {
            return Ok(place);
        }
        let limit = self.limit;
        let message = format!("the store is not asked: {limit} operations are waiting for it");
        Err(Failure::new(Fault::Overload, message))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_once_it_is_left_or_was_refused() {
        let bound = InFlight::new(2);
        for _ in 0..3 {
            let (_first, second) = (bound.enter().unwrap(), bound.enter().unwrap());
            assert_eq!(bound.enter().err().map(|failure| failure.fault), Some(Fault::Overload));
            drop(second);
            assert!(bound.enter().is_ok());
        }
        assert_eq!(bound.waiting.load(Ordering::Relaxed), 0);
    }
}
