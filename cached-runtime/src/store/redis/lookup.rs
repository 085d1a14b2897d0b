//! The lookup: fused with taking the lease where the server allows it, else in two steps.

use std::sync::Arc;

use redis::{Cmd, RedisError, Value};

use super::lane::{self, Answer, Lost};
use super::link::{Link, Live};
use super::scripts::{send, unexpected};
use super::{Patience, RedisStore, fault};
use crate::entry;
use crate::fault::Fault;
use crate::store::{Failure, Looked};
use crate::token::Token;

impl RedisStore {
    /// Looks up on the link of the runtime this is polled on.
    pub(crate) async fn lookup(&self, key: &str, token: &Token) -> Result<Looked, Failure> {
        let link = self.inner.endpoint.link();
        let live = match link.live_now() {
            Some(live) => live,
            None => self.first_connection(&link).await?,
        };
        self.lookup_on(live, key, token).await
    }

    pub(in crate::store) async fn lookup_on(
        &self,
        live: Arc<Live>,
        key: &str,
        token: &Token,
    ) -> Result<Looked, Failure> {
        if !self.inner.writes.fused() {
            return self.plain(key, token).await;
        }
        match lane::ask(self, &live, self.fused(key, token)).await {
            Ok(Answer::Leased(taken)) => {
                self.inner.endpoint.health.worked();
                taken.keep();
                Ok(Looked::Leased)
            }
            Ok(Answer::Present(bytes)) => {
                self.inner.endpoint.health.worked();
                Ok(Looked::Present(bytes))
            }
            Ok(Answer::Unexpected) => {
                let error = unexpected("SET with GET");
                self.failed(&live, &error);
                Err(fault::failure(&error))
            }
            Err(Lost::Unanswered) => Err(self.no_answer(self.inner.lookup_deadline)),
            Err(Lost::Error(error)) => self.refused(&live, &error, key, token).await,
        }
    }

    /// Waits for a runtime's very first attempt to connect, within the deadline; a link that is
    /// known to be down answers at once.
    #[cold]
    async fn first_connection(&self, link: &Link) -> Result<Arc<Live>, Failure> {
        let deadline = self.inner.lookup_deadline;
        tokio::time::timeout(deadline, link.live())
            .await
            .unwrap_or_else(|_| Err(self.no_connection(link, deadline)))
    }

    /// `SET key lease NX GET PX ms`: returns what is there, and takes the lease where nothing
    /// is. It costs the server what a GET costs.
    fn fused(&self, key: &str, token: &Token) -> Cmd {
        let mut cmd = Cmd::with_capacity(7, self.inner.namespace.len() + key.len() + 48);
        cmd.arg("SET").arg(self.full(key)).arg(&entry::lease(token)[..]);
        cmd.arg("NX").arg("GET").arg("PX").arg(self.inner.lease_millis);
        cmd
    }

    /// The server answered the fused lookup with an error.
    #[cold]
    async fn refused(
        &self,
        live: &Live,
        error: &RedisError,
        key: &str,
        token: &Token,
    ) -> Result<Looked, Failure> {
        if error.code() == Some("WRONGTYPE") {
            return Ok(Looked::WrongType);
        }
        if !fault::reads_still_hold(error) {
            self.failed(live, error);
            return Err(fault::failure(error));
        }
        if fault::is_syntax_error(error) {
            self.inner.writes.never_fuse();
        } else {
            self.pause_writes(error);
        }
        self.plain(key, token).await
    }

    /// GET, and where there is nothing a script that takes the lease, unless writes are refused.
    async fn plain(&self, key: &str, token: &Token) -> Result<Looked, Failure> {
        self.within(self.inner.lookup_deadline, Patience::None, async |connection| {
            let mut get = Cmd::new();
            get.arg("GET").arg(self.full(key));
            match send(connection, &get).await {
                Ok(Value::BulkString(bytes)) => Ok(Looked::Present(bytes)),
                Ok(Value::Nil) if self.inner.writes.paused() => {
                    Ok(Looked::Unleased(self.inner.writes.paused_by()))
                }
                Ok(Value::Nil) => match self.claim_on(connection, key, token).await {
                    Ok(true) => Ok(Looked::Leased),
                    Ok(false) => Ok(Looked::Unleased(None)),
                    Err(error) if fault::reads_still_hold(&error) => {
                        self.pause_writes(&error);
                        Ok(Looked::Unleased(Some(fault::classify(&error))))
                    }
                    Err(error) => Err(error),
                },
                Ok(_) => Err(unexpected("GET")),
                Err(error) if error.code() == Some("WRONGTYPE") => Ok(Looked::WrongType),
                Err(error) => Err(error),
            }
        })
        .await
    }

    pub(super) fn no_answer(&self, deadline: std::time::Duration) -> Failure {
        let message = format!("{} did not answer within {deadline:?}", self.server());
        Failure::new(Fault::Timeout, message)
    }

    pub(super) fn no_connection(&self, link: &Link, deadline: std::time::Duration) -> Failure {
        link.last_failure().unwrap_or_else(|| {
            let message = format!("no connection to {} within {deadline:?}", self.server());
            Failure::new(Fault::Unavailable, message)
        })
    }
}
