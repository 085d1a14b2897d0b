//! What was done to the processes, their servers and what is between them, counted.

use std::collections::BTreeMap;
use std::fmt;

/// How often each disturbance happened, by its name.
#[derive(Debug, Default)]
pub(crate) struct Disturbances(BTreeMap<&'static str, u64>);

impl Disturbances {
    pub(crate) fn add(&mut self, what: &'static str, times: u64) {
        *self.0.entry(what).or_default() += times;
    }

    pub(crate) fn count(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }

    pub(crate) fn merge(&mut self, other: Self) {
        for (what, times) in other.0 {
            self.add(what, times);
        }
    }
}

impl fmt::Display for Disturbances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (what, times)) in self.0.iter().enumerate() {
            write!(f, "{}{what} {times}", if at > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}
