//! Whether a server is asked at all: after too many failures it is not, until a probe in the
//! background (see [`probe`](super::probe)) has found it usable again. A circuit breaker (Nygard,
//! "Release It!", 2007), but no caller is ever the one to try.
//!
//! What counts as one failure: a pipeline or a command without an answer in time; an error that
//! says something about the server and not about the command ([`fault::trips`](super::fault));
//! each connection that breaks or is given up, however many operations it takes with it; each
//! attempt to connect that fails. The last two are told by the link's actor. So a link that is
//! down, whose calls answer at once without the server being asked, opens the circuit too, with
//! or without calls, and a call that was answered from a link known to be down is not a failure of
//! its own: where the server is back, but one runtime's link still waits for its next attempt, that
//! runtime's calls must not open the circuit for all others again.
//!
//! Successes are only counted while there were failures within the last ten seconds; on a healthy
//! server they cost one relaxed load.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::{Inner, probe};
use crate::fault::Fault;
use crate::io;
use crate::store::Failure;

/// So many failures in a row open the circuit.
const IN_A_ROW: u32 = 5;
/// So do failures of at least half of what was asked within [`WINDOW`], if that was at least this
/// much.
const ENOUGH: u32 = 20;
const WINDOW: Duration = Duration::from_secs(10);
const SLOTS: usize = 10;

/// How an operation, or an attempt to connect, ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Answered,
    Failed,
}

#[derive(Debug, PartialEq, Eq)]
enum Change {
    /// Too much failed.
    Opened,
    /// The last failure is longer ago than the window: successes need not be counted any more.
    Calm,
}

/// The decision, without clock and without effects. Times are since any fixed moment.
#[derive(Debug, Default)]
struct Judge {
    open: bool,
    in_a_row: u32,
    /// The window, by the second.
    slots: [Slot; SLOTS],
}

#[derive(Debug, Default, Clone, Copy)]
struct Slot {
    second: u64,
    answered: u32,
    failed: u32,
}

impl Judge {
    /// What follows from one more outcome. While the circuit is open nothing does: only a probe
    /// closes it.
    fn record(&mut self, outcome: Outcome, now: Duration) -> Option<Change> {
        if self.open {
            return None;
        }
        let second = now.as_secs();
        let at = usize::try_from(second % WINDOW.as_secs()).unwrap_or_default();
        let slot = self.slots.get_mut(at)?;
        if slot.second != second {
            *slot = Slot { second, ..Slot::default() };
        }
        match outcome {
            Outcome::Answered => {
                slot.answered = slot.answered.saturating_add(1);
                self.in_a_row = 0;
                (self.counted(second).1 == 0).then_some(Change::Calm)
            }
            Outcome::Failed => {
                slot.failed = slot.failed.saturating_add(1);
                self.in_a_row = self.in_a_row.saturating_add(1);
                let (answered, failed) = self.counted(second);
                let half = answered.saturating_add(failed) >= ENOUGH && failed >= answered;
                self.open = self.in_a_row >= IN_A_ROW || half;
                self.open.then_some(Change::Opened)
            }
        }
    }

    /// How many were answered, and how many failed, within the window that ends at `second`.
    fn counted(&self, second: u64) -> (u32, u32) {
        let recent = self.slots.iter().filter(|slot| slot.second + WINDOW.as_secs() > second);
        recent.fold((0, 0), |(answered, failed), slot| {
            (u32::saturating_add(answered, slot.answered), u32::saturating_add(failed, slot.failed))
        })
    }
}

/// The circuit of one endpoint.
pub(super) struct Breaker {
    open: AtomicBool,
    /// There were failures lately, so that successes are counted.
    watching: AtomicBool,
    /// How often it has opened.
    opened: AtomicU64,
    started: Instant,
    state: Mutex<State>,
    /// Whom to probe.
    endpoint: OnceLock<Weak<Inner>>,
}

#[derive(Default)]
struct State {
    judge: Judge,
    cause: Option<Fault>,
    changed: Option<Instant>,
}

impl Breaker {
    pub(super) fn new() -> Self {
        Self {
            open: AtomicBool::new(false),
            watching: AtomicBool::new(false),
            opened: AtomicU64::new(0),
            started: Instant::now(),
            state: Mutex::default(),
            endpoint: OnceLock::new(),
        }
    }

    /// Without it the circuit stays closed: nobody would close it again.
    pub(super) fn guard(&self, endpoint: Weak<Inner>) {
        // Set once, by the one who made both.
        let _ = self.endpoint.set(endpoint);
    }

    /// Why not to ask the server now. One relaxed load while the circuit is closed.
    pub(super) fn refusal(&self) -> Option<Failure> {
        self.is_open().then(|| self.refused()).flatten()
    }

