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

/// How a lookup failed.
pub(super) enum Lost {
    /// The server or the connection said so.
    Error(RedisError),
    /// No answer within the deadline.
    Unanswered,
}

/// The lookups that wait for the next turn.
#[derive(Default)]
pub(super) struct Lane {
    waiting: Mutex<Vec<Waiting>>,
}

struct Waiting {
    /// `SET key lease NX GET PX ms`.
    cmd: Cmd,
    answer: oneshot::Sender<Result<Value, Lost>>,
}

impl Lane {
    fn waiting(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends a fused lookup on `live` and waits for its answer.
pub(super) async fn ask(store: &RedisStore, live: &Arc<Live>, cmd: Cmd) -> Result<Value, Lost> {
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
            for (at, (answer, value)) in pending.into_iter().zip(values).enumerate() {
                let leased = value == Value::Nil;
                let told = answer.send(value.extract_error().map_err(Lost::Error));
                // The caller went away, and the lease was taken for nobody.
                if told.is_err() && leased {
                    give_up(&store, Some(&live), pipeline.cmd_iter().skip(at).take(1));
                }
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

/// Gives up, in the background, the leases that these lookups took or may still take: behind them
/// on their connection, or on the next one where that broke.
fn give_up<'a>(store: &RedisStore, live: Option<&Live>, lookups: impl Iterator<Item = &'a Cmd>) {
    let Ok(io) = io::handle() else { return };
    for cmd in lookups {
        let mut arguments = cmd.args_iter().skip(1);
        let (Some(Arg::Simple(key)), Some(Arg::Simple(lease))) =
            (arguments.next(), arguments.next())
        else {
            continue;
        };
        let fence = Fence { prefix: lease.to_vec(), len: Some(lease.len()) };
        let (store, key) = (store.clone(), key.to_vec());
        let Some(mut connection) = live.map(Live::connection) else {
            io.spawn(async move {
                // Where it fails, the lease's own end does the same a little later.
                let _ = store.release_full(&key, &fence).await;
            });
            continue;
        };
        io.spawn(async move {
            // After the lease's own end there is nothing left to release.
            let lease = Duration::from_millis(store.inner.lease_millis);
            let release = store.release_on(&mut connection, &key, &fence);
            let _ = tokio::time::timeout(lease, release).await;
        });
    }
}
