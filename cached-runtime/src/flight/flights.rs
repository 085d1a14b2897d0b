//! The flights under way, by key.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, PoisonError};

use super::follower::{Follower, Told};
use super::leader::Leader;
use super::nesting::{self, Wait};
use super::sync::{Mutex, MutexGuard, oneshot};

const SHARDS: usize = 32;
/// A shard's map that grew past this many entries gives its memory back when it is empty.
const KEPT: usize = 32;

/// The flights under way. `B` is the baton that a leader hands to the next one, `O` the outcome
/// that followers share.
///
/// Keys are hashes already: evenly distributed, and unique over everything that flights are made
/// for in this process.
pub(crate) struct Flights<B, O> {
    shards: [Shard<B, O>; SHARDS],
}

/// What a caller is to its flight.
pub(crate) enum Joined<B, O> {
    /// It leads. The flight is closed: who arrives now waits for the next round.
    Leader(Leader<B, O>),
    /// Another leads: it waits to be told.
    Follower(Follower<B, O>),
    /// Waiting would never end: what leads waits, directly or not, for this caller. It must run
    /// by itself.
    Cycle,
}

/// Aligned, so that shards that different threads use don't share a line of the processor's cache.
#[repr(align(64))]
struct Shard<B, O> {
    flights: Mutex<Map<B, O>>,
}

pub(super) struct Map<B, O> {
    by_key: HashMap<u128, Flight<B, O>, BuildHasherDefault<KeyIsHash>>,
    /// Counts arrivals of followers.
    arrivals: u64,
}

/// A flight under way. As long as it is in the map there is one leader of it: at work, or in what
/// a follower was told.
struct Flight<B, O> {
    /// By arrival, over all flights of the shard.
    waiting: BTreeMap<u64, Voice<B, O>>,
    /// Arrivals before this one share the round's outcome; all of them while it is [`OPEN`].
    joined_until: u64,
    /// Arrivals before this one waited when what the flight is led for began.
    early_until: u64,
}

const OPEN: u64 = u64::MAX;

/// Tells one follower.
pub(super) type Voice<B, O> = oneshot::Sender<Told<B, O>>;

impl<B, O> Flights<B, O> {
    pub(crate) fn new() -> Self {
        Self { shards: std::array::from_fn(|_| Shard { flights: Mutex::new(Map::new()) }) }
    }

    /// Joins the flight of `key`, or starts it.
    pub(crate) fn join(self: &Arc<Self>, key: u128) -> Joined<B, O> {
        if nesting::leads(key) {
            return Joined::Cycle;
        }
        let mut wait = None;
        if nesting::inside() {
            if self.start(key) {
                return Joined::Leader(Leader::new(Arc::clone(self), key));
            }
            wait = match Wait::register(key) {
                Some(wait) => Some(wait),
                None => return Joined::Cycle,
            };
        }
        match self.enter(key) {
            Some((arrival, voice)) => {
                let flights = Arc::clone(self);
                Joined::Follower(Follower::new(flights, key, arrival, voice, wait))
            }
            None => Joined::Leader(Leader::new(Arc::clone(self), key)),
        }
    }

    /// Flights under way.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().by_key.len()).sum()
    }

    pub(super) fn shard(&self, key: u128) -> MutexGuard<'_, Map<B, O>> {
        // The map uses the low half.
        self.shards[(key >> 64) as usize % SHARDS].lock()
    }

    /// Starts the flight of `key`, if there is none.
    fn start(&self, key: u128) -> bool {
        match self.shard(key).by_key.entry(key) {
            Entry::Vacant(vacant) => {
                vacant.insert(Flight::closed());
                true
            }
            Entry::Occupied(_) => false,
        }
    }

    /// Starts the flight of `key`, or waits in the one there is.
    fn enter(&self, key: u128) -> Option<(u64, oneshot::Receiver<Told<B, O>>)> {
        let mut map = self.shard(key);
        let map = &mut *map;
        match map.by_key.entry(key) {
            Entry::Vacant(vacant) => {
                vacant.insert(Flight::closed());
                None
            }
            Entry::Occupied(flight) => {
                let (voice, ear) = oneshot::channel();
                let arrival = map.arrivals;
                map.arrivals += 1;
                flight.into_mut().waiting.insert(arrival, voice);
                Some((arrival, ear))
            }
        }
    }
}

impl<B, O> Shard<B, O> {
    fn lock(&self) -> MutexGuard<'_, Map<B, O>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<B, O> Map<B, O> {
    fn new() -> Self {
        Self { by_key: HashMap::default(), arrivals: 0 }
    }

