//! What the benchmarks share: samples, medians, and the cost of a stretch of work in client CPU
//! and allocations.

use std::alloc::System;
use std::time::{Duration, Instant};

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

pub mod fleet;
pub mod user;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How many bytes this process has allocated and not given back, whatever its allocator holds.
#[must_use]
pub fn live_bytes() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated.saturating_sub(stats.bytes_deallocated)
}

/// What one stretch of calls cost.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    /// Calls per second.
    pub throughput: f64,
    /// Median of the calls' times, in µs.
    pub p50: f64,
    /// 99th percentile of the calls' times, in µs.
    pub p99: f64,
    /// CPU of this thread per call, in µs.
    pub cpu: f64,
    /// Allocations per call.
    pub allocations: f64,
}

/// A stretch of work being measured.
pub struct Stretch {
    started: Instant,
    cpu: Option<Duration>,
    allocations: Region<'static, System>,
}

impl Stretch {
    /// Begins measuring.
    #[must_use]
    pub fn begin() -> Self {
        Self { started: Instant::now(), cpu: thread_cpu(), allocations: Region::new(ALLOCATOR) }
    }

    /// The sample of the calls that took `times` since the beginning.
    #[must_use]
    pub fn end(self, mut times: Vec<Duration>) -> Sample {
        let took = self.started.elapsed();
        let cpu = thread_cpu().zip(self.cpu).map(|(now, then)| now.saturating_sub(then));
        let allocations = self.allocations.change().allocations;
        times.sort_unstable();
        let calls = float(times.len());
        let percentile = |share: usize| {
            let at = (times.len() * share / 100).min(times.len().saturating_sub(1));
            times.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e6)
        };
        Sample {
            throughput: calls / took.as_secs_f64(),
            p50: percentile(50),
            p99: percentile(99),
            cpu: cpu.map_or(f64::NAN, |cpu| cpu.as_secs_f64() * 1e6 / calls),
            allocations: float(allocations) / calls,
        }
    }
}

/// The median of each figure.
#[must_use]
pub fn median(samples: &[Sample]) -> Sample {
    let middle = |figure: fn(&Sample) -> f64| {
        let mut figures: Vec<f64> = samples.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
    };
    Sample {
        throughput: middle(|s| s.throughput),
        p50: middle(|s| s.p50),
        p99: middle(|s| s.p99),
        cpu: middle(|s| s.cpu),
        allocations: middle(|s| s.allocations),
    }
}

/// CPU time of this thread, where the kernel tells (Linux).
fn thread_cpu() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

#[allow(clippy::cast_precision_loss, reason = "figures for people")]
fn float(number: usize) -> f64 {
    number as f64
}
