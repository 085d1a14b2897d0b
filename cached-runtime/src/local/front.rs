//! Each thread's own few entries of the local tiers, in front of what all threads share: found by
//! the arguments themselves instead of the key's text, and a hit touches nothing that another
//! thread writes, but the reference count of an `Arc` that it gives away.
//!
//! A place remembers the stamp of its key from before the slot was found, and is good for as long
//! as that stands. So nobody need find the places of other threads when something is invalidated.
//! What a place holds may outlive its eviction from the tier, hence the bounds: [`MOST`] values of
//! at most [`LARGEST`] bytes a thread.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use super::slot::Slot;
use crate::function::Function;
use crate::key::Trace;
use crate::tally::Lane;

/// A thread begins with so few places, and has more once it needs them.
const FEWEST: usize = 64;
const MOST: usize = 4096;
/// Larger values are looked up in the tier itself, where that costs little beside their use.
const LARGEST: u32 = 1024;
/// What was used is turned out for the so manieth other that comes by.
const CHANCES: u32 = 4;
/// The tier hears of every so many hits: what is used much is not to be driven out there.
const HEARD: u32 = 64;

/// What a call asks for: its cache's tier, its function and its arguments.
pub(super) struct Asked<'a> {
    pub(super) tier: u64,
    pub(super) function: &'static Function,
    pub(super) trace: &'a Trace,
}

struct Place {
    trace: Trace,
    tier: u64,
    function: &'static Function,
    stamp: u64,
    hits: Cell<u32>,
    /// How often another is turned away before this one goes.
    chances: Cell<u32>,
    slot: Arc<Slot>,
    /// Where this thread counts the function's hits.
    lane: Arc<Lane>,
}

struct Front {
    places: Vec<Option<Place>>,
    /// How many came to the place of another, since there are as many places.
    displaced: usize,
}

thread_local! {
    static FRONT: RefCell<Front> =
        const { RefCell::new(Front { places: Vec::new(), displaced: 0 }) };
}

/// What there is in this thread's front for what is asked; counted. `stamp` tells the stamp of now,
/// `serve` what comes of the slot, and `hear` is called every so many hits.
#[inline]
pub(super) fn look<T>(
    asked: &Asked<'_>,
    stamp: impl FnOnce(u64) -> u64,
    serve: impl FnOnce(&Slot) -> Option<T>,
    hear: impl FnOnce(&Slot),
) -> Option<T> {
    // Shared, so that a value's `Clone` may well call a cached function.
    let look = |front: &RefCell<Front>| {
        let front = front.try_borrow().ok()?;
        let place = front.places.get(front.at(asked))?.as_ref()?;
        if !place.is_for(asked) || stamp(place.slot.hash) != place.stamp {
            return None;
        }
        let served = serve(&place.slot)?;
        place.lane.count_local();
        let hits = place.hits.get().wrapping_add(1);
        place.hits.set(hits);
        place.chances.set(CHANCES);
        if hits.is_multiple_of(HEARD) {
            hear(&place.slot);
        }
        Some(served)
    };
    FRONT.try_with(look).ok().flatten()
}

/// Puts a slot that was found in the tier in this thread's front; `stamp` is that of its key from
/// before it was found.
pub(super) fn put(
    asked: &Asked<'_>,
    stamp: u64,
    slot: Arc<Slot>,
    lane: impl FnOnce() -> Arc<Lane>,
) {
    if slot.weight > LARGEST || !asked.trace.is_whole() {
        return;
    }
    let place = Place {
        trace: *asked.trace,
        tier: asked.tier,
        function: asked.function,
        stamp,
        hits: Cell::new(0),
        chances: Cell::new(0),
        lane: lane(),
        slot,
    };
    let put = |front: &RefCell<Front>| front.try_borrow_mut().ok()?.put(place);
    // What was there is dropped when the front can be used again: it is a user's value.
    let before = FRONT.try_with(put).ok().flatten();
    drop(before);
}

impl Place {
    #[inline]
    fn is_for(&self, asked: &Asked<'_>) -> bool {
        std::ptr::eq(self.function, asked.function)
            && self.tier == asked.tier
            && self.trace.same(asked.trace)
    }
}

impl Front {
    #[inline]
    fn at(&self, asked: &Asked<'_>) -> usize {
        // The high bits, which all of the arguments' bits have reached, as many as there are
        // places, a power of two.
        let spread = asked.trace.hash().wrapping_add((asked.function.index as u64) << 52);
        let bits = self.places.len().trailing_zeros();
        usize::try_from(spread >> (64 - bits).min(63)).unwrap_or(0)
    }

    /// What was in its place, or the place itself where that is kept.
    fn put(&mut self, place: Place) -> Option<Place> {
        if self.places.is_empty() {
            self.places.resize_with(FEWEST, || None);
        } else if self.displaced > self.places.len() && self.places.len() < MOST {
            self.grow();
        }
        let asked = Asked { tier: place.tier, function: place.function, trace: &place.trace };
        let at = self.at(&asked);
        let there = self.places.get_mut(at)?;
        if let Some(before) = there
            && !before.is_for(&asked)
        {
            self.displaced += 1;
            // What was used since another came by stays: one that is asked for once is not to
            // drive out one that is asked for all the time.
            let chances = before.chances.get();
            if chances > 0 {
                before.chances.set(chances - 1);
                return Some(place);
            }
        }
        there.replace(place)
    }

    fn grow(&mut self) {
        let before = std::mem::take(&mut self.places);
        self.places.resize_with(before.len() * 4, || None);
        self.displaced = 0;
        for place in before.into_iter().flatten() {
            let asked = Asked { tier: place.tier, function: place.function, trace: &place.trace };
            let at = self.at(&asked);
            // More places: nobody takes another's.
            if let Some(free) = self.places.get_mut(at) {
                *free = Some(place);
            }
        }
    }
}
