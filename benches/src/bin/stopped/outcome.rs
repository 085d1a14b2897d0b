//! What a run came to, and what it should have.

use std::collections::HashMap;
use std::time::Duration;

use super::process::Call;
use super::sample::{Limit, Sample, mib};
use super::writer::History;
use super::{AFTER, BOUND, KEPT, RATE};

/// What one turn of the server's event loop may add before the limit is looked at, and what a
/// process that goes on makes it hold for a moment.
const SLACK: u64 = 2 << 20;
/// The default limit, which a run without one must exceed.
const DEFAULT: u64 = 32 << 20;
/// How soon the values of a process that goes on are served from its memory again.
const SOON: Duration = Duration::from_secs(5);

/// All that was seen.
pub(crate) struct Outcome {
    pub(crate) limit: Limit,
    /// Under load, before the halt.
    pub(crate) before: Sample,
    /// While it was halted, and since when.
    pub(crate) samples: Vec<(Duration, Sample)>,
    /// Commands a second meanwhile.
    pub(crate) rate: f64,
    pub(crate) stopped: Duration,
    pub(crate) continued: Duration,
    pub(crate) history: History,
    pub(crate) calls: Vec<Call>,
    /// How many connections there were before the halt, and at the end.
    pub(crate) clients: (u64, u64),
}

/// What was served to some calls, compared with the database.
#[derive(Default)]
struct Served {
    calls: usize,
    /// Served from memory.
    memory: usize,
    /// More than the bound after they were invalidated: what must not be.
    stale: usize,
    /// The longest time by which a value had been invalidated when it was asked for.
    oldest: Duration,
}

impl Served {
    fn of<'a>(calls: impl Iterator<Item = &'a Call>, history: &History) -> Self {
        let mut served = Self::default();
        for call in calls {
            served.calls += 1;
            served.memory += usize::from(call.memory);
            // The next version's time; what is the newest yet has none.
            if let Some(next) = history[call.row].get(call.version + 1) {
                let old = call.start.saturating_sub(*next);
                served.stale += usize::from(old > BOUND);
                served.oldest = served.oldest.max(old);
            }
        }
        served
    }
}

impl Outcome {
    fn after(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter().filter(|call| call.start > self.continued)
    }

    /// How many rows were last served from memory when the halt came, and how many of these may not
    /// be served any more once it is over.
    fn kept(&self) -> (usize, usize) {
        let last: HashMap<usize, &Call> = self
            .calls
            .iter()
            .filter(|call| call.end <= self.stopped)
            .map(|call| (call.row, call))
            .collect();
        let kept = last.values().filter(|call| call.memory);
        let changed = kept.clone().filter(|call| {
            let next = self.history[call.row].get(call.version + 1);
            next.is_some_and(|next| *next + BOUND < self.continued)
        });
        (kept.clone().count(), changed.count())
    }

    /// Prints what was measured and what it should be; whether it is. A control must show what the
    /// limit keeps from happening.
    pub(crate) fn table(&self, control: bool) -> bool {
        let links = || self.samples.iter().filter_map(|(_, sample)| sample.link);
        let most = links().map(|link| link.held_back).max().unwrap_or(0);
        let total = links().map(|link| link.total).max().unwrap_or(0);
        let used = self.samples.iter().map(|(_, sample)| sample.used).max().unwrap();
        let used = used.saturating_sub(self.before.used);
        let clients = self.samples.iter().map(|(_, sample)| sample.clients).max().unwrap();
        let dropped = self.samples.iter().find(|(_, sample)| sample.link.is_none());
        let (kept, changed) = self.kept();
        let all = Served::of(self.calls.iter(), &self.history);
        let after = Served::of(self.after(), &self.history);
        let memory = self.after().find(|call| call.memory);
        let again = memory.map(|call| call.end.saturating_sub(self.continued));
        let first = self.after().next().map(|call| call.end.saturating_sub(self.continued));

        let mut good = true;
        let mut line = |what: &str, measured: String, bound: &str, holds: bool| {
            good &= holds;
            let holds = if holds { "ok" } else { "MISSED" };
            println!("{what:<50} {measured:>12}   {bound:<22} {holds}");
        };
        println!("\n{:<50} {:>12}   bound", "", "measured");
        let share = self.rate / RATE as f64;
        line(
            "writes a second, of the 100,000 that are meant",
            format!("{:.0} %", share * 100.0),
            "",
            true,
        );
        let (bound, holds) = if control {
            ("> 32 MiB, the default", most > DEFAULT)
        } else {
            ("<= the limit + 2 MiB", most <= self.limit.hard + SLACK)
        };
        line("held back for the link, at most", format!("{:.1} MiB", mib(most)), bound, holds);
        line("  with all that the server has for it", format!("{:.1} MiB", mib(total)), "", true);
        let holds = control || used <= self.limit.hard + 2 * SLACK;
        let bound = if control { "" } else { "<= the limit + 4 MiB" };
        line(
            "growth of the server's memory, at most",
            format!("{:.1} MiB", mib(used)),
            bound,
            holds,
        );
        line("  all of its clients, at most", format!("{:.1} MiB", mib(clients)), "", true);
        let at = dropped.map_or("never".to_owned(), |(at, _)| seconds(*at));
        let bound = if control { "never" } else { "once over the limit" };
        line("the link is dropped after", at, bound, dropped.is_some() != control);
        let most_of_them = format!(">= {}", KEPT / 2);
        line("in memory at the halt", format!("{kept}"), &most_of_them, kept >= KEPT / 2);
        line("  of them invalid at its end", format!("{changed}"), "all", changed == kept);
        line(
            "first call answered after it went on",
            first.map_or("never".to_owned(), millis),
            "",
            true,
        );
        line(
            "first from memory again",
            again.map_or("never".to_owned(), millis),
            "<= 5 s",
            again.is_some_and(|again| again <= SOON),
        );
        line(
            "calls since it went on",
            format!("{}", after.calls),
            &format!(">= {KEPT}"),
            after.calls >= KEPT,
        );
        line("  from memory", share_of(after.memory, after.calls), "", true);
        line(
            "  invalidated more than the bound before",
            format!("{}", after.stale),
            "0",
            after.stale == 0,
        );
        line("  the longest before", millis(after.oldest), "<= 1000 ms", after.oldest <= BOUND);
        line(
            "all calls: invalidated more than the bound before",
            format!("{}", all.stale),
            "0",
            all.stale == 0,
        );
        line("  the longest before", millis(all.oldest), "<= 1000 ms", all.oldest <= BOUND);
        let (then, now) = self.clients;
        line(
            "connections at the end",
            format!("{now}"),
            &format!("{then}, as before"),
            now == then,
        );
        println!(
            "\n{} calls in all, {} from memory; load for {AFTER:?} after the halt",
            all.calls,
            share_of(all.memory, all.calls)
        );
        good
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.0} s", duration.as_secs_f64())
}

fn millis(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1e3)
}

fn share_of(part: usize, whole: usize) -> String {
    format!("{:.0} %", part as f64 * 100.0 / whole.max(1) as f64)
}
