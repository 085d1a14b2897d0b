//! The lookup: fused with taking the lease where the server allows it, else in two steps.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::join_all;
use redis::{Cmd, Pipeline, RedisError, Value};

use super::lane::{self, Answer, Beside, Commands, Extras, Lost, Seen};
use super::line::Line;
use super::link::{Link, Live};
use super::rights::Right;
use super::scripts::{SET_IF_ABSENT, unexpected};
use super::{CHUNK, Patience, RedisStore, fault, wire};
use crate::entry::{self, Present};
use crate::fault::Fault;
use crate::io::{self, Task};
use crate::store::{Asked, Failure, Looked, Sight};
use crate::token::Token;

/// A lookup that was queued.
enum Queued<'a> {
    Wire(wire::Queued<'a>),
    Packed(lane::Queued),
    /// Nor will it be: the connection ends.
    Not(Lost),
}

/// By hand: each hit is moved about, and kept, as large as this is.
impl Future for Queued<'_> {
    type Output = Result<Seen, Lost>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::Wire(queued) => Pin::new(queued).poll(context),
            Self::Packed(queued) => Pin::new(queued).poll(context),
            Self::Not(lost) => Poll::Ready(Err(std::mem::replace(lost, Lost::Unanswered))),
        }
    }
}

impl RedisStore {
    /// Looks up on the link of the runtime this is polled on.
    pub(super) async fn lookup(&self, asked: Asked<'_>, token: &Token) -> Result<Sight, Failure> {
        let live = self.live().await?;
        self.lookup_on(live, asked, token).await
    }

