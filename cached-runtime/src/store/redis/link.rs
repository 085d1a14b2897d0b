//! One connection of one runtime, and the actor that keeps it: it connects, watches, and
//! reconnects with backoff. Callers never connect and never wait for a reconnection.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, PushInfo, PushKind, RedisError};
use tokio::sync::{Notify, mpsc, watch};

use super::connect::{self, Connected};
use super::gate::Gate;
use super::health::Health;
use super::idle::{self, Check};
use super::lane::{Lane, Lost};
use super::line::Line;
use super::origin::{Found, Origin};
use super::wire::{Actor, Wire};
use crate::fault::Fault;
use crate::io::Driver;
use crate::policy::backoff;
use crate::store::Failure;

pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Short enough that the server's return is noticed within two seconds.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// This many operations in a row without an answer, and the peer is given up: it may be a black
/// hole, which no error ever reports.
const SILENCE: u32 = 3;

static SERIAL: AtomicU64 = AtomicU64::new(0);

#[derive(Debug, Clone)]
enum Phase {
    /// Nothing is known yet; callers wait, within their deadline.
    Starting,
    Up,
    Down(Failure),
}

/// What all links of an endpoint have in common.
#[derive(Clone)]
pub(super) struct Upkeep {
    pub(super) gate: Arc<Gate>,
    pub(super) check: Check,
    /// What is asked on them may be large.
    pub(super) bulk: bool,
}

pub(super) struct Link {
    live: ArcSwapOption<Live>,
    phase: watch::Sender<Phase>,
    /// Wakes the actor from its pause.
    hurry: Notify,
    /// The actor is gone, and with it its runtime.
    dead: AtomicBool,
}

/// A connection that is up.
pub(in crate::store) struct Live {
    connection: MultiplexedConnection,
    /// Tells this connection from the ones before and after it.
    serial: u64,
    found: Found,
    /// Whether the server knows `SET … NX GET` (since version 7), as far as is known.
    fuses: AtomicBool,
    unanswered: AtomicU32,
    gone: Notify,
    /// Why it was given up.
    cause: OnceLock<Failure>,
    health: Arc<Health>,
    pub(super) lane: Arc<Lane>,
    /// For lookups, where the server can be reached by one.
    wire: Option<Arc<Wire>>,
}

impl Live {
    pub(super) fn connection(&self) -> MultiplexedConnection {
        self.connection.clone()
    }

    pub(super) fn wire(&self) -> Option<&Wire> {
        self.wire.as_deref()
    }

    pub(super) fn serial(&self) -> u64 {
        self.serial
    }

    pub(super) fn found(&self) -> Found {
        self.found
    }

    pub(super) fn fuses(&self) -> bool {
        self.fuses.load(Ordering::Relaxed)
    }

    /// The server does not know `SET … NX GET`, whatever it said of its version.
    pub(super) fn never_fuses(&self) {
        self.fuses.store(false, Ordering::Relaxed);
    }

    /// Sends a command on both connections; until both have answered. An error of one is one.
    pub(super) async fn send_on_both(&self, cmd: &Cmd) -> Result<(), RedisError> {
        let lane = async {
            match self.wire() {
                Some(wire) => {
                    wire.behind(&cmd.get_packed_command()).await.map_err(Lost::into_error)
                }
                None => Ok(()),
            }
        };
        let mut line = Line::new(self.connection(), false);
        let (one, other) = tokio::join!(line.send(cmd), lane);
        one.and(other)
    }

    /// An answer that means that the server is well.
    pub(super) fn answered(&self) {
        self.heard();
        self.health.breaker.answered();
    }

    /// An answer, of whatever kind.
    pub(super) fn heard(&self) {
        if self.unanswered.load(Ordering::Relaxed) != 0 {
            self.unanswered.store(0, Ordering::Relaxed);
        }
    }

    /// A check was answered, and nothing has been asked since: the next silence is enough.
    pub(super) fn rests(&self) {
        self.unanswered.store(SILENCE - 1, Ordering::Relaxed);
    }

