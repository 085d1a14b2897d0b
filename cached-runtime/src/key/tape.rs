//! The trace of the serde calls behind a key.
//!
//! Texts are kept short for the reader, at the price that values of different
//! serde types can read alike: the unit variant `Red` and the string `"Red"`.
//! A rolling hash over one tag per call tells them apart in the fingerprint.
//!
//! Where the type of an argument is its value's alone (`impl Trait`), the trace is exact: the width of
//! a number and the names of types count, whatever the text shows of them.

use xxhash_rust::xxh3::xxh3_64;

/// One kind of serde call. The numbers are frozen: they are in fingerprints.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Tag {
    Bool = 1,
    Int = 2,
    Float = 3,
    Str = 4,
    Bytes = 5,
    None = 6,
    Some = 7,
    Unit = 8,
    UnitStruct = 9,
    UnitVariant = 10,
    NewtypeStruct = 11,
    NewtypeVariant = 12,
    Seq = 13,
    Tuple = 14,
    TupleStruct = 15,
    TupleVariant = 16,
    Map = 17,
    Struct = 18,
    StructVariant = 19,
    /// The end of whatever holds other values.
    End = 20,
}

impl Tag {
    /// Whether the call begins a variant with content.
    pub(super) fn is_variant(self) -> bool {
        matches!(self, Self::NewtypeVariant | Self::TupleVariant | Self::StructVariant)
    }
}

/// A rolling 64-bit hash of tags.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tape {
    hash: u64,
    exact: bool,
}

impl Tape {
    /// An odd number without a pattern (the golden ratio in 64 bits).
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

    /// One that is told what the text need not show.
    pub(super) fn exact() -> Self {
        Self { hash: 0, exact: true }
    }

    /// For a part that is taken on its own.
    #[inline]
    pub(super) fn part(self) -> Self {
        Self { hash: 0, exact: self.exact }
    }

    /// What the text need not show: a type's name, a number's width.
    #[inline]
    pub(super) fn note(&mut self, kind: &str) {
        if self.exact {
            self.absorb(xxh3_64(kind.as_bytes()));
        }
    }

    /// Eight digits that stand for the whole trace; `None` where that is one plain scalar, which its
    /// text shows.
    pub(super) fn mark(self) -> Option<u32> {
        let plain = [Tag::Bool, Tag::Int, Tag::Float, Tag::Str].into_iter().any(|tag| {
            let mut scalar = Self::exact();
            scalar.record(tag);
            scalar == self
        });
        (!plain).then(|| (self.mix(0) >> 32) as u32)
    }

    #[inline]
    pub(super) fn record(&mut self, tag: Tag) {
        self.absorb(u64::from(tag as u8));
    }

    /// Adds the trace of a part that was taken on its own.
    #[inline]
    pub(super) fn absorb_part(&mut self, part: Self) {
        self.absorb(part.hash);
    }

    #[inline]
    fn absorb(&mut self, word: u64) {
        self.hash = (self.hash.rotate_left(5) ^ word).wrapping_mul(Self::SPREAD);
    }

    /// The trace mixed into the hash of a text. For a given text every step is
    /// reversible, so that different traces never meet.
    #[inline]
    pub(super) fn mix(self, hash: u64) -> u64 {
        let mixed = (hash ^ self.hash.rotate_left(32)).wrapping_mul(Self::SPREAD);
        mixed ^ (mixed >> 32)
    }
}
