//! The kinds of run.

use std::time::Duration;

/// How long a process may serve from its memory what another has invalidated, in a run of functions
/// with `local`: short, so that much happens in a run.
pub(crate) const BOUND: Duration = Duration::from_millis(300);
/// So seldom is the sign of life asked for that it is as if nobody asked.
const NEVER: Duration = Duration::from_secs(3_600);

/// Which functions are called, and what is done to their processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Values are in the store alone; processes are halted, connections closed.
    Store,
    /// Values are kept in memory as well; the network and the servers fail, too.
    Local,
    /// The same, but the link that tells of changes is trusted without a sign of life. It is the
    /// control of that: it must break the promise.
    NoLease,
}

impl Mode {
    /// As a worker is told.
    pub(crate) fn argument(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Local => "local",
            Self::NoLease => "no-lease",
        }
    }

    pub(crate) fn from_argument(argument: &str) -> Self {
        let modes = [Self::Store, Self::Local, Self::NoLease];
        modes.into_iter().find(|mode| mode.argument() == argument).expect("a mode")
    }

    /// The caches' deadline for lookups, where it is not the usual one: an answer that is late is
    /// still to be taken, since much may have happened meanwhile.
    pub(crate) fn lookup_deadline(self) -> Option<Duration> {
        self.is_local().then_some(Duration::from_millis(500))
    }

    /// How many of a hundred calls change something: fewer where values are to be kept for long.
    pub(crate) fn changes(self) -> u8 {
        if self.is_local() { 2 } else { 6 }
    }

    pub(crate) fn is_local(self) -> bool {
        self != Self::Store
    }

    /// The bound that the caches are given, where they have a local tier.
    pub(crate) fn coherence_bound(self) -> Option<Duration> {
        match self {
            Self::Store => None,
            Self::Local => Some(BOUND),
            Self::NoLease => Some(NEVER),
        }
    }
}
