//! What the server's rules (an ACL) do not let this process do, as far as it was refused: what is not
//! allowed is not tried by calls again, which would take leases that nothing can be stored under. A
//! task in the background finds out when it is.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use redis::{Cmd, Pipeline, RedisError, Value};

use super::line::Line;
use super::{Inner, Patience, RedisStore, fault, probe};
use crate::entry;
use crate::fault::Fault;
use crate::io;
use crate::policy::backoff;
use crate::store::{Asked, Failure};
use crate::token;

const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Rules are changed by hand, and seldom.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long what is written to find out lives, in ms, where it cannot be deleted.
const TRIAL: &[u8] = b"1000";

/// What a refused command is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Right {
    /// To fill entries, of whatever function.
    Store = 0b001,
    /// To read and to store what has tags.
    Tags = 0b010,
    /// To ask how old an entry is.
    Ages = 0b100,
}

/// Which rights were refused.
#[derive(Default)]
pub(super) struct Rights {
    denied: AtomicU8,
    /// So many trials in a row ended with a refusal, those included that calls met.
    refusals: AtomicU32,
    changed: Mutex<Changed>,
}

#[derive(Default, Clone, Copy)]
struct Changed {
    denied: Option<Instant>,
    allowed: Option<Instant>,
}

impl Rights {
    /// Whether a lookup of this may only read. One relaxed load.
    pub(super) fn lacks(&self, asked: Asked<'_>) -> bool {
        let denied = self.denied.load(Ordering::Relaxed);
        denied != 0 && denied & needs(asked) != 0
    }

    pub(super) fn may_store(&self) -> bool {
        self.denied.load(Ordering::Relaxed) & Right::Store as u8 == 0
    }

    /// Since when something has been refused that was not allowed again.
    pub(super) fn denied_since(&self) -> Option<Instant> {
        if self.denied.load(Ordering::Relaxed) == 0 { None } else { self.changed().denied }
    }

    /// When everything was allowed again.
    pub(super) fn allowed_at(&self) -> Option<Instant> {
        self.changed().allowed
    }

    /// In a child process, where nobody tries what its parent was refused.
    pub(super) fn forget(&self) {
        self.denied.store(0, Ordering::Relaxed);
    }

    /// Whether this is news.
    fn deny(&self, right: Right) -> bool {
        let before = self.denied.fetch_or(right as u8, Ordering::AcqRel);
        if before == 0 {
            self.with_changed(|changed| changed.denied = Some(Instant::now()));
        }
        before & right as u8 == 0
    }

    /// Whether everything is allowed by now.
    fn allow(&self, right: Right) -> bool {
        let before = self.denied.fetch_and(!(right as u8), Ordering::AcqRel);
        let all = before == right as u8;
        if all {
            self.with_changed(|changed| changed.allowed = Some(Instant::now()));
        }
        all
    }

    /// Something was stored: the next refusal is the first again.
    pub(super) fn stored(&self) {
        if self.refusals.load(Ordering::Relaxed) != 0 {
            self.refusals.store(0, Ordering::Relaxed);
        }
    }

