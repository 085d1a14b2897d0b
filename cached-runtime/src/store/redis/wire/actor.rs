//! The task of a lane: sends what callers have written, and tells them what comes back.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use redis::{RedisError, Value};

use super::input::Input;
use super::parser::{Replies, Stop, nonsense};
use super::socket::Socket;
use super::{Beside, End, Expected, Found, Lost, Reply, Slot, Told, Wire, settle};
use crate::io::Alarm;
use crate::store::redis::link::Live;
use crate::store::redis::{SLACK, fault};

/// How long a connection that ends is kept, for leases that are given up behind their lookups.
const LINGER: Duration = Duration::from_millis(250);

pub(in crate::store::redis) struct Actor {
    wire: Arc<Wire>,
    live: Arc<Live>,
    socket: Socket,
    input: Input,
    /// What is being sent, and how much of it went.
    output: Vec<u8>,
    written: usize,
    /// What will be answered, and until when that is waited for.
    expected: VecDeque<(Expected, Option<Deadline>)>,
    /// When bytes last came.
    came: Option<Instant>,
    /// Whether an answer may take longer while bytes come.
    bulk: bool,
    /// So many of these, the first, have no deadline any more.
    passed: usize,
    /// Goes off no later than the first deadline.
    alarm: Alarm,
    /// When a connection that ends is left.
    until: Option<Instant>,
    told: Vec<(usize, Told)>,
    wakers: Vec<Waker>,
}

/// How long an answer is waited for.
#[derive(Clone, Copy, PartialEq)]
struct Deadline {
    /// Without any bytes.
    within: Duration,
    at: Instant,
    /// Whatever comes.
    last: Instant,
}

impl Deadline {
    /// Where bytes came lately, it is put off; whether it has passed.
    fn has_passed(&mut self, now: Instant, came: Option<Instant>) -> bool {
        if self.at <= now
            && self.last > now
            && let Some(came) = came
        {
            self.at = (came + self.within).min(self.last);
        }
        self.at <= now
    }
}

impl Actor {
    pub(in crate::store::redis) fn new(
        wire: Arc<Wire>,
        live: Arc<Live>,
        socket: Socket,
        bulk: bool,
    ) -> Self {
        Self {
            wire,
            live,
            socket,
            input: Input::new(),
            output: Vec::new(),
            written: 0,
            expected: VecDeque::new(),
            came: None,
            bulk,
            passed: 0,
            alarm: Alarm::default(),
            until: None,
            told: Vec::new(),
            wakers: Vec::new(),
        }
    }

    /// Until the connection ends, and then both of the link do.
    pub(in crate::store::redis) async fn run(mut self) {
        if let Err(error) = poll_fn(|context| self.turn(context)).await {
            self.live.give_up(fault::failure(&error));
            self.wire.end(error);
        }
    }

    fn turn(&mut self, context: &mut Context<'_>) -> Poll<Result<(), RedisError>> {
        self.take(context);
        self.write(context)?;
        loop {
            if self.tell()? {
                // What else is here already is not late, however long this process stood still.
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            let into = self.input.space();
            match self.socket.poll_read(context, into)? {
                Poll::Ready(read) => {
                    self.input.filled(read);
                    // The clock is read only where more was announced than has come.
                    self.came = (!self.input.is_small()).then(Instant::now);
                }
                Poll::Pending => break,
            }
        }
        ready!(self.wait(context));
        Poll::Ready(Ok(()))
    }

    /// Takes what callers have written.
    fn take(&mut self, context: &mut Context<'_>) {
        let mut state = self.wire.state();
        if self.output.is_empty() {
            std::mem::swap(&mut self.output, &mut state.out);
        } else {
            self.output.append(&mut state.out);
        }
        if !state.expected.is_empty() {
            let now = Instant::now();
            let bulk = self.bulk;
            let deadline = |within| {
                let at = now + within;
                Deadline { within, at, last: if bulk { now + within * SLACK } else { at } }
            };
            let timed = |expected: Expected| (expected, expected.within.map(deadline));
            self.expected.extend(state.expected.drain(..).map(timed));
        }
        if state.task.as_ref().is_none_or(|task| !task.will_wake(context.waker())) {
            state.task = Some(context.waker().clone());
        }
        if self.until.is_none()
            && let Some(End { cause, .. }) = &state.end
        {
            let cause = cause.clone();
            drop(state);
            self.until = Some(Instant::now() + LINGER);
            for (expected, _) in self.expected.iter_mut().filter(|(it, _)| it.within.is_some()) {
                let told = |slot| (slot, Err(Lost::error(cause.clone())));
                self.told.extend(expected.slot.take().map(told));
            }
            self.deliver();
        }
    }

    fn write(&mut self, context: &mut Context<'_>) -> Result<(), RedisError> {
        while self.written < self.output.len() {
            match self.socket.poll_write(context, &self.output[self.written..])? {
                Poll::Ready(written) => self.written += written,
                Poll::Pending => return Ok(()),
            }
        }
        self.output.clear();
        self.written = 0;
        Ok(())
    }

    /// Tells one part of the answers that are there; whether there were any.
    fn tell(&mut self) -> Result<bool, RedisError> {
        let part = part_of(self.expected.len());
        let mut replies = Replies::new(self.input.bytes());
        let (mut read, mut well) = (0, false);
        while self.told.len() < part {
            let answer = match self.expected.front() {
                Some((expected, _)) => reply(&mut replies, *expected),
                None => unasked(&mut replies)?,
            };
            match answer {
                Ok(answer) => {
                    read = replies.read();
                    self.passed = self.passed.saturating_sub(1);
                    let Some((Expected { slot: Some(slot), .. }, _)) = self.expected.pop_front()
                    else {
                        continue;
                    };
                    well |= !matches!(answer.found, Found::Refused(_));
                    self.told.push((slot, Ok(answer)));
                }
                Err(Stop::Incomplete) => break,
                Err(Stop::Nonsense) => return Err(nonsense()),
            }
        }
        self.input.consume(read);
        if self.told.is_empty() {
            return Ok(false);
        }
        if well {
            self.live.answered();
        } else {
            // Each of these errors is judged on its own.
            self.live.heard();
        }
        self.deliver();
        Ok(true)
    }

    /// Until a deadline passes that ends the connection.
    fn wait(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let idle = self.output.is_empty() && self.expected.is_empty();
            if self.until.is_some_and(|until| idle || until <= Instant::now()) {
                return Poll::Ready(());
            }
            let next = self.expected.iter().skip(self.passed).find_map(|(_, deadline)| *deadline);
            let next = next.map(|deadline| deadline.at);
            let Some(due) = next.into_iter().chain(self.until).min() else { return Poll::Pending };
            self.alarm.no_later_than(due);
            ready!(self.alarm.poll(context));
            self.expire(Instant::now());
        }
    }

