//! Rounds of several ways in turn: A, B, C, A, B, C, …

use std::time::{Duration, Instant};

use cached_peers::allocations;

use crate::figure::{Figure, Goal, Unit};

/// After one round that nobody counts.
const ROUNDS: usize = 7;

/// What one round of one way came to, for a call.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sample {
    pub(crate) per_second: f64,
    pub(crate) cpu_microseconds: f64,
    /// Of this thread.
    pub(crate) allocations: f64,
    /// From one call to the next.
    pub(crate) nanoseconds: f64,
    pub(crate) commands: f64,
}

/// A stretch of calls being measured.
pub(crate) struct Stretch {
    cpu: Duration,
    allocations: u64,
    started: Instant,
}

impl Stretch {
    pub(crate) fn begin() -> Self {
        Self { cpu: cpu(), allocations: allocations::so_far(), started: Instant::now() }
    }

    /// The sample of `calls` made since the beginning.
    pub(crate) fn end(self, calls: u64) -> Sample {
        let took = self.started.elapsed().as_secs_f64();
        let allocations = allocations::so_far() - self.allocations;
        let cpu = cpu().saturating_sub(self.cpu).as_secs_f64();
        let calls = calls as f64;
        Sample {
            per_second: calls / took,
            cpu_microseconds: cpu * 1e6 / calls,
            allocations: allocations as f64 / calls,
            nanoseconds: took * 1e9 / calls,
            commands: 0.0,
        }
    }
}

/// CPU time of all threads that live, in nanoseconds from the kernel.
fn cpu() -> Duration {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let times = threads.filter_map(|thread| {
        // One that ended meanwhile has no file any more.
        let text = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(times.sum())
}

/// One of the ways, and how to measure it once.
pub(crate) struct Contender<'a> {
    name: &'static str,
    round: Box<dyn FnMut() -> Sample + 'a>,
}

impl<'a> Contender<'a> {
    pub(crate) fn new(name: &'static str, round: impl FnMut() -> Sample + 'a) -> Self {
        Self { name, round: Box::new(round) }
    }
}

/// The samples of each way.
pub(crate) struct Rounds(Vec<(&'static str, Vec<Sample>)>);

pub(crate) fn alternate(mut contenders: Vec<Contender<'_>>) -> Rounds {
    let mut rounds: Vec<_> = contenders.iter().map(|way| (way.name, Vec::new())).collect();
    for round in 0..=ROUNDS {
        for (contender, (_, samples)) in contenders.iter_mut().zip(&mut rounds) {
            let sample = (contender.round)();
            if round > 0 {
                samples.push(sample);
            }
        }
    }
    Rounds(rounds)
}

impl Rounds {
    /// One of the figures of all ways, with goals for the ratio to some of them.
    pub(crate) fn figure(
        &self,
        [group, case]: [&str; 2],
        unit: Unit,
        goals: &[(&str, Goal)],
    ) -> Figure {
        let of = |sample: &Sample| match unit {
            Unit::CallsPerSecond => sample.per_second,
            Unit::CpuMicroseconds => sample.cpu_microseconds,
            Unit::CommandsPer1000 => sample.commands * 1000.0,
            Unit::Nanoseconds => sample.nanoseconds,
            Unit::Allocations => sample.allocations,
        };
        let ways = self.0.iter();
        Figure {
            group: group.to_owned(),
            case: case.to_owned(),
            unit,
            ways: ways
                .map(|(name, samples)| ((*name).to_owned(), samples.iter().map(of).collect()))
                .collect(),
            goals: goals.iter().map(|(peer, goal)| ((*peer).to_owned(), *goal)).collect(),
        }
    }
}
