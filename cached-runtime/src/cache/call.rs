//! One call's way to a value: whose lookup it shares, whom it waits for, and when it may load.
//!
//! A call joins the flight of its entry, or leads one. The leader looks; what it sees is either
//! served, or resolved: into the right to load, or into another look after a wait for whoever
//! loads already.

use std::any::Any;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::Cache;
use super::background::Lease;
use super::loading::{Fill, Loading};
use super::waiting::Waiting;
use super::watchdog::Abandoned;
use crate::entry::{self, Fence, Present};
use crate::fault::Fault;
use crate::flight::{Flights, Follower, Joined, Leader, Told, inside};
use crate::function::Function;
use crate::io;
use crate::key::Key;
use crate::policy::{Ageing, SingleFlight};
use crate::store::{Asked, Captured, Failure, Hold, Looked, Sight, Spot};
use crate::token::{self, Token};

mod resolve;

pub(crate) use resolve::{Next, Renewal, Resolved};

/// The flights of a cache, and the seed of their names. A leader is known by the token of the lease
/// that it has, or will take.
pub(crate) struct InFlight {
    pub(crate) flights: Arc<Flights<Fill, Shared, Token>>,
    pub(super) abandoned: Abandoned,
    seed: RandomState,
}

impl Default for InFlight {
    fn default() -> Self {
        Self {
            flights: Arc::new(Flights::new()),
            abandoned: Abandoned::default(),
            seed: RandomState::new(),
        }
    }
}

/// What a leader's work yields to those who joined it.
#[derive(Clone)]
pub(crate) enum Shared {
    /// What its lookup saw.
    Sight(Arc<Sight>),
    /// The envelope of the value that its body yielded.
    Loaded { bytes: Arc<Vec<u8>>, bypass: bool },
    /// Its body's error, for each to clone.
    Failed { error: Arc<Mutex<Box<dyn Any + Send>>>, bypass: bool },
    /// Its body failed, and an old value may be served in its place.
    Spare,
}

/// How a call wants to be served.
#[derive(Clone, Copy)]
pub(crate) struct Wants<'a> {
    pub(crate) function: &'static Function,
    pub(crate) key: &'a Key,
    pub(crate) tags: &'a [String],
    pub(crate) ageing: &'a Ageing,
    pub(crate) flight: SingleFlight,
    /// Whether the caller asks for the age of what it is served.
    pub(crate) age: bool,
}

pub(crate) struct Call<'a> {
    cache: &'a Cache,
    wants: Wants<'a>,
    /// Names the entry in this process.
    id: u128,
    leader: Option<Leader<Fill, Shared, Token>>,
    /// Under which the last lookup took the lease, where there was nothing.
    token: Token,
    /// Whether it was sent: a token is used by one send (invariant I3).
    sent: bool,
    waiting: Option<Box<Waiting>>,
    /// When it first had to wait.
    since: Option<Instant>,
}

/// How a call begins.
pub(crate) enum Entered {
    /// Look.
    Look,
    /// Another's work is its own.
    Shared(Shared),
    /// Load.
    Load(Box<Loading>),
    /// Whoever loads takes longer than a load may.
    TimedOut,
}

/// Why what was seen cannot be served.
pub(crate) enum Unserved {
    /// There was nothing, and the lease is ours.
    Leased,
    /// There is something of no use: to be replaced.
    Useless(Fence),
    /// What was waited for is there, and of no use: the next would be as well.
    Unreadable,
    /// A value past its ttl: to be loaded under a lease beside it. Whether others keep something there.
    Spare { fence: Fence, shared: bool },
    /// A value of another owner: to be loaded under a lease beside it, and stored together with it.
    Other(Fence),
    /// Another's lease: its bytes.
    Busy(Vec<u8>),
    /// No string.
    WrongType,
    /// Nothing, and no lease could be had.
    Unleased,
}

impl<'a> Call<'a> {
    pub(crate) fn new(cache: &'a Cache, wants: Wants<'a>) -> Self {
        let in_flight = cache.in_flight();
        // A keyed hash in one half: nobody can make two entries meet in one flight. Its tags as well:
        // a value is valid by those that it was loaded under.
        let keyed = in_flight.seed.hash_one((wants.key.as_str(), wants.tags));
        let unkeyed = wants.key.fingerprint() ^ wants.function.fingerprint.rotate_left(32);
        let id = u128::from(keyed) << 64 | u128::from(unkeyed);
        let (token, sent) = (token::fresh(), false);
        Self { cache, wants, id, leader: None, token, sent, waiting: None, since: None }
    }

    /// Joins the entry's flight, or begins one.
    pub(crate) async fn enter(&mut self) -> Entered {
        loop {
            let follower = match self.join() {
                Ok(entered) => return entered,
                Err(follower) => follower,
            };
            let entered = if self.waits_without_limit() {
                let told = follower.await;
                self.told(told)
            } else {
                Box::pin(self.follow(follower)).await
            };
            if let Some(entered) = entered {
                return entered;
            }
        }
    }

