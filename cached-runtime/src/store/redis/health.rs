//! What is known of the server's state: the breaker, the refusal of writes, and the log, which
//! says once that the server became unusable, and once that it is back.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::RedisError;

use super::breaker::Breaker;
use super::{RedisStore, fault};
use crate::fault::Fault;

/// How long there must be no fault before the server counts as back: keeps a server on the edge
/// from filling the log.
const CALM: Duration = Duration::from_secs(1);

pub(super) struct Health {
    /// Where, without the password.
    server: String,
    pub(super) breaker: Breaker,
    degraded: AtomicBool,
    /// Whether the log is told.
    said: bool,
    faults: Mutex<Faults>,
    /// What the log was told of refusals by the server's rules.
    refusals: Mutex<BTreeSet<String>>,
}

/// So many different refusals are worth a line each.
const MOST_REFUSALS: usize = 8;

#[derive(Default)]
struct Faults {
    last: Option<Instant>,
    /// The first since the server was last well.
    first: Option<Instant>,
    /// Why writes are refused, and since when, until one goes through.
    refused: Option<(Fault, Instant)>,
    /// When one went through again.
    accepted: Option<Instant>,
}

/// The state of a store, for [`Cache::health`](crate::Cache::health).
#[derive(Default)]
pub(crate) struct Condition {
    /// Why the store is not asked, or cannot be.
    pub(crate) bypassed: Option<(Fault, Instant)>,
    /// Why it refuses writes.
    pub(crate) refused: Option<(Fault, Instant)>,
    /// When either last ended.
    pub(crate) well_since: Option<Instant>,
    /// How often the circuit opened.
    pub(crate) circuit_opened: u64,
}

impl Health {
    pub(super) fn new(server: String) -> Self {
        Self {
            server,
            breaker: Breaker::new(),
            degraded: AtomicBool::new(false),
            faults: Mutex::default(),
            refusals: Mutex::default(),
            said: true,
        }
    }

    /// One of which the log is not told.
    pub(super) fn unsaid(server: String) -> Self {
        Self { said: false, ..Self::new(server) }
    }

    pub(super) fn server(&self) -> &str {
        &self.server
    }

    /// For the log alone.
    pub(super) fn failed(&self, fault: Fault, detail: &str) {
        let now = Instant::now();
        let mut faults = self.faults();
        faults.last = Some(now);
        faults.first.get_or_insert(now);
        drop(faults);
        if self.said && !self.degraded.swap(true, Ordering::AcqRel) {
            tracing::warn!(
                server = self.server,
                cause = fault.label(),
                detail,
                "the cache's server is not usable; cached functions run their bodies until it is"
            );
        }
    }

    /// A failure that says that the server is not usable: for the log, and for the breaker.
    pub(super) fn unusable(&self, fault: Fault, detail: &str) {
        self.breaker.failed(fault);
        self.failed(fault, detail);
    }

    /// No answer within the deadline: a single one is not worth a line in the log.
    pub(super) fn unanswered(&self, detail: &str) {
        if self.breaker.failed(Fault::Timeout) {
            self.failed(Fault::Timeout, detail);
        }
    }

    /// A write was refused, while reads still hold.
    pub(super) fn refused(&self, fault: Fault, detail: &str) {
        self.faults().refused.get_or_insert((fault, Instant::now()));
        self.failed(fault, detail);
    }

    /// The server's rules do not allow a command: said once for each, until all are allowed.
    pub(super) fn forbidden(&self, error: &RedisError) {
        let reason = fault::failure(error).message;
        let mut refusals = self.refusals();
        if refusals.len() < MOST_REFUSALS && refusals.insert(reason.clone()) {
            drop(refusals);
            tracing::warn!(
                server = self.server,
                reason,
                "the cache's server does not allow a command; what needs it runs its body, or is not \
                 stored (this crate's documentation says what the server must allow)"
            );
        }
    }

    /// All that was refused is allowed.
    pub(super) fn allowed(&self) {
        self.refusals().clear();
        tracing::info!(server = self.server, "the cache's server allows again what it refused");
    }

    fn refusals(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An operation that reads and writes went through. One relaxed load while all is well.
    pub(super) fn worked(&self) {
        if self.degraded.load(Ordering::Relaxed) {
            self.recovering();
        }
    }

    #[cold]
    fn recovering(&self) {
        let mut faults = self.faults();
        if faults.refused.take().is_some() {
            faults.accepted = Some(Instant::now());
        }
        if faults.last.is_none_or(|last| last.elapsed() >= CALM)
            && self.degraded.swap(false, Ordering::AcqRel)
        {
            faults.first = None;
            drop(faults);
            tracing::info!(server = self.server, "the cache's server is usable again");
        }
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RedisStore {
    /// It did not answer somebody who had less time than it has.
    pub(super) fn overdue(&self) {
        self.inner.endpoint.health.unanswered("no answer");
    }

    /// Whether it is asked, and as far as is known can be.
    pub(super) fn is_well(&self) -> bool {
        let condition = self.condition();
        condition.bypassed.is_none()
    }

    pub(crate) fn condition(&self) -> Condition {
        let endpoint = &self.inner.endpoint;
        let (health, breaker) = (&endpoint.health, &endpoint.health.breaker);
        let disconnected = || {
            let since = health.faults().first.unwrap_or_else(Instant::now);
            endpoint.disconnected().map(|fault| (fault, since))
        };
        let bypassed = breaker.open_by().or_else(disconnected);
        let (faults, rights) = (health.faults(), &self.inner.rights);
        let denied = rights.denied_since().map(|since| (Fault::Forbidden, since));
        Condition {
            bypassed,
            refused: faults.refused.or(denied),
            well_since: faults.accepted.max(rights.allowed_at()).max(Some(breaker.changed())),
            circuit_opened: breaker.opened(),
        }
    }
}
