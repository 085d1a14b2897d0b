//! What the cached functions read, and what their callers may expect of it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// How long a body takes.
pub(crate) const BODY: Duration = Duration::from_millis(5);
/// So many entries are called often by async callers, and as many others by blocking ones.
pub(crate) const HOT: u64 = 8;

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Async,
    Blocking,
}

impl Kind {
    /// The entries that it calls often.
    pub(crate) fn hot(self) -> std::ops::Range<u64> {
        match self {
            Self::Async => 0..HOT,
            Self::Blocking => HOT..2 * HOT,
        }
    }
}

/// What a body yields, and from when to when it ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Read {
    pub(crate) n: u64,
    /// How often the row had been changed when the body began.
    generation: u64,
    /// In ns since the world began.
    pub(crate) began: u64,
    pub(crate) ended: u64,
}

/// A table with rows that change.
pub(crate) struct World {
    started: Instant,
    stopped: AtomicBool,
    generations: Vec<AtomicU64>,
    /// What is promised: no call that begins now may yield an older generation.
    floors: Vec<AtomicU64>,
    /// How many invalidations have returned `Ok`.
    promises: AtomicUsize,
    watch: Mutex<Watch>,
}

/// What has not been seen to work since a moment.
struct Watch {
    since: u64,
    /// Entries that were not served from the store.
    unserved: BTreeSet<u64>,
    /// Callers none of whose new values was stored.
    unstored: BTreeSet<Kind>,
    well: Option<u64>,
}

impl World {
    pub(crate) fn new(kinds: &[Kind]) -> Self {
        let zeros = || (0..2 * HOT).map(|_| AtomicU64::new(0)).collect();
        Self {
            started: Instant::now(),
            stopped: AtomicBool::new(false),
            generations: zeros(),
            floors: zeros(),
            promises: AtomicUsize::new(0),
            watch: Mutex::new(Watch::since(0, kinds)),
        }
    }

    /// In ns since the world began.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap()
    }

    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// The body of an async function.
    pub(crate) async fn read(&self, n: u64) -> Read {
        let began = self.now();
        let generation = self.generation(n);
        // The body's work.
        tokio::time::sleep(BODY).await;
        Read { n, generation, began, ended: self.now() }
    }

    /// The body of a blocking function.
    pub(crate) fn read_now(&self, n: u64) -> Read {
        let began = self.now();
        let generation = self.generation(n);
        // The body's work.
        std::thread::sleep(BODY);
        Read { n, generation, began, ended: self.now() }
    }

    /// Changes a row; says which generation it now has.
    pub(crate) fn change(&self, n: u64) -> u64 {
        self.generations[at(n)].fetch_add(1, Ordering::SeqCst) + 1
    }

    /// An invalidation has returned `Ok`.
    pub(crate) fn promised(&self) {
        self.promises.fetch_add(1, Ordering::SeqCst);
    }

    /// How many have.
    pub(crate) fn promises(&self) -> usize {
        self.promises.load(Ordering::SeqCst)
    }

    /// From now on nothing older may be seen.
    pub(crate) fn promise(&self, n: u64, generation: u64) {
        self.floors[at(n)].fetch_max(generation, Ordering::SeqCst);
    }

    /// What a call that begins now may yield at the least.
    pub(crate) fn floor(&self, n: u64) -> u64 {
        self.floors.get(at(n)).map_or(0, |floor| floor.load(Ordering::SeqCst))
    }

    /// Whether a call with this argument may yield this, now.
    pub(crate) fn is_right(&self, n: u64, floor: u64, read: &Read) -> bool {
        read.n == n && (floor..=self.generation(n)).contains(&read.generation)
    }

    fn generation(&self, n: u64) -> u64 {
        self.generations.get(at(n)).map_or(0, |generation| generation.load(Ordering::SeqCst))
    }

    /// Begins to watch for all to be well, with what is served and stored from now on.
    pub(crate) fn watch_anew(&self, kinds: &[Kind]) {
        *self.watch() = Watch::since(self.now(), kinds);
    }

    /// A call that began then was served from the store what this body had yielded.
    pub(crate) fn served(&self, kind: Kind, began: u64, read: &Read) {
        let now = self.now();
        let mut watch = self.watch();
        if watch.well.is_some() || began < watch.since {
            return;
        }
        watch.unserved.remove(&read.n);
        if read.began > watch.since && !kind.hot().contains(&read.n) {
            watch.unstored.remove(&kind);
        }
        if watch.unserved.is_empty() && watch.unstored.is_empty() {
            watch.well = Some(now);
        }
    }

    /// How long it took until every entry that is called often was served from the store, and
    /// callers of each kind saw a new value stored.
    pub(crate) fn well_after(&self) -> Option<Duration> {
        let watch = self.watch();
        watch.well.map(|well| Duration::from_nanos(well - watch.since))
    }

    /// What is not well yet.
    pub(crate) fn unwell(&self) -> String {
        let Watch { unserved, unstored, .. } = &*self.watch();
        format!("entries not served: {unserved:?}, values not stored: {unstored:?}")
    }

    fn watch(&self) -> std::sync::MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    fn since(since: u64, kinds: &[Kind]) -> Self {
        Self {
            since,
            unserved: kinds.iter().flat_map(|kind| kind.hot()).collect(),
            unstored: kinds.iter().copied().collect(),
            well: None,
        }
    }
}

fn at(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}
