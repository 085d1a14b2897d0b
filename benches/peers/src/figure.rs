//! What was measured, and how it compares.

use cached_peers::median::median;
use serde::{Deserialize, Serialize};

/// The name of this library among the ways.
pub(crate) const OURS: &str = "ours";

/// One thing measured of several ways, in alternating rounds.
#[derive(Serialize, Deserialize)]
pub(crate) struct Figure {
    /// Under what to show it.
    pub(crate) group: String,
    /// In what case it was measured.
    pub(crate) case: String,
    pub(crate) unit: Unit,
    /// Each way's name and its rounds.
    pub(crate) ways: Vec<(String, Vec<f64>)>,
    /// What the ratio to one of the ways is meant to be.
    pub(crate) goals: Vec<(String, Goal)>,
}

#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) enum Unit {
    CallsPerSecond,
    CpuMicroseconds,
    CommandsPer1000,
    Nanoseconds,
    Allocations,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    pub(crate) fn is_met_by(self, ratio: f64) -> bool {
        match self {
            Self::AtLeast(goal) => ratio >= goal,
            Self::AtMost(goal) => ratio <= goal,
        }
    }
}

impl std::fmt::Display for Goal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AtLeast(goal) => write!(f, "≥ {goal}"),
            Self::AtMost(goal) => write!(f, "≤ {goal}"),
        }
    }
}

impl Unit {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::CallsPerSecond => "calls/s",
            Self::CpuMicroseconds => "client CPU, µs a call",
            Self::CommandsPer1000 => "commands for 1,000 calls",
            Self::Nanoseconds => "ns a call",
            Self::Allocations => "allocations a call",
        }
    }

    pub(crate) fn digits(self) -> usize {
        match self {
            Self::CallsPerSecond => 0,
            Self::CommandsPer1000 | Self::Nanoseconds | Self::Allocations => 1,
            Self::CpuMicroseconds => 2,
        }
    }

    /// How many times better this ratio of ours to theirs is.
    pub(crate) fn times_better(self, ratio: f64) -> f64 {
        if self == Self::CallsPerSecond { ratio } else { ratio.recip() }
    }
}

/// This library against one other way.
pub(crate) struct Comparison<'a> {
    pub(crate) figure: &'a Figure,
    pub(crate) peer: &'a str,
    /// Ours / theirs, the median of the rounds' ratios.
    pub(crate) ratio: f64,
    pub(crate) goal: Option<Goal>,
}

impl Figure {
    /// The median of each way.
    pub(crate) fn medians(&self) -> impl Iterator<Item = (&str, f64)> {
        self.ways.iter().map(|(name, rounds)| (name.as_str(), median(rounds.clone())))
    }

    /// Ours against each other way; none where ours was not measured.
    pub(crate) fn comparisons(&self) -> Vec<Comparison<'_>> {
        let Some((_, ours)) = self.ways.iter().find(|(name, _)| name == OURS) else {
            return Vec::new();
        };
        let others = self.ways.iter().filter(|(name, _)| name != OURS);
        others
            .map(|(peer, theirs)| Comparison {
                figure: self,
                peer,
                ratio: median(
                    ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect(),
                ),
                goal: self.goals.iter().find(|(name, _)| name == peer).map(|(_, goal)| *goal),
            })
            .collect()
    }
}
