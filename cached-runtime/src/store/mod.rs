//! The store's contract, and its two implementations: Redis, and the embedded one.
//!
//! One string per key, holding a lease or a value (see [`entry`](crate::entry)); every write
//! but `put` is fenced, every invalidation is a deletion. Keys are relative to the namespace.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Moment;
use crate::config::Config;
use crate::entry::Fence;
use crate::error::{Error, ErrorKind};
use crate::fault::Fault;
use crate::io::Task;
use crate::size::LARGE;
use crate::token::Token;

pub(crate) mod glob;
mod memory;
mod redis;

pub(crate) use memory::MemoryStore;
pub(crate) use redis::{ClusterStore, Condition, Errands, Listening, Redirect, RedisStore, Watch};

/// A tag's version outlives the values that were stored under it by this much.
const TAG_MARGIN: Duration = Duration::from_secs(5);

/// Why an operation was not carried out: the reason to count, and a sentence.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) fault: Fault,
    pub(crate) message: String,
    /// It is an invalidation's, and that is queued.
    pub(crate) queued: bool,
    /// In a cluster: it was not carried out here, and who may do it.
    pub(crate) redirect: Option<Box<Redirect>>,
}

impl Failure {
    pub(crate) fn new(fault: Fault, message: impl Into<String>) -> Self {
        Self { fault, message: message.into(), queued: false, redirect: None }
    }

    /// Of each of several operations.
    pub(crate) fn of_each<T>(self, count: usize) -> Vec<Result<T, Self>> {
        (0..count).map(|_| Err(self.clone())).collect()
    }

    /// The public error of a verb that could not do `what`.
    pub(crate) fn into_error(self, what: &str) -> Error {
        let kind = match self.fault {
            Fault::Timeout => ErrorKind::Timeout,
            Fault::Unavailable
            | Fault::Protocol
            | Fault::Off
            | Fault::Auth
            | Fault::CircuitOpen
            | Fault::Overload => ErrorKind::Unavailable,
            Fault::Key => ErrorKind::Key,
            Fault::Unencodable | Fault::TooLarge => ErrorKind::Encode,
            _ => ErrorKind::Refused,
        };
        Error::new(kind, format!("{what}: {}", self.message)).with_queued(self.queued)
    }
}

/// What a lookup asks for.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) key: &'a str,
    /// The tags whose versions decide whether what is there is still valid.
    pub(crate) tags: &'a [String],
    /// Whether to say how long what is there has still to live.
    pub(crate) age: bool,
    /// Whether what is there may be large.
    pub(crate) large: bool,
}

impl Asked<'_> {
    /// To be asked on behalf of a caller who may go away.
    pub(crate) fn kept(self) -> OwnedAsked {
        let Self { key, tags, age, large } = self;
        OwnedAsked { key: key.to_owned(), tags: tags.to_owned(), age, large }
    }
}

/// [`Asked`], by itself.
pub(crate) struct OwnedAsked {
    key: String,
    tags: Vec<String>,
    age: bool,
    large: bool,
}

impl OwnedAsked {
    pub(crate) fn as_asked(&self) -> Asked<'_> {
        let Self { key, tags, age, large } = self;
        Asked { key, tags, age: *age, large: *large }
    }
}

/// What a lookup saw.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sight {
    pub(crate) looked: Looked,
    /// Whether it was asked how long what is there has still to live.
    pub(crate) aged: bool,
    /// How long that is, where it is known. Read before the rest, so that it is never too long.
    pub(crate) remaining: Option<Duration>,
    /// Of the tags asked for, in their order; `None` for a tag that has none. Read after the rest.
    pub(crate) versions: Vec<Option<Token>>,
    /// Whether what happens to it from then on will be told, where changes are told at all.
    pub(crate) told: bool,
}

/// What stands under a key.
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

/// Where a lease stands: in the entry's key, or beside it, where a value stands in that which may
/// still be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spot {
    /// The key of an entry with tags may be another, in a cluster.
    Entry {
        tagged: bool,
    },
    Beside,
}