    /// Who waits for longer than its deadline is told so; its answer, if it comes, is nobody's.
    fn expire(&mut self, now: Instant) {
        let mut silence = None;
        while let Some((expected, deadline)) = self.expected.get_mut(self.passed) {
            if deadline.as_mut().is_some_and(|deadline| !deadline.has_passed(now, self.came)) {
                break;
            }
            self.passed += 1;
            if deadline.is_none() {
                continue;
            }
            let Some(slot) = expected.slot.take() else { continue };
            self.told.push((slot, Err(Lost::Unanswered)));
            // What was sent together is one silence.
            if silence != *deadline {
                silence = *deadline;
                // A server that sends what is large is not silent.
                let sends =
                    deadline.zip(self.came).is_some_and(|(it, came)| came + it.within > now);
                if !sends {
                    self.live.unanswered();
                }
            }
        }
        self.deliver();
    }

    /// Puts what is told into its slots, and wakes those who wait there.
    fn deliver(&mut self) {
        let mut left = Vec::new();
        let mut state = self.wire.state();
        for (slot, told) in self.told.drain(..) {
            match std::mem::replace(&mut state.slots[slot], Slot::Free) {
                Slot::Waiting(waker) => {
                    state.slots[slot] = Slot::Done(told);
                    self.wakers.extend(waker);
                }
                Slot::Left(taken) => {
                    state.free.push(slot);
                    left.push((told, taken));
                }
                Slot::Free | Slot::Done(_) => {}
            }
        }
        drop(state);
        // Neither wakers nor releases run under the lock.
        self.wakers.drain(..).for_each(Waker::wake);
        for (told, taken) in left {
            settle(&Slot::Done(told), taken);
        }
    }
}

impl Drop for Actor {
    /// Nobody is left waiting, also where the runtime ends.
    fn drop(&mut self) {
        let broken = || RedisError::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        let mut state = self.wire.state();
        let end = state.end.get_or_insert_with(|| End { cause: broken(), over: true });
        end.over = true;
        let cause = end.cause.clone();
        let queued = std::mem::take(&mut state.expected);
        drop(state);
        let expected = self.expected.drain(..).map(|(expected, _)| expected).chain(queued);
        let slots = expected.filter_map(|expected| expected.slot);
        self.told.extend(slots.map(|slot| (slot, Err(Lost::error(cause.clone())))));
        self.deliver();
    }
}

/// How many answers are told at once, with a turn of the runtime before the next: what their
/// callers ask then is on its way to the server while the others are told. Told all at once, client
/// and server would work by turns instead of together (of 1, 2, 3 and 4 parts, 4 did most at 16 and
/// at 64 callers); few at a time, each would sleep and be woken for a handful.
fn part_of(expected: usize) -> usize {
    expected.div_ceil(4).max(4)
}

/// The whole answer to what was asked.
fn reply(replies: &mut Replies<'_>, expected: Expected) -> Result<Reply, Stop> {
    let age = expected.age.then(|| replies.next()).transpose()?;
    let found = match replies.next()? {
        Value::Nil => Found::Nothing,
        Value::BulkString(bytes) => Found::Bytes(bytes),
        value @ Value::ServerError(_) => match value.extract_error() {
            Err(error) => Found::Refused(Box::new(error)),
            Ok(_) => Found::Other,
        },
        _ => Found::Other,
    };
    let versions = expected.versions.then(|| replies.next()).transpose()?;
    let beside = (age.is_some() || versions.is_some()).then(|| Box::new(Beside { age, versions }));
    Ok(Reply { found, beside })
}

/// Nothing comes that was not asked for, but the word of a server that closes the connection.
fn unasked(replies: &mut Replies<'_>) -> Result<Result<Reply, Stop>, RedisError> {
    match replies.next() {
        Ok(value) => value.extract_error().and_then(|_| Err(nonsense())),
        Err(stop) => Ok(Err(stop)),
    }
}
