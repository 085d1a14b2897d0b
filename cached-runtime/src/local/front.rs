//! Each thread's own few entries of the local tiers, in front of what all threads share: found by
//! the arguments themselves instead of the key's text, and a hit touches nothing that another
//! thread writes, but the reference count of an `Arc` that it gives away.
//!
//! A place remembers the stamp of its key from before the slot was found, and is good for as long
//! as that stands. So nobody need find the places of other threads when something is invalidated.
//! What a place holds may outlive its eviction from the tier, hence the bounds: so many places and
//! bytes a thread (see [`places`](super::places)), and no values larger than [`LARGEST`].

use std::cell::RefCell;
use std::sync::Arc;

use super::places::{Behind, Found, Place, Places};
use super::slot::{Kept, Slot};
use crate::function::Function;
use crate::key::Trace;
use crate::tally::Lane;

/// Larger values are looked up in the tier itself, where that costs little beside their use.
const LARGEST: u32 = 1024;

/// What a call asks for: its function and its arguments.
pub(super) struct Asked<'a> {
    pub(super) function: &'static Function,
    pub(super) trace: &'a Trace,
}

thread_local! {
    static FRONT: RefCell<Places> = const { RefCell::new(Places::new()) };
}

/// What `give` makes of what this thread has for what is asked, where that `is_good`; counted.
/// `hear` is called for one hit in 256: what is used much is not to be driven out of the tier.
#[inline]
pub(super) fn look<T>(
    asked: &Asked<'_>,
    is_good: impl FnOnce(&Found<'_>) -> bool,
    give: impl FnOnce(Option<&Kept>) -> Option<T>,
    hear: impl FnOnce(&Slot),
) -> Option<T> {
    // Shared, so that a value's `Clone` may well call a cached function.
    let look = |front: &RefCell<Places>| {
        let front = front.try_borrow().ok()?;
        let found = front.find(asked)?;
        if !is_good(&found) {
            return None;
        }
        let given = give(found.place.kept.as_ref())?;
        found.lane.count_local();
        if found.place.used() {
            found.slot().map(hear);
        }
        Some(given)
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
    let Some(parts) = asked.trace.parts().filter(|_| slot.weight <= LARGEST) else { return };
    let place = Place::new(&parts, stamp, &slot);
    let behind = Behind::new(&parts, slot);
    let put = |front: &RefCell<Places>| {
        Some(front.try_borrow_mut().ok()?.put(asked, lane(), (place, behind)))
    };
    // What was there is dropped when the front can be used again: it is a user's value.
    let gone = FRONT.try_with(put).ok().flatten();
    drop(gone);
}
