//! How a cache is, as a program can ask it.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Cache;
use crate::fault::Fault;
use crate::store::{Condition, Store, Watch};

/// For so long a call that was not served is named.
const RECENT: Duration = Duration::from_secs(1);

/// How a cache is: what [`Cache::health`] returns. Displays as one line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// The state.
    pub state: HealthState,
    /// Why it is not [`Coherent`](HealthState::Coherent), where that is known.
    pub cause: Option<Fault>,
    /// How many invalidations failed and wait to be carried out. What they are about is not used
    /// by this process meanwhile.
    pub queued_invalidations: usize,
    /// How often the store failed so much that it was not asked any more, since the cache was
    /// built.
    pub circuit_opened: u64,
    /// How long it has been in this state.
    pub since: Duration,
    /// Whether values of functions with `local` are served from this process's memory.
    pub local: LocalHealth,
}

/// Whether the local tier may serve: what [`Health::local`] says. It is no part of the cache's state:
/// without a local tier calls go to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LocalHealth {
    /// No function with `local` was called yet, or [`local_capacity`] is 0.
    ///
    /// [`local_capacity`]: crate::CacheBuilder::local_capacity
    Unused,
    /// It serves: whatever changes in the store is heard of within the coherence bound.
    Coherent,
    /// It does not serve, for this reason: the link that tells of changes is down, or was silent for
    /// longer than the coherence bound. It is made anew in the background. In a cluster this is the
    /// word of one primary at least, and what the others have is served all the same.
    Incoherent(Fault),
    /// It does not serve: the server does not allow what the link needs, or is too old.
    Off(Fault),
}

impl LocalHealth {
    /// Its name in lower case, for logs and metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Unused => "unused",
            Self::Coherent => "coherent",
            Self::Incoherent(_) => "incoherent",
            Self::Off(_) => "off",
        }
    }
}

impl fmt::Display for LocalHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unused | Self::Coherent => f.write_str(self.label()),
            Self::Incoherent(cause) | Self::Off(cause) => write!(f, "{} ({cause})", self.label()),
        }
    }
}

/// The states of a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HealthState {
    /// All is well.
    Coherent,
    /// Reads work; but writes are refused, so that nothing new is stored, or invalidations that
    /// failed wait to be carried out, or some of a cluster's primaries are not asked, or a call of
    /// the last second ran its body because the store could not be asked.
    Degraded,
    /// The store is not asked: calls run their bodies, at no extra cost. A probe in the
    /// background finds out when it can be asked again.
    Bypass,
}

impl HealthState {
    /// Its name in lower case, for logs and metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Coherent => "coherent",
            Self::Degraded => "degraded",
            Self::Bypass => "bypass",
        }
    }
}

impl fmt::Display for HealthState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// `degraded (read_only) for 3.2s, 1 invalidation queued, circuit opened 2 times`
impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.state)?;
        if let Some(cause) = self.cause {
            write!(f, " ({cause})")?;
        }
        write!(f, " for {:.1}s", self.since.as_secs_f64())?;
        let plural = |n| if n == 1 { "" } else { "s" };
        if self.queued_invalidations > 0 {
            let n = self.queued_invalidations;
            write!(f, ", {n} invalidation{} queued", plural(n as u64))?;
        }
        if self.circuit_opened > 0 {
            let n = self.circuit_opened;
            write!(f, ", circuit opened {n} time{}", plural(n))?;
        }
        match self.local {
            LocalHealth::Unused | LocalHealth::Coherent => Ok(()),
            local => write!(f, ", local tier {local}"),
        }
    }
}

impl Cache {
    /// How the cache is now. It asks nobody, so it may be called as often as one likes: for a
    /// readiness page, or a metric.
    ///
    /// ```
    /// use cached_runtime::{Cache, HealthState};
    ///
    /// assert_eq!(Cache::memory().health().state, HealthState::Coherent);
    /// ```
    #[must_use]
    pub fn health(&self) -> Health {
        let inner = &*self.inner;
        let condition = match &inner.store {
            Store::Off(failure) => {
                Condition { bypassed: Some((failure.fault, inner.built)), ..Condition::default() }
            }
            store => store.condition(),
        };
        let (queued, queue_changed) = (inner.queue.len(), inner.queue.changed());
        let unserved = inner.bypassed_calls.within(Instant::now(), RECENT);
        let (state, cause, since) = judge(&condition, queued, queue_changed, unserved);
        Health {
            state,
            cause,
            queued_invalidations: queued,
            circuit_opened: condition.circuit_opened,
            since: since.unwrap_or(inner.built).elapsed(),
            local: self.local_health(),
        }
    }
}

impl Cache {
    pub(super) fn local_health(&self) -> LocalHealth {
        let Some(local) = self.local_in_use() else { return LocalHealth::Unused };
        match self.store().watching() {
            Watch::Told if local.is_coherent() => LocalHealth::Coherent,
            Watch::Told => LocalHealth::Incoherent(Fault::Timeout),
            Watch::Lost(cause) => LocalHealth::Incoherent(cause),
            Watch::Denied(cause) => LocalHealth::Off(cause),
        }
    }
}

