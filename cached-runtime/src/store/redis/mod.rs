//! The remote store: Redis or Valkey, standalone. The only place that names the redis crate.
//!
//! Each operation runs on the connection of the runtime it is polled on, under one deadline that
//! covers everything, connecting included.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{Cmd, RedisError, RedisWrite, ToRedisArgs, Value};

use self::endpoint::Endpoint;
use self::link::{Link, Live};
use self::scripts::{Scripts, send, unexpected};
use super::Failure;
use crate::config::Config;
use crate::entry::{self, Fence};
use crate::error::Error;
use crate::fault::Fault;
use crate::token::Token;

mod endpoint;
mod fault;
mod health;
mod lane;
mod link;
mod lookup;
mod scripts;

/// After a refused write, lookups only read for this long before they try to write again.
const WRITES_PAUSE: Duration = Duration::from_millis(500);
const SCAN_COUNT: usize = 1000;

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
    started: Instant,
    /// Until when, in ms since `started`, lookups only read.
    writes_paused_until: AtomicU64,
    /// Why.
    paused_by: Mutex<Option<Fault>>,
    /// The server does not know `SET … NX GET` (before version 7).
    plain: AtomicBool,
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
                started: Instant::now(),
                writes_paused_until: AtomicU64::new(0),
                paused_by: Mutex::new(None),
                plain: AtomicBool::new(false),
            }),
        })
    }

    pub(crate) fn server(&self) -> &str {
        self.inner.endpoint.health.server()
    }

    /// The link of the runtime this is called on, where there is one.
    pub(super) fn link_here(&self) -> Option<Arc<Link>> {
        tokio::runtime::Handle::try_current().ok().map(|here| self.inner.endpoint.link_of(&here))
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
        self.inner
            .scripts
            .claim
            .run(connection, self.full(key).to_string().as_bytes(), &arguments)
            .await
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
            let key = self.full(key).to_string();
            let stored =
                self.inner.scripts.commit.run(connection, key.as_bytes(), &arguments).await?;
            self.inner.endpoint.health.worked();
            Ok(stored)
        })
        .await
    }

    pub(crate) async fn release(&self, key: &str, fence: &Fence) -> Result<bool, Failure> {
        self.release_full(self.full(key).to_string().as_bytes(), fence).await
    }

    /// `key` in full.
    async fn release_full(&self, key: &[u8], fence: &Fence) -> Result<bool, Failure> {
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
        key: &[u8],
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
            self.inner
                .scripts
                .renew
                .run(connection, self.full(key).to_string().as_bytes(), &arguments)
                .await
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

    pub(crate) async fn delete(&self, keys: &[String]) -> Result<u64, Failure> {
        if keys.is_empty() {
            return Ok(0);
        }
        let mut cmd = Cmd::new();
        cmd.arg("DEL");
        for key in keys {
            cmd.arg(self.full(key));
        }
        self.promise(&cmd, |reply| match reply {
            Value::Int(count) => Some(u64::try_from(count).unwrap_or(0)),
            _ => None,
        })
        .await
    }

    /// SCAN and UNLINK, never KEYS. SCAN returns each key that is there from its beginning to
    /// its end, so what stood when this was called is gone when it returns.
    pub(crate) async fn sweep(&self, pattern: &str) -> Result<u64, Failure> {
        let pattern = self.full(pattern).to_string();
        let (mut cursor, mut removed) = (b"0".to_vec(), 0);
        loop {
            let mut scan = Cmd::new();
            scan.arg("SCAN").arg(&cursor[..]).arg("MATCH").arg(&pattern);
            scan.arg("COUNT").arg(SCAN_COUNT);
            let (next, keys) = self.promise(&scan, scanned).await?;
            if !keys.is_empty() {
                let mut unlink = Cmd::new();
                unlink.arg("UNLINK").arg(keys);
                removed += self
                    .promise(&unlink, |reply| match reply {
                        Value::Int(count) => Some(u64::try_from(count).unwrap_or(0)),
                        _ => None,
                    })
                    .await?;
            }
            if next == b"0" {
                return Ok(removed);
            }
            cursor = next;
        }
    }

    /// Sends a command that may safely be sent twice, until the deadline.
    async fn promise<T>(&self, cmd: &Cmd, read: impl Fn(Value) -> Option<T>) -> Result<T, Failure> {
        let give_up = Instant::now() + self.inner.invalidate_deadline;
        let mut broke = None;
        loop {
            let remaining = give_up.saturating_duration_since(Instant::now());
            let reply = self
                .within(remaining, Patience::Waits, async |connection| send(connection, cmd).await)
                .await;
            match reply {
                Ok(reply) => {
                    return read(reply).ok_or_else(|| {
                        Failure::new(Fault::Protocol, "an answer of an unexpected shape")
                    });
                }
                // What little time was left for the last try says nothing; why it was little does.
                Err(failure) if failure.fault == Fault::Timeout => {
                    return Err(broke.unwrap_or(failure));
                }
                Err(failure) if failure.fault != Fault::Unavailable => return Err(failure),
                Err(failure) if Instant::now() >= give_up => return Err(failure),
                // A connection that broke under the command; the next one may be a moment away.
                Err(failure) => {
                    broke = Some(failure);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
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
            live.give_up();
        } else {
            live.answered();
        }
        if !matches!(fault, Fault::WrongType | Fault::Timeout) {
            self.inner.endpoint.health.failed(fault, error.category());
        }
    }

    fn writes_paused(&self) -> bool {
        let now = u64::try_from(self.inner.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let until = self.inner.writes_paused_until.load(Ordering::Relaxed);
        until != 0 && now < until
    }

    /// Why writes are paused, or were last.
    fn paused_by(&self) -> Option<Fault> {
        *self.inner.paused_by.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pause_writes(&self, error: &RedisError) {
        let fault = fault::classify(error);
        *self.inner.paused_by.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
        let until = self.inner.started.elapsed() + WRITES_PAUSE;
        let until = u64::try_from(until.as_millis()).unwrap_or(u64::MAX);
        self.inner.writes_paused_until.store(until, Ordering::Relaxed);
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

impl std::fmt::Display for FullKey<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.namespace, self.key)
    }
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

/// The cursor and the keys of a SCAN's answer.
fn scanned(reply: Value) -> Option<(Vec<u8>, Vec<Vec<u8>>)> {
    let Value::Array(parts) = reply else { return None };
    let [Value::BulkString(cursor), Value::Array(keys)] = <[Value; 2]>::try_from(parts).ok()?
    else {
        return None;
    };
    let key = |key| if let Value::BulkString(bytes) = key { Some(bytes) } else { None };
    Some((cursor, keys.into_iter().map(key).collect::<Option<_>>()?))
}
