//! The flights under way, by key.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, PoisonError};

use super::follower::{Follower, Told};
use super::leader::Leader;
use super::liveness::{self, Liveness};
use super::nesting::{self, Wait};
use super::sync::{Mutex, MutexGuard, oneshot};

const SHARDS: usize = 32;
/// A shard's map that grew past this many entries gives its memory back when it is empty.
const KEPT: usize = 32;

/// The flights under way. `B` is the baton that a leader hands to the next one, `O` the outcome
/// that followers share, `M` a mark by which a leader is known outside of here.
///
/// Keys are hashes already: evenly distributed, and unique over everything that flights are made
/// for in this process.
pub(crate) struct Flights<B, O, M: Copy> {
    shards: [Shard<B, O, M>; SHARDS],
}

/// What a caller is to its flight.
pub(crate) enum Joined<B, O, M: Copy> {
    /// It leads. The flight is closed: who arrives now waits for the next round.
    Leader(Leader<B, O, M>),
    /// Another leads: it waits to be told.
    Follower(Follower<B, O, M>),
    /// Waiting would never end: what leads waits, directly or not, for this caller. It must run
    /// by itself.
    Cycle,
}

/// Aligned, so that shards that different threads use don't share a line of the processor's cache.
#[repr(align(64))]
struct Shard<B, O, M: Copy> {
    flights: Mutex<Map<B, O, M>>,
}

pub(super) struct Map<B, O, M: Copy> {
    by_key: HashMap<u128, Flight<B, O, M>, BuildHasherDefault<KeyIsHash>>,
    /// Those that nobody joins any more, by serial.
    sealed: HashMap<u64, Flight<B, O, M>>,
    /// Counts arrivals: of followers, and of those who begin a flight.
    arrivals: u64,
}

/// A flight under way. As long as it is in the map there is one leader of it: at work, or in what
/// a follower was told.
struct Flight<B, O, M: Copy> {
    /// Tells it from an earlier one of its key, whose leader lost it and does not know.
    serial: u64,
    /// Of its leader's call, where that can stall.
    led_by: Option<Arc<Liveness>>,
    mark: M,
    /// By arrival, over all flights of the shard.
    waiting: BTreeMap<u64, Waiter<B, O, M>>,
    /// Arrivals before this one share the round's outcome; all of them while it is [`OPEN`].
    joined_until: u64,
    /// Arrivals before this one waited when what the flight is led for began.
    early_until: u64,
}

const OPEN: u64 = u64::MAX;

/// Tells one follower.
pub(super) type Voice<B, O, M> = oneshot::Sender<Told<B, O, M>>;

/// One who waits.
struct Waiter<B, O, M: Copy> {
    voice: Voice<B, O, M>,
    /// Of its call.
    liveness: Option<Arc<Liveness>>,
}

impl<B, O, M: Copy> Flights<B, O, M> {
    pub(crate) fn new() -> Self {
        Self { shards: std::array::from_fn(|_| Shard { flights: Mutex::new(Map::new()) }) }
    }

    /// Joins the flight of `key`, or starts it, known by `mark`.
    pub(crate) fn join(self: &Arc<Self>, key: u128, mark: M) -> Joined<B, O, M> {
        if nesting::leads(key) {
            return Joined::Cycle;
        }
        let mut wait = None;
        if nesting::inside() {
            if let Some(serial) = self.start(key, mark) {
                return Joined::Leader(Leader::new(Arc::clone(self), key, serial));
            }
            wait = match Wait::register(key) {
                Some(wait) => Some(wait),
                None => return Joined::Cycle,
            };
        }
        match self.enter(key, mark) {
            Entered::Waits(arrival, ear) => {
                let flights = Arc::clone(self);
                Joined::Follower(Follower::new(flights, key, arrival, ear, wait))
            }
            Entered::Leads(serial) => Joined::Leader(Leader::new(Arc::clone(self), key, serial)),
        }
    }

    /// Takes each flight from a leader that is [stalled](Liveness::is_stalled) at this tick, where
    /// somebody waits for it: those who wait join anew. `lost` is told the leader's mark, and by whom
    /// the flight was led, before they are. Says whether anybody waits for anybody.
    pub(crate) fn take_from_stalled(
        &self,
        now: u64,
        mut lost: impl FnMut(M, &Arc<Liveness>),
    ) -> bool {
        let mut anybody = false;
        for shard in &self.shards {
            let (flights, waited_for) = shard.lock().take_stalled(now);
            anybody |= waited_for;
            for Flight { led_by, mark, waiting, .. } in flights {
                if let Some(liveness) = &led_by {
                    lost(mark, liveness);
                }
                for Waiter { voice, .. } in waiting.into_values() {
                    // One that went away need not know.
                    drop(voice.send(Told::Again));
                }
            }
        }
        anybody
    }

    /// Whether anybody waits for anybody.
    pub(crate) fn is_waited_for(&self) -> bool {
        self.shards.iter().any(|shard| shard.lock().is_waited_for())
    }