    /// As [`enter`](Self::enter), without waiting: `None` where another leads.
    pub(super) fn enter_now(&mut self) -> Option<Entered> {
        self.join().ok()
    }

    /// `Err` with a place behind the leader, where another leads.
    fn join(&mut self) -> Result<Entered, Follower<Fill, Shared, Token>> {
        // What is not to be used is not looked at, and a load under way may be older still.
        if self.wants.flight == SingleFlight::Off || self.usable().is_err() {
            return Ok(Entered::Look);
        }
        match self.cache.in_flight().flights.join(self.id, self.token) {
            Joined::Leader(leader) => {
                self.leader = Some(leader);
                Ok(Entered::Look)
            }
            Joined::Cycle => Ok(Entered::Load(self.alone(Fill::Unfenced))),
            Joined::Follower(follower) => {
                self.cache.watch_leaders();
                Err(follower)
            }
        }
    }

    /// A token that was not sent before, for what is about to be.
    fn next_token(&mut self) {
        self.token = token::fresh();
        self.sent = true;
        if let Some(leader) = &self.leader {
            leader.mark(self.token);
        }
    }

    /// When this call first had to wait.
    fn since(&mut self) -> Instant {
        *self.since.get_or_insert_with(Instant::now)
    }

    /// Whether a leader is waited for however long it takes, as is the rule.
    fn waits_without_limit(&self) -> bool {
        let Ageing { soft_timeout, load_timeout, .. } = self.wants.ageing;
        soft_timeout.is_none() && load_timeout.is_none() && !inside() && !io::blocks_a_runtime()
    }

    /// Waits for the leader, for as long as this call may wait; `None` where it is to be joined
    /// anew.
    async fn follow(&mut self, mut follower: Follower<Fill, Shared, Token>) -> Option<Entered> {
        let waited = self.since().elapsed();
        // A body that waits for another's load may be what that one waits for, in another process;
        // and a leader that is a task of the runtime whose thread this call blocks cannot go on.
        let limited = inside() || io::blocks_a_runtime();
        let alone = limited.then(|| self.cache.config().wait_max());
        let load = self.wants.ageing.load_timeout.map(|limit| limit.saturating_sub(waited));
        let limit = alone.into_iter().chain(load).min();
        let soft = self.wants.ageing.soft_timeout.filter(|_| self.has_spares());
        let soft = soft.map(|limit| limit.saturating_sub(waited));
        let mut told = io::timeout(soft.into_iter().chain(limit).min(), &mut follower).await;
        if told.is_none() && soft.is_some() {
            if let Some(spare) = self.spare().await {
                return Some(Entered::Shared(Shared::Sight(Arc::new(spare))));
            }
            told = io::timeout(limit, &mut follower).await;
        }
        if told.is_none() && load.is_some() && load == limit {
            return Some(Entered::TimedOut);
        }
        match told {
            Some(told) => self.told(told),
            None => Some(Entered::Load(self.alone(Fill::Unfenced))),
        }
    }

    /// What the leader said; `None` where it is to be joined anew.
    fn told(&mut self, told: Told<Fill, Shared, Token>) -> Option<Entered> {
        match told {
            Told::Outcome(shared) => Some(Entered::Shared(shared)),
            Told::Released => Some(Entered::Load(self.alone(Fill::Unfenced))),
            Told::Again => None,
            Told::Lead(leader, None) => {
                leader.close();
                leader.mark(self.token);
                self.leader = Some(leader);
                Some(Entered::Look)
            }
            Told::Lead(leader, Some(fill)) => {
                self.leader = Some(leader);
                Some(Entered::Load(self.load(fill)))
            }
        }
    }

    /// Looks, on its own behalf and that of whoever joined before.
    pub(crate) async fn look(&mut self) -> Result<Sight, Failure> {
        if self.waiting.is_some()
            && let Some(leader) = &self.leader
        {
            leader.close();
        }
        let (asked, token) = self.ask()?;
        let looked = self.cache.store().lookup(asked, &token).await;
        if asked.large {
            self.cache.were_late(self.wants.function, std::slice::from_ref(&looked));
        }
        looked
    }

    /// What is to be asked, with a fresh token.
    pub(super) fn ask(&mut self) -> Result<(Asked<'a>, Token), Failure> {
        self.usable()?;
        if self.sent {
            self.next_token();
        }
        self.sent = true;
        let age = self.asks_age();
        Ok((self.asked(age), self.token))
    }

