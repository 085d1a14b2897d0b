//! Looking after leases and those who wait: while a load goes on, its lease is renewed; once its
//! caller's future is woken and not polled any more, nobody waits for it.
//!
//! One task on the I/O thread, which runs while this process holds a lease, or a call of it waits for
//! another.

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::call::InFlight;
use super::{Cache, renewal_interval};
use crate::entry;
use crate::flight::{self, Liveness};
use crate::io;
use crate::store::{Hold, Store};
use crate::token::Token;

/// A leader that was woken loses its flight at the third tick after that: 100 to 150 ms later.
const TICK: Duration = Duration::from_millis(50);
/// Whoever was not polled for so many ticks gives its lease up, for those who wait in other processes.
/// Later than for those in this one: a runtime that is merely busy should be able to store its value.
const FLEET: u64 = 10;

#[derive(Default)]
pub(super) struct Watchdog {
    held: Mutex<HashMap<NonZeroU64, Held>>,
    next: AtomicU64,
    running: AtomicBool,
}

/// A lease.
struct Held {
    hold: Hold,
    renewed: Instant,
    /// Of the call that holds it; `None` for a blocking one, which is polled when it is woken.
    liveness: Option<Arc<Liveness>>,
}

/// What is to be done for a lease.
#[derive(Debug, PartialEq, Eq)]
enum Due {
    Nothing,
    Renew,
    GiveUp,
}

impl Cache {
    /// Renews a lease until it is [forgotten](Watchdog::forget); its number.
    pub(super) fn look_after(&self, hold: &Hold) -> Option<NonZeroU64> {
        let watchdog = &self.background().watchdog;
        let id = NonZeroU64::new(watchdog.next.fetch_add(1, Ordering::Relaxed) + 1)?;
        let (hold, liveness) = (hold.clone(), flight::current());
        watchdog.held().insert(id, Held { hold, renewed: Instant::now(), liveness });
        self.watch_leaders();
        Some(id)
    }

    /// Sees to it that a leader which is not polled any more holds up nobody.
    pub(super) fn watch_leaders(&self) {
        let watchdog = &self.background().watchdog;
        if !watchdog.running.swap(true, Ordering::SeqCst)
            && let Ok(io) = io::handle()
        {
            let interval = renewal_interval(self.config().lease);
            let (store, in_flight) = (self.store().clone(), Arc::clone(self.in_flight()));
            io.spawn(Arc::clone(watchdog).run(store, in_flight, interval));
        }
    }
}

impl Watchdog {
    /// In a child process, where the leases are its parent's, and so was the task.
    pub(super) fn in_child(&self) {
        self.held().clear();
        self.running.store(false, Ordering::SeqCst);
    }

    /// A lease that is settled, or given up.
    pub(super) fn forget(&self, id: NonZeroU64) {
        let forgotten = self.held().remove(&id);
        drop(forgotten);
    }

    fn held(&self) -> MutexGuard<'_, HashMap<NonZeroU64, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until there is nothing to look after any more.
    async fn run(self: Arc<Self>, store: Store, in_flight: Arc<InFlight>, interval: Duration) {
        let tick = TICK.min(interval / 3);
        loop {
            io::sleep(tick).await;
            let now = flight::tick();
            let mut lost = Vec::new();
            let waited_for = in_flight.flights.take_from_stalled(now, |token, liveness| {
                in_flight.abandoned.add(token);
                lost.push(Arc::clone(liveness));
            });
            self.serve(&store, now, interval, &lost);
            if waited_for || !self.held().is_empty() {
                continue;
            }
            self.running.store(false, Ordering::SeqCst);
            // Who came between the look and this found it running.
            let idle = self.held().is_empty() && !in_flight.flights.is_waited_for();
            if idle || self.running.swap(true, Ordering::SeqCst) {
                return;
            }
        }
    }

    /// Renews what is due, and gives up what nobody is at work for any more.
    fn serve(
        self: &Arc<Self>,
        store: &Store,
        now: u64,
        interval: Duration,
        lost: &[Arc<Liveness>],
    ) {
        let (mut renew, mut give_up) = (Vec::new(), Vec::new());
        self.held().retain(|&id, held| {
            match held.due(now, interval, lost) {
                Due::Nothing => {}
                Due::Renew => {
                    held.renewed = Instant::now();
                    renew.push((id, held.hold.clone()));
                }
                Due::GiveUp => {
                    give_up.push(held.hold.clone());
                    return false;
                }
            }
            true
        });
        // Each on its own: a server that does not answer one must not keep the others.
        for hold in give_up {
            // Where it fails, the lease's own end does the same a little later.
            drop(store.release(&hold).start());
        }
        for (id, hold) in renew {
            let (watchdog, renewal) = (Arc::clone(self), store.renew(&hold));
            tokio::spawn(async move {
                // A lease that is gone stays gone: the commit will be refused, and renewing it any
                // longer would only cost. A renewal that failed is tried again.
                if let Ok(false) = renewal.wait().await {
                    watchdog.forget(id);
                }
            });
        }
    }
}

impl Held {
    fn due(&self, now: u64, interval: Duration, lost: &[Arc<Liveness>]) -> Due {
        if let Some(liveness) = &self.liveness {
            if liveness.overdue(now) >= FLEET || lost.iter().any(|it| Arc::ptr_eq(it, liveness)) {
                return Due::GiveUp;
            }
            if liveness.is_stalled(now) {
                return Due::Nothing;
            }
        }
        if self.renewed.elapsed() >= interval { Due::Renew } else { Due::Nothing }
    }
}

/// The leases of leaders that lost their flights: whoever finds one seizes it, as it would seize what
/// is of no use. What the leader stores in spite of that meets a fence.
#[derive(Default)]
pub(super) struct Abandoned {
    tokens: Mutex<VecDeque<Token>>,
}

/// So many are remembered. A lease whose leader was forgotten ends by itself, since it is not renewed.
const MOST_ABANDONED: usize = 1024;

impl Abandoned {
    fn add(&self, token: Token) {
        let mut tokens = self.tokens();
        if tokens.len() == MOST_ABANDONED {
            tokens.pop_front();
        }
        tokens.push_back(token);
    }

    /// Whether this lease is one of them.
    pub(super) fn has(&self, lease: &[u8]) -> bool {
        self.tokens().iter().any(|token| entry::lease(token)[..] == *lease)
    }

    fn tokens(&self) -> MutexGuard<'_, VecDeque<Token>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
