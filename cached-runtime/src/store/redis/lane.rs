//! Lookups over the redis crate's connection, where no plain socket reaches the server (TLS): what
//! concurrent callers ask within one turn of the runtime goes out as one pipeline, with one timer
//! and one place in the connection's queue for all. See [`wire`](super::wire) for all others.
//!
//! Nobody waits for company. The first caller of a turn spawns the task that sends; by the time
//! the runtime comes to it, whoever else was ready to run has added its lookup.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use redis::{Arg, Cmd, Pipeline, RedisError, Value};
use tokio::sync::oneshot;

use super::link::Live;
use super::taken::{Lease, Taken};
use super::{RedisStore, fault, scripts::unexpected};
use crate::entry::Fence;
use crate::io;

/// Answers are told in this many parts, with a turn of the runtime between them: what the callers
/// of one part ask next is on its way to the server while the next part is told. Told all at once,
/// client and server would work by turns instead of together.
const PARTS: usize = 4;
/// Fewer callers than this are no part of their own.
const SMALLEST_PART: usize = 4;

/// How a lookup failed.
pub(super) enum Lost {
    /// The server or the connection said so. In a box: hits are moved about as large as this is.
    Error(Box<RedisError>),
    /// No answer within the deadline.
    Unanswered,
}

impl Lost {
    pub(super) fn into_error(self) -> RedisError {
        match self {
            Self::Error(error) => *error,
            Self::Unanswered => std::io::Error::from(std::io::ErrorKind::TimedOut).into(),
        }
    }

    pub(super) fn error(error: RedisError) -> Self {
        Self::Error(Box::new(error))
    }
}

/// The commands of one lookup, which stand side by side in the pipeline.
pub(super) struct Commands {
    /// `SET key lease NX GET PX ms`, or a script that does the same.
    pub(super) fused: Cmd,
    /// What most lookups don't ask.
    pub(super) extras: Option<Box<Extras>>,
}

#[derive(Default)]
pub(super) struct Extras {
    /// `PTTL key`: before the lookup, so that what it says is never too long.
    pub(super) age: Option<Cmd>,
    /// `MGET tag…`: after it, so that what was found is valid if it still is by then.
    pub(super) versions: Option<Cmd>,
}

/// What the commands of one lookup yielded.
pub(super) struct Seen {
    pub(super) answer: Answer,
    pub(super) beside: Option<Box<Beside>>,
}

/// The answers to what most lookups don't ask.
#[derive(Default)]
pub(super) struct Beside {
    /// To `PTTL`.
    pub(super) age: Option<Value>,
    /// To `MGET`.
    pub(super) versions: Option<Value>,
}

/// What a fused lookup yields.
pub(super) enum Answer {
    /// Nothing was there, and the lease was taken.
    Leased(Taken),
    Present(Vec<u8>),
    /// No answer that the command has.
    Unexpected,
}

/// The lookups that wait for the next turn.
#[derive(Default)]
pub(super) struct Lane {
    waiting: Mutex<Vec<Waiting>>,
}

struct Waiting {
    commands: Commands,
    answer: oneshot::Sender<Result<Seen, Lost>>,
}

/// Who waits for an answer, and which commands were sent for it.
struct Asked {
    answer: oneshot::Sender<Result<Seen, Lost>>,
    age: bool,
    versions: bool,
}

impl Lane {
    /// Adds a lookup; the first of a turn is told to have the turn taken.
    fn add(self: &Arc<Self>, commands: Commands) -> (Queued, Option<Turn>) {
        let (answer, answered) = oneshot::channel();
        let mut waiting = self.waiting();
        waiting.push(Waiting { commands, answer });
        let turn = (waiting.len() == 1).then(|| Turn(Some(Arc::clone(self))));
        (Queued(answered), turn)
    }