/// A tag, and the version that was captured before a body started (invariant I1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Captured {
    pub(crate) tag: String,
    pub(crate) version: Token,
}

/// The right to fill an entry: what must be found unchanged for a value to be stored.
#[derive(Debug, Clone)]
pub(crate) struct Hold {
    pub(crate) key: String,
    pub(crate) spot: Spot,
    /// Of what stands in the spot.
    pub(crate) fence: Fence,
    pub(crate) tags: Arc<[Captured]>,
    /// Whether what stands there may be large.
    pub(crate) large: bool,
}

impl Hold {
    /// Whether the value will have tags.
    pub(crate) fn is_tagged(&self) -> bool {
        !self.tags.is_empty()
    }
}

/// What is to be known before a body may start, where the lookup did not tell: one round trip.
#[derive(Debug, Clone)]
pub(crate) struct Preparation {
    pub(crate) key: String,
    /// Whether the entry has tags, be their versions known.
    pub(crate) tagged: bool,
    /// Replace what the fence remembers by a lease with this token: it is of no use to anybody.
    pub(crate) seize: Option<(Fence, Token)>,
    /// Tags that have no version, and the ones to give them.
    pub(crate) absent: Vec<(String, Token)>,
}

/// What a preparation came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Prepared {
    /// Whether the lease was taken, where one was asked for.
    pub(crate) seized: bool,
    /// Of the absent tags, in their order: the given versions, or those of whoever was faster.
    pub(crate) versions: Vec<Token>,
}

/// A value to be stored.
#[derive(Debug, Clone)]
pub(crate) struct Value {
    pub(crate) bytes: Vec<u8>,
    /// How long it is kept, its stale window included.
    pub(crate) life: Duration,
}

impl Value {
    pub(crate) fn is_large(&self) -> bool {
        self.bytes.len() >= LARGE
    }
}

/// What is kept elsewhere of what is in the store, and is told what changes there.
pub(crate) trait Watched: Send + Sync {
    /// Now, by its own clock.
    fn now(&self) -> Moment;
    /// Something happened to the entry under this key, which is relative to the namespace.
    fn changed(&self, key: &str);
    /// Something happened to this tag's version.
    fn tag_changed(&self, tag: &str);
    /// Something may have happened to everything.
    fn all_changed(&self);
    /// Whatever happened up to this moment was told.
    fn coherent_at(&self, moment: Moment);
    /// From here on changes are not told.
    fn lost(&self);
}

/// Where entries live.
#[derive(Clone)]
pub(crate) enum Store {
    Redis(RedisStore),
    Cluster(ClusterStore),
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
            Store::Cluster($store) => {
                let $store = $store.clone();
                Task::pending(async move { $redis.await })
            }
            Store::Off(failure) => Task::Ready(Err(failure.clone())),
        }
    };
}

/// As [`on!`], and not at all while the store is not asked.
macro_rules! asking {
    ($self:ident, $($operation:tt)*) => {
        match $self.refusal() {
            Some(failure) => Task::Ready(Err(failure)),
            None => on!($self, $($operation)*),
        }
    };
}

impl Store {
    /// The servers that a URL names.
    ///
    /// # Errors
    /// For a URL that is not usable.
    pub(crate) fn open(url: &str, config: &Config) -> Result<Self, Error> {
        redis::open(url, config)
    }

    /// Why the store is not asked now, where it failed too often. Cached calls, and what belongs
    /// to them, respect it; what keeps a promise does not.
    pub(crate) fn refusal(&self) -> Option<Failure> {
        match self {
            Self::Redis(store) => store.refusal(),
            Self::Cluster(store) => store.refusal(),
            Self::Memory(_) | Self::Off(_) => None,
        }
    }