    /// Flights under way.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    pub(super) fn shard(&self, key: u128) -> MutexGuard<'_, Map<B, O, M>> {
        // The map uses the low half.
        self.shards[(key >> 64) as usize % SHARDS].lock()
    }

    /// Starts the flight of `key`, if there is none; its serial.
    fn start(&self, key: u128, mark: M) -> Option<u64> {
        self.shard(key).start(key, mark)
    }

    /// Starts the flight of `key`, or waits in the one there is.
    fn enter(&self, key: u128, mark: M) -> Entered<B, O, M> {
        let mut map = self.shard(key);
        if let Some(serial) = map.start(key, mark) {
            return Entered::Leads(serial);
        }
        let (voice, ear) = oneshot::channel();
        let arrival = map.arrival();
        if let Some(flight) = map.by_key.get_mut(&key) {
            flight.waiting.insert(arrival, Waiter { voice, liveness: liveness::current() });
        }
        Entered::Waits(arrival, ear)
    }
}

/// What a caller is to a flight, by its number.
enum Entered<B, O, M: Copy> {
    Leads(u64),
    Waits(u64, oneshot::Receiver<Told<B, O, M>>),
}

impl<B, O, M: Copy> Shard<B, O, M> {
    fn lock(&self) -> MutexGuard<'_, Map<B, O, M>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<B, O, M: Copy> Map<B, O, M> {
    fn new() -> Self {
        Self { by_key: HashMap::default(), sealed: HashMap::new(), arrivals: 0 }
    }

    fn arrival(&mut self) -> u64 {
        self.arrivals += 1;
        self.arrivals - 1
    }

    fn start(&mut self, key: u128, mark: M) -> Option<u64> {
        let serial = self.arrivals;
        let Entry::Vacant(vacant) = self.by_key.entry(key) else { return None };
        vacant.insert(Flight::closed(serial, mark));
        Some(self.arrival())
    }

    /// The flight of a leader, unless it was taken from it.
    fn flight(&mut self, key: u128, serial: u64) -> Option<&mut Flight<B, O, M>> {
        match self.by_key.get_mut(&key) {
            Some(flight) if flight.serial == serial => Some(flight),
            _ => self.sealed.get_mut(&serial),
        }
    }

    pub(super) fn open(&mut self, key: u128, serial: u64) {
        if let Some(flight) = self.flight(key, serial) {
            flight.joined_until = OPEN;
        }
    }

    /// Opens the flight, and remembers who waits by now.
    pub(super) fn begin(&mut self, key: u128, serial: u64) {
        let arrivals = self.arrivals;
        if let Some(flight) = self.flight(key, serial) {
            flight.joined_until = OPEN;
            flight.early_until = arrivals;
        }
    }

    pub(super) fn close(&mut self, key: u128, serial: u64) {
        let arrivals = self.arrivals;
        if let Some(flight) = self.flight(key, serial)
            && flight.joined_until == OPEN
        {
            flight.joined_until = arrivals;
        }
    }

    pub(super) fn mark(&mut self, key: u128, serial: u64, mark: M) {
        if let Some(flight) = self.flight(key, serial) {
            flight.mark = mark;
        }
    }

    /// The call that is being polled leads it from here on.
    pub(super) fn led_here(&mut self, key: u128, serial: u64) {
        if let Some(flight) = self.flight(key, serial) {
            flight.led_by = liveness::current();
        }
    }

    /// One who waited leads it from here on.
    pub(super) fn led_by(&mut self, key: u128, serial: u64, liveness: Option<Arc<Liveness>>) {
        if let Some(flight) = self.flight(key, serial) {
            flight.lead(liveness);
        }
    }

    pub(super) fn has_joined(&mut self, key: u128, serial: u64) -> bool {
        self.flight(key, serial).is_some_and(|flight| {
            flight.waiting.first_key_value().is_some_and(|(at, _)| *at < flight.joined_until)
        })
    }

    /// Takes the flight out of the reach of whoever arrives from now on. All who wait have joined.
    pub(super) fn seal(&mut self, key: u128, serial: u64) {
        if let Entry::Occupied(flight) = self.by_key.entry(key)
            && flight.get().serial == serial
        {
            let flight = flight.remove();
            if !flight.waiting.is_empty() {
                self.sealed.insert(serial, Flight { joined_until: OPEN, ..flight });
            }
            self.shrink();
        }
    }

    /// Takes those who joined the round. Where nobody else waits, the flight is over.
    pub(super) fn take_joined(&mut self, key: u128, serial: u64) -> Taken<B, O, M> {
        let Some(flight) = self.flight(key, serial) else {
            return Taken { joined: Vec::new(), over: true };
        };
        let joined = flight.split();
        let over = flight.waiting.is_empty();
        if over {
            self.remove(key, serial);
        }
        Taken { joined, over }
    }

    /// Ends the flight if nobody waits in it.
    pub(super) fn end_if_alone(&mut self, key: u128, serial: u64) -> bool {
        let Entry::Occupied(flight) = self.by_key.entry(key) else { return false };
        let alone = flight.get().serial == serial && flight.get().waiting.is_empty();
        if alone {
            flight.remove();
            self.shrink();
        }
        alone
    }

