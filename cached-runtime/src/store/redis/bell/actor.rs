//! The one connection that listens, and the task on the I/O thread that keeps it: it connects
//! when somebody wants to listen, and reconnects with backoff while anybody does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{PushInfo, PushKind, RedisError, Value};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::super::connect::connect;
use super::super::fault;
use super::super::link::{FIRST_PAUSE, LONGEST_PAUSE, replaced};
use super::{Desk, Sound, Stage, State};
use crate::io;
use crate::policy::backoff;
use crate::store::Failure;

/// A server that does not confirm a subscription within this is as good as gone.
const ANSWER_DEADLINE: Duration = Duration::from_secs(1);

pub(super) async fn keep(desk: Arc<Desk>) {
    let mut attempt = 0;
    loop {
        wanted(&desk).await;
        let (pushes, mut pushed) = mpsc::unbounded_channel();
        let mut since = None;
        let failure = match connect(&desk.origin, &desk.gate, pushes).await {
            Ok(single) => {
                since = Some(Instant::now());
                tokio::select! {
                    failure = serve(&desk, &single.connection, &mut pushed) => failure,
                    () = desk.origin.replaced(single.found) => replaced(),
                    () = single.kept_logged_in(&desk.origin) => replaced(),
                }
            }
            Err(failure) => failure,
        };
        tracing::debug!(cause = failure.message, "no wake-ups; who waits looks by the clock");
        desk.state().lose();
        // As for the links: a connection that lasted starts the backoff anew.
        if since.is_some_and(|since| since.elapsed() > LONGEST_PAUSE) {
            attempt = 0;
            continue;
        }
        io::sleep(backoff(attempt, FIRST_PAUSE, LONGEST_PAUSE, fastrand::f64())).await;
        attempt = attempt.saturating_add(1);
    }
}

/// Until somebody wants to listen, now or while there was no connection.
async fn wanted(desk: &Desk) {
    loop {
        {
            let mut state = desk.state();
            state.resting = false;
            state.forget();
            let asked = std::mem::take(&mut state.asked);
            if asked || !state.channels.is_empty() {
                state.news = state.channels.keys().cloned().collect();
                return;
            }
        }
        desk.news.notified().await;
    }
}

/// Until the connection ends.
async fn serve(
    desk: &Desk,
    connection: &MultiplexedConnection,
    pushed: &mut mpsc::UnboundedReceiver<PushInfo>,
) -> Failure {
    let mut steps = JoinSet::new();
    loop {
        for step in desk.state().next_steps() {
            steps.spawn(step.run(connection.clone()));
        }
        tokio::select! {
            () = desk.news.notified() => {}
            Some(Ok((step, outcome))) = steps.join_next() => match outcome {
                Err(error) if fault::ends_connection(&error) => return fault::failure(&error),
                outcome => desk.state().done(step, outcome),
            },
            push = pushed.recv() => match push {
                Some(push) if push.kind == PushKind::Message => {
                    if let Some(Value::BulkString(channel)) = push.data.first() {
                        desk.state().ring(channel);
                    }
                }
                Some(push) if push.kind != PushKind::Disconnection => {}
                _ => return fault::failure(&closed()),
            },
        }
    }
}

/// A command for one channel.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    Subscribe(Vec<u8>),
    Unsubscribe(Vec<u8>),
}

impl Step {
    async fn run(self, mut connection: MultiplexedConnection) -> (Self, Result<(), RedisError>) {
        let answer = async {
            match &self {
                Self::Subscribe(channel) => connection.subscribe(&channel[..]).await,
                Self::Unsubscribe(channel) => connection.unsubscribe(&channel[..]).await,
            }
        };
        let outcome = io::timeout(ANSWER_DEADLINE, answer).await;
        let outcome = outcome.unwrap_or_else(|| Err(closed()));
        (self, outcome)
    }
}

fn closed() -> RedisError {
    std::io::Error::from(std::io::ErrorKind::ConnectionReset).into()
}

/// The decisions.
impl State {
    /// What to tell the server of the channels that changed.
    pub(super) fn next_steps(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        for channel in std::mem::take(&mut self.news) {
            let Some(known) = self.channels.get_mut(&channel) else { continue };
            match (known.stage, known.listeners) {
                (Stage::Off, 0) => {
                    self.channels.remove(&channel);
                }
                (Stage::Off, _) => {
                    known.stage = Stage::Subscribing;
                    steps.push(Step::Subscribe(channel));
                }
                (Stage::On, 0) => {
                    known.stage = Stage::Unsubscribing;
                    known.sound.send_replace(Sound::Unknown);
                    steps.push(Step::Unsubscribe(channel));
                }
                // Nothing to do, or looked at again when the command under way is done.
                (Stage::On | Stage::Subscribing | Stage::Unsubscribing, _) => {}
            }
        }
        steps
    }

    /// The server confirmed a step or refused it.
    pub(super) fn done(&mut self, step: Step, outcome: Result<(), RedisError>) {
        let (channel, stage, sound) = match (step, outcome) {
            (Step::Subscribe(channel), Ok(())) => (channel, Stage::On, Sound::Heard),
            (Step::Subscribe(channel), Err(_)) => (channel, Stage::Off, Sound::Mute),
            (Step::Unsubscribe(channel), _) => (channel, Stage::Off, Sound::Unknown),
        };
        let Some(known) = self.channels.get_mut(&channel) else { return };
        known.stage = stage;
        known.sound.send_replace(sound);
        let refused = sound == Sound::Mute && known.listeners > 0;
        if !refused {
            self.news.push(channel);
        }
    }

    fn ring(&mut self, channel: &[u8]) {
        if let Some(known) = self.channels.get(channel) {
            known.sound.send_modify(|_| {});
        }
    }

    /// The connection ended, or could not be made.
    fn lose(&mut self) {
        self.resting = true;
        for known in self.channels.values_mut() {
            known.stage = Stage::Off;
            // Rings once, however many attempts fail.
            known
                .sound
                .send_if_modified(|sound| std::mem::replace(sound, Sound::Mute) != Sound::Mute);
        }
    }

    /// Drops the channels that nobody listens to; for when there is no connection.
    fn forget(&mut self) {
        self.channels.retain(|_, known| known.listeners > 0);
    }
}
