//! Lookups that leave together: what concurrent callers ask within one turn of the runtime goes
//! out as one pipeline, with one timer and one place in the connection's queue for all.
//!
//! Nobody waits for company. The first caller of a turn spawns the task that sends; by the time
//! the runtime comes to it, whoever else was ready to run has added its lookup.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::{Arg, Cmd, Pipeline, RedisError, Value};
use tokio::sync::oneshot;

use super::link::Live;
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
    /// The server or the connection said so.
    Error(RedisError),
    /// No answer within the deadline.
    Unanswered,
}

/// What a fused lookup yields.
pub(super) enum Answer {
    /// Nothing was there, and the lease was taken.
    Leased(Taken),
    Present(Vec<u8>),
    /// No answer that the command has.
    Unexpected,
}

/// A lease just taken. Dropped before its caller [keeps](Taken::keep) it, because the caller went
/// away, it is given up.
pub(super) struct Taken {
    store: RedisStore,
    live: Arc<Live>,
    lookup: Option<Lookup>,
}

/// The key in full, and the lease, of a fused lookup.
struct Lookup {
    key: Vec<u8>,
    fence: Fence,
}

/// The lookups that wait for the next turn.
#[derive(Default)]
pub(super) struct Lane {
    waiting: Mutex<Vec<Waiting>>,
}

struct Waiting {
    /// `SET key lease NX GET PX ms`.
    cmd: Cmd,
    answer: oneshot::Sender<Result<Answer, Lost>>,
}

impl Lane {
    fn waiting(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends a fused lookup on `live` and waits for its answer.
pub(super) async fn ask(store: &RedisStore, live: &Arc<Live>, cmd: Cmd) -> Result<Answer, Lost> {
    let (answer, answered) = oneshot::channel();
    let first = {
        let mut waiting = live.lane.waiting();
        waiting.push(Waiting { cmd, answer });
        waiting.len() == 1
    };
    if first {
        tokio::spawn(send(store.clone(), Arc::clone(live)));
    }
    // The sender is gone only where the runtime is.
    answered.await.unwrap_or(Err(Lost::Unanswered))
}

async fn send(store: RedisStore, live: Arc<Live>) {
    let mut batch = std::mem::take(&mut *live.lane.waiting());
    // Callers that went away before their lookup was sent.
    batch.retain(|waiting| !waiting.answer.is_closed());
    let mut pipeline = Pipeline::with_capacity(batch.len());
    let mut pending = Vec::with_capacity(batch.len());
    for Waiting { cmd, answer } in batch {
        pipeline.add_command(cmd);
        pending.push(answer);
    }
    if pending.is_empty() {
        return;
    }
    let mut connection = live.connection();
    let sending = connection.send_packed_commands(&pipeline, 0, pending.len());
    match tokio::time::timeout(store.inner.lookup_deadline, sending).await {
        Ok(Ok(values)) if values.len() == pending.len() => {
            live.answered();
            let part = pending.len().div_ceil(PARTS).max(SMALLEST_PART);
            let answers = pending.into_iter().zip(values).zip(pipeline.cmd_iter());
            for (at, ((answer, value), cmd)) in answers.enumerate() {
                if at > 0 && at % part == 0 {
                    tokio::task::yield_now().await;
                }
                let value = value.extract_error().map_err(Lost::Error);
                // A caller that went away needs no answer, and drops what it would have taken.
                let _ = answer.send(value.map(|value| read(value, &store, &live, cmd)));
            }
        }
        Ok(outcome) => {
            let error = outcome.err().unwrap_or_else(|| unexpected("a pipeline"));
            store.failed(&live, &error);
            // The server may have taken these leases before their answers were lost.
            if fault::ends_connection(&error) {
                give_up(&store, None, pipeline.cmd_iter());
            }
            for answer in pending {
                // A caller that went away needs no answer.
                let _ = answer.send(Err(Lost::Error(error.clone())));
            }
        }
        Err(_) => {
            store.unanswered(&live);
            // The server may still take these leases: the releases go behind, on the same
            // connection.
            give_up(&store, Some(&live), pipeline.cmd_iter());
            for answer in pending {
                let _ = answer.send(Err(Lost::Unanswered));
            }
        }
    }
}

fn read(value: Value, store: &RedisStore, live: &Arc<Live>, cmd: &Cmd) -> Answer {
    match value {
        Value::Nil => Answer::Leased(Taken {
            store: store.clone(),
            live: Arc::clone(live),
            lookup: Lookup::of(cmd),
        }),
        Value::BulkString(bytes) => Answer::Present(bytes),
        _ => Answer::Unexpected,
    }
}

impl Taken {
    /// The caller has it, and looks after it from here on.
    pub(super) fn keep(mut self) {
        self.lookup = None;
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(lookup) = self.lookup.take() {
            lookup.give_up(&self.store, Some(&self.live));
        }
    }
}

/// Gives up the leases that these lookups took or may still take.
fn give_up<'a>(store: &RedisStore, live: Option<&Live>, lookups: impl Iterator<Item = &'a Cmd>) {
    for lookup in lookups.filter_map(Lookup::of) {
        lookup.give_up(store, live);
    }
}

impl Lookup {
    fn of(cmd: &Cmd) -> Option<Self> {
        let mut arguments = cmd.args_iter().skip(1);
        let (Arg::Simple(key), Arg::Simple(lease)) = (arguments.next()?, arguments.next()?) else {
            return None;
        };
        let fence = Fence { prefix: lease.to_vec(), len: Some(lease.len()) };
        Some(Self { key: key.to_vec(), fence })
    }

    /// In the background: behind the lookup on its connection, so that it arrives after it, or on
    /// the next connection where that one broke.
    fn give_up(self, store: &RedisStore, live: Option<&Live>) {
        let (Ok(io), store) = (io::handle(), store.clone()) else { return };
        let Self { key, fence } = self;
        let connection = live.map(Live::connection);
        // Where it fails, or takes longer than the lease lives, the lease's own end does the same.
        io.spawn(async move {
            match connection {
                Some(mut connection) => {
                    let lease = Duration::from_millis(store.inner.lease_millis);
                    let release = store.release_on(&mut connection, &key, &fence);
                    let _ = tokio::time::timeout(lease, release).await;
                }
                None => {
                    let _ = store.release_full(&key, &fence).await;
                }
            }
        });
    }
}
