//! What is logged: one record of fixed size per event, into a file per process.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::ops::AddAssign;
use std::path::Path;
use std::sync::Mutex;

use crate::functions::Function;

/// The rows of the database.
pub(crate) const ROWS: u8 = 5;

/// Something that a process did. Times are those of [`clock::now`](crate::clock::now).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    Read(Read),
    Invalidation(Invalidation),
    Counts(Counts),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Read {
    /// Whose log it stands in.
    pub(crate) process: u8,
    pub(crate) called: u64,
    pub(crate) returned: u64,
    pub(crate) function: Function,
    pub(crate) row: u8,
    pub(crate) source: Source,
    /// When the body that made the value started.
    pub(crate) started: u64,
    /// What that body found in the database.
    pub(crate) version: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Invalidation {
    /// Whose log it stands in.
    pub(crate) process: u8,
    pub(crate) called: u64,
    pub(crate) returned: u64,
    pub(crate) ok: bool,
    pub(crate) covers: Covers,
    /// What was written to the row before.
    pub(crate) version: u64,
}

/// What a process counted, at its end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) loads: u64,
    /// Calls that the process's own memory answered.
    pub(crate) local: u64,
    /// Values that were not stored because of the fence.
    pub(crate) refused: u64,
    /// Calls that yielded an error: the body's, or of a load that took too long.
    pub(crate) failures: u64,
    /// In any thread: there is no good one.
    pub(crate) panics: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.loads += other.loads;
        self.local += other.local;
        self.refused += other.refused;
        self.failures += other.failures;
        self.panics += other.panics;
    }
}

/// The entries that an invalidation is to remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Covers {
    /// A bit for each function.
    pub(crate) functions: u32,
    /// `None` is all rows.
    pub(crate) row: Option<u8>,
}

impl Covers {
    pub(crate) fn of(functions: &[Function], row: Option<u8>) -> Self {
        let functions = functions.iter().fold(0, |bits, function| bits | 1 << *function as u32);
        Self { functions, row }
    }

    pub(crate) fn contains(self, function: Function, row: u8) -> bool {
        self.functions & 1 << function as u32 != 0 && self.row.is_none_or(|its| its == row)
    }
}

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Source {
    Loaded,
    Shared,
    /// The process's own memory.
    Local,
    Store,
    Stale,
    Bypass,
    /// A call that does not say.
    Untold,
    /// The verb `refresh`.
    Refresh,
}

impl Source {
    /// Whether the process's own memory may have been it.
    pub(crate) fn is_memory(self) -> bool {
        matches!(self, Self::Local | Self::Untold)
    }

    pub(crate) const ALL: [Self; 8] = [
        Self::Loaded,
        Self::Shared,
        Self::Local,
        Self::Store,
        Self::Stale,
        Self::Bypass,
        Self::Untold,
        Self::Refresh,
    ];
}

const SIZE: usize = 48;

impl Event {
    /// Up to five times, versions or other numbers, and a word of small parts.
    fn encode(self) -> [u8; SIZE] {
        let words = match self {
            Self::Read(Read {
                called, returned, function, row, source, started, version, ..
            }) => {
                let parts = [0, source as u8, function as u8, row, 0, 0, 0, 0];
                [called, returned, started, version, 0, u64::from_le_bytes(parts)]
            }
            Self::Invalidation(Invalidation { called, returned, ok, covers, version, .. }) => {
                let row = covers.row.unwrap_or(u8::MAX);
                let parts = [1, u8::from(ok), 0, row, 0, 0, 0, 0];
                let functions = u64::from(covers.functions);
                [called, returned, functions, version, 0, u64::from_le_bytes(parts)]
            }
            Self::Counts(Counts { loads, local, refused, failures, panics }) => {
                [loads, local, refused, failures, panics, 2]
            }
        };
        let mut bytes = [0; SIZE];
        for (part, word) in bytes.chunks_exact_mut(8).zip(words) {
            part.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    fn decode(bytes: &[u8], process: u8) -> Self {
        let word = |at: usize| u64::from_le_bytes(bytes[at * 8..][..8].try_into().unwrap());
        let [kind, first, second, third, ..] = word(5).to_le_bytes();
        match kind {
            0 => Self::Read(Read {
                process,
                called: word(0),
                returned: word(1),
                started: word(2),
                version: word(3),
                source: Source::ALL[usize::from(first)],
                function: Function::ALL[usize::from(second)],
                row: third,
            }),
            1 => Self::Invalidation(Invalidation {
                process,
                called: word(0),
                returned: word(1),
                ok: first == 1,
                covers: Covers {
                    functions: u32::try_from(word(2)).unwrap(),
                    row: (third != u8::MAX).then_some(third),
                },
                version: word(3),
            }),
            2 => Self::Counts(Counts {
                loads: word(0),
                local: word(1),
                refused: word(2),
                failures: word(3),
                panics: word(4),
            }),
            other => panic!("no event is of kind {other}"),
        }
    }
}

/// One process's log.
pub(crate) struct Log(Mutex<BufWriter<File>>);

impl Log {
    pub(crate) fn create(path: &Path) -> Self {
        Self(Mutex::new(BufWriter::new(File::create(path).expect("a log"))))
    }

    pub(crate) fn write(&self, event: Event) {
        self.0.lock().unwrap().write_all(&event.encode()).expect("room for the log");
    }

    pub(crate) fn finish(&self) {
        self.0.lock().unwrap().flush().expect("room for the log");
    }

    /// What the process of this number has logged.
    pub(crate) fn read(path: &Path, process: u8) -> Vec<Event> {
        let bytes = fs::read(path).expect("a log");
        assert!(bytes.len().is_multiple_of(SIZE), "{} is cut off", path.display());
        bytes.chunks_exact(SIZE).map(|event| Event::decode(event, process)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_back_from_a_log() {
        let covers = Covers::of(&[Function::Plain, Function::Naive], None);
        let events = [
            Event::Read(Read {
                process: 3,
                called: 1,
                returned: u64::MAX,
                function: Function::Naive,
                row: 11,
                source: Source::Refresh,
                started: 3,
                version: 4,
            }),
            Event::Invalidation(Invalidation {
                process: 3,
                called: 5,
                returned: 6,
                ok: true,
                covers,
                version: 7,
            }),
            Event::Invalidation(Invalidation {
                process: 3,
                called: 8,
                returned: 9,
                ok: false,
                covers: Covers { row: Some(3), ..covers },
                version: 10,
            }),
            Event::Counts(Counts { loads: 1, local: 2, refused: 3, failures: 4, panics: 5 }),
        ];
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let log = Log::create(&path);
        for event in events {
            log.write(event);
        }
        log.finish();
        assert_eq!(Log::read(&path, 3), events);
        assert!(covers.contains(Function::Naive, 3) && !covers.contains(Function::Tagged, 3));
    }
}
