//! What stored bytes are worth to a call.

use std::sync::PoisonError;
use std::time::Duration;

use super::{Errors, Loader, Origin, Serving};
use crate::cache::{Cache, Call, Renewal, Shared, Unserved};
use crate::entry::{self, Content, Entry};
use crate::fault::Fault;
use crate::fetched::Source;
use crate::key::Key;
use crate::policy::{Age, Ageing, Freshness, fresh_for, freshness};
use crate::shape::{Opened, ShapeOf};
use crate::sharing::Sharer;
use crate::stats::Answer;
use crate::store::{Looked, Sight};

/// What a look came to.
pub(super) enum Judged<R> {
    /// Served; good for so long, where that is known.
    Serve(R, Origin, Option<Duration>),
    /// Served, and to be loaded anew by this process.
    Renew(R, Origin, Renewal),
    Not(Unserved),
}

/// A value that was read.
struct Read<R> {
    found: R,
    origin: Origin,
    freshness: Freshness,
    good_for: Option<Duration>,
}

/// How old a value is, as far as that was asked.
struct Aged {
    freshness: Freshness,
    age: Option<Duration>,
    /// For how long it may be served from memory before it must be looked at again.
    good_for: Option<Duration>,
}

/// Why a value is not served: a fault, or it is simply no longer valid.
enum Unusable {
    Fault(Fault),
    Invalid,
}

impl From<Fault> for Unusable {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl<R: ShapeOf<N>, const N: u8> Loader<R, N> {
    pub(super) fn judge(
        &self,
        call: &Call<'_>,
        key: &Key,
        sight: &Sight,
        serving: &Serving<'_>,
        errors: Errors<'_, R::Error>,
    ) -> Judged<R> {
        let bytes = match call.classify(&sight.looked) {
            Ok(bytes) => bytes,
            Err(unserved) => return Judged::Not(unserved),
        };
        let useless = || Judged::Not(Unserved::Useless(entry::fence_of(bytes)));
        let read = match self.read(key, bytes, sight, serving.ageing, errors) {
            Ok(read) => read,
            Err(Unusable::Invalid) => return useless(),
            // Once a call: it may look again and again while another loads beside it.
            Err(Unusable::Fault(Fault::OtherOwner)) => {
                if !call.has_waited() {
                    self.count(|counters| counters.fault(Fault::OtherOwner));
                }
                return Judged::Not(Unserved::Other(entry::fence_of(bytes)));
            }
            Err(Unusable::Fault(fault)) => {
                self.count(|counters| counters.fault(fault));
                return if call.has_waited() {
                    Judged::Not(Unserved::Unreadable)
                } else {
                    useless()
                };
            }
        };
        let Read { found, origin, freshness, good_for } = read;
        match freshness {
            Freshness::Fresh => Judged::Serve(found, origin, good_for),
            Freshness::Due | Freshness::Stale => match call.renewing(bytes, &sight.versions) {
                Some(renewal) => Judged::Renew(found, origin, renewal),
                None => Judged::Serve(found, origin, None),
            },
            Freshness::Spare => Judged::Not(Unserved::Spare {
                fence: entry::fence_of(bytes),
                shared: entry::is_several(bytes),
            }),
            Freshness::Expired => useless(),
        }
    }

    /// A value that was seen, whether it is fresh or may only stand in for one.
    pub(crate) fn served(
        &self,
        key: &Key,
        sight: &Sight,
        serving: &Serving<'_>,
        errors: Errors<'_, R::Error>,
    ) -> Option<(R, Origin)> {
        let Looked::Present(bytes) = &sight.looked else { return None };
        let read = self.read(key, bytes, sight, serving.ageing, errors).ok()?;
        let Read { found, origin, freshness, .. } = read;
        if freshness == Freshness::Expired {
            return None;
        }
        self.answered(origin.source);
        Some((found, origin))
    }

    /// What the leader of a flight has for those who joined it; before an error comes an old value,
    /// where there is one.
    pub(super) fn joined(
        &self,
        key: &Key,
        serving: &Serving<'_>,
        shared: &Shared,
        spare: Option<Sight>,
        errors: Errors<'_, R::Error>,
    ) -> Option<(R, Origin)> {
        if let Some(served) = spare.and_then(|spare| self.served(key, &spare, serving, errors)) {
            return Some(served);
        }
        let (found, bypass) = match shared {
            Shared::Sight(sight) => {
                let Looked::Present(bytes) = &sight.looked else { return None };
                let read = self.read(key, bytes, sight, serving.ageing, errors).ok()?;
                let Read { found, origin, freshness, .. } = read;
                if matches!(freshness, Freshness::Spare | Freshness::Expired) {
                    return None;
                }
                self.answered(origin.source);
                return Some((found, origin));
            }
            // Its tags were compared when it was stored, or nobody could have stored it.
            Shared::Loaded { bytes, bypass } => {
                let entry = self.entry(key, bytes, errors).ok()?;
                (self.decode(&entry, errors).ok()?, *bypass)
            }
            Shared::Failed { error, bypass } => {
                let error = error.lock().unwrap_or_else(PoisonError::into_inner);
                (R::close(Opened::Failed(errors.sharer.unwrap(&**error)?)), *bypass)
            }
            Shared::Spare => return None,
        };
        let (answer, source) = match bypass {
            true => (Answer::Bypass, Source::Bypass),
            false => (Answer::Miss, Source::Shared),
        };
        self.count(|counters| counters.coalesced(answer));
        Some((found, Origin { source, age: None }))
    }

