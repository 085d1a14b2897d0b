//! The remote store: Redis or Valkey, standalone. The only place that names the redis crate.
//!
//! Each operation runs on the connection of the runtime it is polled on, under one deadline that
//! covers everything, connecting included.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, RedisError, RedisWrite, ToRedisArgs, Value};

use self::endpoint::Endpoint;
use self::link::Live;
use self::scripts::{Scripts, send, unexpected};
use self::writes::Writes;
use super::Failure;
use crate::config::Config;
use crate::entry::{self, Fence};
use crate::error::Error;
use crate::fault::Fault;
use crate::io;
use crate::token::Token;

mod endpoint;
mod fault;
mod health;
mod lane;
mod link;
mod lookup;
mod promise;
mod scripts;
mod writes;

#[derive(Clone)]
pub(crate) struct RedisStore {
    inner: Arc<Inner>,
}

struct Inner {
    endpoint: Endpoint,
    namespace: String,
    lookup_deadline: Duration,
    commit_deadline: Duration,
    invalidate_deadline: Duration,
    lease_millis: u64,
    scripts: Scripts,
    writes: Writes,
}

/// Whether an operation waits for a connection that is down.
#[derive(Clone, Copy)]
enum Patience {
    /// No: a cached call goes on with its body.
    None,
    /// Yes, until the deadline: it keeps a promise.
    Waits,
}

impl RedisStore {
    pub(crate) fn open(url: &str, config: &Config) -> Result<Self, Error> {
        Ok(Self {
            inner: Arc::new(Inner {
                endpoint: Endpoint::open(url)?,
                namespace: config.namespace.clone(),
                lookup_deadline: config.lookup_deadline,
                commit_deadline: config.commit_deadline,
                invalidate_deadline: config.invalidate_deadline,
                lease_millis: u64::try_from(config.lease.as_millis()).unwrap_or(u64::MAX),
                scripts: Scripts::new(),
                writes: Writes::new(),
            }),
        })
    }

    pub(crate) fn server(&self) -> &str {
        self.inner.endpoint.health.server()
    }

    /// The connection of the runtime this is called on, where there is one that is up.
    pub(super) fn live_here(&self) -> Option<Arc<Live>> {
        self.inner.endpoint.live_of(&io::here()?)
    }

    pub(crate) async fn connect(&self) -> Result<(), Failure> {
        self.within(self.inner.invalidate_deadline, Patience::None, async |_| Ok(())).await
    }

    pub(crate) async fn claim(&self, key: &str, token: &Token) -> Result<bool, Failure> {
        self.within(self.inner.commit_deadline, Patience::None, async |connection| {
            self.claim_on(connection, key, token).await
        })
        .await
    }

    async fn claim_on(
        &self,
        connection: &mut MultiplexedConnection,
        key: &str,
        token: &Token,
    ) -> Result<bool, RedisError> {
        let lease_millis = self.inner.lease_millis.to_string();
        let arguments = [&entry::lease(token)[..], lease_millis.as_bytes()];
        self.inner.scripts.claim.run(connection, &self.full(key), &arguments).await
    }

    pub(crate) async fn commit(
        &self,
        key: &str,
        fence: &Fence,
        value: &[u8],
        ttl: Duration,
    ) -> Result<bool, Failure> {
        let ttl = millis(ttl);
        self.within(self.inner.commit_deadline, Patience::None, async |connection| {
            let len = exact_len(fence);
            let arguments = [&fence.prefix, len.as_bytes(), value, ttl.as_bytes()];
            let key = self.full(key);
            let stored = self.inner.scripts.commit.run(connection, &key, &arguments).await?;
            self.inner.endpoint.health.worked();
            Ok(stored)
        })
        .await
    }

    pub(crate) async fn release(&self, key: &str, fence: &Fence) -> Result<bool, Failure> {
        self.release_full(&self.full(key), fence).await
    }

    /// `key` in full.
    async fn release_full(
        &self,
        key: &(impl ToRedisArgs + Sync),
        fence: &Fence,
    ) -> Result<bool, Failure> {
        let lease = Duration::from_millis(self.inner.lease_millis);
        self.within(lease, Patience::Waits, async |connection| {
            self.release_on(connection, key, fence).await
        })
        .await
    }

    /// `key` in full.
    async fn release_on(
        &self,
        connection: &mut MultiplexedConnection,
        key: &(impl ToRedisArgs + Sync),
        fence: &Fence,
    ) -> Result<bool, RedisError> {
        let len = exact_len(fence);
        let arguments = [&fence.prefix[..], len.as_bytes()];
        self.inner.scripts.release.run(connection, key, &arguments).await
    }