    fn changed(&self) -> Changed {
        *self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_changed(&self, change: impl FnOnce(&mut Changed)) {
        change(&mut self.changed.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

fn needs(asked: Asked<'_>) -> u8 {
    let tags = if asked.tags.is_empty() { 0 } else { Right::Tags as u8 };
    let ages = if asked.age { Right::Ages as u8 } else { 0 };
    Right::Store as u8 | tags | ages
}

/// For which right a refused commit is a word.
fn of_commit(tagged: bool, error: &RedisError) -> Right {
    if tagged && !fault::forbids_scripts(error) { Right::Tags } else { Right::Store }
}

/// Tries until the right is there. Ends early with the last owner of the store.
async fn until_allowed(endpoint: Weak<Inner>, right: Right) {
    loop {
        let Some(inner) = endpoint.upgrade() else { return };
        let refusals = inner.rights.refusals.fetch_add(1, Ordering::Relaxed);
        drop(inner);
        // Half of it is certain: a server that was just asked said no.
        let pause = backoff(refusals, FIRST_PAUSE, LONGEST_PAUSE, 1.0);
        io::sleep(pause.mul_f64(0.5 + 0.5 * fastrand::f64())).await;
        let Some(inner) = endpoint.upgrade() else { return };
        let store = RedisStore::of(inner);
        if store.is_allowed(right).await {
            if store.inner.rights.allow(right) {
                store.inner.endpoint.health.allowed();
            }
            return;
        }
    }
}

impl RedisStore {
    /// Notes where the rules refuse what a right is needed for.
    pub(super) fn noting(&self, right: Right, error: &RedisError) {
        if !fault::is_forbidden(error) {
            return;
        }
        self.inner.endpoint.health.forbidden(error);
        if !self.inner.rights.deny(right) {
            return;
        }
        let endpoint = std::sync::Arc::downgrade(&self.inner);
        match io::handle() {
            Ok(io) => drop(io.spawn(until_allowed(endpoint, right))),
            // Without that thread no call comes this far; if one did, calls would have to try.
            Err(_) => self.inner.rights.forget(),
        }
    }

    /// The same, of a commit.
    pub(super) fn noting_commit(&self, tagged: bool, error: &RedisError) {
        self.noting(of_commit(tagged, error), error);
    }

    /// Does what the right is needed for, under a key of its own; anything but a refusal will do. A
    /// server of a cluster sends whoever asks elsewhere before it looks at what a script does, so
    /// that the next call may find out instead.
    async fn is_allowed(&self, right: Right) -> bool {
        let link = self.inner.endpoint.link();
        let _ = io::timeout(LONGEST_PAUSE, link.live_or_wait()).await;
        let tried = self
            .within(self.inner.commit_deadline, Patience::Waits, async |line| match right {
                Right::Store => self.try_to_store(line, false).await,
                Right::Tags => self.try_to_store(line, true).await,
                Right::Ages => {
                    let mut age = Cmd::new();
                    age.arg("PTTL").arg(self.inner.layout.entry(probe::KEY, false));
                    line.send(&age).await.map(|_| ())
                }
            })
            .await;
        tried.err().is_none_or(|failure| failure.redirect.is_some())
    }

    async fn try_to_store(&self, line: &mut Line, tagged: bool) -> Result<(), RedisError> {
        let (lease, version) = (token::fresh(), token::fresh());
        let lease = entry::lease(&lease);
        // Nobody else's, so that what is tried is done.
        let name = format!("{}:{:032x}", probe::KEY, u128::from_le_bytes(version));
        let layout = &self.inner.layout;
        let mut keys = vec![layout.entry(&name, tagged)];
        let mut pipeline = Pipeline::new();
        pipeline.cmd("SET").arg(keys[0]).arg(&lease[..]).arg("PX").arg(TRIAL);
        if tagged {
            let tag = layout.tag_of(&name, &name);
            keys.push(tag);
            // Of a life that the commit must lengthen.
            pipeline.cmd("SET").arg(tag).arg(&version[..]).arg("PX").arg(TRIAL);
            pipeline.cmd("MGET").arg(tag);
        }
        for reply in line.send_all(&pipeline).await? {
            reply.extract_error()?;
        }
        let channel = layout.waiters(&name).to_bytes();
        let mut arguments = vec![&lease[..], b"", b"", b"1", b"2000", &channel[..]];
        if tagged {
            arguments.push(&version[..]);
        }
        self.inner.scripts.commit.run(line, &keys, &arguments).await.map(|_| ())
    }

    /// Where a lease stands that no script may give up. A deletion is always safe: whatever has come
    /// to stand there since is lost at worst.
    pub(super) async fn release_plainly(
        &self,
        line: &mut Line,
        spot: &[u8],
        channel: &[u8],
    ) -> Result<(), RedisError> {
        let mut pipeline = Pipeline::new();
        pipeline.cmd("DEL").arg(spot);
        // Whoever is not told looks again after a while.
        pipeline.cmd("PUBLISH").arg(channel).arg("");
        let deleted = line.send_all(&pipeline).await?.into_iter().next().map(Value::extract_error);
        match deleted {
            Some(Err(error)) if fault::is_forbidden(&error) => {
                // What it was taken by: an empty string is nobody's.
                let mut set = Cmd::new();
                set.arg("SET").arg(spot).arg("").arg("XX").arg("PX").arg(1);
                line.send(&set).await.map(|_| ())
            }
            Some(deleted) => deleted.map(|_| ()),
            None => Ok(()),
        }
    }
}

/// What is not tried, since it was refused.
pub(super) fn refusal() -> Failure {
    Failure::new(Fault::Forbidden, "the server's rules do not allow what it takes to store a value")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_right_is_needed_by_what_uses_it() {
        let tags = ["a".to_owned()];
        let rights = Rights::default();
        let asked = |tagged: bool, age| {
            let tags = if tagged { &tags[..] } else { &[] };
            Asked { key: "k", tags, age, large: false }
        };
        let lacking = |rights: &Rights| {
            let all = [(false, false), (true, false), (false, true), (true, true)];
            all.map(|(tagged, age)| rights.lacks(asked(tagged, age)))
        };
        assert_eq!((lacking(&rights), rights.denied_since()), ([false; 4], None));
        assert!(rights.deny(Right::Tags) && !rights.deny(Right::Tags));
        assert_eq!(lacking(&rights), [false, true, false, true]);
        assert!(rights.deny(Right::Ages) && rights.may_store());
        assert_eq!(lacking(&rights), [false, true, true, true]);
        assert!(!rights.allow(Right::Tags));
        assert_eq!(lacking(&rights), [false, false, true, true]);
        assert!(rights.denied_since().is_some() && rights.allowed_at().is_none());
        assert!(rights.allow(Right::Ages));
        assert!(rights.denied_since().is_none() && rights.allowed_at().is_some());
        assert!(rights.deny(Right::Store) && !rights.may_store());
        assert_eq!(lacking(&rights), [true; 4]);
    }
}
