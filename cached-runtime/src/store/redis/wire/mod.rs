//! The lane of lookups on the wire: a connection of its own beside the redis crate's, for lookups
//! and, behind them, what gives their leases up.
//!
//! A caller writes its commands where all of this turn's are, and waits at a slot. One task sends
//! what has come together, and puts each answer into its slot: a hit has no channel, no timer and
//! no box of its own.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use redis::RedisError;

use super::RedisStore;
use super::lane::{Answer, Beside, Lost, Seen};
use super::link::Live;
use super::taken::{Lease, Taken};
use crate::store::Asked;
use crate::token::Token;

mod actor;
mod encode;
mod input;
mod parser;
mod socket;

pub(super) use self::actor::Actor;
pub(super) use self::encode::Encoder;
pub(super) use self::socket::{Socket, connect};

/// What callers and the task that sends share.
#[derive(Default)]
pub(super) struct Wire {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Commands to be sent on the task's next turn.
    out: Vec<u8>,
    /// What answers they will have, in their order.
    expected: Vec<Expected>,
    slots: Vec<Slot>,
    /// Of the slots.
    free: Vec<usize>,
    task: Option<Waker>,
    end: Option<End>,
}

/// The connection ends: nothing is looked up any more.
struct End {
    cause: RedisError,
    /// Nothing at all is sent any more.
    over: bool,
}

/// The answer to one lookup, or to one release, that is still to come.
#[derive(Clone, Copy)]
struct Expected {
    /// Where it is waited for, while it is.
    slot: Option<usize>,
    /// Whether `PTTL` and `MGET` were asked as well.
    age: bool,
    versions: bool,
    /// How long a lookup waits from when it is sent; who gives a lease up sees to that itself.
    within: Option<Duration>,
}

enum Slot {
    Free,
    Waiting(Option<Waker>),
    /// Who waited went away; a lease that was taken for it is given up by this.
    Left(Option<Box<Taken>>),
    Done(Told),
}

/// What came of what was sent; an error is the connection's.
type Told = Result<Reply, Lost>;

struct Reply {
    found: Found,
    beside: Option<Box<Beside>>,
}

enum Found {
    Nothing,
    Bytes(Vec<u8>),
    /// The server answered with an error.
    Refused(Box<RedisError>),
    /// No answer that a lookup has.
    Other,
}

/// A lookup, or a release, under way.
pub(super) struct Queued<'a> {
    wire: &'a Wire,
    /// Left when dropped.
    slot: Option<usize>,
    lookup: Option<Lookup<'a>>,
}

#[derive(Clone, Copy)]
struct Lookup<'a> {
    store: &'a RedisStore,
    live: &'a Arc<Live>,
    asked: Asked<'a>,
    token: &'a Token,
}