    /// Looks up in any thread and any runtime: here where a connection is up, which is the hot path
    /// and has no box and no copy of the key, else where one can be had.
    ///
    /// Not an `async fn`, nor what it calls: that would keep its arguments twice, in each call's
    /// future.
    #[allow(clippy::manual_async_fn, reason = "an `async fn` keeps its arguments twice")]
    pub(in crate::store) fn lookup_anywhere<'a>(
        &'a self,
        asked: Asked<'a>,
        token: &'a Token,
    ) -> impl Future<Output = Result<Sight, Failure>> + use<'a> {
        async move {
            if let Some(bulk) = self.in_bulk(asked.large) {
                return bulk.lookup_boxed(asked, token).await;
            }
            match self.live_here() {
                Some(live) => self.lookup_on(live, asked, token).await,
                None => Box::pin(self.lookup_elsewhere(asked, token)).await,
            }
        }
    }

    /// The same, by itself and in a box.
    #[cold]
    fn lookup_boxed<'a>(
        self,
        asked: Asked<'a>,
        token: &'a Token,
    ) -> Pin<Box<dyn Future<Output = Result<Sight, Failure>> + Send + 'a>> {
        Box::pin(async move { self.lookup_anywhere(asked, token).await })
    }

    #[cold]
    fn lookup_elsewhere(
        &self,
        asked: Asked<'_>,
        token: &Token,
    ) -> impl Future<Output = Result<Sight, Failure>> + use<> {
        let (store, token) = (self.clone(), *token);
        let asked = asked.kept();
        let lookup = async move { store.lookup(asked.as_asked(), &token).await };
        Task::pending(lookup).wait()
    }

    #[allow(clippy::manual_async_fn, reason = "an `async fn` keeps its arguments twice")]
    fn lookup_on<'a>(
        &'a self,
        live: Arc<Live>,
        asked: Asked<'a>,
        token: &'a Token,
    ) -> impl Future<Output = Result<Sight, Failure>> + use<'a> {
        async move {
            if self.asking || self.inner.writes.paused() || self.inner.rights.lacks(asked) {
                return Box::pin(self.plain(asked, token)).await;
            }
            let _place = self.inner.in_flight.enter()?;
            match self.ask(&live, asked, token).await {
                Ok(seen) => self.sight(&live, seen, asked),
                Err(Lost::Unanswered) => Err(self.unanswered_lookup()),
                Err(Lost::Error(error)) => {
                    Box::pin(self.refused(&live, &error, asked, token)).await
                }
            }
        }
    }

    /// Several lookups, which leave as one pipeline; very many as several, one after the other.
    pub(crate) async fn lookups(
        &self,
        asked: &[Asked<'_>],
        tokens: &[Token],
    ) -> Vec<Result<Sight, Failure>> {
        if let Some(bulk) = self.in_bulk(asked.iter().any(|asked| asked.large)) {
            return Box::pin(bulk.lookups(asked, tokens)).await;
        }
        let live = match self.live().await {
            Ok(live) => live,
            Err(failure) => return failure.of_each(asked.len()),
        };
        let all = || asked.iter().copied().zip(tokens);
        let writes = &self.inner.writes;
        if writes.paused() || asked.iter().any(|asked| self.inner.rights.lacks(*asked)) {
            return join_all(all().map(|(asked, token)| self.plain(asked, token))).await;
        }
        let _place = match self.inner.in_flight.enter() {
            Ok(place) => place,
            Err(failure) => return failure.of_each(asked.len()),
        };
        // What they took gives itself up until the last has come.
        let mut answers = Vec::with_capacity(asked.len());
        for chunk in all().collect::<Vec<_>>().chunks(CHUNK) {
            let queued: Vec<_> =
                chunk.iter().map(|&(asked, token)| self.ask(&live, asked, token)).collect();
            for queued in queued {
                answers.push(queued.await);
            }
            // A server that does not answer is not asked for the rest.
            if matches!(answers.last(), Some(Err(Lost::Unanswered))) {
                break;
            }
        }
        answers.resize_with(asked.len(), || Err(Lost::Unanswered));
        let refused = all().zip(&answers).filter_map(|((asked, token), answer)| match answer {
            Err(Lost::Error(error)) => Some(self.refused(&live, error, asked, token)),
            _ => None,
        });
        let mut refused = join_all(refused).await.into_iter();
        let sights = answers.into_iter().zip(asked).map(|(answer, &asked)| match answer {
            Ok(seen) => self.sight(&live, seen, asked),
            Err(Lost::Error(_)) => refused.next().unwrap_or_else(|| Err(self.unanswered_lookup())),
            Err(Lost::Unanswered) => Err(self.unanswered_lookup()),
        });
        sights.collect()
    }

    async fn live(&self) -> Result<Arc<Live>, Failure> {
        let link = self.endpoint().link();
        match link.live_now() {
            Some(live) => Ok(live),
            None => self.first_connection(&link).await,
        }
    }

    /// Queues a lookup: on its own lane where the server can be reached by one.
    fn ask<'a>(&'a self, live: &'a Arc<Live>, asked: Asked<'a>, token: &'a Token) -> Queued<'a> {
        match live.wire() {
            Some(wire) => wire.ask(self, live, asked, token).map_or_else(Queued::Not, Queued::Wire),
            None => {
                let commands = self.commands(live.fuses(), asked, token);
                Queued::Packed(lane::ask(self, live, commands))
            }
        }
    }

    /// What was seen; a lease that was taken is the caller's from here on. Not where the rest was
    /// refused: the caller goes on without the store then.
    fn sight(&self, live: &Live, seen: Seen, asked: Asked<'_>) -> Result<Sight, Failure> {
        let Seen { answer, beside } = seen;
        let Beside { age, versions } = beside.map(|beside| *beside).unwrap_or_default();
        let beside = self.read_beside(asked, age, versions);
        let (remaining, versions) = match beside {
            Ok(beside) => beside,
            Err(error) => return Err(self.useless(live, &error)),
        };
        let looked = match answer {
            Answer::Leased(taken) => {
                taken.keep();
                Looked::Leased
            }
            Answer::Present(bytes) => Looked::Present(bytes),
            Answer::Unexpected => return Err(self.useless(live, &unexpected("SET with GET"))),
        };
        self.inner.endpoint.health.worked();
        let told = self.endpoint().is_last(live.found());
        Ok(Sight { looked, aged: asked.age, remaining, versions, told })
    }

    fn unanswered_lookup(&self) -> Failure {
        self.no_answer(self.inner.lookup_deadline)
    }

    /// An answer that is an error, or none that the command has.
    #[cold]
    fn useless(&self, live: &Live, error: &RedisError) -> Failure {
        self.failed(live, error);
        fault::failure(error)
    }

    /// Waits for a runtime's very first attempt to connect, within the deadline; a link that is
    /// known to be down answers at once.
    #[cold]
    async fn first_connection(&self, link: &Link) -> Result<Arc<Live>, Failure> {
        let deadline = self.inner.lookup_deadline;
        io::timeout(deadline, link.live()).await.unwrap_or_else(|| {
            let failure = self.no_connection(link, deadline);
            self.endpoint().health.unanswered(&failure.message);
            Err(failure)
        })
    }

    /// `SET key lease NX GET PX ms` returns what is there, and takes the lease where nothing is. It
    /// costs the server what a GET costs. Servers that do not know it are given a script. Beside it
    /// what else was asked.
    fn commands(&self, fuses: bool, asked: Asked<'_>, token: &Token) -> Commands {
        let layout = &self.inner.layout;
        let key = layout.entry(asked.key, !asked.tags.is_empty());
        let mut fused = Cmd::with_capacity(7, layout.namespace_len() + asked.key.len() + 48);
        let lease = &entry::lease(token)[..];
        if fuses {
            fused.arg("SET").arg(key).arg(lease);
            fused.arg("NX").arg("GET").arg("PX").arg(self.inner.lease_millis);
        } else {
            fused.arg("EVAL").arg(SET_IF_ABSENT).arg(1);
            fused.arg(key).arg(lease).arg(self.inner.lease_millis);
        }
        let extras = (asked.age || !asked.tags.is_empty()).then(|| Box::new(self.extras(asked)));
        Commands { fused, extras }
    }

    fn extras(&self, asked: Asked<'_>) -> Extras {
        let layout = &self.inner.layout;
        let age = asked.age.then(|| {
            let mut age = Cmd::new();
            age.arg("PTTL").arg(layout.entry(asked.key, !asked.tags.is_empty()));
            age
        });
        let versions = (!asked.tags.is_empty()).then(|| {
            let mut versions = Cmd::new();
            versions.arg("MGET");
            for tag in asked.tags {
                versions.arg(layout.tag_of(asked.key, tag));
            }
            versions
        });
        Extras { age, versions }
    }

    /// The server answered the fused lookup with an error.
    #[cold]
    async fn refused(
        &self,
        live: &Live,
        error: &RedisError,
        asked: Asked<'_>,
        token: &Token,
    ) -> Result<Sight, Failure> {
        if fault::is_wrong_type(error) {
            // The versions of its tags are captured together with the claim.
            let versions = vec![None; asked.tags.len()];
            let (looked, aged) = (Looked::WrongType, asked.age);
            return Ok(Sight { looked, aged, remaining: None, versions, told: true });
        }
        if !fault::reads_still_hold(error) {
            return Err(self.useless(live, error));
        }
        if fault::is_syntax_error(error) {
            live.never_fuses();
        } else {
            self.pause_writes(error);
        }
        self.plain(asked, token).await
    }

    /// GET, and where there is nothing a script that takes the lease, unless writes are refused.
    async fn plain(&self, asked: Asked<'_>, token: &Token) -> Result<Sight, Failure> {
        self.within(self.inner.lookup_deadline, Patience::None, async |line| {
            let mut sight = self.read_on(line, asked).await?;
            if sight.looked == Looked::Unleased(None) {
                sight.looked = self.claim_unless_refused(line, asked, token).await?;
                // Another was faster, and is to be waited for.
                if sight.looked == Looked::Unleased(None) {
                    sight = self.read_on(line, asked).await?;
                }
            }
            if self.is_stuck(&sight.looked) {
                sight.looked = Looked::Unleased(self.inner.writes.paused_by());
            }
            Ok(sight)
        })
        .await
    }

    async fn claim_unless_refused(
        &self,
        line: &mut Line,
        asked: Asked<'_>,
        token: &Token,
    ) -> Result<Looked, RedisError> {
        if self.inner.writes.paused() {
            return Ok(Looked::Unleased(self.inner.writes.paused_by()));
        }
        if self.inner.rights.lacks(asked) {
            return Ok(Looked::Unleased(Some(Fault::Forbidden)));
        }
        let key = self.inner.layout.entry(asked.key, !asked.tags.is_empty());
        match self.claim_on(line, key, token).await {
            Ok(true) => Ok(Looked::Leased),
            Ok(false) => Ok(Looked::Unleased(None)),
            Err(error) if fault::reads_still_hold(&error) => {
                self.pause_writes(&error);
                Ok(Looked::Unleased(Some(fault::classify(&error))))
            }
            Err(error) => Err(error),
        }
    }

    /// A lease on a server that refuses writes: whoever has it can store nothing, and maybe not even
    /// give it up, so there is nothing to wait for. Where only this process may not write, there is.
    fn is_stuck(&self, looked: &Looked) -> bool {
        let Looked::Present(bytes) = looked else { return false };
        self.inner.writes.paused() && entry::classify(bytes) == Present::Lease
    }

    /// What was asked beside the entry; the first refusal of either is noted.
    fn read_beside(
        &self,
        asked: Asked<'_>,
        age: Option<Value>,
        versions: Option<Value>,
    ) -> Result<(Option<Duration>, Vec<Option<Token>>), RedisError> {
        let age = remaining(age).inspect_err(|error| self.noting(Right::Ages, error));
        let versions = known_versions(asked, versions);
        let versions = versions.inspect_err(|error| self.noting(Right::Tags, error));
        Ok((age?, versions?))
    }

    pub(crate) async fn read(&self, asked: Asked<'_>) -> Result<Sight, Failure> {
        if let Some(bulk) = self.in_bulk(asked.large) {
            return Box::pin(bulk.read(asked)).await;
        }
        self.within(self.inner.lookup_deadline, Patience::Waits, async |line| {
            self.read_on(line, asked).await
        })
        .await
    }

    /// GET in one pipeline with what else is asked; nothing there is "no lease was taken".
    async fn read_on(&self, line: &mut Line, asked: Asked<'_>) -> Result<Sight, RedisError> {
        let Extras { age, versions } = self.extras(asked);
        let mut get = Cmd::new();
        get.arg("GET").arg(self.inner.layout.entry(asked.key, !asked.tags.is_empty()));
        let (aged, tagged) = (age.is_some(), versions.is_some());
        let mut pipeline = Pipeline::with_capacity(3);
        for cmd in age.into_iter().chain([get]).chain(versions) {
            pipeline.add_command(cmd);
        }
        let replies = line.send_all(&pipeline).await?;
        let mut replies = replies.into_iter();
        let age = if aged { replies.next() } else { None };
        let found = replies.next().ok_or_else(|| unexpected("GET"))?.extract_error();
        let versions = if tagged { replies.next() } else { None };
        let looked = match found {
            Ok(Value::BulkString(bytes)) => Looked::Present(bytes),
            Ok(Value::Nil) => Looked::Unleased(None),
            Ok(_) => return Err(unexpected("GET")),
            Err(error) if error.code() == Some("WRONGTYPE") => Looked::WrongType,
            Err(error) => return Err(error),
        };
        let (remaining, versions) = self.read_beside(asked, age, versions)?;
        let told = self.endpoint().is_last(line.found());
        Ok(Sight { looked, aged: asked.age, remaining, versions, told })
    }

    pub(super) fn no_answer(&self, deadline: Duration) -> Failure {
        let message = format!("{} did not answer within {deadline:?}", self.server());
        Failure::new(Fault::Timeout, message)
    }

    pub(super) fn no_connection(&self, link: &Link, deadline: Duration) -> Failure {
        link.last_failure().unwrap_or_else(|| {
            let message = format!("no connection to {} within {deadline:?}", self.server());
            Failure::new(Fault::Unavailable, message)
        })
    }
}

/// What `PTTL` said, where it was asked: `None` for a key that was not there, or does not expire.
fn remaining(reply: Option<Value>) -> Result<Option<Duration>, RedisError> {
    Ok(match reply.map(Value::extract_error).transpose()? {
        Some(Value::Int(millis)) => u64::try_from(millis).ok().map(Duration::from_millis),
        _ => None,
    })
}

/// What `MGET` said of the tags, where there are any.
fn known_versions(
    asked: Asked<'_>,
    reply: Option<Value>,
) -> Result<Vec<Option<Token>>, RedisError> {
    match reply.map(Value::extract_error).transpose()? {
        None if asked.tags.is_empty() => Ok(Vec::new()),
        Some(Value::Array(versions)) if versions.len() == asked.tags.len() => {
            // Something else under a tag's name is no version.
            let version = |value: Value| match value {
                Value::BulkString(bytes) => bytes.as_slice().try_into().ok(),
                _ => None,
            };
            Ok(versions.into_iter().map(version).collect())
        }
        _ => Err(unexpected("MGET")),
    }
}
