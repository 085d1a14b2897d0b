//! Counters, and the picture of them at one moment.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::fault::Fault;
use crate::tally::{Lane, Tally};

/// One function's counters in one cache. Relaxed: each is exact, and no order between them is
/// promised while calls are under way.
#[derive(Default)]
pub(crate) struct Counters {
    hits: Tally,
    local_entries: AtomicU64,
    local_bytes: AtomicU64,
    hits_stale: AtomicU64,
    coalesced: AtomicU64,
    misses: AtomicU64,
    bypasses: AtomicU64,
    loads: AtomicU64,
    load_failures: AtomicU64,
    load_nanos: AtomicU64,
    writes_refused: AtomicU64,
    errors: [AtomicU64; Fault::COUNT],
}

/// How a call was answered: each call counts once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Hit,
    /// Past its ttl.
    Stale,
    Miss,
    Bypass,
}

impl Counters {
    pub(crate) fn answered(&self, answer: Answer) {
        let counter = match answer {
            Answer::Hit => return self.hits.count_remote(),
            Answer::Stale => {
                self.hits_stale.fetch_add(1, Ordering::Relaxed);
                return self.hits.count_remote();
            }
            Answer::Miss => &self.misses,
            Answer::Bypass => &self.bypasses,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// A call that was answered from this process's memory.
    #[inline]
    pub(crate) fn hit_locally(&self) {
        self.hits.count_local();
    }

    /// Where this thread counts such calls.
    pub(crate) fn lane(&self) -> Arc<Lane> {
        Arc::clone(self.hits.lane())
    }

    /// A value was put in this process's memory; the bytes that it weighs there.
    pub(crate) fn kept_locally(&self, bytes: u32) {
        self.local_entries.fetch_add(1, Ordering::Relaxed);
        self.local_bytes.fetch_add(bytes.into(), Ordering::Relaxed);
    }

    /// One that was kept is gone.
    pub(crate) fn dropped_locally(&self, bytes: u32) {
        self.local_entries.fetch_sub(1, Ordering::Relaxed);
        self.local_bytes.fetch_sub(bytes.into(), Ordering::Relaxed);
    }

    /// A call that shared another's load.
    pub(crate) fn coalesced(&self, answer: Answer) {
        self.coalesced.fetch_add(1, Ordering::Relaxed);
        self.answered(answer);
    }

    pub(crate) fn loaded(&self, took: Duration, failed: bool) {
        self.loads.fetch_add(1, Ordering::Relaxed);
        self.load_failures.fetch_add(u64::from(failed), Ordering::Relaxed);
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.load_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    pub(crate) fn write_refused(&self) {
        self.writes_refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts the fault; says whether it is the first of its kind.
    pub(crate) fn fault(&self, fault: Fault) -> bool {
        self.errors[fault as usize].fetch_add(1, Ordering::Relaxed) == 0
    }

    pub(crate) fn snapshot(&self, name: &str) -> FunctionStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let errors =
            Fault::ALL.iter().zip(&self.errors).map(|(&fault, count)| (fault, read(count)));
        FunctionStats {
            name: name.to_owned(),
            hits_local: self.hits.local(),
            hits_remote: self.hits.remote(),
            hits_stale: read(&self.hits_stale),
            misses: read(&self.misses),
            loads: read(&self.loads),
            load_failures: read(&self.load_failures),
            load_time: Duration::from_nanos(read(&self.load_nanos)),
            coalesced: read(&self.coalesced),
            writes_refused: read(&self.writes_refused),
            bypasses: read(&self.bypasses),
            local_entries: read(&self.local_entries),
            local_bytes: read(&self.local_bytes),
            errors: errors.filter(|(_, count)| *count > 0).collect(),
        }
    }
}

/// What happened to one function's calls, or (as a total) to all.
///
/// Each call counts once, when it is answered:
/// [`hits`](Self::hits) + `misses` + `bypasses` = [`calls`](Self::calls), exactly.
/// `refresh`, `put`, `peek` and `uncached` are no calls; a body that `refresh` runs is a load.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FunctionStats {
    /// The function's segment in its keys, `total` for a sum.
    pub name: String,
    /// Answered from this process's own memory without asking the store (`local`).
    pub hits_local: u64,
    /// Answered from the store: Redis, or the embedded one.
    pub hits_remote: u64,
    /// Of the hits, those served past their ttl (`stale_while_revalidate`, `stale_if_error`).
    pub hits_stale: u64,
    /// The store had no usable value, and the body ran, or another call's under way was shared.
    pub misses: u64,
    /// Times the body ran for the cache: in misses and bypasses, in the background, for `refresh`.
    pub loads: u64,
    /// Of the loads, those that returned `Err`.
    pub load_failures: u64,
    /// Time spent in loads, added up over concurrent ones.
    pub load_time: Duration,
    /// Of the misses and bypasses, those that shared the load of another call in this process.
    pub coalesced: u64,
    /// Values that were not stored because the entry had been invalidated or taken over while
    /// the body ran. That is the fence at work, no fault.
    pub writes_refused: u64,
    /// The store was not asked, or not usable, and the body ran.
    pub bypasses: u64,
    /// Values in this process's memory now (`local`); those that are no longer served, and not
    /// driven out yet, included.
    pub local_entries: u64,
    /// What they weigh: their bytes as encoded, keys and bookkeeping included.
    pub local_bytes: u64,
    /// What went wrong, by kind. Kinds that did not occur are left out.
    pub errors: BTreeMap<Fault, u64>,
}

impl FunctionStats {
    /// Answered calls.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.hits() + self.misses + self.bypasses
    }

    /// Calls answered from a stored value, whichever tier it came from.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.hits_local + self.hits_remote
    }

