//! One row of the table, and what it must be like.

use std::fmt::Write as _;
use std::time::Duration;

use cached_runtime::Fault;

use crate::case::{Case, Leaves};

/// The deadlines of a lookup and of a commit, and 50 ms: the most that a call may take beyond its
/// body, at p99.
const MOST: Duration = Duration::from_millis(100 + 250 + 50);
/// The same while the circuit is open.
const MOST_OPEN: Duration = Duration::from_millis(2);
/// Until all is well again.
const HEALED: Duration = Duration::from_secs(2);
/// Fewer calls than this tell nothing.
const ENOUGH: usize = 50;

/// Whether the bounds hold that need a machine which does nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// All of them, as the library promises them.
    Strict,
    /// Calls may take their time, and healing 5 s.
    Busy,
}

/// What happened under one fault.
#[derive(Debug, Clone)]
pub struct Row {
    pub(crate) case: Case,
    pub(crate) label: String,
    /// Calls that began under the fault. So are the figures below.
    pub(crate) calls: usize,
    /// Invalidations that returned `Ok`, here or as in another process.
    pub(crate) invalidated: usize,
    /// Calls that were served from the store, but for the first and last moments of the fault.
    pub(crate) hits: usize,
    /// Of these, those whose value was stored under the fault.
    pub(crate) stored: usize,
    /// 99th percentile and maximum of what calls took beyond their bodies. For the percentile, calls
    /// that were held up stand also for those that their callers would have made meanwhile.
    pub(crate) p99: Duration,
    pub(crate) longest: Duration,
    /// Calls while the circuit was open, and the same of them.
    pub(crate) open_calls: usize,
    pub(crate) open_p99: Option<Duration>,
    /// How often the expected cause was counted, and which causes the health named.
    pub(crate) counted: u64,
    pub(crate) named: Vec<Fault>,
    /// From the end of the fault until all was well again.
    pub(crate) healed: Option<Duration>,
    pub(crate) unwell: String,
    /// In all phases.
    pub(crate) wrong: Vec<String>,
    pub(crate) errors: Vec<String>,
}

impl Row {
    /// Its name in the table.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Which bounds it breaks, and how.
    #[must_use]
    pub fn broken(&self, strictness: Strictness) -> Vec<String> {
        let mut broken = Vec::new();
        let mut must = |holds: bool, otherwise: &dyn Fn() -> String| {
            if !holds {
                broken.push(otherwise());
            }
        };
        let first = |all: &[String]| all.first().cloned().unwrap_or_default();
        must(self.calls >= ENOUGH, &|| format!("only {} calls", self.calls));
        must(self.wrong.is_empty(), &|| {
            format!("{} wrong values: {}", self.wrong.len(), first(&self.wrong))
        });
        must(self.errors.is_empty(), &|| {
            format!("{} errors to callers: {}", self.errors.len(), first(&self.errors))
        });
        let cause = self.case.cause();
        must(self.counted > 0 || self.named.contains(&cause), &|| {
            format!("{cause} was not counted, and the health named {:?}", self.named)
        });
        let leaves = self.case.leaves();
        must(leaves != Leaves::Nothing || self.hits == 0, &|| {
            format!("{} calls were served from the store", self.hits)
        });
        must(!matches!(leaves, Leaves::Reads | Leaves::Both) || self.hits > 0, &|| {
            "nothing was served from the store".to_owned()
        });
        must(leaves != Leaves::Reads || self.stored == 0, &|| {
            format!("{} calls were served what was stored meanwhile", self.stored)
        });
        must(leaves != Leaves::Both || self.stored > 0, &|| "nothing was stored".to_owned());
        must(self.case.opens() != Some(true) || self.open_calls > 0, &|| {
            "the circuit did not open".to_owned()
        });
        let strict = strictness == Strictness::Strict;
        // A busy machine misses deadlines, and enough of that opens it.
        must(!strict || self.case.opens() != Some(false) || self.open_calls == 0, &|| {
            format!("the circuit opened for {} calls", self.open_calls)
        });
        must(!strict || self.p99 <= MOST, &|| {
            format!("calls took {:?} beyond their bodies, and not {MOST:?}", self.p99)
        });
        // The same share of few calls is a single one.
        let open_p99 = self.open_p99.filter(|_| strict && self.open_calls >= ENOUGH);
        must(open_p99.is_none_or(|p99| p99 <= MOST_OPEN), &|| {
            format!("with the circuit open {open_p99:?}, and not {MOST_OPEN:?}")
        });
        let within = if strict { HEALED } else { Duration::from_secs(5) };
        must(self.healed.is_some_and(|healed| healed <= within), &|| match self.healed {
            Some(healed) => format!("healed after {healed:?}, and not {within:?}"),
            None => format!("did not heal: {}", self.unwell),
        });
        broken
    }

