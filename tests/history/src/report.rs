//! What a run came to, in numbers; and in full where the promise was broken.

use std::fmt;
use std::time::Duration;

use crate::check::{Violation, violations};
use crate::disturbances::Disturbances;
use crate::functions::Function;
use crate::history::{Counts, Event, Invalidation, Read, Source};
use crate::mode::{BOUND, Mode};
use crate::network::Kind;

const CONTROL: &str = "violations by the control";

/// A run of functions whose values are in the store alone shows nothing with less.
const LEAST: [(&str, u64, Measure); 5] = [
    ("hits of the store", 1_000, |report| report.from(Source::Store)),
    ("stale hits", 100, |report| report.from(Source::Stale)),
    ("shared loads", 100, |report| report.from(Source::Shared)),
    ("refused writes", 1, |report| report.counts.refused),
    (CONTROL, 1, |report| report.of_the_control().count() as u64),
];

/// And one of functions that keep them in memory.
const LEAST_LOCAL: [(&str, u64, Measure); 6] = [
    ("local hits", 3_000, |report| report.counts.local),
    ("hits of the store", 1_000, |report| report.from(Source::Store)),
    ("shared loads", 50, |report| report.from(Source::Shared)),
    ("refused writes", 1, |report| report.counts.refused),
    (CONTROL, 1, |report| report.of_the_control().count() as u64),
    ("links killed", 3, |report| report.disturbances.count("links killed")),
];

type Measure = fn(&Report) -> u64;

/// How many violations are printed, how many events around each, and how long before it.
const SHOWN: usize = 5;
const AROUND: usize = 60;
const BEFORE: u64 = 150_000_000;

pub(crate) struct Report {
    reads: Vec<Read>,
    invalidations: Vec<Invalidation>,
    violations: Vec<Violation>,
    disturbances: Disturbances,
    counts: Counts,
    mode: Mode,
    network: Kind,
}

impl Report {
    pub(crate) fn new(
        events: Vec<Event>,
        disturbances: Disturbances,
        mode: Mode,
        network: Kind,
    ) -> Self {
        let (mut reads, mut invalidations) = (Vec::new(), Vec::new());
        let mut counts = Counts::default();
        for event in events {
            match event {
                Event::Read(read) => reads.push(read),
                Event::Invalidation(invalidation) => invalidations.push(invalidation),
                Event::Counts(more) => counts += more,
            }
        }
        let bound = u64::try_from(BOUND.as_nanos()).unwrap();
        let violations = violations(&reads, &invalidations, bound);
        Self { reads, invalidations, violations, disturbances, counts, mode, network }
    }

    /// No violation of ours, no panic, and enough of everything else.
    pub(crate) fn passes(&self) -> bool {
        self.ours().next().is_none() && self.counts.panics == 0 && self.missing().next().is_none()
    }

    fn ours(&self) -> impl Iterator<Item = &Violation> {
        self.violations.iter().filter(|violation| violation.read.function != Function::Naive)
    }

    fn of_the_control(&self) -> impl Iterator<Item = &Violation> {
        self.violations.iter().filter(|violation| violation.read.function == Function::Naive)
    }

    /// What there was too little of: its name, the least there must be, and what there was.
    fn missing(&self) -> impl Iterator<Item = (&'static str, u64, u64)> {
        let least: &[_] = if self.mode.is_local() { &LEAST_LOCAL } else { &LEAST };
        // A run without a lease is a control itself: what it breaks shows that the check is live.
        let is_control = self.mode == Mode::NoLease;
        let needed = least.iter().filter(move |(name, ..)| !is_control || *name != CONTROL);
        let measured = needed.map(|(name, least, measure)| (*name, *least, measure(self)));
        let disturbed = self.network.least().into_iter();
        let disturbed = disturbed.map(|(name, least)| (name, least, self.disturbances.count(name)));
        measured.chain(disturbed).filter(|(_, least, there_was)| there_was < least)
    }

    /// Reads of ours.
    fn reads(&self) -> impl Iterator<Item = &Read> {
        self.reads.iter().filter(|read| read.function != Function::Naive)
    }

    fn from(&self, source: Source) -> u64 {
        self.reads().filter(|read| read.source == source).count() as u64
    }

    /// How long invalidations of ours took that returned `Ok`, sorted.
    fn took(&self) -> Vec<u64> {
        let done = self.invalidations.iter().filter(|one| one.ok && !is_control(one));
        let mut took: Vec<u64> = done.map(|one| one.returned - one.called).collect();
        took.sort_unstable();
        took
    }

