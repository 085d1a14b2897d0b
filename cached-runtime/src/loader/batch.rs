//! Several entries of one function, looked at together.

use super::read::Judged;
use super::{Errors, Loader, Serving};
use crate::cache::{Call, Fill, Glance, Loading};
use crate::shape::ShapeOf;

/// How a call begins that does not wait.
pub(crate) enum Begun<R> {
    Hit(R),
    /// Run the body.
    Load(Box<Loading>),
    /// Somebody else loads it: to be waited for.
    Later,
}

impl<R: ShapeOf<N>, const N: u8> Loader<R, N> {
    /// Looks all keys up in one trip, and waits for nobody. In the order of the loaders.
    pub(crate) async fn begin_all(
        loaders: &[&Self],
        serving: &Serving<'_>,
        errors: Errors<'_, R::Error>,
    ) -> Vec<Begun<R>> {
        let Some(Self { cache, function, .. }) = loaders.first() else { return Vec::new() };
        let mut begun = Vec::with_capacity(loaders.len());
        let (mut places, mut calls) = (Vec::new(), Vec::with_capacity(loaders.len()));
        for (at, loader) in loaders.iter().enumerate() {
            begun.push(match loader.usable_key() {
                None => Begun::Load(Loading::new(cache, 0, Fill::Bypass, None)),
                Some(key) => {
                    places.push((at, key));
                    calls.push(Call::new(cache, loader.wants(key, serving)));
                    Begun::Later
                }
            });
        }
        let glances = cache.glance_all(function, &mut calls).await;
        // Up to the next await each lease that was taken is in nobody's hands.
        let (mut unserved, mut unserved_at) = (Vec::new(), Vec::new());
        for (((at, key), mut call), glance) in places.into_iter().zip(calls).zip(glances) {
            begun[at] = match glance {
                Glance::Later => Begun::Later,
                Glance::Load(loading) => Begun::Load(loading),
                Glance::Seen(Err(failure)) => Begun::Load(call.unasked(&failure)),
                Glance::Seen(Ok(sight)) => {
                    match loaders[at].judge(&call, key, &sight, serving, errors) {
                        Judged::Serve(found, origin, _) | Judged::Renew(found, origin, _) => {
                            call.served(sight);
                            loaders[at].answered(origin.source);
                            Begun::Hit(found)
                        }
                        Judged::Not(why) => {
                            unserved.push((call, sight, why));
                            unserved_at.push(at);
                            Begun::Later
                        }
                    }
                }
            };
        }
        let loads = cache.next_all(unserved).await;
        for (at, loading) in unserved_at.into_iter().zip(loads) {
            if let Some(loading) = loading {
                begun[at] = Begun::Load(loading);
            }
        }
        begun
    }

    /// As [`refreshing`](Self::refreshing), for all in one trip.
    pub(crate) async fn refreshing_all(loaders: &[&Self]) -> Vec<Box<Loading>> {
        let Some(Self { cache, function, .. }) = loaders.first() else { return Vec::new() };
        let keys: Vec<_> = loaders.iter().map(|loader| loader.usable_key()).collect();
        let usable = loaders.iter().zip(&keys).filter_map(|(loader, key)| {
            let key = (*key)?;
            Some(Call::new(cache, loader.wants(key, &Serving::PLAIN)))
        });
        let mut loads = cache.over_all(function, usable.collect()).await.into_iter();
        let bypass = || Loading::new(cache, 0, Fill::Bypass, None);
        let load = |key: Option<_>| key.and_then(|_| loads.next()).unwrap_or_else(bypass);
        keys.into_iter().map(load).collect()
    }
}
