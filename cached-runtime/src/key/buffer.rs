//! The buffer that keys are written into: each thread's last one is used again, so that a key costs
//! no allocation.

use std::cell::Cell;

/// A longer one is not kept: one key of unusual size is not to hold its memory for good.
const LARGEST: usize = 1024;

thread_local! {
    static SPARE: Cell<String> = const { Cell::new(String::new()) };
}

/// An empty buffer.
#[inline]
pub(super) fn take() -> String {
    let mut buffer = SPARE.try_with(Cell::take).unwrap_or_default();
    buffer.clear();
    buffer
}

/// Keeps a buffer for the next key.
#[inline]
pub(super) fn give_back(buffer: String) {
    if (1..=LARGEST).contains(&buffer.capacity()) {
        // Fails where the thread ends.
        let _ = SPARE.try_with(|spare| spare.set(buffer));
    }
}