    fn cells(&self) -> [String; COLUMNS] {
        let named = self.named.iter().map(|fault| fault.label()).collect::<Vec<_>>().join(", ");
        [
            self.label.clone(),
            self.calls.to_string(),
            self.hits.to_string(),
            self.invalidated.to_string(),
            self.wrong.len().to_string(),
            self.errors.len().to_string(),
            millis(Some(self.p99)),
            millis(Some(self.longest)),
            self.open_calls.to_string(),
            millis(self.open_p99),
            format!("{} {}", self.case.cause(), self.counted),
            if named.is_empty() { "-".to_owned() } else { named },
            millis(self.healed),
        ]
    }
}

const COLUMNS: usize = 13;

const HEAD: [&str; COLUMNS] = [
    "fault", "calls", "hits", "inval.", "wrong", "errors", "p99", "max", "open", "p99 open",
    "counted", "health", "healed",
];

/// The rows as a table for people. Times are in ms, and those of calls without their bodies'.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    let mut lines = vec![HEAD.map(str::to_owned)];
    lines.extend(rows.iter().map(Row::cells));
    let width = |at: usize| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0);
    let widths: [usize; COLUMNS] = std::array::from_fn(width);
    let mut text = String::new();
    for line in &lines {
        for (at, (cell, width)) in line.iter().zip(widths).enumerate() {
            let _ = match at {
                0 | 10 | 11 => write!(text, "{cell:<width$}  "),
                _ => write!(text, "{cell:>width$}  "),
            };
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

fn millis(duration: Option<Duration>) -> String {
    duration.map_or("-".to_owned(), |duration| format!("{:.1}", duration.as_secs_f64() * 1e3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Row {
        Row {
            case: Case::Halted,
            label: "halted".to_owned(),
            calls: 1000,
            hits: 0,
            invalidated: 0,
            stored: 0,
            p99: MOST,
            longest: MOST * 2,
            open_calls: 900,
            open_p99: Some(MOST_OPEN),
            counted: 1,
            named: Vec::new(),
            healed: Some(HEALED),
            unwell: String::new(),
            wrong: Vec::new(),
            errors: Vec::new(),
        }
    }

    #[test]
    fn each_bound_is_found_broken() {
        assert_eq!(good().broken(Strictness::Strict), [""; 0]);
        let more = Duration::from_millis(1);
        // What is said, how the row is spoilt, and whether that counts on a busy machine too.
        type Spoil = fn(Row, Duration) -> Row;
        let bad: [(&str, Spoil, bool); 12] = [
            ("only 3 calls", |row, _| Row { calls: 3, ..row }, true),
            ("1 wrong", |row, _| Row { wrong: vec!["old".to_owned()], ..row }, true),
            ("1 errors", |row, _| Row { errors: vec!["no".to_owned()], ..row }, true),
            ("timeout was not counted", |row, _| Row { counted: 0, ..row }, true),
            ("1 calls were served", |row, _| Row { hits: 1, ..row }, true),
            ("nothing was served", |row, _| Row { case: Case::Full, open_calls: 0, ..row }, true),
            ("stored meanwhile", |row, _| full(row, 1), true),
            ("did not open", |row, _| Row { open_calls: 0, ..row }, true),
            ("did not heal", |row, _| Row { healed: None, ..row }, true),
            ("beyond", |row, more| Row { p99: MOST + more, ..row }, false),
            ("open Some", |row, more| Row { open_p99: Some(MOST_OPEN + more), ..row }, false),
            ("healed after", |row, more| Row { healed: Some(HEALED + more), ..row }, false),
        ];
        for (what, spoil, always) in bad {
            let row = spoil(good(), more);
            let broken = row.broken(Strictness::Strict);
            assert!(broken.len() == 1 && broken[0].contains(what), "{what}: {broken:?}");
            assert_eq!(!row.broken(Strictness::Busy).is_empty(), always, "{what}");
        }
        let opened = Row { open_calls: 60, ..full(good(), 0) };
        assert!(opened.broken(Strictness::Strict)[0].contains("opened for 60"));
    }

    fn full(row: Row, stored: usize) -> Row {
        let named = vec![Fault::OutOfMemory];
        Row { case: Case::Full, hits: 5, stored, open_calls: 0, named, ..row }
    }

    #[test]
    fn a_table_has_a_line_for_each_row() {
        let table = table(&[good(), good()]);
        assert_eq!(table.lines().count(), 3, "{table}");
        assert!(table.contains("400.0") && table.contains("timeout 1"), "{table}");
    }
}
