//! The changes of all primaries, told to one who keeps values elsewhere.
//!
//! Each primary's link tells of its own changes, and for how long it has told of all. Of the whole
//! that is true up to the earliest of these moments, over the primaries whose links stand. What was
//! read from one whose link does not stand is not to be kept (see [`Member::is_told`]); and since
//! everything is forgotten when a link is lost, nothing of it is.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::Moment;
use crate::store::Watched;

pub(super) struct Gathering {
    tier: Arc<dyn Watched>,
    pub(super) bound: Duration,
    /// Up to when each link has told.
    told: Mutex<HashMap<u64, Moment>>,
}

/// One primary's.
pub(super) struct Member {
    id: u64,
    gathering: Arc<Gathering>,
    told: AtomicBool,
    /// For good: what its link may still say does not count.
    left: AtomicBool,
    /// A link that is lost may mean that another server has its slots.
    news: Arc<Notify>,
}

impl Gathering {
    pub(super) fn new(tier: Arc<dyn Watched>, bound: Duration) -> Self {
        Self { tier, bound, told: Mutex::default() }
    }

    /// A new primary.
    pub(super) fn member(self: &Arc<Self>, news: Arc<Notify>) -> Member {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let (told, left) = (AtomicBool::new(false), AtomicBool::new(false));
        Member { id, gathering: Arc::clone(self), told, left, news }
    }

    fn told(&self) -> MutexGuard<'_, HashMap<u64, Moment>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gathering {
    /// Slots have other owners: what was read of them may have been changed there.
    pub(super) fn all_changed(&self) {
        self.tier.all_changed();
    }
}

impl Member {
    /// Whether each change from now on will be told, or everything be forgotten: to be asked before
    /// what is to be kept is read, and after its ticket was taken.
    pub(super) fn is_told(&self) -> bool {
        self.told.load(Ordering::Acquire)
    }

    /// The server is no primary of the cluster any more.
    pub(super) fn leaves(&self) {
        self.left.store(true, Ordering::Release);
        self.lost();
    }
}

impl Watched for Member {
    fn now(&self) -> Moment {
        self.gathering.tier.now()
    }

    fn changed(&self, key: &str) {
        self.gathering.tier.changed(key);
    }

    fn tag_changed(&self, tag: &str) {
        self.gathering.tier.tag_changed(tag);
    }

    fn all_changed(&self) {
        self.gathering.tier.all_changed();
    }

    fn coherent_at(&self, moment: Moment) {
        let mut told = self.gathering.told();
        if self.left.load(Ordering::Acquire) {
            return;
        }
        told.insert(self.id, moment);
        self.told.store(true, Ordering::Release);
        if let Some(earliest) = told.values().min() {
            self.gathering.tier.coherent_at(*earliest);
        }
    }

    fn lost(&self) {
        let mut told = self.gathering.told();
        // Of one that was lost already nothing has been kept since.
        if told.remove(&self.id).is_none() {
            return;
        }
        // First, so that who is told so afterwards has a ticket that is worth nothing.
        self.told.store(false, Ordering::Release);
        self.gathering.tier.lost();
        drop(told);
        self.news.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the tier was told last.
    #[derive(Default)]
    struct Tier(Mutex<Vec<String>>);

    impl Tier {
        fn heard(&self) -> Vec<String> {
            std::mem::take(&mut *self.0.lock().unwrap())
        }

        fn note(&self, what: impl Into<String>) {
            self.0.lock().unwrap().push(what.into());
        }
    }

    impl Watched for Tier {
        fn now(&self) -> Moment {
            Moment::NEVER
        }
        fn changed(&self, key: &str) {
            self.note(key);
        }
        fn tag_changed(&self, tag: &str) {
            self.note(tag);
        }
        fn all_changed(&self) {
            self.note("all");
        }
        fn coherent_at(&self, moment: Moment) {
            self.note(moment.to_bits().to_string());
        }
        fn lost(&self) {
            self.note("lost");
        }
    }

    #[test]
    fn the_whole_is_as_coherent_as_the_earliest_of_those_that_stand() {
        let tier = Arc::<Tier>::default();
        let gathering =
            Arc::new(Gathering::new(Arc::clone(&tier) as Arc<dyn Watched>, Duration::ZERO));
        let [one, two] = [(); 2].map(|()| gathering.member(Arc::default()));
        let at = Moment::from_bits;
        assert!(!one.is_told());
        one.coherent_at(at(10));
        assert!(one.is_told() && !two.is_told());
        two.coherent_at(at(20));
        one.coherent_at(at(30));
        assert_eq!(tier.heard(), ["10", "10", "20"]);
        two.lost();
        two.lost();
        assert!(one.is_told() && !two.is_told());
        one.coherent_at(at(40));
        two.coherent_at(at(50));
        one.leaves();
        one.coherent_at(at(55));
        two.coherent_at(at(60));
        assert_eq!(tier.heard(), ["lost", "40", "40", "lost", "60"]);
    }
}