    /// No answer within the deadline; the third in a row ends the connection, and the first where it
    /// rested.
    pub(super) fn unanswered(&self) {
        self.health.unanswered("no answer");
        if self.unanswered.fetch_add(1, Ordering::Relaxed) + 1 >= SILENCE {
            let detail = "the server stopped answering";
            self.give_up(Failure::new(Fault::Timeout, detail));
            self.health.failed(Fault::Timeout, "no answer");
        }
    }

    /// Ends the connection; `cause` is what calls are told until there is another.
    pub(super) fn give_up(&self, cause: Failure) {
        // The first cause is the one.
        let _ = self.cause.set(cause);
        self.gone.notify_one();
    }
}

impl Link {
    /// A link whose actor is to be spawned on the runtime that will use it.
    pub(super) fn new(
        origin: Origin,
        health: Arc<Health>,
        upkeep: Upkeep,
        driver: Driver,
    ) -> (Arc<Self>, impl Future<Output = ()>) {
        let link = Arc::new(Self {
            live: ArcSwapOption::empty(),
            phase: watch::Sender::new(Phase::Starting),
            hurry: Notify::new(),
            dead: AtomicBool::new(false),
        });
        let actor = supervise(Farewell(Arc::clone(&link)), origin, health, upkeep, driver);
        (link, actor)
    }

    pub(super) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Acquire)
    }

    /// The connection, if it is up.
    pub(super) fn live_now(&self) -> Option<Arc<Live>> {
        self.live.load_full()
    }

    /// The connection, or at once why there is none; waits only for the very first attempt.
    pub(super) async fn live(&self) -> Result<Arc<Live>, Failure> {
        if let Some(live) = self.live_now() {
            return Ok(live);
        }
        self.settled(|phase| !matches!(phase, Phase::Starting)).await
    }

    /// The connection, waiting for it for as long as the caller cares to: for operations that
    /// keep a promise.
    pub(super) async fn live_or_wait(&self) -> Result<Arc<Live>, Failure> {
        if let Some(live) = self.live_now() {
            return Ok(live);
        }
        self.hurry.notify_one();
        self.settled(|phase| matches!(phase, Phase::Up)).await
    }

    /// Shortens the pause before the next attempt to connect.
    pub(super) fn hurry(&self) {
        self.hurry.notify_one();
    }

    /// Until the link comes up the next time; one that is up goes down first.
    pub(super) async fn comes_up(&self) {
        let mut phases = self.phase.subscribe();
        // The channel is as long-lived as this link.
        let _ = phases.wait_for(|phase| !matches!(phase, Phase::Up)).await;
        let _ = phases.wait_for(|phase| matches!(phase, Phase::Up)).await;
    }

    async fn settled(&self, done: impl Fn(&Phase) -> bool) -> Result<Arc<Live>, Failure> {
        let gone = || Failure::new(Fault::Off, "the connection's runtime has ended");
        let mut phases = self.phase.subscribe();
        loop {
            let phase = phases.wait_for(&done).await.map_err(|_| gone())?.clone();
            match phase {
                Phase::Down(failure) => return Err(failure),
                Phase::Up => {
                    if let Some(live) = self.live_now() {
                        return Ok(live);
                    }
                    // It went down between the two looks; its phase says so in a moment.
                    phases.changed().await.map_err(|_| gone())?;
                }
                Phase::Starting => return Err(gone()),
            }
        }
    }

    /// Why the link was last seen down.
    pub(super) fn last_failure(&self) -> Option<Failure> {
        match &*self.phase.borrow() {
            Phase::Down(failure) => Some(failure.clone()),
            Phase::Starting | Phase::Up => None,
        }
    }

    fn down(&self, failure: Failure) {
        self.live.store(None);
        self.phase.send_replace(Phase::Down(failure));
    }
}

/// Marks the link dead however the actor ends: aborted, or dropped with its runtime, also where it
/// never began.
struct Farewell(Arc<Link>);

impl Drop for Farewell {
    fn drop(&mut self) {
        self.0.dead.store(true, Ordering::Release);
        self.0.down(Failure::new(Fault::Off, "the connection's runtime has ended"));
    }
}

