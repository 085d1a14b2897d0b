//! Deletions: what the cache promises. They wait for a connection that is down and are sent again
//! where one breaks, until their deadline, since a deletion may safely happen twice.

use std::time::{Duration, Instant};

use redis::{Cmd, Value};

use super::cluster::Standing;
use super::line::Line;
use super::removal::Deletion;
use super::{Patience, RedisStore, probe};
use crate::fault::Fault;
use crate::store::Failure;

const SCAN_COUNT: usize = 1000;

/// What a walk over one server came to.
#[derive(Clone, Copy, Default)]
pub(super) struct Walked {
    pub(super) removed: u64,
    /// Keys were on their way to or from another server.
    pub(super) moving: bool,
}

/// A walk over one server of a cluster, and where that stands.
pub(super) struct Stood {
    pub(super) walked: Walked,
    /// It had the same slots all the time.
    pub(super) still: bool,
    pub(super) after: Standing,
}

impl Walked {
    fn add(&mut self, other: Self) {
        self.removed += other.removed;
        self.moving |= other.moving;
    }
}

impl RedisStore {
    /// One command for entries and tags. Where both are given, the answer's count is of both.
    pub(crate) async fn delete(&self, keys: &[String], tags: &[String]) -> Result<u64, Failure> {
        if keys.is_empty() && tags.is_empty() {
            return Ok(0);
        }
        let layout = &self.inner.layout;
        let names = keys.iter().flat_map(|key| layout.entries(key));
        let names: Vec<_> = names.chain(tags.iter().flat_map(|tag| layout.tags(tag))).collect();
        self.confirming().remove(Deletion::Del, &names).await
    }

    /// SCAN and UNLINK, never KEYS. SCAN returns each key that is there from its beginning to
    /// its end, so what stood when this was called is gone when it returns. A server that is no
    /// primary any more walks as well, over what it has; so the last word is always an UNLINK, which
    /// it refuses, be it of nothing.
    pub(crate) async fn sweep(&self, pattern: &str) -> Result<u64, Failure> {
        let (this, mut removed) = (self.confirming(), 0);
        for pattern in self.inner.layout.patterns(pattern) {
            removed += this.walk(&pattern).await?.removed;
        }
        Ok(removed)
    }

    /// The same on one server of a cluster, which stands where the outcome says at its end. Its last
    /// word is that it is a primary.
    pub(super) async fn walk_in_cluster(&self, patterns: &[Vec<u8>]) -> Result<Stood, Failure> {
        let this = self.confirming();
        let before = this.standing().await?;
        let mut walked = Walked::default();
        for pattern in patterns {
            walked.add(this.walk(pattern).await?);
        }
        let after = this.standing().await?;
        let still = before.slots == after.slots;
        walked.moving |= before.moving || after.moving;
        Ok(Stood { walked, still, after })
    }

    async fn walk(&self, pattern: &[u8]) -> Result<Walked, Failure> {
        let (mut cursor, mut whole) = (b"0".to_vec(), Walked::default());
        let mut scanning = self.serial();
        loop {
            let mut scan = Cmd::new();
            scan.arg("SCAN").arg(&cursor[..]).arg("MATCH").arg(pattern);
            scan.arg("COUNT").arg(SCAN_COUNT);
            // It changes nothing that replicas would have to have.
            let (next, mut keys) = self.kept(&scan, scanned, false).await?;
            let last = next == b"0";
            if self.inner.layout.is_striped() {
                whole.add(self.unlink_each(keys).await?);
            } else if last || !keys.is_empty() {
                if keys.is_empty() {
                    // One that the library makes for itself, and that never holds anything.
                    keys.push(self.inner.layout.entry(probe::KEY, false).to_bytes());
                }
                whole.removed += self.unlink(keys).await?;
            }
            // A cursor means something to the server that gave it only: after a reconnection, which
            // may lead to another one, the walk begins anew.
            let serial = self.serial();
            if serial != scanning {
                (scanning, cursor) = (serial, b"0".to_vec());
                continue;
            }
            if last {
                return Ok(whole);
            }
            cursor = next;
        }
    }

    async fn unlink(&self, keys: Vec<Vec<u8>>) -> Result<u64, Failure> {
        self.remove(Deletion::Unlink, &keys).await
    }

    /// Keys in slots of their own, of which one command may not name two. They were seen here, be the
    /// slot still on its way.
    async fn unlink_each(&self, keys: Vec<Vec<u8>>) -> Result<Walked, Failure> {
        let mut whole = Walked::default();
        if keys.is_empty() {
            return Ok(whole);
        }
        let (keys, deadline) = (keys.iter().map(Vec::as_slice), self.inner.invalidate_deadline);
        let keys: Vec<_> = keys.collect();
        for count in self.asking().remove_each(Deletion::Unlink, &keys, deadline).await? {
            match count {
                Ok(count) => whole.removed += count,
                // It went to another server since it was seen here.
                Err(failure) if failure.redirect.is_some() => whole.moving = true,
                Err(failure) => return Err(failure),
            }
        }
        Ok(whole)
    }

    /// Where it stands in its cluster; an error where it is no primary.
    async fn standing(&self) -> Result<Standing, Failure> {
        let mut nodes = Cmd::new();
        nodes.arg("CLUSTER").arg("NODES");
        let standing = self.promise(&nodes, |nodes| Standing::read(&nodes)).await?;
        if !standing.is_primary {
            return Err(Failure::new(Fault::ReadOnly, "the server is no primary any more"));
        }
        Ok(standing)
    }

    /// Which connection is up.
    fn serial(&self) -> Option<u64> {
        self.endpoint().link().live_now().map(|live| live.serial())
    }

    /// Sends a command that may safely be sent twice, until the deadline. What it changed counts once
    /// enough replicas have it, on a connection for that.
    pub(super) async fn promise<T>(
        &self,
        cmd: &Cmd,
        read: impl Fn(Value) -> Option<T>,
    ) -> Result<T, Failure> {
        self.kept(cmd, read, true).await
    }

    async fn kept<T>(
        &self,
        cmd: &Cmd,
        read: impl Fn(Value) -> Option<T>,
        confirmed: bool,
    ) -> Result<T, Failure> {
        let give_up = Instant::now() + self.inner.invalidate_deadline;
        let mut broke = None;
        loop {
            let remaining = give_up.saturating_duration_since(Instant::now());
            let send = async |line: &mut Line| line.send(cmd).await;
            let reply = match confirmed {
                true => self.confirmed(remaining, send).await,
                false => self.within(remaining, Patience::Waits, send).await,
            };
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
                    crate::io::sleep(Duration::from_millis(20)).await;
                }
            }
        }
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
