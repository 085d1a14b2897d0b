//! The store's contract, and its two implementations: Redis, and the embedded one.
//!
//! One string per key, holding a lease or a value (see [`entry`](crate::entry)); every write
//! but `put` is fenced, every invalidation is a deletion. Keys are relative to the namespace.

use std::time::Duration;

use crate::entry::Fence;
use crate::error::{Error, ErrorKind};
use crate::fault::Fault;
use crate::io::Task;
use crate::token::Token;

mod glob;
mod memory;
mod redis;

pub(crate) use memory::MemoryStore;
pub(crate) use redis::RedisStore;

/// Why an operation was not carried out: the reason to count, and a sentence.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) fault: Fault,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(fault: Fault, message: impl Into<String>) -> Self {
        Self { fault, message: message.into() }
    }

    /// The public error of a verb that could not do `what`.
    pub(crate) fn into_error(self, what: &str) -> Error {
        let kind = match self.fault {
            Fault::Timeout => ErrorKind::Timeout,
            Fault::Unavailable | Fault::Protocol | Fault::Off | Fault::Auth => {
                ErrorKind::Unavailable
            }
            Fault::Key => ErrorKind::Key,
            Fault::Unencodable | Fault::TooLarge => ErrorKind::Encode,
            _ => ErrorKind::Refused,
        };
        Error::new(kind, format!("{what}: {}", self.message))
    }
}

/// What a lookup found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Looked {
    /// Nothing; the caller now holds the lease under its token.
    Leased,
    /// Nothing, and no lease could be taken: the store refuses writes for now, for this reason,
    /// or another was faster.
    Unleased(Option<Fault>),
    /// These bytes: a value, another's lease, or something foreign.
    Present(Vec<u8>),
    /// Something that is no string.
    WrongType,
}

/// Where entries live.
#[derive(Clone)]
pub(crate) enum Store {
    Redis(RedisStore),
    Memory(MemoryStore),
    /// No store, for this reason: each call runs its body.
    Off(Failure),
}

/// Runs an operation on whichever store it is: at once on the embedded one, as a task on Redis.
macro_rules! on {
    ($self:ident, $store:ident => $memory:expr, move $redis:block) => {
        match $self {
            Store::Memory($store) => Task::Ready(Ok($memory)),
            Store::Redis($store) => {
                let $store = $store.clone();
                Task::pending(async move { $redis.await })
            }
            Store::Off(failure) => Task::Ready(Err(failure.clone())),
        }
    };
}

impl Store {
    /// What stands under `key`; where nothing does, a lease is taken with `token`. One round trip.
    pub(crate) async fn lookup(&self, key: &str, token: &Token) -> Result<Looked, Failure> {
        match self {
            Self::Memory(store) => Ok(store.lookup(key, token)),
            // The hot path: no box and no copy of the key.
            Self::Redis(store) => match store.live_here() {
                Some(live) => store.lookup_on(live, key, token).await,
                // Not up, or on no runtime that can hold a connection.
                None => self.lookup_task(key, token).wait().await,
            },
            Self::Off(failure) => Err(failure.clone()),
        }
    }

    pub(crate) fn lookup_task(&self, key: &str, token: &Token) -> Task<Looked> {
        let (key, token) = (key.to_owned(), *token);
        on!(self, store => store.lookup(&key, &token), move { store.lookup(&key, &token) })
    }

    /// Takes the lease where `key` holds nothing, or something that is no string.
    pub(crate) fn claim(&self, key: &str, token: &Token) -> Task<bool> {
        let (key, token) = (key.to_owned(), *token);
        on!(self, store => store.claim(&key, &token), move { store.claim(&key, &token) })
    }

    /// Stores `value` where the fence still holds; says whether it did.
    pub(crate) fn commit(
        &self,
        key: &str,
        fence: &Fence,
        value: Vec<u8>,
        ttl: Duration,
    ) -> Task<bool> {
        let (key, fence) = (key.to_owned(), fence.clone());
        on!(self, store => store.commit(&key, &fence, value, ttl),
            move { store.commit(&key, &fence, &value, ttl) })
    }

    /// Stores `value` whatever stands there: a value from the caller, not from a body.
    pub(crate) fn put(&self, key: &str, value: Vec<u8>, ttl: Duration) -> Task<()> {
        let key = key.to_owned();
        on!(self, store => store.put(&key, value, ttl), move { store.put(&key, &value, ttl) })
    }

    /// What stands under `key`, without taking a lease.
    pub(crate) fn read(&self, key: &str) -> Task<Option<Vec<u8>>> {
        let key = key.to_owned();
        on!(self, store => store.read(&key), move { store.read(&key) })
    }

    /// Deletes the keys, leases and values alike; says how many there were.
    pub(crate) fn delete(&self, keys: Vec<String>) -> Task<u64> {
        on!(self, store => store.delete(&keys), move { store.delete(&keys) })
    }

    /// Deletes all keys that match the glob pattern; says how many there were.
    pub(crate) fn sweep(&self, pattern: &str) -> Task<u64> {
        let pattern = pattern.to_owned();
        on!(self, store => store.sweep(&pattern), move { store.sweep(&pattern) })
    }

    /// Deletes a key where the fence still holds.
    pub(crate) fn release(&self, key: &str, fence: &Fence) -> Task<bool> {
        let (key, fence) = (key.to_owned(), fence.clone());
        on!(self, store => store.release(&key, &fence), move { store.release(&key, &fence) })
    }

    /// Prolongs a lease that still stands. Embedded leases don't expire: their holder releases
    /// them, or takes the store with it.
    pub(crate) fn renew(&self, key: &str, fence: &Fence) -> Task<bool> {
        let (key, fence) = (key.to_owned(), fence.clone());
        on!(self, store => store.holds(&key, &fence), move { store.renew(&key, &fence) })
    }

    /// Connects, where there is something to connect to, and waits for the outcome.
    pub(crate) fn connect(&self) -> Task<()> {
        on!(self, store => { let _ = store; }, move { store.connect() })
    }
}

#[cfg(test)]
mod tests;
