//! How often a server is tried that cannot be connected to: by all links of a process together at most
//! twice a second, and more and more seldom where it refuses the login. Once one gets through, all do.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::login::Login;
use crate::fault::Fault;
use crate::io;
use crate::policy::backoff;
use crate::store::Failure;

/// So many attempts in any [`WINDOW`].
const ATTEMPTS: usize = 2;
const WINDOW: Duration = Duration::from_secs(1);
/// After a refused login. A password that is wrong stays so until somebody does something.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The gate of one endpoint: open until an attempt fails.
#[derive(Default)]
pub(super) struct Gate {
    shut: Mutex<Option<Shut>>,
    opened: Notify,
}

struct Shut {
    closed: Closed,
    /// Of the last failure.
    cause: Failure,
    /// The number of the credentials that it was about, where these change.
    given: Option<u64>,
}

/// The decision, without clock and without effects.
#[derive(Debug, Default, PartialEq, Eq)]
struct Closed {
    /// When the last attempts began, the earliest first.
    began: [Option<Instant>; ATTEMPTS],
    /// Logins refused in a row.
    refusals: u32,
    /// Until then nobody tries, after a refused login.
    until: Option<Instant>,
}

impl Closed {
    /// An attempt that begins now; or when to ask again.
    fn begin(&mut self, now: Instant) -> Result<(), Instant> {
        let earliest = self.began[0].map(|began| began + WINDOW);
        match earliest.max(self.until).filter(|then| *then > now) {
            Some(then) => Err(then),
            None => {
                self.began.rotate_left(1);
                self.began[ATTEMPTS - 1] = Some(now);
                Ok(())
            }
        }
    }

    /// What was refused is no longer what is logged in with.
    fn relent(&mut self) {
        (self.refusals, self.until) = (0, None);
    }

    /// `chance` is uniform in `[0, 1)`.
    fn failed(&mut self, fault: Fault, now: Instant, chance: f64) {
        if fault == Fault::Auth {
            // Half of it is certain: the same password will hardly be right a moment later.
            let pause = backoff(self.refusals, FIRST_PAUSE, LONGEST_PAUSE, 0.5 + 0.5 * chance);
            (self.refusals, self.until) = (self.refusals.saturating_add(1), Some(now + pause));
        } else {
            self.relent();
        }
    }
}

impl Gate {
    /// Until an attempt may begin. Where that is not now, `waits` is told first why not. A refused login
    /// is waited for no longer once `login` gives others.
    pub(super) async fn enter(&self, login: Option<&Login>, waits: impl FnOnce(Failure)) {
        let mut waits = Some(waits);
        loop {
            // Before the look, so that no opening is missed.
            let mut opened = std::pin::pin!(self.opened.notified());
            opened.as_mut().enable();
            let (then, cause, given) = match &mut *self.shut() {
                None => return,
                Some(Shut { closed, cause, given }) => match closed.begin(Instant::now()) {
                    Ok(()) => return,
                    Err(then) => (then, cause.clone(), *given),
                },
            };
            let refused = cause.fault == Fault::Auth;
            if let Some(waits) = waits.take() {
                waits(cause);
            }
            let pause = then.saturating_duration_since(Instant::now());
            let changed = async {
                match login.filter(|_| refused) {
                    Some(login) => login.changed(given).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = io::timeout(pause, opened) => {}
                () = changed => self.relent(given),
            }
        }
    }

    /// Unless others were refused meanwhile.
    fn relent(&self, refused: Option<u64>) {
        if let Some(shut) = &mut *self.shut()
            && shut.given == refused
        {
            shut.closed.relent();
        }
    }

    /// An attempt failed, or a connection broke, that was logged in with these credentials.
    pub(super) fn close(&self, cause: &Failure, given: Option<u64>) {
        let mut shut = self.shut();
        let closed = shut.take().map(|shut| shut.closed);
        let mut closed = closed.unwrap_or_default();
        closed.failed(cause.fault, Instant::now(), fastrand::f64());
        *shut = Some(Shut { closed, cause: cause.clone(), given });
    }

    /// An attempt got through.
    pub(super) fn open(&self) {
        if self.shut().take().is_some() {
            self.opened.notify_waiters();
        }
    }

    fn shut(&self) -> MutexGuard<'_, Option<Shut>> {
        self.shut.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    /// When attempts begin, in ms, of somebody who asks every 10 ms for so long, and whose attempts
    /// all fail like this.
    fn begun(fault: Fault, for_ms: u64) -> Vec<u64> {
        let (start, mut closed) = (Instant::now(), Closed::default());
        let mut begun = Vec::new();
        for at in (0..for_ms).step_by(10) {
            let now = start + MS(at);
            if closed.begin(now).is_ok() {
                begun.push(at);
                closed.failed(fault, now, 1.0);
            }
        }
        begun
    }

    #[test]
    fn a_server_that_is_away_is_tried_twice_a_second() {
        assert_eq!(begun(Fault::Unavailable, 3_000), [0, 10, 1_000, 1_010, 2_000, 2_010]);
    }

    #[test]
    fn a_refused_login_is_tried_more_and_more_seldom() {
        let begun = begun(Fault::Auth, 120_000);
        assert_eq!(begun[..6], [0, 500, 1_500, 3_500, 7_500, 15_500]);
        assert_eq!(begun[7] - begun[6], 30_000, "and no more seldom than that");
    }

    #[test]
    fn a_server_that_is_away_in_between_begins_anew() {
        let (start, mut closed) = (Instant::now(), Closed::default());
        for _ in 0..5 {
            closed.failed(Fault::Auth, start, 1.0);
        }
        assert_eq!(closed.begin(start), Err(start + MS(8_000)));
        closed.failed(Fault::Unavailable, start, 1.0);
        assert_eq!(closed.begin(start), Ok(()));
        closed.failed(Fault::Auth, start, 1.0);
        assert_eq!(closed.begin(start), Err(start + MS(500)));
    }

    #[tokio::test]
    async fn who_waits_goes_on_once_one_got_through() {
        let gate = Gate::default();
        gate.enter(None, |_| unreachable!("it is open")).await;
        for _ in 0..10 {
            gate.close(&Failure::new(Fault::Auth, "no"), None);
        }
        let mut told = None;
        let ((), ()) =
            tokio::join!(gate.enter(None, |why| told = Some(why.fault)), async { gate.open() });
        assert_eq!(told, Some(Fault::Auth));
        gate.enter(None, |_| unreachable!("it is open")).await;
    }
}