    #[cold]
    fn refused(&self) -> Option<Failure> {
        // A child process, which no probe of its parent's serves, finds that out here, and closes it.
        let _ = io::handle();
        self.is_open().then(|| Failure::new(Fault::CircuitOpen, REFUSAL))
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    /// The server did what it was asked, or refused for a reason that is not its state.
    pub(super) fn answered(&self) {
        if self.watching.load(Ordering::Relaxed) {
            self.count_answer();
        }
    }

    #[cold]
    fn count_answer(&self) {
        let change = self.state().judge.record(Outcome::Answered, self.started.elapsed());
        if change == Some(Change::Calm) {
            self.watching.store(false, Ordering::Relaxed);
        }
    }

    /// Counts a failure; says whether it was the one that opened the circuit.
    #[cold]
    pub(super) fn failed(&self, fault: Fault) -> bool {
        let (Some(endpoint), Ok(io)) = (self.endpoint.get(), io::handle()) else { return false };
        let mut state = self.state();
        self.watching.store(true, Ordering::Relaxed);
        if state.judge.record(Outcome::Failed, self.started.elapsed()).is_none() {
            return false;
        }
        (state.cause, state.changed) = (Some(fault), Some(Instant::now()));
        self.opened.fetch_add(1, Ordering::Relaxed);
        self.open.store(true, Ordering::Relaxed);
        drop(state);
        io.spawn(probe::until_usable(endpoint.clone()));
        true
    }

    /// A probe found the server usable.
    pub(super) fn close(&self) {
        let mut state = self.state();
        *state = State { changed: Some(Instant::now()), ..State::default() };
        self.watching.store(false, Ordering::Relaxed);
        self.open.store(false, Ordering::Relaxed);
    }

    /// How often it has opened.
    pub(super) fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// Why it is open, and since when; `None` where it is closed.
    pub(super) fn open_by(&self) -> Option<(Fault, Instant)> {
        let state = self.state();
        state.cause.zip(state.changed)
    }

    /// When it last opened or closed.
    pub(super) fn changed(&self) -> Instant {
        self.state().changed.unwrap_or(self.started)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const REFUSAL: &str = "the store is not asked: it failed too often; a probe in the background \
                       finds out when it is back";

#[cfg(test)]
mod tests {
    use super::*;

    /// One outcome a character: `.` answered, `x` failed; a digit lets so many seconds pass, `_`
    /// ten. Which of them opened the circuit.
    fn opened_at(outcomes: &str) -> Option<usize> {
        let (mut judge, mut now) = (Judge::default(), Duration::from_secs(1_000));
        for (at, outcome) in outcomes.chars().enumerate() {
            let outcome = match outcome {
                '.' => Outcome::Answered,
                'x' => Outcome::Failed,
                '_' => {
                    now += WINDOW;
                    continue;
                }
                seconds => {
                    now += Duration::from_secs(seconds.to_digit(10).unwrap().into());
                    continue;
                }
            };
            if judge.record(outcome, now) == Some(Change::Opened) {
                return Some(at);
            }
        }
        None
    }

    #[test]
    fn opens_after_five_in_a_row_or_half_of_twenty_within_ten_seconds() {
        let half = "x.".repeat(9);
        for (outcomes, expected) in [
            (String::new(), None),
            ("xxxx".to_owned(), None),
            ("xxxxx".to_owned(), Some(4)),
            // A row may take its time.
            ("x_x_x_x_x".to_owned(), Some(8)),
            // An answer between starts it anew.
            ("xxxx.xxxx".to_owned(), None),
            ("xxxx.xxxxx".to_owned(), Some(9)),
            // Half of 20, and not half of 19.
            (format!("{half}x"), None),
            (format!("{half}.x"), Some(19)),
            (format!("{half}x.x"), Some(20)),
            (format!("{half}...x"), None),
            (format!("{half}...xx"), None),
            (format!("{half}...xxx"), Some(23)),
            // What is longer ago than ten seconds is forgotten.
            (format!("{half}_.x"), None),
            (format!("{half}9.x"), Some(20)),
            (format!("{half}55.x"), None),
        ] {
            assert_eq!(opened_at(&outcomes), expected, "{outcomes}");
        }
    }

    #[test]
    fn an_open_circuit_stays_open_whatever_is_still_answered() {
        let mut judge = Judge::default();
        for _ in 0..IN_A_ROW {
            judge.record(Outcome::Failed, Duration::ZERO);
        }
        assert!(judge.open);
        for outcome in [Outcome::Answered, Outcome::Failed, Outcome::Answered] {
            assert_eq!(judge.record(outcome, WINDOW * 3), None);
        }
        assert!(judge.open);
    }

    #[test]
    fn answers_are_watched_for_as_long_as_a_failure_is_remembered() {
        let mut judge = Judge::default();
        let seconds = Duration::from_secs;
        assert_eq!(judge.record(Outcome::Failed, seconds(100)), None);
        assert_eq!(judge.record(Outcome::Answered, seconds(109)), None);
        assert_eq!(judge.record(Outcome::Answered, seconds(110)), Some(Change::Calm));
    }

    /// The very first seconds, when no slot was used yet.
    #[test]
    fn counts_from_the_first_second() {
        let mut judge = Judge::default();
        judge.record(Outcome::Failed, Duration::ZERO);
        assert_eq!(judge.counted(0), (0, 1));
        assert_eq!(judge.counted(9), (0, 1));
        assert_eq!(judge.counted(10), (0, 0));
    }
}
