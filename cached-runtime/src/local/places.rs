//! The places of a thread's [front](super::front).
//!
//! An entry stands in either place of a pair: where each has one place only, two that are asked for
//! all the time and meet there take turns. Most that a hit needs of an entry is on one cache line.

use std::cell::Cell;
use std::sync::Arc;

use super::front::Asked;
use super::slot::{Kept, Slot};
use crate::clock::Moment;
use crate::function::Function;
use crate::key::{FIRST, Parts, REST, Trace};
use crate::tally::Lane;

/// A thread begins with so few places, and has more once it needs them.
const FEWEST: usize = 64;
const MOST: usize = 16_384;
/// What the values in them weigh, as the capacity weighs them.
const MOST_BYTES: usize = 8 << 20;
/// Functions of caches: a thread that has seen more begins anew, since caches come and go.
const MOST_OWNERS: usize = 1024;
/// What was used is turned out for the so manieth other that comes by.
const CHANCES: u8 = 4;
/// So many are looked at to turn one out.
const SWEPT: usize = 16;

/// What a hit needs, on one cache line.
#[repr(C, align(64))]
pub(super) struct Place {
    /// The first words of the trace.
    words: [u64; FIRST],
    /// Of the slot's key, from before the slot was found.
    pub(super) stamp: u64,
    /// Of the slot; it tells the tier, too.
    pub(super) epoch: u64,
    pub(super) deadline: Moment,
    pub(super) kept: Option<Kept>,
    owner: u16,
    /// Of the slot's key, as much of it as the stamps are told by.
    pub(super) hash: u16,
    /// How many words the trace has.
    len: u8,
    hits: Cell<u8>,
    pub(super) tagged: bool,
}

/// What few hits need of an entry.
pub(super) struct Behind {
    /// The other words of the trace.
    words: [u64; REST],
    slot: Arc<Slot>,
    /// How many hits there were when another came by.
    seen: u8,
    /// How often another is turned away before this one goes.
    chances: u8,
}

/// A function of a cache.
struct Owner {
    function: &'static Function,
    /// Where this thread counts its hits.
    lane: Arc<Lane>,
}

/// Of what is asked.
pub(super) struct Found<'a> {
    pub(super) place: &'a Place,
    pub(super) lane: &'a Lane,
    at: usize,
    places: &'a Places,
}

pub(super) struct Places {
    /// Pairs, a power of two of them.
    places: Vec<Option<Place>>,
    /// As many.
    behind: Vec<Option<Behind>>,
    owners: Vec<Owner>,
    /// Leaves as many bits of a hash as there are places.
    shift: u32,
    /// What is in them weighs.
    bytes: usize,
    /// How many came to the places of others, since there are as many places.
    displaced: usize,
    /// Where the next to be turned out is looked for.
    hand: usize,
}

type Entry = (Place, Behind);

/// What is to be dropped.
#[derive(Default)]
pub(super) struct Gone {
    _entries: [Option<Entry>; 2],
    _places: Option<Places>,
}

impl Place {
    pub(super) fn new(parts: &Parts, stamp: u64, slot: &Slot) -> Self {
        Self {
            words: parts.first,
            stamp,
            epoch: slot.epoch,
            deadline: slot.deadline,
            kept: slot.kept.clone(),
            owner: 0,
            hash: slot.hash as u16,
            len: parts.len,
            hits: Cell::new(0),
            tagged: !slot.tags.is_empty(),
        }
    }

    /// Counts a use; whether it is one in 256.
    #[inline]
    pub(super) fn used(&self) -> bool {
        let hits = self.hits.get().wrapping_add(1);
        self.hits.set(hits);
        hits == 0
    }
}

impl Behind {
    pub(super) fn new(parts: &Parts, slot: Arc<Slot>) -> Self {
        Self { words: parts.rest, slot, seen: 0, chances: 0 }
    }

    fn weight(&self) -> usize {
        self.slot.weight as usize
    }
}

impl Found<'_> {
    pub(super) fn slot(&self) -> Option<&Slot> {
        Some(&self.places.behind.get(self.at)?.as_ref()?.slot)
    }
}

impl Places {
    pub(super) const fn new() -> Self {
        Self {
            places: Vec::new(),
            behind: Vec::new(),
            owners: Vec::new(),
            shift: 63,
            bytes: 0,
            displaced: 0,
            hand: 0,
        }
    }