    /// What stands under the key; where nothing does, a lease is taken with `token`. One round
    /// trip.
    #[allow(clippy::manual_async_fn, reason = "an `async fn` keeps its arguments twice")]
    pub(crate) fn lookup<'a>(
        &'a self,
        asked: Asked<'a>,
        token: &'a Token,
    ) -> impl Future<Output = Result<Sight, Failure>> + use<'a> {
        // Not an `async fn`: that would keep its arguments twice, in each call's future.
        async move {
            if let Some(failure) = self.refusal() {
                return Err(failure);
            }
            match self {
                Self::Memory(store) => Ok(store.lookup(asked, token)),
                Self::Redis(store) => store.lookup_anywhere(asked, token).await,
                // In a box, being several times as large.
                Self::Cluster(store) => Box::pin(store.lookup_anywhere(asked, token)).await,
                Self::Off(failure) => Err(failure.clone()),
            }
        }
    }

    /// Lookups of several keys, which leave together, with the answers in their order.
    pub(crate) async fn lookups(
        &self,
        asked: &[Asked<'_>],
        tokens: &[Token],
    ) -> Vec<Result<Sight, Failure>> {
        match self {
            Self::Memory(store) => {
                asked.iter().zip(tokens).map(|(&a, token)| Ok(store.lookup(a, token))).collect()
            }
            Self::Redis(_) | Self::Cluster(_) => match self.refusal() {
                Some(failure) => failure.of_each(asked.len()),
                None => self.lookups_anywhere(asked, tokens).await,
            },
            Self::Off(failure) => failure.clone().of_each(asked.len()),
        }
    }

    async fn lookups_anywhere(
        &self,
        asked: &[Asked<'_>],
        tokens: &[Token],
    ) -> Vec<Result<Sight, Failure>> {
        match self {
            Self::Redis(store) if store.live_here().is_some() => {
                return store.lookups(asked, tokens).await;
            }
            Self::Cluster(store) if crate::io::here().is_some() => {
                return store.lookups(asked, tokens).await;
            }
            _ => {}
        }
        // Not up, or on no runtime that can hold a connection.
        let (store, tokens, count) = (self.clone(), tokens.to_vec(), asked.len());
        let owned: Vec<_> = asked.iter().map(|asked| asked.kept()).collect();
        let lookups = async move {
            let asked: Vec<_> = owned.iter().map(OwnedAsked::as_asked).collect();
            Ok(match store {
                Self::Redis(store) => store.lookups(&asked, &tokens).await,
                Self::Cluster(store) => store.lookups(&asked, &tokens).await,
                Self::Memory(_) | Self::Off(_) => Vec::new(),
            })
        };
        let lookups = Task::pending(lookups).wait().await;
        lookups.unwrap_or_else(|failure| failure.of_each(count))
    }

    /// What stands under the key, without taking a lease.
    pub(crate) fn read(&self, asked: Asked<'_>) -> Task<Sight> {
        let owned = asked.kept();
        on!(self, store => store.read(asked), move {
            async move { store.read(owned.as_asked()).await }
        })
    }

    /// Takes the lease where `key` holds nothing, or something that is no string.
    pub(crate) fn claim(&self, key: &str, tagged: bool, token: &Token) -> Task<bool> {
        let (key, token) = (key.to_owned(), *token);
        asking!(self, store => store.claim(&key, &token), move {
            store.claim(&key, tagged, &token)
        })
    }

    /// Takes a lease beside the entry, where nobody has it.
    pub(crate) fn mark(&self, key: &str, token: &Token) -> Task<bool> {
        let (key, token) = (key.to_owned(), *token);
        asking!(self, store => store.mark(&key, &token), move { store.mark(&key, &token) })
    }

    /// Seizes an entry and gives tags their versions.
    pub(crate) fn prepare(&self, preparation: Preparation) -> Task<Prepared> {
        asking!(self, store => store.prepare(&preparation), move { store.prepare(&preparation) })
    }

    /// Stores `value` where the fence in the entry, and the tags' versions, still hold; says
    /// whether it did.
    pub(crate) fn commit(&self, hold: &Hold, value: Value) -> Task<bool> {
        let hold = hold.clone();
        asking!(self, store => store.commit(&hold, value), move { store.commit(&hold, &value) })
    }

    /// Several commits, which leave together.
    pub(crate) fn commits(&self, commits: Vec<(Hold, Value)>) -> Task<Vec<Result<bool, Failure>>> {
        asking!(self, store => {
            commits.into_iter().map(|(hold, value)| Ok(store.commit(&hold, value))).collect()
        }, move { async move { Ok(store.commits(&commits).await) } })
    }

    /// Stores `value` whatever stands there: a value from the caller, not from a body.
    pub(crate) fn put(&self, key: &str, tags: Arc<[Captured]>, value: Value) -> Task<()> {
        let key = key.to_owned();
        on!(self, store => store.put(&key, &tags, value),
            move { async move { store.put(&key, &tags, &value).await } })
    }

    /// Deletes the keys, leases and values alike, and the versions of the tags; says how many
    /// keys there were.
    pub(crate) fn delete(&self, keys: Vec<String>, tags: Vec<String>) -> Task<u64> {
        on!(self, store => store.delete(&keys, &tags), move { store.delete(&keys, &tags) })
    }

    /// Deletes all keys that match the glob pattern; says how many there were.
    pub(crate) fn sweep(&self, pattern: &str) -> Task<u64> {
        let pattern = pattern.to_owned();
        on!(self, store => store.sweep(&pattern), move { store.sweep(&pattern) })
    }

    /// Gives a lease up, where it still stands; says whether it did, and the tags still have the
    /// captured versions: that nothing was invalidated meanwhile.
    pub(crate) fn release(&self, hold: &Hold) -> Task<bool> {
        let hold = hold.clone();
        asking!(self, store => store.release(&hold), move { store.release(&hold) })
    }

    /// Prolongs a lease that still stands. Embedded leases don't expire: their holder releases
    /// them, or takes the store with it.
    pub(crate) fn renew(&self, hold: &Hold) -> Task<bool> {
        let hold = hold.clone();
        asking!(self, store => store.holds(&hold), move { store.renew(&hold) })
    }

    /// Listens for the end of a load elsewhere; `None` where that cannot be had.
    pub(crate) async fn listen(&self, key: &str) -> Option<Listening> {
        match self {
            Self::Redis(store) if self.refusal().is_none() => store.listen(key).await,
            Self::Cluster(store) if self.refusal().is_none() => store.listen(key).await,
            _ => None,
        }
    }

    /// Whether others than this process may change what is there.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self, Self::Redis(_) | Self::Cluster(_))
    }

    /// Whether it is several servers, of which one may be away while the others are not.
    pub(crate) fn has_parts(&self) -> bool {
        matches!(self, Self::Cluster(_))
    }

    /// How the servers are.
    pub(crate) fn condition(&self) -> Condition {
        match self {
            Self::Redis(store) => store.condition(),
            Self::Cluster(store) => store.condition(),
            Self::Memory(_) | Self::Off(_) => Condition::default(),
        }
    }

    /// Tells `watched` of all changes from now on, and that it did so at least four times in `bound`.
    /// Nobody else changes what is in this process's memory.
    pub(crate) fn watch(&self, watched: Arc<dyn Watched>, bound: Duration) {
        match self {
            Self::Redis(store) => store.watch(watched, bound),
            Self::Cluster(store) => store.watch(watched, bound),
            Self::Memory(_) | Self::Off(_) => {}
        }
    }

    /// Whether changes are told to whoever watches.
    pub(crate) fn watching(&self) -> Watch {
        match self {
            Self::Redis(store) => store.watching(),
            Self::Cluster(store) => store.watching(),
            Self::Memory(_) | Self::Off(_) => Watch::Told,
        }
    }

    /// In a child process: what its parent's I/O thread kept is made anew.
    pub(crate) fn in_child(&self) {
        match self {
            Self::Redis(store) => store.in_child(),
            Self::Cluster(store) => store.in_child(),
            Self::Memory(store) => store.in_child(),
            Self::Off(_) => {}
        }
    }

    /// Connects, where there is something to connect to, and waits for the outcome.
    pub(crate) fn connect(&self) -> Task<()> {
        on!(self, store => { let _ = store; }, move { store.connect() })
    }
}

#[cfg(test)]
mod tests;
