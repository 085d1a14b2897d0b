//! Numbers that go up when something changes: whoever remembers one can tell later whether
//! anything happened meanwhile.
//!
//! Names share them by their hash, so a table is of fixed size and nothing is ever registered in
//! it. A change of one name looks like one of all names with its stamp; that costs another look,
//! and is never wrong.

use std::sync::atomic::{AtomicU64, Ordering};

/// `N` of them, a power of two.
pub(super) struct Stamps<const N: usize> {
    stamps: Box<[AtomicU64; N]>,
}

impl<const N: usize> Stamps<N> {
    pub(super) fn new() -> Self {
        const { assert!(N.is_power_of_two()) };
        Self { stamps: Box::new([const { AtomicU64::new(0) }; N]) }
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
        &self.stamps[hash as usize % N]
    }
}
