//! The callers, and what is noted of each call.

use std::sync::Arc;
use std::time::Duration;

use crate::subject::Subject;
use crate::world::{BODY, HOT, Kind, Read, World};

/// Between two calls of one caller, so that the machine's cores are not the bottleneck.
const THINK: Duration = Duration::from_millis(3);

/// One call. Times are in ns since the world began.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) began: u64,
    /// How long it took, without the time in which the body it waited for ran.
    pub(crate) extra: Duration,
    pub(crate) outcome: Outcome,
    /// The circuit was open from its beginning to its end.
    pub(crate) open: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Served from the store; when the body had begun that yielded it.
    Hit { began: u64 },
    /// A body ran while it waited.
    Loaded,
    /// A value it should not have seen.
    Wrong(String),
    /// An error, which the body does not have.
    Error(String),
}

/// What a caller calls next: an entry that all call, one that nobody has called, or that one
/// again.
struct Picks {
    kind: Kind,
    count: u64,
    next: u64,
}

impl Picks {
    fn new(kind: Kind, caller: u64) -> Self {
        Self { kind, count: caller, next: (caller + 1) << 32 }
    }

    fn pick(&mut self) -> u64 {
        self.count += 1;
        match self.count % 4 {
            0 => {
                self.next += 1;
                self.next
            }
            1 => self.next,
            // All of them in turn, each caller from another one on.
            _ => self.kind.hot().start + (self.count / 4 * 3 + self.count) % HOT,
        }
    }
}

/// Calls until the world stops.
pub(crate) async fn call_on(subject: Subject, world: Arc<World>, caller: u64) -> Vec<Call> {
    let (mut picks, mut calls) = (Picks::new(Kind::Async, caller), Vec::new());
    while !world.is_stopped() {
        let beginning = Beginning::of(&subject, &world, picks.pick());
        let outcome = subject.call(&world, beginning.n).await;
        calls.push(beginning.end(Kind::Async, &subject, &world, outcome));
        // What a caller does between calls.
        tokio::time::sleep(THINK).await;
    }
    calls
}

/// As [`call_on`], on a thread without a runtime.
pub(crate) fn call_on_now(subject: &Subject, world: &Arc<World>, caller: u64) -> Vec<Call> {
    let (mut picks, mut calls) = (Picks::new(Kind::Blocking, caller), Vec::new());
    while !world.is_stopped() {
        let beginning = Beginning::of(subject, world, picks.pick());
        let outcome = subject.call_now(world, beginning.n);
        calls.push(beginning.end(Kind::Blocking, subject, world, outcome));
        // What a caller does between calls.
        std::thread::sleep(THINK);
    }
    calls
}

struct Beginning {
    n: u64,
    floor: u64,
    open: Option<u64>,
    began: u64,
}

impl Beginning {
    fn of(subject: &Subject, world: &World, n: u64) -> Self {
        Self { n, open: subject.open(), floor: world.floor(n), began: world.now() }
    }

    fn end(
        self,
        kind: Kind,
        subject: &Subject,
        world: &World,
        outcome: Result<Read, String>,
    ) -> Call {
        let Self { n, floor, open, began } = self;
        let ended = world.now();
        let open = open.is_some() && open == subject.open();
        let (outcome, body) = match outcome {
            Err(error) => (Outcome::Error(error), 0),
            Ok(read) if !world.is_right(n, floor, &read) => {
                (Outcome::Wrong(format!("{n}, at least generation {floor}: {read:?}")), 0)
            }
            Ok(read) if read.ended <= began => {
                world.served(kind, began, &read);
                (Outcome::Hit { began: read.began }, 0)
            }
            // It may have waited for a body that had begun before.
            Ok(read) => (Outcome::Loaded, read.ended - read.began.max(began)),
        };
        let extra = Duration::from_nanos((ended - began).saturating_sub(body));
        Call { began, extra, outcome, open }
    }
}

/// The times of calls as if each caller had called on at its pace while a call of its was held up:
/// a server that holds all callers up for long shows by few calls otherwise, which no percentile
/// sees ("coordinated omission", Gil Tene).
pub(crate) fn called_on(times: Vec<Duration>) -> Vec<Duration> {
    let pace = BODY + THINK;
    let held_up =
        |time| std::iter::successors(Some(time), move |time: &Duration| time.checked_sub(pace));
    times.into_iter().flat_map(held_up).collect()
}

/// That share of the calls took no longer.
pub(crate) fn percentile(mut times: Vec<Duration>, percent: usize) -> Option<Duration> {
    times.sort_unstable();
    times.get((times.len() * percent / 100).min(times.len().checked_sub(1)?)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picks_all_that_are_hot_and_each_new_one_twice() {
        let mut picks = Picks::new(Kind::Blocking, 3);
        let picked: Vec<u64> = (0..200).map(|_| picks.pick()).collect();
        assert!(Kind::Blocking.hot().all(|n| picked.contains(&n)), "{picked:?}");
        let new: Vec<u64> = picked.into_iter().filter(|n| *n > 2 * HOT).collect();
        assert!(new.len() >= 99);
        assert!(new.windows(3).all(|three| three[0] != three[2]), "{new:?}");
    }

    #[test]
    fn a_call_that_was_held_up_stands_for_those_that_were_not_made() {
        let (pace, short) = (BODY + THINK, Duration::from_millis(1));
        let held_up = called_on(vec![short, pace * 3 + short]);
        assert_eq!(held_up, [short, pace * 3 + short, pace * 2 + short, pace + short, short]);
    }

    #[test]
    fn percentiles() {
        let times: Vec<_> = (0..100).map(Duration::from_millis).collect();
        assert_eq!(percentile(times.clone(), 99), Some(Duration::from_millis(99)));
        assert_eq!(percentile(times, 50), Some(Duration::from_millis(50)));
        assert_eq!(percentile(Vec::new(), 99), None);
        assert_eq!(percentile(vec![BODY], 99), Some(BODY));
    }
}
