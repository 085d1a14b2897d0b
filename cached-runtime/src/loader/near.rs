//! Values in this process's own memory: served from there, and put there when they were read from
//! the store.

use std::time::Duration;

use super::{Loader, Origin};
use crate::cache::Cache;
use crate::entry;
use crate::fetched::Source;
use crate::function::Function;
use crate::key::{Key, Trace};
use crate::local::{Keeper, Kept, Owner, Read, Slot, Ticket, Wanted};
use crate::shape::{Opened, ShapeOf};
use crate::store::{Looked, Sight};

/// What this thread has at hand for these arguments; counted as a hit.
#[inline]
pub(crate) fn nearest<R: ShapeOf<N>, const N: u8>(
    cache: &Cache,
    function: &'static Function,
    trace: &Trace,
    keeper: &Keeper<R::Value>,
) -> Option<R> {
    // No thread has anything of a tier that is not open. To open it here would cost each hit: who
    // opens it is handed the call, and after that the compiler knows nothing of it any more.
    let local = cache.local_in_use()?;
    local.nearest(function, trace, keeper.ttl, |kept| given(kept, keeper.give))
}

/// A value that is kept, for one caller.
#[inline]
fn given<R: ShapeOf<N>, const N: u8>(
    kept: Option<&Kept>,
    give: impl Fn(&Kept) -> Option<R::Value>,
) -> Option<R> {
    let opened = match kept {
        Some(kept) => Opened::Value(give(kept)?),
        None => Opened::Absent(R::absence()?),
    };
    Some(R::close(opened))
}

/// Where a call looks in this process's memory.
pub(crate) struct Nearby<'a, V> {
    pub(crate) cache: &'a Cache,
    pub(crate) function: &'static Function,
    pub(crate) keeper: &'a Keeper<V>,
    pub(crate) trace: &'a Trace,
}

impl<V> Nearby<'_, V> {
    /// What there is under a key; counted as a hit.
    pub(crate) fn find<R: ShapeOf<N, Value = V>, const N: u8>(
        &self,
        key: &str,
        arguments: u64,
        tags: &[String],
    ) -> Option<(R, Origin)> {
        let Self { cache, function, keeper, trace } = *self;
        if function.name_taken {
            return None;
        }
        let owner = owner(function, arguments);
        let wanted = Wanted { owner, key, tags, function, trace, ttl: keeper.ttl };
        let give = |slot: &Slot, age| {
            let origin = Origin { source: Source::Local, age };
            Some((given(slot.kept.as_ref(), keeper.give)?, origin))
        };
        cache.local()?.nearby(wanted, || cache.counters_of(function), give)
    }
}

impl<R: ShapeOf<N>, const N: u8> Loader<R, N> {
    /// What this process's memory has; counted as a hit.
    pub(crate) fn nearby(&self) -> Option<(R, Origin)> {
        let ((keeper, trace), key) = (self.near.as_deref()?, self.key.as_ref().ok()?);
        let kept = Nearby { cache: &self.cache, function: self.function, keeper, trace };
        kept.find(key.as_str(), key.fingerprint(), &self.tags)
    }

    /// For what is about to be read.
    pub(super) fn ticket(&self, key: &Key) -> Option<Ticket> {
        self.near.as_ref()?;
        self.cache.local()?.ticket(key.as_str(), &self.tags)
    }

    /// Keeps what was read in this process's memory, where that is wanted and right.
    pub(super) fn keep_near(
        &self,
        ticket: Option<Ticket>,
        key: &Key,
        sight: &Sight,
        (found, origin, good_for): (R, Origin, Option<Duration>),
    ) -> R {
        let (Some((keeper, _)), Some(ticket), Some(good_for)) =
            (self.near.as_deref(), ticket, good_for)
        else {
            return found;
        };
        let (Looked::Present(bytes), true, Some(local)) =
            (&sight.looked, sight.told, self.cache.local())
        else {
            return found;
        };
        let opened = found.open();
        let kept = match &opened {
            Opened::Value(value) => Some((keeper.keep)(value)),
            Opened::Absent(_) => None,
            Opened::Failed(_) => return R::close(opened),
        };
        let read = Read {
            owner: owner(self.function, key.fingerprint()),
            kept,
            bytes: entry::decoded_len(bytes),
            good_for: keeper.ttl.map_or(good_for, |ttl| ttl.min(good_for)),
            age: origin.age,
        };
        local.keep(ticket, key.as_str(), read, self.cache.counters_of(self.function));
        R::close(opened)
    }
}

fn owner(function: &Function, arguments: u64) -> Owner {
    Owner { function: function.fingerprint, arguments }
}
