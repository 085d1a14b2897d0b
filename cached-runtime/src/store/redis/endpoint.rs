//! One server: its address and settings, and a link for each runtime that uses it.
//!
//! A connection lives and dies with the runtime that made it, so each runtime gets its own, and
//! one cache serves several runtimes.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::runtime::{Handle, Id};
use tokio::task::AbortHandle;

use super::bell::Bell;
use super::gate::Gate;
use super::health::Health;
use super::idle::Check;
use super::link::{Link, Live, Upkeep};
use super::origin::{Found, Origin};
use crate::fault::Fault;
use crate::io::Driver;

pub(super) struct Endpoint {
    /// Tells endpoints apart, also those of one address.
    id: u64,
    origin: Origin,
    pub(super) bell: Bell,
    pub(super) health: Arc<Health>,
    upkeep: Upkeep,
    links: RwLock<Vec<Known>>,
}

/// So many links each thread finds without a lock.
const PLACES: usize = 16;

/// A link that a thread used.
struct Last {
    endpoint: u64,
    runtime: Id,
    link: Arc<Link>,
}

struct Known {
    runtime: Id,
    link: Arc<Link>,
    actor: AbortHandle,
}

impl Endpoint {
    pub(super) fn new(origin: Origin, check: Check) -> Self {
        let health = Health::new(origin.name());
        Self::with(origin, health, Upkeep { gate: Arc::default(), check, bulk: false })
    }

    /// One to the same server, with connections and a state of its own, of which the log is not told.
    pub(super) fn beside(&self) -> Self {
        let upkeep = Upkeep { bulk: true, ..self.upkeep.clone() };
        Self::with(self.origin.clone(), Health::unsaid(self.origin.name()), upkeep)
    }

    fn with(origin: Origin, health: Health, upkeep: Upkeep) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let bell = Bell::new(origin.clone(), Arc::clone(&upkeep.gate));
        let health = Arc::new(health);
        Self { id, origin, bell, health, upkeep, links: RwLock::new(Vec::new()) }
    }

    /// To connect by.
    pub(super) fn origin(&self) -> (Origin, Arc<Gate>) {
        (self.origin.clone(), Arc::clone(&self.upkeep.gate))
    }

    /// The link of the runtime this is called on; made, with its actor, at first use.
    ///
    /// # Panics
    /// Never where it is called inside a tokio runtime, which its callers make sure of.
    pub(super) fn link(&self) -> Arc<Link> {
        self.link_of(&Handle::current())
    }

    /// The connection of the runtime this is called on, if it is up: the way of each hit. The
    /// links this thread used last, of several endpoints, are found without a lock.
    pub(super) fn live_of(&self, runtime: &Handle) -> Option<Arc<Live>> {
        thread_local! {
            static LAST: RefCell<[Option<Last>; PLACES]> =
                const { RefCell::new([const { None }; PLACES]) };
        }
        let id = runtime.id();
        // A cluster's endpoints are numbered one after the other.
        let place = usize::try_from(self.id).unwrap_or_default() % PLACES;
        let found = LAST.try_with(|last| match &mut last.borrow_mut()[place] {
            Some(last)
                if last.endpoint == self.id && last.runtime == id && !last.link.is_dead() =>
            {
                last.link.live_now()
            }
            other => {
                let (endpoint, link) = (self.id, self.link_of(runtime));
                other.insert(Last { endpoint, runtime: id, link }).link.live_now()
            }
        });
        // A thread that ends keeps none.
        found.unwrap_or_else(|_| self.link_of(runtime).live_now())
    }

    /// Whether no other primary was found since this one.
    pub(super) fn is_last(&self, found: Found) -> bool {
        self.origin.is_last(found)
    }

    /// Lets every link that is down try again soon.
    pub(super) fn hurry(&self) {
        for known in &*self.links.read().unwrap_or_else(PoisonError::into_inner) {
            if known.link.last_failure().is_some() {
                known.link.hurry();
            }
        }
    }

    /// Why there is no connection, where no runtime has one and not all are still at their first
    /// attempt.
    pub(super) fn disconnected(&self) -> Option<Fault> {
        let links = self.links.read().unwrap_or_else(PoisonError::into_inner);
        let mut links = links.iter().map(|known| &known.link).filter(|link| !link.is_dead());
        let mut cause = None;
        let up = links.any(|link| {
            cause = link.last_failure().map(|failure| failure.fault).or(cause);
            link.live_now().is_some()
        });
        cause.filter(|_| !up)
    }

    /// In a child process, whose parent goes on with these connections.
    pub(super) fn in_child(&self) {
        self.links.write().unwrap_or_else(PoisonError::into_inner).clear();
        let (origin, gate) = self.origin();
        if let Some(login) = origin.login() {
            login.in_child();
        }
        self.bell.in_child(origin, gate);
        // Whoever probed is not here. A server that is still away opens it again.
        self.health.breaker.close();
    }

    /// The link of a runtime. A dead one is that of an earlier runtime, whose id was given again.
    pub(super) fn link_of(&self, runtime: &Handle) -> Arc<Link> {
        let id = runtime.id();
        let find = |links: &[Known]| {
            let mut links = links.iter();
            let known = links.find(|known| known.runtime == id && !known.link.is_dead());
            known.map(|known| Arc::clone(&known.link))
        };
        let known = self.links.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(link) = find(&known) {
            return link;
        }
        drop(known);
        // Before the lock, which the I/O thread's first need may want.
        let driver = Driver::of(runtime);
        let mut known = self.links.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(link) = find(&known) {
            return link;
        }
        known.retain(|known| !known.link.is_dead());
        let (health, upkeep) = (Arc::clone(&self.health), self.upkeep.clone());
        let (link, actor) = Link::new(self.origin.clone(), health, upkeep, driver);
        let actor = runtime.spawn(actor).abort_handle();
        known.push(Known { runtime: id, link: Arc::clone(&link), actor });
        link
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        let links = self.links.get_mut().unwrap_or_else(PoisonError::into_inner);
        for known in links {
            known.actor.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::Layout;
    use super::*;

    fn nowhere() -> Endpoint {
        let client = redis::Client::open("redis://127.0.0.1:1").unwrap();
        let check = Check::new(std::time::Duration::ZERO, &Layout::new("shop", 1));
        let info = client.get_connection_info().clone();
        Endpoint::new(Origin::fixed(info, super::super::origin::Access::default()).unwrap(), check)
    }

    /// An id that was given again is not to be had at will; a link that died under it is.
    #[tokio::test]
    async fn a_dead_link_is_replaced() {
        let endpoint = nowhere();
        let here = Handle::current();
        let first = endpoint.link();
        assert!(Arc::ptr_eq(&first, &endpoint.link()));
        assert!(endpoint.live_of(&here).is_none());
        for known in &*endpoint.links.read().unwrap() {
            known.actor.abort();
        }
        while !first.is_dead() {
            tokio::task::yield_now().await;
        }
        let second = endpoint.link();
        assert!(!Arc::ptr_eq(&first, &second) && !second.is_dead());
        assert!(Arc::ptr_eq(&second, &endpoint.link()));
        assert_eq!(endpoint.links.read().unwrap().len(), 1);
    }

    #[test]
    fn the_link_of_a_runtime_that_has_ended_is_dead() {
        let endpoint = nowhere();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let here = runtime.handle().clone();
        drop(runtime);
        // Its actor is never polled.
        assert!(endpoint.link_of(&here).is_dead());
    }
}
