//! What was read and is not understood yet.

/// How much is read at once.
pub(super) const READ: usize = 64 << 10;

/// A buffer that grows with what is there, never with what is announced, and gives back what one
/// long answer took.
pub(super) struct Input {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Input {
    pub(super) fn new() -> Self {
        Self { bytes: vec![0; READ], start: 0, end: 0 }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Where to read more to; never empty.
    pub(super) fn space(&mut self) -> &mut [u8] {
        if self.start > 0 && self.end > self.bytes.len() / 2 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.bytes.len() {
            self.bytes.resize(self.end * 2, 0);
        }
        &mut self.bytes[self.end..]
    }

    /// Whether no more was announced than is read at once, as far as is known.
    pub(super) fn is_small(&self) -> bool {
        self.bytes.len() <= READ
    }

    /// So much was read to the space.
    pub(super) fn filled(&mut self, len: usize) {
        self.end += len;
    }

    /// So much, from the beginning, is understood.
    pub(super) fn consume(&mut self, len: usize) {
        self.start += len;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            if self.bytes.len() > READ {
                self.bytes.truncate(READ);
                self.bytes.shrink_to_fit();
            }
        }
    }
}