/// Ends what the redis crate knows nothing of together with the rest.
struct Together(Arc<Live>);

impl Drop for Together {
    fn drop(&mut self) {
        if let Some(wire) = self.0.wire() {
            wire.end(RedisError::from(io::Error::from(io::ErrorKind::BrokenPipe)));
        }
    }
}

async fn supervise(
    farewell: Farewell,
    origin: Origin,
    health: Arc<Health>,
    upkeep: Upkeep,
    driver: Driver,
) {
    let Upkeep { gate, check, bulk } = upkeep;
    let link = &farewell.0;
    if let Err(failure) = crate::io::handle() {
        // For good: there are no timers to try again by.
        link.down(failure);
        return std::future::pending().await;
    }
    let mut attempt = 0;
    loop {
        // Whoever waits for the very first attempt need not wait for one that is not made.
        gate.enter(origin.login(), |cause| link.down(cause)).await;
        let (pushes, mut pushed) = mpsc::unbounded_channel();
        let both = |given| driver.connect(connect::both(&origin, given, pushes));
        let (number, connected) = connect::attempt(&origin, both).await;
        match connected {
            Ok((Connected { connection, found, given, fuses }, socket)) => {
                gate.open();
                let since = Instant::now();
                let wire = socket.as_ref().map(|_| Arc::<Wire>::default());
                let live = Arc::new(Live {
                    connection,
                    serial: SERIAL.fetch_add(1, Ordering::Relaxed),
                    found,
                    fuses: AtomicBool::new(fuses),
                    unanswered: AtomicU32::new(0),
                    gone: Notify::new(),
                    cause: OnceLock::new(),
                    health: Arc::clone(&health),
                    lane: Arc::default(),
                    wire: wire.clone(),
                });
                let _together = Together(Arc::clone(&live));
                let log_in = |auth: Cmd| {
                    let live = &live;
                    async move { live.send_on_both(&auth).await }
                };
                if let (Some(wire), Some(socket)) = (wire, socket) {
                    tokio::spawn(Actor::new(wire, Arc::clone(&live), socket, bulk).run());
                }
                link.live.store(Some(Arc::clone(&live)));
                link.phase.send_replace(Phase::Up);
                tokio::select! {
                    () = disconnected(&mut pushed) => {}
                    () = live.gone.notified() => {}
                    () = idle::until_silent(&live, &check) => {}
                    () = origin.replaced(found) => live.give_up(replaced()),
                    () = origin.keep_logged_in(given, log_in) => {}
                }
                let broke = || Failure::new(Fault::Unavailable, "the connection broke");
                let failure = live.cause.get().cloned().unwrap_or_else(broke);
                // All links of the process may have lost theirs at once.
                gate.close(&failure, number);
                health.unusable(failure.fault, &failure.message);
                link.down(failure);
                // A connection that lasted starts the backoff anew; one that is lost as soon
                // as it is made does not.
                if since.elapsed() > LONGEST_PAUSE {
                    attempt = 0;
                    continue;
                }
            }
            Err(failure) => {
                gate.close(&failure, number);
                health.unusable(failure.fault, &failure.message);
                link.down(failure);
            }
        }
        let pause = backoff(attempt, FIRST_PAUSE, LONGEST_PAUSE, fastrand::f64());
        attempt = attempt.saturating_add(1);
        tokio::select! {
            () = crate::io::sleep(pause) => {}
            // Whoever waits is served soon, but a server that closes each connection at once is
            // not to be stormed.
            () = link.hurry.notified() => crate::io::sleep(pause.min(FIRST_PAUSE)).await,
        }
    }
}

/// Why a connection is given up whose peer may know nothing of it.
pub(super) fn replaced() -> Failure {
    Failure::new(Fault::Unavailable, "another server took its place")
}

/// Until the redis crate reports the end of the connection, which it does without traffic.
async fn disconnected(pushed: &mut mpsc::UnboundedReceiver<PushInfo>) {
    while let Some(push) = pushed.recv().await {
        if push.kind == PushKind::Disconnection {
            return;
        }
    }
}