/// Calls that were not served because the store could not be asked, whatever is known of the store:
/// one runtime's connection may break at each call while another's is well.
#[derive(Default)]
pub(super) struct BypassedCalls(Mutex<Option<Streak>>);

/// Such calls with less than [`RECENT`] between them.
#[derive(Clone, Copy)]
struct Streak {
    cause: Fault,
    first: Instant,
    last: Instant,
}

impl BypassedCalls {
    /// Waits for nobody: where another call is being noted, that one is as good.
    pub(super) fn note(&self, cause: Fault) {
        let (Ok(mut streak), now) = (self.0.try_lock(), Instant::now()) else { return };
        let going_on = streak.filter(|streak| now.saturating_duration_since(streak.last) < RECENT);
        let first = going_on.map_or(now, |streak| streak.first);
        *streak = Some(Streak { cause, first, last: now });
    }

    /// Why the last one was not, and since when there were such calls, where it was not longer ago
    /// than this.
    fn within(&self, now: Instant, recent: Duration) -> Option<(Fault, Instant)> {
        let streak = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let streak = streak.filter(|it| now.saturating_duration_since(it.last) < recent)?;
        Some((streak.cause, streak.first))
    }
}

/// The state, why, and since when.
fn judge(
    condition: &Condition,
    queued: usize,
    queue_changed: Option<Instant>,
    unserved: Option<(Fault, Instant)>,
) -> (HealthState, Option<Fault>, Option<Instant>) {
    if let Some((fault, since)) = condition.bypassed {
        return (HealthState::Bypass, Some(fault), Some(since));
    }
    let waiting_since = queue_changed.filter(|_| queued > 0);
    if let Some((fault, since)) = condition.refused {
        let since = waiting_since.map_or(since, |waiting| waiting.min(since));
        return (HealthState::Degraded, Some(fault), Some(since));
    }
    if queued > 0 {
        return (HealthState::Degraded, Some(Fault::Queued), waiting_since);
    }
    if let Some((fault, since)) = unserved {
        return (HealthState::Degraded, Some(fault), Some(since));
    }
    (HealthState::Coherent, None, condition.well_since.max(queue_changed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_that_holds_is_the_state() {
        use HealthState::{Bypass, Coherent, Degraded};
        let start = Instant::now();
        let at = |seconds| Some(start + Duration::from_secs(seconds));
        let open = at(5).map(|since| (Fault::Timeout, since));
        let refused = at(3).map(|since| (Fault::ReadOnly, since));
        let unserved = at(4).map(|since| (Fault::Protocol, since));
        for (bypassed, refused, queued, changed, unserved, expected) in [
            (None, None, 0, None, None, (Coherent, None, at(1))),
            (None, None, 0, at(2), None, (Coherent, None, at(2))),
            (None, None, 0, at(2), unserved, (Degraded, Some(Fault::Protocol), at(4))),
            (None, None, 1, at(2), unserved, (Degraded, Some(Fault::Queued), at(2))),
            (None, refused, 0, at(2), unserved, (Degraded, Some(Fault::ReadOnly), at(3))),
            (None, refused, 1, at(2), None, (Degraded, Some(Fault::ReadOnly), at(2))),
            (open, refused, 1, at(2), unserved, (Bypass, Some(Fault::Timeout), at(5))),
        ] {
            let condition = Condition { bypassed, refused, well_since: at(1), circuit_opened: 0 };
            assert_eq!(judge(&condition, queued, changed, unserved), expected);
        }
    }

    #[test]
    fn calls_that_were_not_served_are_named_for_a_moment() {
        let unserved = BypassedCalls::default();
        let now = Instant::now();
        assert_eq!(unserved.within(now, RECENT), None);
        unserved.note(Fault::Timeout);
        unserved.note(Fault::Protocol);
        let (cause, since) = unserved.within(Instant::now(), RECENT).unwrap();
        assert_eq!(cause, Fault::Protocol);
        assert!(since >= now, "since the first of them");
        assert_eq!(unserved.within(now + 10 * RECENT, RECENT), None);
    }

    #[test]
    fn displays_as_one_line() {
        let mut health = Health {
            state: HealthState::Coherent,
            cause: None,
            queued_invalidations: 0,
            circuit_opened: 0,
            since: Duration::from_millis(1_250),
            local: LocalHealth::Coherent,
        };
        assert_eq!(health.to_string(), "coherent for 1.2s");
        health.state = HealthState::Bypass;
        health.cause = Some(Fault::Timeout);
        (health.queued_invalidations, health.circuit_opened) = (2, 1);
        assert_eq!(
            health.to_string(),
            "bypass (timeout) for 1.2s, 2 invalidations queued, circuit opened 1 time"
        );
        (health.queued_invalidations, health.circuit_opened) = (0, 0);
        health.local = LocalHealth::Off(Fault::Forbidden);
        assert_eq!(health.to_string(), "bypass (timeout) for 1.2s, local tier off (forbidden)");
    }
}
