//! Finding out whether a server that is not asked any more is usable again: one task on the I/O
//! thread, on that thread's own link, however many callers there are.

use std::sync::{Arc, Weak};
use std::time::Duration;

use redis::Cmd;

use super::{Inner, Patience, RedisStore, fault};
use crate::fault::Fault;
use crate::io::{self, Task};
use crate::policy::backoff;
use crate::store::Store;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The server's return is noticed within two seconds.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// In no key that the library makes, and gone after a millisecond. Below the namespace like every
/// entry, so that a user's permissions are those of a lookup.
pub(super) const KEY: &str = "#probe";

/// What must be done before the store is asked again.
pub(crate) trait Errands: Send + Sync {
    /// Does it; where the server cannot be told, it must be probed again.
    fn run(self: Arc<Self>, store: Store) -> Task<()>;
}

/// Probes until the server is usable, then closes the circuit. Ends early with the last owner of
/// the store.
pub(super) async fn until_usable(endpoint: Weak<Inner>) {
    let mut attempt = 0;
    loop {
        let pause = backoff(attempt, FIRST_PAUSE, LONGEST_PAUSE, fastrand::f64());
        attempt = attempt.saturating_add(1);
        let Some(inner) = endpoint.upgrade() else { return };
        let link = inner.endpoint.link();
        drop(inner);
        // A link that comes up meanwhile is a sign that needs no waiting for.
        let _ = io::timeout(pause, link.comes_up()).await;
        let Some(inner) = endpoint.upgrade() else { return };
        let store = RedisStore::of(inner);
        if store.is_usable().await && store.did_errands().await {
            store.inner.endpoint.hurry();
            store.inner.endpoint.health.breaker.close();
            return;
        }
    }
}

impl RedisStore {
    /// Whether a command as lookups use it is answered: a server that loads its data, wants a
    /// password, is a replica or a black hole shows by it. One that refuses writes but still reads
    /// is usable.
    async fn is_usable(&self) -> bool {
        let link = self.inner.endpoint.link();
        // Waiting for a connection is the link's affair, and not within the answer's deadline.
        let _ = io::timeout(LONGEST_PAUSE, link.live_or_wait()).await;
        let probed = self
            .within(self.inner.lookup_deadline, Patience::Waits, async |line| {
                let mut set = Cmd::new();
                set.arg("SET")
                    .arg(self.inner.layout.entry(KEY, false))
                    .arg("1")
                    .arg("NX")
                    .arg("GET")
                    .arg("PX")
                    .arg(1);
                let mut answer = line.send(&set).await;
                if answer.as_ref().is_err_and(fault::reads_still_hold) {
                    let mut get = Cmd::new();
                    get.arg("GET").arg(self.inner.layout.entry(KEY, false));
                    answer = line.send(&get).await;
                }
                match answer {
                    Err(error) if fault::trips(&error) => Err(error),
                    _ => Ok(()),
                }
            })
            .await;
        probed.is_ok()
    }

    /// Whether all that had to be done first is done, or was refused by a server that is usable
    /// otherwise: it may refuse for long.
    async fn did_errands(&self) -> bool {
        let Some(errands) = self.inner.errands.get() else { return true };
        match Arc::clone(errands).run(Store::Redis(self.clone())).wait().await {
            Ok(()) => true,
            Err(failure) => matches!(
                failure.fault,
                Fault::ReadOnly | Fault::OutOfMemory | Fault::Forbidden | Fault::Server
            ),
        }
    }
}