    fn take(&self) -> Vec<Waiting> {
        std::mem::take(&mut *self.waiting())
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The duty to send what waits. Dropped without, since the runtime ends, it tells those who wait;
/// nobody else would take them along.
struct Turn(Option<Arc<Lane>>);

impl Turn {
    fn take(mut self) -> Vec<Waiting> {
        self.0.take().map(|lane| lane.take()).unwrap_or_default()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(lane) = self.0.take() {
            // Woken after the lock is free.
            let waiting = lane.take();
            drop(waiting);
        }
    }
}

/// A lookup that will be sent on its runtime's next turn.
pub(super) struct Queued(oneshot::Receiver<Result<Seen, Lost>>);

impl Future for Queued {
    type Output = Result<Seen, Lost>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // The sender is gone only where the runtime is.
        Pin::new(&mut self.0).poll(context).map(|told| told.unwrap_or(Err(Lost::Unanswered)))
    }
}

/// Queues a lookup on `live`.
pub(super) fn ask(store: &RedisStore, live: &Arc<Live>, commands: Commands) -> Queued {
    let (queued, turn) = live.lane.add(commands);
    if let Some(turn) = turn {
        tokio::spawn(send(store.clone(), Arc::clone(live), turn));
    }
    queued
}

async fn send(store: RedisStore, live: Arc<Live>, turn: Turn) {
    let mut batch = turn.take();
    // Callers that went away before their lookup was sent.
    batch.retain(|waiting| !waiting.answer.is_closed());
    let mut pipeline = Pipeline::with_capacity(batch.len());
    let mut pending = Vec::with_capacity(batch.len());
    for Waiting { commands: Commands { fused, extras }, answer } in batch {
        let Extras { age, versions } = extras.map(|extras| *extras).unwrap_or_default();
        pending.push(Asked { answer, age: age.is_some(), versions: versions.is_some() });
        for cmd in age.into_iter().chain([fused]).chain(versions) {
            pipeline.add_command(cmd);
        }
    }
    if pending.is_empty() {
        return;
    }
    let mut connection = live.connection();
    let sending = connection.send_packed_commands(&pipeline, 0, pipeline.len());
    match io::timeout(store.patience(store.inner.lookup_deadline), sending).await {
        Some(Ok(values)) if values.len() == pipeline.len() => {
            if values.iter().any(|value| !matches!(value, Value::ServerError(_))) {
                live.answered();
            } else {
                // Each of these errors is judged on its own.
                live.heard();
            }
            let part = pending.len().div_ceil(PARTS).max(SMALLEST_PART);
            let mut answers = values.into_iter().zip(pipeline.cmd_iter());
            for (at, Asked { answer, age, versions }) in pending.into_iter().enumerate() {
                if at > 0 && at % part == 0 {
                    tokio::task::yield_now().await;
                }
                let mut value = || answers.next().map(|(value, _)| value);
                let age = if age { value() } else { None };
                let Some((fused, cmd)) = answers.next() else { break };
                let versions = if versions { answers.next().map(|(value, _)| value) } else { None };
                let seen = fused.extract_error().map_err(Lost::error).map(|fused| {
                    let answer = read(fused, &store, &live, cmd);
                    let beside = (age.is_some() || versions.is_some())
                        .then(|| Box::new(Beside { age, versions }));
                    Seen { answer, beside }
                });
                // A caller that went away needs no answer, and drops what it would have taken.
                let _ = answer.send(seen);
            }
        }
        Some(outcome) => {
            let error = outcome.err().unwrap_or_else(|| unexpected("a pipeline"));
            store.failed(&live, &error);
            // The server may have taken these leases before their answers were lost.
            if fault::ends_connection(&error) {
                give_up(&store, None, pipeline.cmd_iter());
            }
            for Asked { answer, .. } in pending {
                // A caller that went away needs no answer.
                let _ = answer.send(Err(Lost::error(error.clone())));
            }
        }
        None => {
            live.unanswered();
            // The server may still take these leases: the releases go behind, on the same
            // connection.
            give_up(&store, Some(&live), pipeline.cmd_iter());
            for Asked { answer, .. } in pending {
                let _ = answer.send(Err(Lost::Unanswered));
            }
        }
    }
}

fn read(value: Value, store: &RedisStore, live: &Arc<Live>, cmd: &Cmd) -> Answer {
    match value {
        Value::Nil => Answer::Leased(Taken::new(store, live, lease_of(cmd))),
        Value::BulkString(bytes) => Answer::Present(bytes),
        _ => Answer::Unexpected,
    }
}

/// Gives up the leases that these lookups took or may still take.
fn give_up<'a>(
    store: &RedisStore,
    live: Option<&Arc<Live>>,
    lookups: impl Iterator<Item = &'a Cmd>,
) {
    for lease in lookups.filter_map(lease_of) {
        lease.give_up(store, live);
    }
}

/// `None` for the commands beside a lookup.
fn lease_of(cmd: &Cmd) -> Option<Lease> {
    let mut arguments = cmd.args_iter();
    match arguments.next()? {
        Arg::Simple(b"SET") => {}
        // The script, and how many keys it has.
        Arg::Simple(b"EVAL") => {
            arguments.nth(1)?;
        }
        _ => return None,
    }
    let (Arg::Simple(key), Arg::Simple(lease)) = (arguments.next()?, arguments.next()?) else {
        return None;
    };
    let fence = Fence { prefix: lease.to_vec(), len: Some(lease.len()) };
    Some(Lease { key: key.to_vec(), fence })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands() -> Commands {
        Commands { fused: Cmd::new(), extras: None }
    }

    #[tokio::test]
    async fn a_turn_that_is_not_taken_leaves_nobody_waiting() {
        let lane = Arc::<Lane>::default();
        let ((first, turn), (second, none)) = (lane.add(commands()), lane.add(commands()));
        assert!(turn.is_some() && none.is_none());
        drop(turn);
        for queued in [first, second] {
            assert!(matches!(queued.await, Err(Lost::Unanswered)));
        }
        // Who comes next has a turn of its own.
        let (_third, turn) = lane.add(commands());
        assert_eq!(turn.unwrap().take().len(), 1);
    }
}
