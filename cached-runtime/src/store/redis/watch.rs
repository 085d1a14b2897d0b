//! Tells whoever keeps values in memory what changes on the server: a link of its own to each
//! primary, on which the server pushes the name of each key that is written, deleted, evicted or
//! expired.
//!
//! * `CLIENT TRACKING ON BCAST` on the namespace's entries and tags: the server remembers nothing of
//!   what is kept where, and a change costs it one message a link.
//! * A subscription, to a channel on which nobody publishes: it puts the link in the class of
//!   clients whose backlog the server bounds (`client-output-buffer-limit pubsub`), so that a
//!   process that is stopped costs it no memory, but loses its link.
//! * `ROLE`, and in a cluster `CLUSTER INFO`, four times in each coherence bound. Pushes and replies arrive in the order in which
//!   the server sent them, and the pushes of a write are sent before its own reply is. So when the
//!   answer to a `ROLE` is here, the pushes of every write that was acknowledged before it was asked
//!   are, too. A link that does not answer, or whose peer is no primary, tells nothing.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::{Cmd, PushInfo, PushKind, RedisError, Value};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::connect::connect;
use super::gate::Gate;
use super::layout::{Layout, Named};
use super::line::Line;
use super::link::{FIRST_PAUSE, LONGEST_PAUSE, replaced};
use super::origin::{Origin, is_primary};
use super::{RedisStore, cluster, fault};
use crate::fault::Fault;
use crate::io;
use crate::policy::backoff;
use crate::store::{Failure, Watched};

/// So often in each coherence bound the link is asked whether it stands.
const BEATS: u32 = 4;
/// A server that does not allow watching may do so later.
const DENIED_PAUSE: Duration = Duration::from_secs(30);

/// Whether changes are told now; for `health`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Watch {
    /// They are.
    Told,
    /// There is no link, for this reason.
    Lost(Fault),
    /// The server does not allow it, or is too old.
    Denied(Fault),
}

/// The link of one store, and the task on the I/O thread that keeps it.
pub(super) struct Watcher {
    state: Mutex<State>,
}

impl Default for Watcher {
    fn default() -> Self {
        let watch = Watch::Lost(Fault::Unavailable);
        Self { state: Mutex::new(State { watch, said: false, actor: None }) }
    }
}

struct State {
    watch: Watch,
    /// The denial was said in the log.
    said: bool,
    actor: Option<AbortHandle>,
}

/// What one session is made of.
struct Session {
    origin: Origin,
    gate: Arc<Gate>,
    layout: Arc<Layout>,
    bound: Duration,
    watched: Arc<dyn Watched>,
    /// In a cluster: for word that its slots may have other owners.
    news: Option<Arc<Notify>>,
}

/// Why a session ended.
enum Ended {
    Lost(Failure),
    Denied(Failure),
}

impl RedisStore {
    /// Tells `watched` of all changes from now on, and that it did so at least four times in `bound`.
    pub(crate) fn watch(&self, watched: Arc<dyn Watched>, bound: Duration) {
        self.watch_for(watched, bound, None);
    }

    /// The same for one primary of a cluster, if `news` are wanted of that.
    pub(super) fn watch_for(
        &self,
        watched: Arc<dyn Watched>,
        bound: Duration,
        news: Option<Arc<Notify>>,
    ) {
        let Ok(io) = io::handle() else { return };
        let layout = Arc::clone(&self.inner.layout);
        let (origin, gate) = self.inner.endpoint.origin();
        let session = Session { origin, gate, layout, bound, watched, news };
        let watcher = Arc::clone(&self.inner.watcher);
        let mut state = self.inner.watcher.state();
        state.actor = Some(io.spawn(keep(session, watcher)).abort_handle());
    }

    /// Whether changes are told.
    pub(crate) fn watching(&self) -> Watch {
        self.inner.watcher.state().watch
    }
}

impl Watcher {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For the last owner of the store.
    pub(super) fn end(&self) {
        if let Some(actor) = self.state().actor.take() {
            actor.abort();
        }
    }

    fn is(&self, now: Watch) {
        self.state().watch = now;
    }

    /// Says once that the server does not allow watching.
    fn denied(&self, failure: &Failure) {
        self.is(Watch::Denied(failure.fault));
        if !std::mem::replace(&mut self.state().said, true) {
            tracing::warn!(
                cause = failure.fault.label(),
                detail = failure.message,
                "functions with `local` are not kept in this process's memory: the server does not \
                 tell of changes. It must be Redis 6 or later, and allow the user `CLIENT TRACKING`, \
                 `ROLE`, in a cluster `CLUSTER INFO`, and `SUBSCRIBE` to the namespace's channels (`&namespace#*`)"
            );
        }
    }
}

/// One session after the other.
async fn keep(session: Session, watcher: Arc<Watcher>) {
    let mut attempt = 0;
    loop {
        let began = Instant::now();
        let ended = session.run(&watcher).await;
        session.watched.lost();
        let pause = match ended {
            Ended::Lost(failure) => {
                tracing::debug!(cause = failure.message, "nothing is served from memory");
                watcher.is(Watch::Lost(failure.fault));
                // As for the links: a connection that lasted starts the backoff anew.
                if began.elapsed() > LONGEST_PAUSE {
                    attempt = 0;
                }
                backoff(attempt, FIRST_PAUSE, LONGEST_PAUSE, fastrand::f64())
            }
            Ended::Denied(failure) => {
                watcher.denied(&failure);
                DENIED_PAUSE
            }
        };
        attempt = attempt.saturating_add(1);
        io::sleep(pause).await;
    }
}