    /// The value that was seen, if it is fresh.
    pub(super) fn fresh(&self, key: &Key, sight: &Sight) -> Option<R::Value> {
        let Looked::Present(bytes) = &sight.looked else { return None };
        let errors = Errors { cached: None, sharer: Sharer::none() };
        let read = self.read(key, bytes, sight, &Ageing::OFF, errors).ok()?;
        let Read { found, freshness, .. } = read;
        if freshness != Freshness::Fresh {
            return None;
        }
        match found.open() {
            Opened::Value(value) => Some(value),
            Opened::Absent(_) | Opened::Failed(_) => None,
        }
    }

    /// Counts a call that was served.
    pub(crate) fn answered(&self, source: Source) {
        let answer = if source == Source::Stale { Answer::Stale } else { Answer::Hit };
        self.count(|counters| counters.answered(answer));
    }

    fn entry<'a>(
        &self,
        key: &Key,
        bytes: &'a [u8],
        errors: Errors<'_, R::Error>,
    ) -> Result<Entry<'a>, Fault> {
        let owner = Cache::owner(self.function, key, self.coder.id);
        let failure = errors.cached.map(|(fingerprint, _)| fingerprint);
        let (tags, limit) = (self.tags.len(), self.cache.config().max_value_bytes);
        entry::decode(bytes, &owner, failure, tags, limit)
    }

    fn read(
        &self,
        key: &Key,
        bytes: &[u8],
        sight: &Sight,
        ageing: &Ageing,
        errors: Errors<'_, R::Error>,
    ) -> Result<Read<R>, Unusable> {
        let entry = self.entry(key, bytes, errors)?;
        if !entry.is_valid(&sight.versions) {
            return Err(Unusable::Invalid);
        }
        let Aged { freshness, age, good_for } = self.age(&entry, sight, ageing);
        let source = match freshness {
            Freshness::Fresh | Freshness::Due => Source::Store,
            Freshness::Stale | Freshness::Spare => Source::Stale,
            Freshness::Expired => return Err(Unusable::Invalid),
        };
        let found = self.decode(&entry, errors)?;
        Ok(Read { found, origin: Origin { source, age }, freshness, good_for })
    }

    fn age(&self, entry: &Entry<'_>, sight: &Sight, ageing: &Ageing) -> Aged {
        if !sight.aged {
            // A value that outlives its ttl may be past it: who does not ask cannot tell.
            let plain = entry.stale.is_zero();
            let freshness = if plain { Freshness::Fresh } else { Freshness::Expired };
            return Aged { freshness, age: None, good_for: None };
        }
        let life = entry.ttl.saturating_add(entry.stale);
        let age = Age {
            ttl: entry.ttl,
            stale: entry.stale,
            load_time: entry.load_time,
            // There was nothing a moment before: it was stored in between.
            remaining: sight.remaining.map_or(life, |left| left.saturating_add(entry.cut)),
        };
        // Whoever keeps it elsewhere is told of its end by the entry, and must not outlive that.
        let stands = sight.remaining.unwrap_or(life);
        let chance = || if ageing.early_refresh.is_some() { fastrand::f64() } else { 0.0 };
        Aged {
            freshness: freshness(&age, ageing, chance()),
            age: Some(age.elapsed()),
            // Drawn anew: it is about another moment.
            good_for: self
                .near
                .as_ref()
                .and_then(|_| fresh_for(&age, ageing, chance()))
                .map(|good_for| good_for.min(stands)),
        }
    }

    fn decode(&self, entry: &Entry<'_>, errors: Errors<'_, R::Error>) -> Result<R, Fault> {
        let payload = crate::codec::zip::unpack(entry.payload, entry.uncompressed)?;
        let opened = match entry.content {
            Content::Value => {
                let data = (self.coder.decode)(&payload).map_err(|_| Fault::Undecodable)?;
                Opened::Value(R::wrap(data))
            }
            Content::None => Opened::Absent(R::absence().ok_or(Fault::OtherOwner)?),
            Content::Failure => {
                let (_, coder) = errors.cached.ok_or(Fault::OtherOwner)?;
                Opened::Failed((coder.decode)(&payload).map_err(|_| Fault::Undecodable)?)
            }
        };
        Ok(R::close(opened))
    }
}