    /// The two events, and what else happened to the entry about that time.
    fn show(&self, f: &mut fmt::Formatter<'_>, violation: &Violation) -> fmt::Result {
        let Violation { read, invalidation } = violation;
        let zero = invalidation.called;
        writeln!(
            f,
            "\nVIOLATION of {:?} row {}, times from the invalidation",
            read.function, read.row
        )?;
        write_invalidation(f, zero, invalidation)?;
        write_read(f, zero, read)?;
        for note in
            self.disturbances.during(read.started.min(zero).saturating_sub(BEFORE), read.returned)
        {
            let (began, ended) = (since(zero, note.began), since(zero, note.ended));
            writeln!(f, "{began:>10.3} … {ended:>10.3}  {}", note.what)?;
        }
        writeln!(f, "around it:")?;
        let near = |called: u64, returned: u64| {
            called <= read.returned && returned >= read.started.min(zero).saturating_sub(BEFORE)
        };
        let reads = self.reads.iter().filter(|one| {
            one.function == read.function && one.row == read.row && near(one.called, one.returned)
        });
        let invalidations = self.invalidations.iter().filter(|one| {
            one.covers.contains(read.function, read.row) && near(one.called, one.returned)
        });
        let mut events: Vec<Event> = reads.copied().map(Event::Read).collect();
        events.extend(invalidations.copied().map(Event::Invalidation));
        events.sort_unstable_by_key(|event| match event {
            Event::Read(read) => read.called,
            Event::Invalidation(invalidation) => invalidation.called,
            Event::Counts(_) => 0,
        });
        let skipped = events.len().saturating_sub(AROUND);
        for event in &events[skipped..] {
            match event {
                Event::Read(read) => write_read(f, zero, read)?,
                Event::Invalidation(invalidation) => write_invalidation(f, zero, invalidation)?,
                Event::Counts(_) => {}
            }
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.reads().count() as u64;
        write!(f, "reads {all}:")?;
        for source in Source::ALL {
            let count = self.from(source);
            let share = percent(count, all);
            write!(f, " {source:?} {count} ({share})")?;
        }
        writeln!(f, "\ncalls that yielded an error {}", self.counts.failures)?;
        for function in Function::called(self.mode.is_local()) {
            let reads = || self.reads.iter().filter(|read| read.function == function);
            write!(f, "  {:<14} {:>8}", format!("{function:?}"), reads().count())?;
            for source in Source::ALL {
                let count = reads().filter(|read| read.source == source).count();
                write!(f, "  {source:?} {count:<7}")?;
            }
            writeln!(f)?;
        }
        let ours = || self.invalidations.iter().filter(|one| !is_control(one));
        let (sent, ok) = (ours().count(), ours().filter(|one| one.ok).count());
        let took = self.took();
        let at = |part: f64| {
            let index = (took.len() as f64 * part) as usize;
            Duration::from_nanos(took.get(index).copied().unwrap_or(0) / 1_000 * 1_000)
        };
        writeln!(f, "writes {}", self.invalidations.len())?;
        writeln!(
            f,
            "invalidations Ok {ok}, Err {}, p50 {:?}, p99 {:?}",
            sent - ok,
            at(0.5),
            at(0.99)
        )?;
        writeln!(f, "{}", self.disturbances)?;
        writeln!(
            f,
            "loads {}, local hits {}, refused writes {}, panics {}",
            self.counts.loads, self.counts.local, self.counts.refused, self.counts.panics
        )?;
        let control = self.reads.len() as u64 - all;
        let broken = self.of_the_control().count();
        let old = |violation: &&Violation| violation.read.version < violation.invalidation.version;
        write!(f, "violations: ours {} of {all} reads", self.ours().count())?;
        if self.mode.is_local() {
            let memory = self.ours().filter(|one| one.read.source.is_memory()).count();
            write!(f, ", {memory} of them from memory")?;
        }
        writeln!(f)?;
        write!(
            f,
            "violations: control {broken} of {control} reads, {} of them with old data",
            self.of_the_control().filter(old).count()
        )?;
        for (what, least, there_was) in self.missing() {
            write!(f, "\nNOT LIVE: {what} {there_was}, at least {least} are needed")?;
        }
        for violation in self.ours().take(SHOWN) {
            self.show(f, violation)?;
        }
        write!(f, "\n{}", if self.passes() { "PASS" } else { "FAIL" })
    }
}

fn is_control(invalidation: &Invalidation) -> bool {
    invalidation.covers.contains(Function::Naive, invalidation.covers.row.unwrap_or(0))
}

fn percent(part: u64, all: u64) -> String {
    format!("{:.1} %", part as f64 * 100.0 / all.max(1) as f64)
}

/// Milliseconds since `zero`.
fn since(zero: u64, time: u64) -> f64 {
    (time as f64 - zero as f64) / 1e6
}

fn write_read(f: &mut fmt::Formatter<'_>, zero: u64, read: &Read) -> fmt::Result {
    writeln!(
        f,
        "{:>10.3} … {:>10.3}  process {}: read {:?}: body started {:.3}, version {}",
        since(zero, read.called),
        since(zero, read.returned),
        read.process,
        read.source,
        since(zero, read.started),
        read.version
    )
}

fn write_invalidation(
    f: &mut fmt::Formatter<'_>,
    zero: u64,
    invalidation: &Invalidation,
) -> fmt::Result {
    let Invalidation { process, called, returned, ok, covers, version } = invalidation;
    writeln!(
        f,
        "{:>10.3} … {:>10.3}  process {process}: invalidation {}: functions {:#b}, row {:?}, after version {version}",
        since(zero, *called),
        since(zero, *returned),
        if *ok { "Ok" } else { "Err" },
        covers.functions,
        covers.row
    )
}