impl Wire {
    /// Queues a lookup.
    pub(super) fn ask<'a>(
        &'a self,
        store: &'a RedisStore,
        live: &'a Arc<Live>,
        asked: Asked<'a>,
        token: &'a Token,
    ) -> Result<Queued<'a>, Lost> {
        let inner = &store.inner;
        let expected = Expected {
            slot: None,
            age: asked.age,
            versions: !asked.tags.is_empty(),
            within: Some(inner.lookup_deadline),
        };
        let (encoder, layout) = (&inner.encoder, &inner.layout);
        let fuses = live.fuses();
        let slot = self.send(expected, |out| encoder.lookup(out, layout, fuses, asked, token))?;
        let lookup = Some(Lookup { store, live, asked, token });
        Ok(Queued { wire: self, slot: Some(slot), lookup })
    }

    /// Sends a command behind what was sent so far, also while the connection ends, and waits for
    /// its answer.
    pub(super) async fn behind(&self, command: &[u8]) -> Result<(), Lost> {
        let expected = Expected { slot: None, age: false, versions: false, within: None };
        let slot = self.send(expected, |out| out.extend_from_slice(command))?;
        let mut queued = Queued { wire: self, slot: Some(slot), lookup: None };
        match std::future::poll_fn(|context| queued.told(context)).await?.found {
            Found::Refused(error) => Err(Lost::Error(error)),
            _ => Ok(()),
        }
    }

    /// Nothing is looked up from here on; those who wait are told why.
    pub(super) fn end(&self, cause: RedisError) {
        let mut state = self.state();
        state.end.get_or_insert(End { cause, over: false });
        state.wake();
    }

    /// Has commands sent; the task is woken where it does not know of any yet.
    fn send(&self, expected: Expected, write: impl FnOnce(&mut Vec<u8>)) -> Result<usize, Lost> {
        let mut state = self.state();
        if let Some(End { cause, over }) = &state.end
            && (*over || expected.within.is_some())
        {
            return Err(Lost::error(cause.clone()));
        }
        let slot = state.take_slot();
        let first = state.out.is_empty();
        write(&mut state.out);
        state.expected.push(Expected { slot: Some(slot), ..expected });
        if first {
            state.wake();
        }
        Ok(slot)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take_slot(&mut self) -> usize {
        let waiting = Slot::Waiting(None);
        match self.free.pop() {
            Some(at) => {
                self.slots[at] = waiting;
                at
            }
            None => {
                self.slots.push(waiting);
                self.slots.len() - 1
            }
        }
    }

    /// Under the lock, which a task's own waker does not need.
    fn wake(&self) {
        if let Some(task) = &self.task {
            task.wake_by_ref();
        }
    }

    /// Empties a slot, for another to take.
    fn empty(&mut self, at: usize) -> Slot {
        self.free.push(at);
        std::mem::replace(&mut self.slots[at], Slot::Free)
    }
}

impl Queued<'_> {
    fn told(&mut self, context: &mut Context<'_>) -> Poll<Told> {
        let Some(slot) = self.slot else { return Poll::Pending };
        let mut state = self.wire.state();
        match &mut state.slots[slot] {
            Slot::Waiting(waker) => {
                if waker.as_ref().is_none_or(|waker| !waker.will_wake(context.waker())) {
                    *waker = Some(context.waker().clone());
                }
                return Poll::Pending;
            }
            Slot::Done(_) | Slot::Left(_) | Slot::Free => {}
        }
        self.slot = None;
        match state.empty(slot) {
            Slot::Done(told) => Poll::Ready(told),
            _ => Poll::Ready(Err(Lost::Unanswered)),
        }
    }
}

impl Future for Queued<'_> {
    type Output = Result<Seen, Lost>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.told(context).map(|told| {
            let taken = || self.lookup.map(Lookup::taken);
            let Reply { found, beside } = told.inspect_err(|_| {
                // The server may have taken the lease, or may still take it.
                drop(taken());
            })?;
            let answer = match found {
                Found::Nothing => taken().map_or(Answer::Unexpected, Answer::Leased),
                Found::Bytes(bytes) => Answer::Present(bytes),
                Found::Refused(error) => return Err(Lost::Error(error)),
                Found::Other => Answer::Unexpected,
            };
            Ok(Seen { answer, beside })
        })
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        let Some(slot) = self.slot else { return };
        let taken = self.lookup.map(|lookup| Box::new(lookup.taken()));
        let mut state = self.wire.state();
        if let Slot::Waiting(_) = state.slots[slot] {
            let left = std::mem::replace(&mut state.slots[slot], Slot::Left(taken));
            drop(state);
            // A waker, which is its owner's code.
            drop(left);
            return;
        }
        let done = state.empty(slot);
        drop(state);
        settle(&done, taken);
    }
}

/// Gives up the lease of a caller that went away, unless it is known that none was taken.
fn settle(done: &Slot, taken: Option<Box<Taken>>) {
    let none = matches!(done, Slot::Done(Ok(reply)) if !matches!(reply.found, Found::Nothing));
    if none && let Some(taken) = taken {
        taken.keep();
    }
}

impl Lookup<'_> {
    #[cold]
    fn taken(self) -> Taken {
        let Self { store, live, asked, token } = self;
        Taken::new(store, live, Some(Lease::of(store, asked, token)))
    }
}
