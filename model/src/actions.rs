//! What can happen next: for each phase of a caller its next commands, and beside them the
//! invalidations, late deliveries and evictions.

use crate::mutants::Mutant;
use crate::redis::Entry;
use crate::state::{CALLERS, Invalidation, Phase, Target, World};
use crate::{Protocol, step};

/// One step. Callers, invalidations and late commands are named by their places.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// The call begins.
    Call(usize),
    /// The lookup is sent and answered.
    Lookup(usize),
    /// The lookup is sent, and its sender gives up.
    LookupLate(usize),
    /// `GET T`, the second half of the lookup.
    ReadTag(usize),
    /// A value with an invalid tag is taken by compare-and-set.
    Seize(usize),
    /// The same, and its sender gives up.
    SeizeLate(usize),
    /// `SET T version NX GET`.
    Capture(usize),
    /// The body starts.
    Start(usize),
    /// The body has ended, the commit is sent and answered.
    Commit(usize),
    /// The same, and its sender gives up.
    CommitLate(usize),
    /// The outcome is told to the joiners, and the call ends.
    Finish(usize),
    /// The body fails: the lease is released.
    Fail(usize),
    /// A call joins the flight of another.
    Join(usize, usize),
    /// A call is dropped, and a joiner goes on with its lease.
    HandOver(usize, usize),
    /// A caller that had a hit claims the refresh; one that found only another's value claims the load
    /// beside it.
    Claim(usize),
    /// A writer commits its transaction, and calls the invalidation.
    Invalidate(Target),
    /// Its deletion is delivered, and it returns.
    Delete(usize),
    /// A late command arrives.
    Deliver(usize),
    /// The entry goes away.
    EvictEntry,
    /// The tag's version goes away.
    EvictTag,
    /// The claim expires.
    EvictClaim,
    /// A miss of another entry with this tag creates its version.
    OtherCaptures,
}

impl Protocol {
    /// All steps possible from here.
    pub(crate) fn possible(&self, world: &World, to: &mut Vec<Action>) {
        if world.broken.is_some() {
            return;
        }
        for caller in 0..self.config.callers.len() {
            self.of_caller(world, caller, to);
        }
        self.of_writers(world, to);
        let late = (0..self.config.late).filter(|i| world.late[*i].is_some());
        to.extend(late.map(Action::Deliver));
        self.of_others(world, to);
    }

    fn of_caller(&self, world: &World, c: usize, to: &mut Vec<Action>) {
        let room = step::room(world, self.config.late).is_some();
        match world.callers[c].phase {
            Phase::Idle => to.push(Action::Call(c)),
            Phase::Called(_) => {
                to.push(Action::Lookup(c));
                if room {
                    to.push(Action::LookupLate(c));
                }
                let open = (0..CALLERS).filter(|leader| self.joinable(world, c, *leader));
                to.extend(open.map(|leader| Action::Join(c, leader)));
            }
            Phase::Found(..) => to.push(Action::ReadTag(c)),
            Phase::Seizing(..) => {
                to.push(Action::Seize(c));
                if room {
                    to.push(Action::SeizeLate(c));
                }
            }
            Phase::Capturing(..) => to.push(Action::Capture(c)),
            Phase::Beside(_, _, None) if self.config.tag => to.push(Action::Capture(c)),
            Phase::Beside(..) => to.push(Action::Claim(c)),
            Phase::Ready(_) => {
                to.push(Action::Start(c));
                to.extend(followers(world, c).map(|follower| Action::HandOver(c, follower)));
            }
            Phase::Body(..) => {
                to.push(Action::Commit(c));
                if room {
                    to.push(Action::CommitLate(c));
                }
                to.push(Action::Fail(c));
                to.extend(followers(world, c).map(|follower| Action::HandOver(c, follower)));
            }
            Phase::Told(..) => to.push(Action::Finish(c)),
            Phase::Refreshing(..) => to.push(Action::Claim(c)),
            Phase::Joined(..) | Phase::Done(_) => {}
        }
    }

    /// I4: a flight is open while its body loads, and closed before its commit is sent.
    fn joinable(&self, world: &World, caller: usize, leader: usize) -> bool {
        let open = match world.callers[leader].phase {
            Phase::Ready(_) | Phase::Body(..) => true,
            Phase::Told(..) => self.mutant == Some(Mutant::JoinAfterCommit),
            _ => false,
        };
        self.config.joiners
            && open
            && world.callers[leader].process == world.callers[caller].process
    }

    fn of_writers(&self, world: &World, to: &mut Vec<Action>) {
        if usize::from(world.now()) < self.config.invalidations {
            to.push(Action::Invalidate(Target::Key));
            if self.config.tag {
                to.push(Action::Invalidate(Target::Tag));
            }
        }
        let called = |i: &usize| matches!(world.invalidations[*i], Invalidation::Called(_));
        to.extend((0..self.config.invalidations).filter(called).map(Action::Delete));
    }

    fn of_others(&self, world: &World, to: &mut Vec<Action>) {
        if self.config.eviction {
            if world.redis.entry != Entry::Absent {
                to.push(Action::EvictEntry);
            }
            if world.redis.tag.is_some() {
                to.push(Action::EvictTag);
            }
            if world.redis.claim.is_some() {
                to.push(Action::EvictClaim);
            }
        }
        if self.config.tag && world.redis.tag.is_none() {
            to.push(Action::OtherCaptures);
        }
    }
}

/// Those who wait for the flight of `leader`.
pub(crate) fn followers(world: &World, leader: usize) -> impl Iterator<Item = usize> + '_ {
    let waits = move |phase| matches!(phase, Phase::Joined(_, of) if usize::from(of) == leader);
    (0..CALLERS).filter(move |c| waits(world.callers[*c].phase))
}
