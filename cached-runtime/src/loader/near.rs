//! Values in this process's own memory: served from there, and put there when they were read from
//! the store.

use std::sync::Arc;
use std::time::Duration;

use super::{Loader, Origin};
use crate::cache::Cache;
use crate::fetched::Source;
use crate::function::Function;
use crate::key::Key;
use crate::local::{Keeper, Local, Owner, Read, Slot, Ticket, Wanted};
use crate::shape::{Opened, ShapeOf};
use crate::store::{Looked, Sight};

/// What this process's memory has; counted as a hit.
#[inline]
pub(crate) fn nearby<R: ShapeOf<N>, const N: u8>(
    cache: &Cache,
    function: &'static Function,
    wanted: Wanted<'_>,
    keeper: &Keeper<R::Value>,
) -> Option<(R, Origin)> {
    let give = |slot: &Slot, now| {
        let opened = match &slot.kept {
            Some(kept) => Opened::Value((keeper.give)(kept)?),
            None => Opened::Absent(R::absence()?),
        };
        if std::ptr::eq(slot.function, function) {
            slot.counters.hit_locally();
        } else {
            // Functions that share a name share entries, and count by themselves.
            cache.counters(function, crate::stats::Counters::hit_locally);
        }
        let origin = Origin { source: Source::Local, age: Local::age(slot, now) };
        Some((R::close(opened), origin))
    };
    cache.local()?.hit(wanted, give)
}

impl<R: ShapeOf<N>, const N: u8> Loader<R, N> {
    /// As [`nearby`], of this entry.
    pub(crate) fn nearby(&self) -> Option<(R, Origin)> {
        let (keeper, key) = (self.keeper.as_ref()?, self.key.as_ref().ok()?);
        if self.function.name_taken {
            return None;
        }
        let wanted = Wanted { owner: self.owner(key), key: key.as_str(), tags: &self.tags };
        nearby(&self.cache, self.function, wanted, keeper)
    }

    /// For what is about to be read.
    pub(super) fn ticket(&self, key: &Key) -> Option<Ticket> {
        self.keeper.as_ref()?;
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
        let (Some(keeper), Some(ticket), Some(good_for)) = (&self.keeper, ticket, good_for) else {
            return found;
        };
        let (Looked::Present(bytes), Some(local)) = (&sight.looked, self.cache.local()) else {
            return found;
        };
        let opened = found.open();
        let kept = match &opened {
            Opened::Value(value) => Some((keeper.keep)(value)),
            Opened::Absent(_) => None,
            Opened::Failed(_) => return R::close(opened),
        };
        let read = Read {
            owner: self.owner(key),
            kept,
            bytes: bytes.len(),
            good_for: keeper.ttl.map_or(good_for, |ttl| ttl.min(good_for)),
            age: origin.age,
        };
        let counters = self.cache.counters_of(self.function);
        local.keep(ticket, key.as_str(), read, self.function, Arc::clone(&counters));
        R::close(opened)
    }

    fn owner(&self, key: &Key) -> Owner {
        Owner { function: self.function.fingerprint, arguments: key.fingerprint() }
    }
}
