//! The configurations: how many callers and invalidations, and what may happen to them.
//!
//! All possibilities of a larger configuration multiply, so each feature has a small one of its
//! own, which the tests exhaust in seconds, and the large ones combine them.

use crate::state::{CALLERS, INVALIDATIONS, LATE};

/// What is part of a run.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// How it is called on the command line.
    pub name: &'static str,
    /// The process of each caller; each makes one call.
    pub callers: &'static [u8],
    /// How many invalidations are called.
    pub invalidations: usize,
    /// The entry has a tag, and invalidations may be of it.
    pub tag: bool,
    /// Hits may refresh the value.
    pub refresh: bool,
    /// Leases, values, tags and claims may go away at any moment: expiry, eviction, or a
    /// writer's deletion that is delivered a second time.
    pub eviction: bool,
    /// Callers of one process join its flights, and take over those of leaders that go away.
    pub joiners: bool,
    /// How many commands may be on their way at once after their senders gave up.
    pub late: usize,
    /// Processes with an odd number run another version of the program: each version keeps values of
    /// its own in the entry, beside the other's.
    pub owners: bool,
}

// What the tables below start from.
const PLAIN: Config = Config {
    name: "",
    callers: &[0, 0, 0],
    invalidations: 2,
    tag: false,
    refresh: false,
    eviction: false,
    joiners: false,
    late: 0,
    owners: false,
};
const TAG: Config = Config { tag: true, eviction: true, ..PLAIN };
const MANY: Config = Config { invalidations: 3, eviction: true, ..PLAIN };

/// One for each feature; together they are exhausted in seconds.
pub const SMALL: &[Config] = &[
    Config { name: "keys", ..PLAIN },
    Config { name: "eviction", eviction: true, ..PLAIN },
    Config { name: "late", late: 2, ..PLAIN },
    Config { name: "refresh", refresh: true, eviction: true, ..PLAIN },
    Config { name: "tag", tag: true, ..PLAIN },
    Config { name: "tag-eviction", ..TAG },
    Config { name: "tag-late", tag: true, late: 1, ..PLAIN },
    Config { name: "tag-refresh", callers: &[0, 0], refresh: true, ..TAG },
    Config { name: "joiners", joiners: true, ..PLAIN },
    Config { name: "tag-joiners", callers: &[0, 0, 1], tag: true, joiners: true, ..PLAIN },
    Config { name: "everything-2", callers: &[0, 0], refresh: true, joiners: true, late: 1, ..TAG },
    Config { name: "owners", callers: &[0, 1, 1], owners: true, eviction: true, ..PLAIN },
    Config { name: "owners-late", callers: &[0, 1, 1], owners: true, late: 1, ..PLAIN },
    Config { name: "owners-refresh", callers: &[0, 0, 1], owners: true, refresh: true, ..PLAIN },
    Config { name: "owners-tag", callers: &[0, 1, 1], owners: true, tag: true, ..PLAIN },
];

/// Features together, with more of everything: minutes.
pub const LARGE: &[Config] = &[
    Config { name: "keys-5", callers: &[0; 5], late: 1, ..MANY },
    Config { name: "keys-late-4", callers: &[0; 4], late: 2, ..MANY },
    Config { name: "tag-4", callers: &[0; 4], tag: true, ..MANY },
    Config { name: "tag-late-4", callers: &[0; 4], invalidations: 2, tag: true, late: 1, ..MANY },
    Config { name: "tag-refresh-4", callers: &[0; 4], refresh: true, ..TAG },
    Config { name: "tag-joiners-4", callers: &[0, 0, 0, 1], joiners: true, ..TAG },
    Config {
        name: "two-processes",
        callers: &[0, 0, 1, 1],
        joiners: true,
        eviction: false,
        late: 1,
        ..TAG
    },
    Config { name: "owners-4", callers: &[0, 0, 1, 1], owners: true, eviction: true, ..PLAIN },
    Config { name: "owners-tag-refresh", callers: &[0, 0, 1], owners: true, refresh: true, ..TAG },
    Config {
        name: "owners-joiners",
        callers: &[0, 1, 1],
        owners: true,
        joiners: true,
        late: 1,
        ..TAG
    },
    Config {
        name: "everything-3",
        callers: &[0, 0, 1],
        refresh: true,
        joiners: true,
        late: 1,
        ..TAG
    },
];

/// The configuration of this name.
pub fn named(name: &str) -> Option<Config> {
    SMALL.iter().chain(LARGE).find(|config| config.name == name).copied()
}

const _: () = {
    let mut i = 0;
    while i < SMALL.len() + LARGE.len() {
        let config = if i < SMALL.len() { &SMALL[i] } else { &LARGE[i - SMALL.len()] };
        assert!(config.callers.len() <= CALLERS);
        assert!(config.invalidations <= INVALIDATIONS);
        assert!(config.late <= LATE);
        i += 1;
    }
};