    /// Hits per call, from 0 to 1; 0 where there was no call.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "a rate needs no more than 52 bits")]
    pub fn hit_rate(&self) -> f64 {
        match self.calls() {
            0 => 0.0,
            calls => self.hits() as f64 / calls as f64,
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.hits_local += other.hits_local;
        self.hits_remote += other.hits_remote;
        self.hits_stale += other.hits_stale;
        self.misses += other.misses;
        self.loads += other.loads;
        self.load_failures += other.load_failures;
        self.load_time += other.load_time;
        self.coalesced += other.coalesced;
        self.writes_refused += other.writes_refused;
        self.bypasses += other.bypasses;
        self.local_entries += other.local_entries;
        self.local_bytes += other.local_bytes;
        for (&fault, count) in &other.errors {
            *self.errors.entry(fault).or_default() += count;
        }
    }
}

/// What happened in one cache, in this process: a table when displayed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStats {
    /// The sum over all functions.
    pub total: FunctionStats,
    /// Each function that was used with this cache, by name.
    pub functions: Vec<FunctionStats>,
    /// The local tier, over all functions.
    pub local: LocalStats,
}

/// The local tier of a cache: all zero before a function with `local` was called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LocalStats {
    /// Whether it may serve now: the link that tells of changes stands.
    pub coherent: bool,
    /// Values in it; those that are no longer served, and not driven out yet, included.
    pub entries: u64,
    /// What they weigh, in bytes: values as encoded, keys and bookkeeping included.
    pub bytes: u64,
    /// What they may weigh ([`local_capacity`](crate::CacheBuilder::local_capacity)).
    pub capacity: u64,
}

impl CacheStats {
    pub(crate) fn of(mut functions: Vec<FunctionStats>, local: LocalStats) -> Self {
        functions.sort_by(|a, b| a.name.cmp(&b.name));
        let mut total = FunctionStats { name: "total".to_owned(), ..FunctionStats::default() };
        for function in &functions {
            total.add(function);
        }
        Self { total, functions, local }
    }
}

impl fmt::Display for CacheStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        table(f, self.functions.iter().chain([&self.total]))
    }
}

impl fmt::Display for FunctionStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        table(f, std::iter::once(self))
    }
}

fn table<'a>(
    f: &mut fmt::Formatter<'_>,
    rows: impl Iterator<Item = &'a FunctionStats> + Clone,
) -> fmt::Result {
    let width = rows.clone().map(|row| row.name.chars().count()).max().unwrap_or(0).max(8);
    write!(
        f,
        "{:<width$}  {:>9}  {:>8}  {:>9}  {:>9}  {:>8}  {:>8}  {:>8}  errors",
        "function", "calls", "hit rate", "hits", "misses", "bypasses", "loads", "avg load"
    )?;
    for row in rows {
        let loads = u32::try_from(row.loads).unwrap_or(u32::MAX);
        let average = row.load_time.checked_div(loads).unwrap_or_default();
        write!(
            f,
            "\n{:<width$}  {:>9}  {:>7.1}%  {:>9}  {:>9}  {:>8}  {:>8}  {:>8}  ",
            row.name,
            row.calls(),
            // Rounded down, so that 100 % means all.
            (row.hit_rate() * 1000.0).floor() / 10.0,
            row.hits(),
            row.misses,
            row.bypasses,
            row.loads,
            short(average),
        )?;
        if row.errors.is_empty() {
            f.write_str("-")?;
        }
        for (at, (fault, count)) in row.errors.iter().enumerate() {
            write!(f, "{}{fault} {count}", if at == 0 { "" } else { ", " })?;
        }
    }
    Ok(())
}

/// A duration in at most three digits and a unit.
fn short(duration: Duration) -> String {
    let micros = duration.as_micros();
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..10_000 => format!("{:.1} ms", duration.as_secs_f64() * 1e3),
        10_000..1_000_000 => format!("{} ms", micros / 1_000),
        _ => format!("{:.1} s", duration.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_counts_once_and_the_total_adds_up() {
        let (a, b) = (Counters::default(), Counters::default());
        for _ in 0..3 {
            a.answered(Answer::Hit);
        }
        a.answered(Answer::Miss);
        b.answered(Answer::Bypass);
        b.loaded(Duration::from_millis(20), true);
        assert!(b.fault(Fault::Timeout));
        assert!(!b.fault(Fault::Timeout));
        let stats =
            CacheStats::of(vec![b.snapshot("shop.b"), a.snapshot("shop.a")], LocalStats::default());
        assert_eq!(stats.functions[0].name, "shop.a");
        assert_eq!((stats.total.calls(), stats.total.hits()), (5, 3));
        assert_eq!(stats.total.errors, BTreeMap::from([(Fault::Timeout, 2)]));
        assert_eq!(stats.functions[0].hit_rate(), 0.75);
        let table = stats.to_string();
        assert!(table.lines().count() == 4, "{table}");
        assert!(table.contains("75.0%") && table.contains("timeout 2"), "{table}");
        assert!(table.contains("20 ms"), "{table}");
    }
}
