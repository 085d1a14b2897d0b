//! What is called: functions cached by the library.

use std::sync::Arc;

use cached_runtime::{Cache, Fault, HealthState, cache_result, scope, scope_sync};

use crate::control::ByHand;
use crate::world::{Kind, Read, World};

/// The body never fails, so that whatever error a caller sees is none of its own.
#[cache_result(ttl = 60, skip(world))]
async fn read(world: Arc<World>, n: u64) -> Result<Read, String> {
    Ok(world.read(n).await)
}

#[cache_result(ttl = 60, skip(world))]
fn read_now(world: Arc<World>, n: u64) -> Result<Read, String> {
    Ok(world.read_now(n))
}

/// What callers call.
#[derive(Clone)]
pub(crate) enum Subject {
    Cached(Cache),
    ByHand(ByHand),
}

impl Subject {
    pub(crate) async fn call(&self, world: &Arc<World>, n: u64) -> Result<Read, String> {
        match self {
            Self::Cached(cache) => scope(cache.clone(), read(Arc::clone(world), n)).await,
            Self::ByHand(by_hand) => {
                by_hand.read(world, n).await.map_err(|error| error.to_string())
            }
        }
    }

    /// For those that have blocking callers.
    pub(crate) fn call_now(&self, world: &Arc<World>, n: u64) -> Result<Read, String> {
        match self {
            Self::Cached(cache) => scope_sync(cache.clone(), || read_now(Arc::clone(world), n)),
            Self::ByHand(_) => Err("there is no blocking one".to_owned()),
        }
    }

    pub(crate) fn kinds(&self) -> &'static [Kind] {
        match self {
            Self::Cached(_) => &[Kind::Async, Kind::Blocking],
            Self::ByHand(_) => &[Kind::Async],
        }
    }

    /// Invalidates an entry; says whether no call of this process may yield anything older from
    /// now on, and whether that holds for all processes.
    pub(crate) async fn invalidate(&self, n: u64) -> (bool, bool) {
        match self {
            Self::Cached(cache) => match cache.invalidate_key(&key(n)).await {
                Ok(_) => (true, true),
                Err(error) => (error.queued(), false),
            },
            Self::ByHand(by_hand) => {
                let invalidated = by_hand.invalidate(n).await.is_ok();
                (invalidated, invalidated)
            }
        }
    }

    /// How often the circuit has opened, if it is open now.
    pub(crate) fn open(&self) -> Option<u64> {
        let Self::Cached(cache) = self else { return None };
        let health = cache.health();
        (health.state == HealthState::Bypass).then_some(health.circuit_opened)
    }

    /// How often this was counted as the reason of a call that was not served.
    pub(crate) fn counted(&self, fault: Fault) -> u64 {
        match self {
            Self::Cached(cache) => cache.stats().total.errors.get(&fault).copied().unwrap_or(0),
            Self::ByHand(_) => 0,
        }
    }

    /// What the health names now.
    pub(crate) fn cause(&self) -> Option<Fault> {
        match self {
            Self::Cached(cache) => cache.health().cause,
            Self::ByHand(_) => None,
        }
    }
}

/// Below the namespace.
pub(crate) fn key(n: u64) -> String {
    match Kind::Blocking.hot().contains(&n) {
        true => read_now::key(n).to_string(),
        false => read::key(n).to_string(),
    }
}