    #[inline(always)]
    pub(super) fn find(&self, asked: &Asked<'_>) -> Option<Found<'_>> {
        let at = self.first(asked);
        self.found(at, asked).or_else(|| self.found(at ^ 1, asked))
    }

    /// The first place of what is asked.
    #[inline]
    fn first(&self, asked: &Asked<'_>) -> usize {
        // The high bits, which all of the arguments' bits have reached.
        let spread = asked.trace.hash().wrapping_add((asked.function.index as u64) << 52);
        usize::try_from(spread >> self.shift).unwrap_or(0)
    }

    /// What stands in a place, where that is what is asked.
    #[inline(always)]
    fn found(&self, at: usize, asked: &Asked<'_>) -> Option<Found<'_>> {
        let place = self.places.get(at)?.as_ref()?;
        let owner = self.owners.get(usize::from(place.owner))?;
        let same = asked.trace.begins_with(&place.words, place.len)
            && std::ptr::eq(owner.function, asked.function)
            && (asked.trace.is_short() || self.goes_on(at, asked.trace));
        same.then_some(Found { place, lane: &owner.lane, at, places: self })
    }

    #[inline]
    fn goes_on(&self, at: usize, trace: &Trace) -> bool {
        let behind = self.behind.get(at).and_then(Option::as_ref);
        behind.is_some_and(|behind| trace.goes_on_with(&behind.words))
    }

    pub(super) fn put(&mut self, asked: &Asked<'_>, lane: Arc<Lane>, entry: Entry) -> Gone {
        let (mut place, behind) = entry;
        let mut gone = Gone::default();
        if self.owners.len() >= MOST_OWNERS {
            gone._places = Some(std::mem::replace(self, Self::new()));
        }
        if self.places.is_empty() {
            self.resize(FEWEST);
        } else if self.displaced > self.places.len() && self.places.len() < MOST {
            self.resize(self.places.len() * 4);
        }
        place.owner = self.owner(asked.function, lane);
        gone._entries = if self.bytes + behind.weight() > MOST_BYTES {
            [Some((place, behind)), self.turned_out()]
        } else if let Some(room) = self.room(asked) {
            let before = self.take(room);
            self.bytes += behind.weight();
            self.stand(room, (place, behind));
            [before, None]
        } else {
            [Some((place, behind)), None]
        };
        gone
    }

    fn owner(&mut self, function: &'static Function, lane: Arc<Lane>) -> u16 {
        let known = self.owners.iter().position(|owner| Arc::ptr_eq(&owner.lane, &lane));
        let owner = known.unwrap_or_else(|| {
            self.owners.push(Owner { function, lane });
            self.owners.len() - 1
        });
        // There are no more than `MOST_OWNERS`.
        u16::try_from(owner).unwrap_or(u16::MAX)
    }

    /// Where what is asked may stand: where it does, where none does, where another gives way.
    fn room(&mut self, asked: &Asked<'_>) -> Option<usize> {
        let pair = [0, 1].map(|other| self.first(asked) ^ other);
        let own = pair.into_iter().find(|at| self.found(*at, asked).is_some());
        own.or_else(|| pair.into_iter().find(|at| self.places[*at].is_none())).or_else(|| {
            self.displaced += 1;
            pair.into_iter().find(|at| self.gives_way(*at))
        })
    }

    /// One that was not used lately, if there is one near the hand.
    fn turned_out(&mut self) -> Option<Entry> {
        let mut near = self.hand..self.hand + SWEPT;
        self.hand = near.end % self.places.len();
        let at = near.find(|at| self.gives_way(*at))?;
        self.take(at)
    }

    /// Whether what stands there goes where another comes. What was used since another came by
    /// stays: one that is asked for once is not to drive out one that is asked for all the time.
    fn gives_way(&mut self, at: usize) -> bool {
        let (Some(place), Some(behind)) = (&self.places[at], &mut self.behind[at]) else {
            return false;
        };
        let hits = place.hits.get();
        if hits != behind.seen {
            behind.seen = hits;
            behind.chances = CHANCES;
        }
        let gives_way = behind.chances == 0;
        behind.chances = behind.chances.saturating_sub(1);
        gives_way
    }

    fn take(&mut self, at: usize) -> Option<Entry> {
        let (place, behind) = (self.places[at].take()?, self.behind[at].take()?);
        self.bytes -= behind.weight();
        Some((place, behind))
    }

    fn stand(&mut self, at: usize, (place, behind): Entry) {
        self.places[at] = Some(place);
        self.behind[at] = Some(behind);
    }

    /// More places. A pair becomes several, so that what stood in one finds room.
    fn resize(&mut self, places: usize) {
        let before = std::mem::take(&mut self.places);
        let behind = std::mem::take(&mut self.behind);
        self.places.resize_with(places, || None);
        self.behind.resize_with(places, || None);
        self.shift = u64::BITS - places.trailing_zeros();
        self.displaced = 0;
        self.hand = 0;
        for (place, behind) in before.into_iter().flatten().zip(behind.into_iter().flatten()) {
            let trace = &Trace::of(&place.words, &behind.words, place.len);
            let Some(owner) = self.owners.get(usize::from(place.owner)) else { continue };
            let function = owner.function;
            if let Some(room) = self.room(&Asked { function, trace }) {
                self.stand(room, (place, behind));
            }
        }
    }
}