    fn asked(&self, age: bool) -> Asked<'a> {
        let Wants { function, key, tags, .. } = self.wants;
        Asked { key: key.as_str(), tags, age, large: function.sizes.is_large() }
    }

    /// An entry whose invalidation is still to be carried out must not be used; and one that is too
    /// large for the time there is need not be asked for again at once.
    fn usable(&self) -> Result<(), Failure> {
        if self.cache.is_queued(self.wants.key.as_str(), self.wants.tags) {
            return Err(Failure::new(Fault::Queued, "an invalidation of the entry is queued"));
        }
        if self.wants.function.sizes.rests() {
            return Err(Failure::new(Fault::Timeout, "the function's values did not come in time"));
        }
        Ok(())
    }

    /// Whether what is seen tells its age.
    pub(crate) fn asks_age(&self) -> bool {
        let waiting = self.waiting.as_ref().is_some_and(|waiting| waiting.watches_lease());
        self.wants.age || self.wants.ageing.asks_age() || waiting
    }

    /// What was seen is served, to those who joined as well.
    pub(crate) fn served(&mut self, sight: Sight) {
        let Some(leader) = self.leader.take().and_then(Leader::alone) else { return };
        if leader.has_followers() {
            leader.finish(Shared::Sight(Arc::new(sight)));
        } else {
            leader.again();
        }
    }

    /// The bytes that were seen, where they may be a value to serve.
    pub(crate) fn classify<'s>(&self, looked: &'s Looked) -> Result<&'s [u8], Unserved> {
        let fault = |fault| {
            self.cache.counters(self.wants.function, |counters| counters.fault(fault));
        };
        if let Looked::Present(bytes) = looked {
            self.wants.function.sizes.came(bytes.len());
        }
        match looked {
            Looked::Present(bytes) => match entry::classify(bytes) {
                Present::Lease if self.cache.in_flight().abandoned.has(bytes) => {
                    Err(Unserved::Useless(entry::fence_of(bytes)))
                }
                Present::Lease => Err(Unserved::Busy(bytes.clone())),
                // What is foreign is told apart where it is read.
                Present::Value | Present::Foreign => Ok(bytes),
            },
            Looked::Leased => Err(Unserved::Leased),
            Looked::Unleased(refused) => {
                refused.map(fault);
                Err(Unserved::Unleased)
            }
            Looked::WrongType => {
                fault(Fault::WrongType);
                Err(Unserved::WrongType)
            }
        }
    }

    /// The store could not be asked.
    pub(crate) fn unasked(&mut self, failure: &Failure) -> Box<Loading> {
        self.cache.counters(self.wants.function, |counters| counters.fault(failure.fault));
        // What is queued has a state of its own.
        if failure.fault != Fault::Queued {
            self.cache.inner.bypassed_calls.note(failure.fault);
        }
        self.load(Fill::Bypass)
    }

    /// Whether it waited for another's load.
    pub(crate) fn has_waited(&self) -> bool {
        self.waiting.is_some()
    }

    /// A load of a call that gains nothing by waiting for another.
    pub(crate) fn on_its_own(&mut self, bypass: bool) -> Box<Loading> {
        // Nor does who waits for this one.
        if let Some(leader) = self.leader.take() {
            leader.release(None);
        }
        self.alone(if bypass { Fill::Bypass } else { Fill::Unfenced })
    }

    /// An old value that may be served where a load fails or takes too long.
    pub(crate) async fn spare(&self) -> Option<Sight> {
        if !self.has_spares() || self.usable().is_err() {
            return None;
        }
        self.cache.store().read(self.asked(true)).wait().await.ok()
    }

    fn has_spares(&self) -> bool {
        !self.wants.ageing.window().is_zero()
    }

    /// Gives the lease that the last lookup took up, unless it is settled.
    pub(super) fn guard(&self) -> Lease {
        Lease::hold(self.cache, self.hold(Fence::lease(&self.token), Arc::default()))
    }

    /// Whether what is seen must still be completed by a trip before a body may start.
    pub(super) fn is_tagged(&self) -> bool {
        !self.wants.tags.is_empty()
    }

    /// The entry, for as long as `fence` holds there.
    fn hold(&self, fence: Fence, tags: Arc<[Captured]>) -> Hold {
        let spot = Spot::Entry { tagged: self.is_tagged() };
        let large = self.wants.function.sizes.is_large();
        Hold { key: self.text(), spot, fence, tags, large }
    }

    fn text(&self) -> String {
        self.wants.key.as_str().to_owned()
    }

    /// A load, with those who wait for it. Who comes later joins only where a commit will tell
    /// whether the value may be shared with them.
    fn load(&mut self, fill: Fill) -> Box<Loading> {
        let mut leader = self.leader.take();
        if let Some(leader) = &mut leader {
            match &fill {
                Fill::Fenced { .. } => leader.begin(),
                Fill::Unfenced | Fill::Bypass => leader.seal(),
            }
        }
        Loading::new(self.cache, self.id, fill, leader)
    }

    /// A load that nobody joins.
    pub(crate) fn alone(&self, fill: Fill) -> Box<Loading> {
        Loading::new(self.cache, self.id, fill, None)
    }
}
