//! Waiting for a load in another process: woken by its message, and where that is lost by looking
//! again after a while.

use std::time::{Duration, Instant};

use crate::io;
use crate::policy::backoff;
use crate::store::{Listening, Store};

/// Pauses between looks where no message can be had.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);
/// Between looks where a message will come, unless it is lost, or its sender dies.
const LISTENING_PAUSE: Duration = Duration::from_millis(400);
/// Whoever has waited this long, or an eighth of what a call waits for one that shows no sign of
/// life, looks whether the lease is renewed.
const WATCH_FROM: Duration = Duration::from_secs(1);

pub(crate) struct Waiting {
    since: Instant,
    /// When what is waited for last showed that its holder lives.
    advanced: Instant,
    /// What stood there.
    seen: Vec<u8>,
    /// When the lease that was seen ends if it is not renewed.
    ends: Option<Instant>,
    /// How long without a sign of life is too long.
    wait_max: Duration,
    looks: u32,
    subscription: Subscription,
}

enum Subscription {
    Unasked,
    Listening(Listening),
    Refused,
}

impl Waiting {
    pub(crate) fn new(now: Instant, wait_max: Duration) -> Self {
        Self {
            since: now,
            advanced: now,
            seen: Vec::new(),
            ends: None,
            wait_max,
            looks: 0,
            subscription: Subscription::Unasked,
        }
    }

    /// Takes note of what stands there: another holder, or a lease that was renewed, is progress.
    pub(crate) fn saw(&mut self, seen: Vec<u8>, remaining: Option<Duration>, now: Instant) {
        let ends = remaining.and_then(|remaining| now.checked_add(remaining));
        // A renewal adds a third of a lease, a sixth of this; answers come late by less.
        let grain = self.wait_max / 16;
        let renewed = self.ends.zip(ends).is_some_and(|(before, after)| after > before + grain);
        if seen != self.seen || renewed {
            self.advanced = now;
        }
        self.seen = seen;
        self.ends = ends;
    }

    pub(crate) fn waited(&self) -> Duration {
        self.since.elapsed()
    }

    /// Whether there was no sign of life for too long.
    pub(crate) fn is_stalled(&self) -> bool {
        self.advanced.elapsed() > self.wait_max
    }

    /// Whether a look should also tell how long the lease has to live.
    pub(crate) fn watches_lease(&self) -> bool {
        self.waited() >= WATCH_FROM.min(self.wait_max / 8)
    }

    /// Until it is time to look again.
    pub(crate) async fn pause(&mut self, store: &Store, key: &str, at_most: Option<Duration>) {
        if let Subscription::Unasked = self.subscription {
            self.subscription = match store.listen(key).await {
                // What was waited for may have come before anybody listened.
                Some(listening) => {
                    self.subscription = Subscription::Listening(listening);
                    return;
                }
                None => Subscription::Refused,
            };
        }
        let pause = match &self.subscription {
            Subscription::Listening(_) => LISTENING_PAUSE.mul_f64(0.75 + 0.25 * fastrand::f64()),
            _ => {
                // Half of it is certain, so that no look follows at once upon another.
                let ceiling = backoff(self.looks, FIRST_PAUSE, LONGEST_PAUSE, 1.0);
                ceiling.mul_f64(0.5 + 0.5 * fastrand::f64())
            }
        };
        self.looks = self.looks.saturating_add(1);
        // Often enough to see a lease that is renewed.
        let pause = pause.min(self.wait_max / 4).max(FIRST_PAUSE);
        let pause = at_most.map_or(pause, |at_most| pause.min(at_most));
        match &mut self.subscription {
            Subscription::Listening(listening) => {
                // Either way it is time to look.
                let _ = io::timeout(pause, listening.rung()).await;
            }
            _ => io::sleep(pause).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    /// What each look saw: after how many ms, whose lease, and how long it had to live. Then
    /// whether the last of them was a sign of life.
    #[test]
    fn another_holder_or_a_renewed_lease_is_a_sign_of_life() {
        for (looks, alive) in [
            (&[(0, "a", None), (100, "a", None)][..], false),
            (&[(0, "a", None), (100, "b", None)], true),
            (&[(0, "a", None), (100, "a", Some(200))], false),
            (&[(0, "a", Some(300)), (100, "a", Some(200))], false),
            (&[(0, "a", Some(300)), (100, "a", Some(230))], false),
            (&[(0, "a", Some(300)), (100, "a", Some(290))], true),
            // It has less to live than before, and was renewed all the same.
            (&[(0, "a", Some(290)), (100, "a", Some(250))], true),
            (&[(0, "a", Some(300)), (50, "a", None), (100, "a", Some(290))], false),
        ] {
            let start = Instant::now();
            let mut waiting = Waiting::new(start, MS(600));
            let mut last = start;
            for &(at, holder, remaining) in looks {
                last = start + MS(at);
                waiting.saw(holder.into(), remaining.map(MS), last);
            }
            assert_eq!(waiting.advanced == last, alive, "{looks:?}");
        }
    }
}
