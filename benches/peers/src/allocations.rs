//! Allocations of the calling thread.
//!
//! Counted without atomics: where two threads count in one place, it is the counter that they
//! wait for, and a benchmark of a cache would measure its own allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// How often this thread has allocated, in a program whose allocator is [`Counting`].
#[must_use]
pub fn so_far() -> u64 {
    COUNT.get()
}

/// The system's allocator, with a count of calls for each thread.
pub struct Counting;

// SAFETY: everything is passed on to the system's allocator as it came. The count is a plain
// number that needs no allocation and no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: as above.
        unsafe { System.realloc(at, layout, size) }
    }
}