impl Session {
    async fn run(&self, watcher: &Watcher) -> Ended {
        let broken = Arc::new(Notify::new());
        let single = match connect(&self.origin, &self.gate, self.ear(&broken)).await {
            Ok(single) => single,
            Err(failure) if failure.fault == Fault::Server => return Ended::Denied(failure),
            Err(failure) => return Ended::Lost(failure),
        };
        let found = single.found;
        let mut kept_logged_in = pin!(single.kept_logged_in(&self.origin));
        let mut line = Line::new(single.connection, false);
        for cmd in self.setup() {
            if let Err(ended) = self.told(&mut line, &cmd).await {
                return ended;
            }
        }
        let mut epoch = None;
        loop {
            let asked = self.watched.now();
            if let Err(ended) = self.beat(&mut line, &mut epoch).await {
                return ended;
            }
            // What is read at that other one is not told here.
            if !self.origin.is_last(found) {
                return Ended::Lost(replaced());
            }
            self.watched.coherent_at(asked);
            watcher.is(Watch::Told);
            tokio::select! {
                () = io::sleep(self.bound / BEATS) => {}
                () = self.origin.replaced(found) => return Ended::Lost(replaced()),
                () = &mut kept_logged_in => {}
                () = broken.notified() => {
                    return Ended::Lost(Failure::new(Fault::Unavailable, "the connection broke"));
                }
            }
        }
    }

    /// The sign of life: the peer is a primary, and of the same cluster as before. An epoch of which
    /// it did not know means that slots have other owners, who may have changed what was read here.
    async fn beat(&self, line: &mut Line, epoch: &mut Option<u64>) -> Result<(), Ended> {
        let mut role = Cmd::new();
        role.arg("ROLE");
        if !is_primary(&self.told(line, &role).await?) {
            return Err(Ended::Lost(Failure::new(Fault::ReadOnly, "no primary")));
        }
        let Some(news) = &self.news else { return Ok(()) };
        let mut info = Cmd::new();
        info.arg("CLUSTER").arg("INFO");
        match cluster::State::read(&self.told(line, &info).await?) {
            Some(state) if state.ok => {
                if epoch.replace(state.epoch).is_some_and(|before| before != state.epoch) {
                    self.watched.all_changed();
                    news.notify_one();
                }
                Ok(())
            }
            _ => Err(Ended::Lost(Failure::new(Fault::Server, "the cluster is down"))),
        }
    }

    fn setup(&self) -> [Cmd; 2] {
        let mut tracking = Cmd::new();
        tracking.arg("CLIENT").arg("TRACKING").arg("ON").arg("BCAST");
        for prefix in self.layout.prefixes() {
            tracking.arg("PREFIX").arg(prefix);
        }
        let mut subscription = Cmd::new();
        subscription.arg("SUBSCRIBE").arg(self.layout.quiet_channel());
        [tracking, subscription]
    }

    /// An answer within the bound: what takes longer is as good as gone.
    async fn told(&self, line: &mut Line, cmd: &Cmd) -> Result<Value, Ended> {
        match io::timeout(self.bound, line.send(cmd)).await {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(error)) => Err(ended_by(&error)),
            None => Err(Ended::Lost(Failure::new(Fault::Timeout, "the link does not answer"))),
        }
    }

    /// Hears pushes where the redis crate reads them: before it reads the reply behind them.
    fn ear(&self, broken: &Arc<Notify>) -> impl Fn(PushInfo) -> Result<(), RedisError> + use<> {
        let (watched, broken) = (Arc::clone(&self.watched), Arc::clone(broken));
        let layout = Arc::clone(&self.layout);
        move |push: PushInfo| {
            match push.kind {
                PushKind::Invalidate => match push.data.first() {
                    Some(Value::Array(keys)) => {
                        keys.iter().for_each(|key| hear(&*watched, &layout, key));
                    }
                    // FLUSHALL and FLUSHDB have no names; neither has what nobody knows.
                    _ => watched.all_changed(),
                },
                PushKind::Disconnection => {
                    watched.lost();
                    broken.notify_one();
                }
                _ => {}
            }
            Ok(())
        }
    }
}

fn hear(watched: &dyn Watched, layout: &Layout, name: &Value) {
    let Value::BulkString(name) = name else { return watched.all_changed() };
    match layout.named(name) {
        Some(Named::Entry(key)) => watched.changed(key),
        Some(Named::Tag(tag)) => watched.tag_changed(tag),
        None => {}
    }
}

fn ended_by(error: &RedisError) -> Ended {
    let failure = fault::failure(error);
    match failure.fault {
        Fault::Forbidden | Fault::Server if !fault::trips(error) => Ended::Denied(failure),
        _ => Ended::Lost(failure),
    }
}