    pub(crate) async fn renew(&self, key: &str, fence: &Fence) -> Result<bool, Failure> {
        let lease_millis = self.inner.lease_millis.to_string();
        self.within(self.inner.commit_deadline, Patience::None, async |connection| {
            let arguments = [&fence.prefix[..], lease_millis.as_bytes()];
            self.inner.scripts.renew.run(connection, &self.full(key), &arguments).await
        })
        .await
    }

    pub(crate) async fn put(&self, key: &str, value: &[u8], ttl: Duration) -> Result<(), Failure> {
        self.within(self.inner.invalidate_deadline, Patience::Waits, async |connection| {
            let mut cmd = Cmd::new();
            cmd.arg("SET").arg(self.full(key)).arg(value).arg("PX").arg(millis(ttl));
            send(connection, &cmd).await.map(|_| ())
        })
        .await
    }

    pub(crate) async fn read(&self, key: &str) -> Result<Option<Vec<u8>>, Failure> {
        self.within(self.inner.lookup_deadline, Patience::Waits, async |connection| {
            let mut cmd = Cmd::new();
            cmd.arg("GET").arg(self.full(key));
            match send(connection, &cmd).await {
                Ok(Value::BulkString(bytes)) => Ok(Some(bytes)),
                Ok(Value::Nil) => Ok(None),
                Ok(_) => Err(unexpected("GET")),
                Err(error) if error.code() == Some("WRONGTYPE") => Ok(None),
                Err(error) => Err(error),
            }
        })
        .await
    }

    /// One deadline around everything: the connection, where it must be waited for, and the
    /// operation. What fails is told to the link and to the log of state changes.
    async fn within<T>(
        &self,
        deadline: Duration,
        patience: Patience,
        operation: impl AsyncFnOnce(&mut MultiplexedConnection) -> Result<T, RedisError>,
    ) -> Result<T, Failure> {
        let link = self.inner.endpoint.link();
        let mut used: Option<Arc<Live>> = None;
        let outcome = tokio::time::timeout(deadline, async {
            let live = match patience {
                Patience::None => link.live().await?,
                Patience::Waits => link.live_or_wait().await?,
            };
            let mut connection = live.connection();
            let live = used.insert(live);
            let result = operation(&mut connection).await;
            if let Err(error) = &result {
                self.failed(live, error);
            } else {
                live.answered();
            }
            result.map_err(|error| fault::failure(&error))
        })
        .await;
        outcome.unwrap_or_else(|_| match used {
            Some(live) => {
                self.unanswered(&live);
                Err(self.no_answer(deadline))
            }
            None => Err(self.no_connection(&link, deadline)),
        })
    }

    fn unanswered(&self, live: &Live) {
        if live.unanswered() {
            self.inner.endpoint.health.failed(Fault::Timeout, "no answer");
        }
    }

    fn failed(&self, live: &Live, error: &RedisError) {
        let fault = fault::classify(error);
        if fault::ends_connection(error) {
            live.give_up(fault::failure(error));
        } else {
            live.answered();
        }
        if !matches!(fault, Fault::WrongType | Fault::Timeout) {
            self.inner.endpoint.health.failed(fault, error.category());
        }
    }

    /// The server refused a write whose reads still hold.
    fn pause_writes(&self, error: &RedisError) {
        let fault = fault::classify(error);
        self.inner.writes.pause(fault);
        self.inner.endpoint.health.failed(fault, error.category());
    }

    fn full<'a>(&'a self, key: &'a str) -> FullKey<'a> {
        FullKey { namespace: &self.inner.namespace, key }
    }
}

/// `{namespace}:{key}`, written into a command without a string of its own.
struct FullKey<'a> {
    namespace: &'a str,
    key: &'a str,
}

impl ToRedisArgs for FullKey<'_> {
    fn write_redis_args<W: ?Sized + RedisWrite>(&self, out: &mut W) {
        use std::io::Write as _;
        let mut writer = out.writer_for_next_arg();
        for part in [self.namespace, ":", self.key] {
            // Into memory, which cannot fail.
            let _ = writer.write_all(part.as_bytes());
        }
    }
}

fn exact_len(fence: &Fence) -> String {
    fence.len.map(|len| len.to_string()).unwrap_or_default()
}

fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}