    pub(super) fn open(&mut self, key: u128) {
        if let Some(flight) = self.by_key.get_mut(&key) {
            flight.joined_until = OPEN;
        }
    }

    /// Opens the flight, and remembers who waits by now.
    pub(super) fn begin(&mut self, key: u128) {
        if let Some(flight) = self.by_key.get_mut(&key) {
            flight.joined_until = OPEN;
            flight.early_until = self.arrivals;
        }
    }

    pub(super) fn close(&mut self, key: u128) {
        if let Some(flight) = self.by_key.get_mut(&key)
            && flight.joined_until == OPEN
        {
            flight.joined_until = self.arrivals;
        }
    }

    pub(super) fn has_joined(&self, key: u128) -> bool {
        self.by_key.get(&key).is_some_and(|flight| {
            flight.waiting.first_key_value().is_some_and(|(at, _)| *at < flight.joined_until)
        })
    }

    /// Takes those who joined the round. Where nobody else waits, the flight is over.
    pub(super) fn take_joined(&mut self, key: u128) -> Taken<B, O> {
        let Some(flight) = self.by_key.get_mut(&key) else {
            return Taken { joined: Vec::new(), over: true };
        };
        let joined = flight.split();
        let over = flight.waiting.is_empty();
        if over {
            self.remove(key);
        }
        Taken { joined, over }
    }

    /// Ends the flight if nobody waits in it.
    pub(super) fn end_if_alone(&mut self, key: u128) -> bool {
        let Entry::Occupied(flight) = self.by_key.entry(key) else { return false };
        let alone = flight.get().waiting.is_empty();
        if alone {
            flight.remove();
            self.shrink();
        }
        alone
    }

    /// Takes those who waited when what the flight is led for began.
    pub(super) fn take_early(&mut self, key: u128) -> Vec<Voice<B, O>> {
        let Some(flight) = self.by_key.get_mut(&key) else { return Vec::new() };
        let later = flight.waiting.split_off(&flight.early_until);
        std::mem::replace(&mut flight.waiting, later).into_values().collect()
    }

    /// Takes those who joined the round, and opens the flight to all others.
    pub(super) fn take_joined_and_open(&mut self, key: u128) -> Vec<Voice<B, O>> {
        let Some(flight) = self.by_key.get_mut(&key) else { return Vec::new() };
        let joined = flight.split();
        flight.joined_until = OPEN;
        joined
    }

    /// Takes the first who waits, who will lead, and opens the flight to all others. Where nobody
    /// waits, the flight is over.
    pub(super) fn take_first(&mut self, key: u128) -> Option<Voice<B, O>> {
        let flight = self.by_key.get_mut(&key)?;
        flight.joined_until = OPEN;
        let first = flight.waiting.pop_first();
        if first.is_none() {
            self.remove(key);
        }
        first.map(|(_, voice)| voice)
    }

    /// Takes everybody, and the flight out of the map.
    pub(super) fn take_all(&mut self, key: u128) -> Vec<Voice<B, O>> {
        let flight = self.remove(key);
        flight.map(|flight| flight.waiting.into_values().collect()).unwrap_or_default()
    }

    /// Takes a follower that went away, to be dropped outside of the lock.
    pub(super) fn leave(&mut self, key: u128, arrival: u64) -> Option<Voice<B, O>> {
        self.by_key.get_mut(&key)?.waiting.remove(&arrival)
    }

    fn remove(&mut self, key: u128) -> Option<Flight<B, O>> {
        let flight = self.by_key.remove(&key);
        self.shrink();
        flight
    }

    /// Gives memory back that one rush of flights took.
    fn shrink(&mut self) {
        if self.by_key.is_empty() && self.by_key.capacity() > KEPT {
            self.by_key.shrink_to_fit();
        }
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.by_key.capacity()
    }
}

/// Those who joined a round, and whether the flight ended with it.
pub(super) struct Taken<B, O> {
    pub(super) joined: Vec<Voice<B, O>>,
    pub(super) over: bool,
}

impl<B, O> Flight<B, O> {
    fn closed() -> Self {
        Self { waiting: BTreeMap::new(), joined_until: 0, early_until: 0 }
    }

    /// Takes those who joined the round, in the order in which they arrived.
    fn split(&mut self) -> Vec<Voice<B, O>> {
        let later = match self.joined_until {
            OPEN => BTreeMap::new(),
            until => self.waiting.split_off(&until),
        };
        std::mem::replace(&mut self.waiting, later).into_values().collect()
    }
}

/// Keys are hashes already.
#[derive(Default)]
struct KeyIsHash(u64);

impl Hasher for KeyIsHash {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u128(&mut self, key: u128) {
        // The low half; the high one chose the shard.
        self.0 = key as u64;
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
}