    /// Takes those who waited when what the flight is led for began.
    pub(super) fn take_early(&mut self, key: u128, serial: u64) -> Vec<Voice<B, O, M>> {
        let Some(flight) = self.flight(key, serial) else { return Vec::new() };
        let later = flight.waiting.split_off(&flight.early_until);
        voices(std::mem::replace(&mut flight.waiting, later))
    }

    /// Takes those who joined the round, and opens the flight to all others.
    pub(super) fn take_joined_and_open(&mut self, key: u128, serial: u64) -> Promotable<B, O, M> {
        let Some(flight) = self.flight(key, serial) else { return Promotable::default() };
        let joined = flight.split_waiters();
        flight.joined_until = OPEN;
        joined.into_values().map(|waiter| (waiter.voice, waiter.liveness)).collect()
    }

    /// Takes the first who waits, who will lead, and opens the flight to all others. Where nobody
    /// waits, the flight is over.
    pub(super) fn take_first(&mut self, key: u128, serial: u64) -> Option<Voice<B, O, M>> {
        let flight = self.flight(key, serial)?;
        flight.joined_until = OPEN;
        let Some((_, first)) = flight.waiting.pop_first() else {
            self.remove(key, serial);
            return None;
        };
        flight.lead(first.liveness);
        Some(first.voice)
    }

    /// Takes a follower that went away, to be dropped outside of the lock.
    pub(super) fn leave(&mut self, key: u128, arrival: u64) -> Option<impl Sized + use<B, O, M>> {
        if let Some(flight) = self.by_key.get_mut(&key)
            && let Some(waiter) = flight.waiting.remove(&arrival)
        {
            return Some(waiter);
        }
        // Few flights are sealed, for as long as a body runs that cannot be stored.
        self.sealed.values_mut().find_map(|flight| flight.waiting.remove(&arrival))
    }

    fn remove(&mut self, key: u128, serial: u64) {
        if let Entry::Occupied(flight) = self.by_key.entry(key)
            && flight.get().serial == serial
        {
            flight.remove();
        } else {
            self.sealed.remove(&serial);
        }
        self.shrink();
    }

    fn is_waited_for(&self) -> bool {
        let mut all = self.by_key.values().chain(self.sealed.values());
        all.any(|flight| !flight.waiting.is_empty())
    }

    /// Takes out the flights whose leaders are stalled while somebody waits for them; whether
    /// anybody waits for anybody.
    fn take_stalled(&mut self, now: u64) -> (Vec<Flight<B, O, M>>, bool) {
        if !self.is_waited_for() {
            return (Vec::new(), false);
        }
        let stalled = |flight: &Flight<B, O, M>| {
            !flight.waiting.is_empty()
                && flight.led_by.as_ref().is_some_and(|leader| leader.is_stalled(now))
        };
        let mut taken: Vec<_> =
            self.by_key.extract_if(|_, flight| stalled(flight)).map(|(_, flight)| flight).collect();
        taken.extend(self.sealed.extract_if(|_, flight| stalled(flight)).map(|(_, flight)| flight));
        self.shrink();
        (taken, true)
    }

    /// Gives memory back that one rush of flights took.
    fn shrink(&mut self) {
        if self.by_key.is_empty() && self.by_key.capacity() > KEPT {
            self.by_key.shrink_to_fit();
        }
        if self.sealed.is_empty() && self.sealed.capacity() > KEPT {
            self.sealed.shrink_to_fit();
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.by_key.len() + self.sealed.len()
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.by_key.capacity()
    }
}

/// Those who joined a round, and whether the flight ended with it.
pub(super) struct Taken<B, O, M: Copy> {
    pub(super) joined: Vec<Voice<B, O, M>>,
    pub(super) over: bool,
}

/// Those of whom one may lead, each with its call's liveness.
pub(super) type Promotable<B, O, M> = Vec<(Voice<B, O, M>, Option<Arc<Liveness>>)>;

impl<B, O, M: Copy> Flight<B, O, M> {
    fn closed(serial: u64, mark: M) -> Self {
        let led_by = liveness::current();
        Self { serial, led_by, mark, waiting: BTreeMap::new(), joined_until: 0, early_until: 0 }
    }

    /// One who waited leads from here on. It is told so, and has to be polled to hear it.
    fn lead(&mut self, liveness: Option<Arc<Liveness>>) {
        if let Some(liveness) = &liveness {
            liveness.note_wake();
        }
        self.led_by = liveness;
    }

    /// Takes those who joined the round, in the order in which they arrived.
    fn split_waiters(&mut self) -> BTreeMap<u64, Waiter<B, O, M>> {
        let later = match self.joined_until {
            OPEN => BTreeMap::new(),
            until => self.waiting.split_off(&until),
        };
        std::mem::replace(&mut self.waiting, later)
    }

    fn split(&mut self) -> Vec<Voice<B, O, M>> {
        voices(self.split_waiters())
    }
}

fn voices<B, O, M: Copy>(waiting: BTreeMap<u64, Waiter<B, O, M>>) -> Vec<Voice<B, O, M>> {
    waiting.into_values().map(|waiter| waiter.voice).collect()
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
