//! Each thread's own few entries of the local tiers, in front of what all threads share: a hit
//! there touches nothing that another thread writes, but the reference count of an `Arc` that it
//! gives away.
//!
//! A place remembers the stamp of its key from before the slot was found, and is good for as long
//! as that stands. So nobody need find the places of other threads when something is invalidated.
//! What a place holds may outlive its eviction from the tier, hence the bounds: [`PLACES`] values of
//! at most [`LARGEST`] bytes a thread.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use super::slot::{Owner, Slot};

const PLACES: usize = 512;
/// Larger values are looked up in the tier itself, where that costs little beside their use.
const LARGEST: u32 = 1024;
/// The tier hears of every so many hits: what is used much is not to be driven out there.
const HEARD: u32 = 64;

struct Place {
    tier: u64,
    stamp: u64,
    hits: Cell<u32>,
    slot: Arc<Slot>,
}

thread_local! {
    static FRONT: RefCell<Vec<Option<Place>>> = const { RefCell::new(Vec::new()) };
}

/// What is asked of a place.
pub(super) struct Asked<'a> {
    pub(super) tier: u64,
    pub(super) owner: Owner,
    pub(super) text: &'a str,
}

/// What there is in this thread's front for what is asked. `stamp` tells the stamp of now, `serve`
/// what comes of the slot, and `hear` is called every so many hits.
#[inline]
pub(super) fn look<T>(
    asked: &Asked<'_>,
    stamp: impl FnOnce(u64) -> u64,
    serve: impl FnOnce(&Slot) -> Option<T>,
    hear: impl FnOnce(&Slot),
) -> Option<T> {
    // Shared, so that a value's `Clone` may well call a cached function.
    let look = |front: &RefCell<Vec<Option<Place>>>| {
        let front = front.try_borrow().ok()?;
        let place = front.get(at(asked.owner))?.as_ref()?;
        let slot = &*place.slot;
        let same =
            place.tier == asked.tier && slot.owner == asked.owner && *slot.text == *asked.text;
        if !same || stamp(slot.hash) != place.stamp {
            return None;
        }
        let served = serve(slot)?;
        let hits = place.hits.get().wrapping_add(1);
        place.hits.set(hits);
        if hits % HEARD == 0 {
            hear(slot);
        }
        Some(served)
    };
    FRONT.try_with(look).ok().flatten()
}

/// Puts a slot that was found in the tier in this thread's front; `stamp` is that of its key from
/// before it was found.
pub(super) fn put(tier: u64, stamp: u64, slot: Arc<Slot>) {
    if slot.weight > LARGEST {
        return;
    }
    let at = at(slot.owner);
    let place = Place { tier, stamp, hits: Cell::new(0), slot };
    let put = |front: &RefCell<Vec<Option<Place>>>| {
        let mut front = front.try_borrow_mut().ok()?;
        if front.is_empty() {
            front.resize_with(PLACES, || None);
        }
        front.get_mut(at)?.replace(place)
    };
    // What was there is dropped when the front can be used again: it is a user's value.
    let before = FRONT.try_with(put).ok().flatten();
    drop(before);
}

/// Arguments are hashed already; functions are mixed in for those that have few.
fn at(owner: Owner) -> usize {
    usize::try_from((owner.arguments ^ owner.function) % PLACES as u64).unwrap_or(0)
}
