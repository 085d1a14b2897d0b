//! What cached functions ask when they are called: a row that can be changed, and is counted when it
//! is read.

use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Default)]
pub(crate) struct Database {
    row: AtomicU64,
    reads: AtomicU64,
    told: AtomicU64,
}

impl Database {
    pub(crate) fn read(&self) -> u64 {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.row.load(Ordering::SeqCst)
    }

    /// Gives the row its next value.
    pub(crate) fn write(&self) -> u64 {
        self.row.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// How often it was read.
    pub(crate) fn reads(&self) -> u64 {
        self.reads.load(Ordering::SeqCst)
    }

    /// How often since this was last asked.
    pub(crate) fn new_reads(&self) -> u64 {
        let reads = self.reads();
        reads - self.told.swap(reads, Ordering::SeqCst)
    }
}
