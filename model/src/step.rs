//! What each step does: the protocol, as the clients keep it. `redis` has the server's half.

use crate::actions::{Action, followers};
use crate::mutants::Mutant;
use crate::redis::{Commit, Entry, Fence, OWNERS, Value, Variant};
use crate::state::{
    Broken, Call, Flight, Found, Invalidation, Late, Outcome, Phase, Target, Token, Verdict,
    Version, World,
};
use crate::{Protocol, State};

/// A free place for a command whose sender gives up.
pub(crate) fn room(world: &World, most: usize) -> Option<usize> {
    (0..most).find(|i| world.late[*i].is_none())
}

/// One step under way: the rules, and the state it changes.
pub(crate) struct Step<'a> {
    protocol: &'a Protocol,
    state: State,
}

impl<'a> Step<'a> {
    /// The state after `action`.
    pub(crate) fn take(protocol: &'a Protocol, state: &State, action: Action) -> State {
        let mut step = Step { protocol, state: *state };
        step.act(action);
        step.state
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Call(c) => self.call(c),
            Action::Lookup(c) => self.lookup(c),
            Action::LookupLate(c) => self.lookup_late(c),
            Action::ReadTag(c) => self.read_tag(c),
            Action::Seize(c) => self.seize(c),
            Action::SeizeLate(c) => self.seize_late(c),
            Action::Capture(c) => self.capture(c),
            Action::Start(c) => self.start(c),
            Action::Commit(c) => self.commit(c),
            Action::CommitLate(c) => self.commit_late(c),
            Action::Finish(c) => self.finish(c),
            Action::Fail(c) => self.fail(c),
            Action::Join(c, leader) => self.join(c, leader),
            Action::HandOver(c, to) => self.hand_over(c, to),
            Action::Claim(c) => self.claim(c),
            Action::Invalidate(target) => self.invalidate(target),
            Action::Delete(i) => self.delete(i),
            Action::Deliver(i) => self.deliver(i),
            Action::EvictEntry => self.world().redis.entry = Entry::Absent,
            Action::EvictTag => self.world().redis.tag = None,
            Action::EvictClaim => self.world().redis.claim = None,
            Action::OtherCaptures => {
                let version = self.tag_version();
                self.world().redis.capture(version);
            }
        }
    }

    fn call(&mut self, c: usize) {
        let floor = self.world().floor();
        let early = self.is(Mutant::BodyBeforeLease);
        let started = early.then(|| self.world().now());
        self.go(c, Phase::Called(Call { floor, started, resend: None }));
    }

    /// `SET K L NX GET`. Where there is a tag, `GET T` follows in the same pipeline, and other
    /// clients' commands may come between the two.
    fn lookup(&mut self, c: usize) {
        let Phase::Called(call) = self.phase(c) else { return };
        let token = call.resend.unwrap_or_else(|| self.state.fresh());
        let found = match self.ask(token) {
            Entry::Absent => Found::Leased(Fence::Lease(token)),
            Entry::Lease(holder) if holder == token => Found::Leased(Fence::Lease(token)),
            // Another loads: look again later.
            Entry::Lease(_) => return,
            Entry::Value(value) => Found::Value(value),
        };
        let next = match found {
            found if self.protocol.config.tag => Phase::Found(call, found),
            Found::Leased(fence) => ready(fence, None, call.started),
            Found::Value(value) => match value.variants[self.owner(c)] {
                Some(variant) => self.hit(call, value, variant),
                None => Phase::Beside(call, value, None),
            },
        };
        self.go(c, next);
    }

    fn ask(&mut self, token: Token) -> Entry {
        let mutant = self.protocol.mutant;
        let redis = &mut self.world().redis;
        match (mutant, redis.entry) {
            (Some(Mutant::Naive), entry) => entry,
            (Some(Mutant::SeparateLock), Entry::Absent) if !redis.claim(token) => {
                redis.claim.map_or(Entry::Absent, Entry::Lease)
            }
            (Some(Mutant::SeparateLock), entry) => entry,
            _ => redis.lookup(token),
        }
    }

    /// The client doesn't know whether its lease was taken. It runs its body uncached, or looks
    /// up again with a new token (I3).
    fn lookup_late(&mut self, c: usize) {
        let Phase::Called(mut call) = self.phase(c) else { return };
        let token = call.resend.unwrap_or_else(|| self.state.fresh());
        self.give_up(Late::Lookup(token));
        call.resend = self.is(Mutant::TokenResent).then_some(token);
        self.go(c, Phase::Called(call));
    }

    fn read_tag(&mut self, c: usize) {
        let Phase::Found(call, found) = self.phase(c) else { return };
        let tag = self.world().redis.tag;
        let next = match found {
            Found::Leased(fence) if tag.is_some() => ready(fence, tag, call.started),
            Found::Leased(fence) => Phase::Capturing(fence, call.started),
            Found::Value(value) => match value.variants[self.owner(c)] {
                Some(variant) if variant.tag == tag => self.hit(call, value, variant),
                Some(_) => Phase::Seizing(call, value.id),
                None => Phase::Beside(call, value, tag),
            },
        };
        self.go(c, next);
    }

    fn seize(&mut self, c: usize) {
        let Phase::Seizing(call, id) = self.phase(c) else { return };
        let token = self.state.fresh();
        let seized = self.world().redis.seize(id, token);
        let fence = Fence::Lease(token);
        let next = if seized { Phase::Capturing(fence, call.started) } else { Phase::Called(call) };
        self.go(c, next);
    }

    fn seize_late(&mut self, c: usize) {
        let Phase::Seizing(call, id) = self.phase(c) else { return };
        let token = self.state.fresh();
        self.give_up(Late::Seize(id, token));
        self.go(c, Phase::Called(call));
    }

    /// One that times out is not modelled apart: the version it may still set is one that
    /// nobody knows, as is that of `OtherCaptures`.
    fn capture(&mut self, c: usize) {
        let phase = self.phase(c);
        let version = self.tag_version();
        let tag = self.world().redis.capture(version);
        match phase {
            Phase::Capturing(fence, started) => self.go(c, ready(fence, Some(tag), started)),
            Phase::Beside(call, value, None) => self.go(c, Phase::Beside(call, value, Some(tag))),
            _ => {}
        }
    }

    /// I1: there is no way to here without a fence and, where there is a tag, its version.
    fn start(&mut self, c: usize) {
        let Phase::Ready(flight) = self.phase(c) else { return };
        let version = self.world().now();
        self.go(c, Phase::Body(flight, version));
    }

    /// The end of the body, and the commit. That both are one step loses nothing: what happens
    /// while the commit is on its way could as well happen before the body ends, joins apart,
    /// and these are closed by I4.
    fn commit(&mut self, c: usize) {
        let Phase::Body(flight, version) = self.phase(c) else { return };
        let commit = self.prepare(c, flight, version);
        let stored = self.store(commit);
        let verdict = if stored { Verdict::Stored } else { Verdict::Refused };
        self.go(c, Phase::Told(verdict, version, flight.claim));
    }

    fn commit_late(&mut self, c: usize) {
        let Phase::Body(flight, version) = self.phase(c) else { return };
        let commit = self.prepare(c, flight, version);
        self.give_up(Late::Commit(commit));
        self.go(c, Phase::Told(Verdict::Unknown, version, flight.claim));
    }

    /// I4: joiners take the result only where it was stored, else they look again. The leader
    /// returns its own in any case: its body started after its call.
    fn finish(&mut self, c: usize) {
        let Phase::Told(verdict, version, claim) = self.phase(c) else { return };
        let take = verdict == Verdict::Stored || self.is(Mutant::JoinersTakeAnything);
        self.release_followers(c, take.then_some(version));
        self.unclaim(claim);
        self.go(c, Phase::Done(Outcome::Loaded));
    }

    fn fail(&mut self, c: usize) {
        let Phase::Body(flight, _) = self.phase(c) else { return };
        self.world().redis.release(flight.fence);
        self.release_followers(c, None);
        self.unclaim(flight.claim);
        self.go(c, Phase::Done(Outcome::Failed));
    }

    fn join(&mut self, c: usize, leader: usize) {
        let Phase::Called(call) = self.phase(c) else { return };
        self.go(c, Phase::Joined(call.floor, leader as u8));
    }

    /// The joiner's own body starts, after the fence was captured.
    fn hand_over(&mut self, c: usize, to: usize) {
        let (Phase::Ready(flight) | Phase::Body(flight, _)) = self.phase(c) else { return };
        let others: Vec<_> = followers(self.world(), c).collect();
        for other in others {
            if let Phase::Joined(floor, _) = self.phase(other) {
                self.go(other, Phase::Joined(floor, to as u8));
            }
        }
        self.go(to, Phase::Ready(flight));
        self.go(c, Phase::Done(Outcome::Dropped));
    }

    /// The refresh, and the load beside another's value, leave `K` alone until they commit; the fence is
    /// the value that was seen.
    fn claim(&mut self, c: usize) {
        let (value, tag, refused) = match self.phase(c) {
            Phase::Refreshing(value, tag) => (value, tag, Phase::Done(Outcome::Hit)),
            // Another loads beside it, or has: look again.
            Phase::Beside(call, value, tag) => (value, tag, Phase::Called(call)),
            _ => return,
        };
        let token = self.state.fresh();
        let next = if self.world().redis.claim(token) {
            let kept = value.variants[1 - self.owner(c)];
            let fence = Fence::Value(value.id);
            Phase::Ready(Flight { fence, tag, claim: Some(token), kept })
        } else {
            refused
        };
        self.go(c, next);
    }

    fn invalidate(&mut self, target: Target) {
        let i = usize::from(self.world().now());
        self.world().invalidations[i] = Invalidation::Called(target);
    }

    /// A second delivery of a deletion that was retried is an eviction.
    fn delete(&mut self, i: usize) {
        let Invalidation::Called(target) = self.world().invalidations[i] else { return };
        match target {
            Target::Key => self.world().redis.entry = Entry::Absent,
            Target::Tag => self.world().redis.tag = None,
        }
        self.world().invalidations[i] = Invalidation::Returned;
    }

    /// Behind a lookup or a seizure whose sender gave up, the release is sent.
    fn deliver(&mut self, i: usize) {
        let Some(late) = self.world().late[i] else { return };
        let redis = &mut self.world().redis;
        let behind = match late {
            Late::Lookup(token) => {
                let taken = redis.lookup(token) == Entry::Absent;
                taken.then_some(Late::Release(token))
            }
            Late::Seize(id, token) => redis.seize(id, token).then_some(Late::Release(token)),
            Late::Release(token) => {
                redis.release(Fence::Lease(token));
                None
            }
            Late::Commit(commit) => {
                self.store(commit);
                None
            }
        };
        self.world().late[i] = behind;
    }

    /// The promise is checked here and in `release_followers`: wherever a call returns what its
    /// own body did not make.
    fn hit(&mut self, call: Call, value: Value, variant: Variant) -> Phase {
        self.check(variant.version, call.floor);
        if self.protocol.config.refresh {
            Phase::Refreshing(value, variant.tag)
        } else {
            Phase::Done(Outcome::Hit)
        }
    }

    fn release_followers(&mut self, leader: usize, result: Option<Version>) {
        let waiting: Vec<_> = followers(self.world(), leader).collect();
        for follower in waiting {
            let Phase::Joined(floor, _) = self.phase(follower) else { continue };
            let next = match result {
                Some(version) => {
                    self.check(version, floor);
                    Phase::Done(Outcome::Joined)
                }
                None => Phase::Called(Call { floor, started: None, resend: None }),
            };
            self.go(follower, next);
        }
    }

    fn check(&mut self, returned: Version, floor: Version) {
        if returned < floor {
            self.world().broken = Some(Broken { returned, floor });
        }
    }

    fn prepare(&mut self, c: usize, flight: Flight, version: Version) -> Commit {
        let mut tag = flight.tag;
        if self.is(Mutant::TagAfterBody) {
            let version = self.tag_version();
            tag = Some(self.world().redis.capture(version));
        }
        let mut variants = [flight.kept; OWNERS];
        variants[self.owner(c)] = Some(Variant { version, tag });
        let value = Value { id: self.state.fresh(), variants };
        Commit { fence: flight.fence, value, tag }
    }

    /// Whose values the caller's process keeps: those of its version of the program.
    fn owner(&self, c: usize) -> usize {
        let process = usize::from(self.state.world.callers[c].process);
        if self.protocol.config.owners { process % OWNERS } else { 0 }
    }

    fn store(&mut self, commit: Commit) -> bool {
        let beside = commit.value.variants.iter().all(Option::is_some);
        let checks = Mutant::checks(self.protocol.mutant, beside);
        self.world().redis.commit(commit, checks)
    }

    fn tag_version(&mut self) -> Token {
        if self.is(Mutant::TagVersionsRepeat) { Token::FIRST } else { self.state.fresh() }
    }

    fn unclaim(&mut self, claim: Option<Token>) {
        if let Some(token) = claim {
            self.world().redis.unclaim(token);
        }
    }

    fn give_up(&mut self, late: Late) {
        if let Some(i) = room(&self.state.world, self.protocol.config.late) {
            self.world().late[i] = Some(late);
        }
    }

    fn is(&self, mutant: Mutant) -> bool {
        self.protocol.mutant == Some(mutant)
    }

    fn phase(&self, c: usize) -> Phase {
        self.state.world.callers[c].phase
    }

    fn go(&mut self, c: usize, phase: Phase) {
        self.state.world.callers[c].phase = phase;
    }

    fn world(&mut self) -> &mut World {
        &mut self.state.world
    }
}

/// The fence stands, and the body is next; in a mutant it has run meanwhile.
fn ready(fence: Fence, tag: Option<Token>, started: Option<Version>) -> Phase {
    let flight = Flight { fence, tag, claim: None, kept: None };
    started.map_or(Phase::Ready(flight), |version| Phase::Body(flight, version))
}
