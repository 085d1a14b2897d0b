//! Deletions: what the cache promises. They wait for a connection that is down and are sent again
//! where one breaks, until their deadline, since a deletion may safely happen twice.

use std::time::{Duration, Instant};

use redis::{Cmd, Value};

use super::scripts::send;
use super::{Patience, RedisStore, probe};
use crate::fault::Fault;
use crate::store::Failure;

const SCAN_COUNT: usize = 1000;

impl RedisStore {
    /// One command for entries and tags. Where both are given, the answer's count is of both.
    pub(crate) async fn delete(&self, keys: &[String], tags: &[String]) -> Result<u64, Failure> {
        if keys.is_empty() && tags.is_empty() {
            return Ok(0);
        }
        let layout = &self.inner.layout;
        let mut cmd = Cmd::new();
        cmd.arg("DEL");
        for key in keys.iter().flat_map(|key| layout.entries(key)) {
            cmd.arg(key);
        }
        for tag in tags.iter().flat_map(|tag| layout.tags(tag)) {
            cmd.arg(tag);
        }
        self.promise(&cmd, |reply| count(&reply)).await
    }

    /// SCAN and UNLINK, never KEYS. SCAN returns each key that is there from its beginning to
    /// its end, so what stood when this was called is gone when it returns. A server that is no
    /// primary any more walks as well, over what it has; so the last word is always an UNLINK, which
    /// it refuses, be it of nothing.
    pub(crate) async fn sweep(&self, pattern: &str) -> Result<u64, Failure> {
        let pattern = self.inner.layout.entry(pattern, false);
        let nothing = self.inner.layout.entry(probe::KEY, false);
        let (mut cursor, mut removed) = (b"0".to_vec(), 0);
        let mut scanning = self.serial();
        loop {
            let mut scan = Cmd::new();
            scan.arg("SCAN").arg(&cursor[..]).arg("MATCH").arg(pattern);
            scan.arg("COUNT").arg(SCAN_COUNT);
            let (next, keys) = self.promise(&scan, scanned).await?;
            let last = next == b"0";
            if last || !keys.is_empty() {
                let mut unlink = Cmd::new();
                unlink.arg("UNLINK");
                // A key that the library makes for itself, and that never holds anything.
                if keys.is_empty() {
                    unlink.arg(nothing)
                } else {
                    unlink.arg(keys)
                };
                removed += self.promise(&unlink, |reply| count(&reply)).await?;
            }
            // A cursor means something to the server that gave it only: after a reconnection, which
            // may lead to another one, the walk begins anew.
            let serial = self.serial();
            if serial != scanning {
                (scanning, cursor) = (serial, b"0".to_vec());
                continue;
            }
            if last {
                return Ok(removed);
            }
            cursor = next;
        }
    }

    /// Which connection is up.
    fn serial(&self) -> Option<u64> {
        self.inner.endpoint.link().live_now().map(|live| live.serial())
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
}

fn count(reply: &Value) -> Option<u64> {
    match reply {
        Value::Int(count) => Some(u64::try_from(*count).unwrap_or(0)),
        _ => None,
    }
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
