//! Leases: the right to fill an entry, taken, renewed and given up.

use std::time::{Duration, Instant};

use redis::{Cmd, RedisError, Value as Reply};

use super::fill::exact_len;
use super::layout::FullKey;
use super::line::Line;
use super::link::Live;
use super::rights;
use super::scripts::unexpected;
use super::{Patience, RedisStore, fault};
use crate::entry::{self, Fence, Present};
use crate::fault::Fault;
use crate::store::{Captured, Failure, Hold};
use crate::token::Token;

/// Between two attempts to give a lease up.
const RELEASE_PAUSE: Duration = Duration::from_millis(500);

impl RedisStore {
    pub(crate) async fn claim(
        &self,
        key: &str,
        tagged: bool,
        token: &Token,
    ) -> Result<bool, Failure> {
        self.within(self.inner.commit_deadline, Patience::None, async |line| {
            self.claim_on(line, self.inner.layout.entry(key, tagged), token).await
        })
        .await
    }

    pub(super) async fn claim_on(
        &self,
        line: &mut Line,
        key: FullKey<'_>,
        token: &Token,
    ) -> Result<bool, RedisError> {
        let lease_millis = self.inner.lease_millis.to_string();
        let arguments = [&entry::lease(token)[..], lease_millis.as_bytes()];
        Ok(self.inner.scripts.claim.run(line, &[key], &arguments).await? > 0)
    }

    pub(crate) async fn mark(&self, key: &str, token: &Token) -> Result<bool, Failure> {
        if !self.inner.rights.may_store() {
            return Err(rights::refusal());
        }
        self.within(self.inner.lookup_deadline, Patience::None, async |line| {
            let mut cmd = Cmd::new();
            cmd.arg("SET").arg(self.inner.layout.beside(key)).arg(&entry::lease(token)[..]);
            cmd.arg("NX").arg("PX").arg(self.inner.lease_millis);
            match line.send(&cmd).await? {
                Reply::Okay => Ok(true),
                Reply::Nil => self.take_from_nobody(line, key, token).await,
                _ => Err(unexpected("SET with NX")),
            }
        })
        .await
    }

    /// What is no lease is in nobody's hand, and would be in the way for good. Two who find it so
    /// may both load: each value is fenced.
    async fn take_from_nobody(
        &self,
        line: &mut Line,
        key: &str,
        token: &Token,
    ) -> Result<bool, RedisError> {
        let beside = self.inner.layout.beside(key);
        let mut get = Cmd::new();
        get.arg("GET").arg(beside);
        let is_lease = match line.send(&get).await {
            Ok(Reply::BulkString(bytes)) => entry::classify(&bytes) == Present::Lease,
            // It has ended by now: whoever had it stored something.
            Ok(Reply::Nil) => true,
            Ok(_) => return Err(unexpected("GET")),
            Err(error) if fault::is_wrong_type(&error) => false,
            Err(error) => return Err(error),
        };
        if is_lease {
            return Ok(false);
        }
        let mut set = Cmd::new();
        set.arg("SET").arg(beside).arg(&entry::lease(token)[..]);
        set.arg("PX").arg(self.inner.lease_millis);
        line.send(&set).await.map(|_| true)
    }

    pub(crate) async fn release(&self, hold: &Hold) -> Result<bool, Failure> {
        let keys: Vec<_> = self.spot_and_tags(hold).into_iter().map(FullKey::to_bytes).collect();
        self.release_at_last(&keys, &hold.fence, &hold.tags).await
    }

    /// Tried again, where it fails, until the lease ends by itself: whoever waits for it would wait
    /// for that long, though the server may be well again.
    pub(super) async fn release_at_last(
        &self,
        keys: &[Vec<u8>],
        fence: &Fence,
        tags: &[Captured],
    ) -> Result<bool, Failure> {
        let end = Instant::now() + Duration::from_millis(self.inner.lease_millis);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let released = self.within(left, Patience::Waits, async |line| {
                self.release_on(line, keys, fence, tags).await
            });
            match released.await {
                Err(failure)
                    if !matches!(failure.fault, Fault::Off | Fault::Forbidden)
                        && failure.redirect.is_none()
                        && Instant::now() + RELEASE_PAUSE < end =>
                {
                    crate::io::sleep(RELEASE_PAUSE).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// `keys`, in full: where the lease stands, and the tags.
    pub(super) async fn release_on(
        &self,
        line: &mut Line,
        keys: &[Vec<u8>],
        fence: &Fence,
        tags: &[Captured],
    ) -> Result<bool, RedisError> {
        let len = exact_len(fence);
        let channel = self.channel_of(keys);
        let mut arguments = vec![&fence.prefix[..], len.as_bytes(), &channel[..]];
        arguments.extend(tags.iter().map(|captured| &captured.version[..]));
        match self.inner.scripts.release.run(line, keys, &arguments).await {
            Err(error) if fault::is_forbidden(&error) => {
                let spot = keys.first().map(Vec::as_slice).unwrap_or_default();
                // Whether it still stood is not known.
                self.release_plainly(line, spot, &channel).await.map(|()| false)
            }
            released => released.map(|released| released > 0),
        }
    }

    /// Behind the lookup that took the lease or may still take it, on its connection. Says whether
    /// it was carried out.
    pub(super) async fn release_behind(
        &self,
        live: &Live,
        key: &[Vec<u8>; 1],
        fence: &Fence,
    ) -> bool {
        let Some(wire) = live.wire() else {
            let mut line = Line::new(live.connection(), self.asking);
            return self.release_on(&mut line, key, fence, &[]).await.is_ok();
        };
        let (len, channel) = (exact_len(fence), self.channel_of(key));
        let arguments = [&fence.prefix[..], len.as_bytes(), &channel[..]];
        let release = self.inner.scripts.release.by_text(key, &arguments);
        wire.behind(&release.get_packed_command()).await.is_ok()
    }

    /// On which those who wait for the lease are told.
    fn channel_of(&self, keys: &[Vec<u8>]) -> Vec<u8> {
        let spot = keys.first().map(Vec::as_slice).unwrap_or_default();
        self.inner.layout.waiters_of(spot)
    }

    pub(crate) async fn renew(&self, hold: &Hold) -> Result<bool, Failure> {
        let lease_millis = self.inner.lease_millis.to_string();
        let tag_life = self.tag_life(Duration::ZERO);
        self.within(self.inner.commit_deadline, Patience::None, async |line| {
            let arguments = [&hold.fence.prefix[..], lease_millis.as_bytes(), tag_life.as_bytes()];
            let keys = self.spot_and_tags(hold);
            Ok(self.inner.scripts.renew.run(line, &keys, &arguments).await? > 0)
        })
        .await
    }
}
