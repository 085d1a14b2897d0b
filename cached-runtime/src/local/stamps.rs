//! Numbers that go up when something changes: whoever remembers one can tell later whether
//! anything happened meanwhile.
//!
//! Names share them by their hash, so a table is of fixed size and nothing is ever registered in
//! it. A change of one name looks like one of all names with its stamp; that costs another look,
//! and is never wrong.

use std::sync::atomic::{AtomicU64, Ordering};

pub(super) struct Stamps {
    /// A power of two of them.
    stamps: Box<[AtomicU64]>,
}

impl Stamps {
    pub(super) fn new(bits: u32) -> Self {
        Self { stamps: (0..1_usize << bits).map(|_| AtomicU64::new(0)).collect() }
    }

    #[inline]
    pub(super) fn of(&self, hash: u64) -> u64 {
        self.at(hash).load(Ordering::Acquire)
    }

    /// Something of this hash changes, or has changed.
    pub(super) fn bump(&self, hash: u64) {
        self.at(hash).fetch_add(1, Ordering::AcqRel);
    }

    #[inline]
    fn at(&self, hash: u64) -> &AtomicU64 {
        let mask = self.stamps.len() - 1;
        // The lowest bits: a few more or less than there are don't matter.
        &self.stamps[usize::try_from(hash & u64::from(u32::MAX)).unwrap_or(0) & mask]
    }
}
