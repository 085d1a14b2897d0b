//! What was done to the processes, their servers and what is between them, counted.

use std::collections::BTreeMap;
use std::fmt;

use crate::clock;

/// A disturbance, and how often it must have happened.
pub(crate) type Least = (&'static str, u64);

/// How often each disturbance happened, by its name; and the larger ones, each.
#[derive(Debug, Default)]
pub(crate) struct Disturbances {
    counts: BTreeMap<&'static str, u64>,
    notes: Vec<Note>,
    /// What should not have happened, though it need not break the promise.
    warnings: Vec<String>,
}

/// One disturbance that took its time.
#[derive(Debug)]
pub(crate) struct Note {
    pub(crate) began: u64,
    pub(crate) ended: u64,
    pub(crate) what: String,
}

impl Disturbances {
    pub(crate) fn add(&mut self, what: &'static str, times: u64) {
        *self.counts.entry(what).or_default() += times;
    }

    pub(crate) fn count(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or(0)
    }

    pub(crate) fn merge(&mut self, other: Self) {
        for (what, times) in other.counts {
            self.add(what, times);
        }
        self.notes.extend(other.notes);
        self.warnings.extend(other.warnings);
    }

    /// [`note`](Self::note), also where it broke nothing.
    pub(crate) fn warn(&mut self, began: u64, what: impl Into<String>) {
        let what = what.into();
        self.warnings.push(what.clone());
        self.note(began, what);
    }

    /// From then to now.
    pub(crate) fn note(&mut self, began: u64, what: impl Into<String>) {
        self.notes.push(Note { began, ended: clock::now(), what: what.into() });
    }

    /// What was under way at some time between these.
    pub(crate) fn during(&self, from: u64, to: u64) -> impl Iterator<Item = &Note> {
        self.notes.iter().filter(move |note| note.began <= to && note.ended >= from)
    }
}

impl fmt::Display for Disturbances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (what, times)) in self.counts.iter().enumerate() {
            write!(f, "{}{what} {times}", if at > 0 { ", " } else { "" })?;
        }
        for warning in &self.warnings {
            write!(f, "\nWARNING {warning}")?;
        }
        Ok(())
    }
}
