//! What a moment consists of: Redis, the callers, the invalidations, and the commands that are
//! still on their way.

use crate::redis::{Commit, Fence, Redis, Value, Variant};
use std::num::NonZeroU8;

/// The most callers a configuration can have.
pub const CALLERS: usize = 5;
/// The most invalidations a configuration can have.
pub const INVALIDATIONS: usize = 4;
/// The most commands that can be on their way after their sender gave up.
pub const LATE: usize = 2;

/// A unique number: a lease's token, a value's write id, a tag's version.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Token(pub(crate) NonZeroU8);

impl Token {
    /// The one that a counter would begin with.
    pub(crate) const FIRST: Self = Self(NonZeroU8::MIN);
}

/// A time, counted in invalidations called so far. A body that started when `n` had been called
/// has version `n`: it has seen what the first `n` writers committed.
pub type Version = u8;

/// Everything at one moment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct World {
    /// The server.
    pub redis: Redis,
    /// Commands whose sender gave up, and that may still arrive.
    pub late: [Option<Late>; LATE],
    /// The invalidations in the order of their calls, hence with the versions 1, 2, …
    pub invalidations: [Invalidation; INVALIDATIONS],
    /// Each makes one call. Many calls of one caller are many callers one after the other.
    pub callers: [Caller; CALLERS],
    /// Whether the promise was broken, and how.
    pub broken: Option<Broken>,
}

impl World {
    /// The time: how many invalidations have been called.
    pub fn now(&self) -> Version {
        let called = |i: &&Invalidation| **i != Invalidation::Future;
        self.invalidations.iter().filter(called).count() as Version
    }

    /// The oldest version that a call made now may return: that of the last invalidation, in
    /// order of calls, that has returned.
    pub fn floor(&self) -> Version {
        let last = self.invalidations.iter().rposition(|i| *i == Invalidation::Returned);
        last.map_or(0, |i| i as Version + 1)
    }
}

/// A write to the database, and the invalidation that its writer calls after committing it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Invalidation {
    /// Not yet.
    Future,
    /// The transaction is committed, the call has begun, its deletion is not yet delivered.
    Called(Target),
    /// It returned `Ok`.
    Returned,
}

/// What an invalidation deletes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Target {
    /// The entry.
    Key,
    /// Its tag.
    Tag,
}

/// A caller of the cached function.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Caller {
    /// Callers of one process can join each other's flights.
    pub process: u8,
    /// How far it is.
    pub phase: Phase,
}

/// How far a caller is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Phase {
    /// Has not called yet.
    Idle,
    /// About to look up, for the first time or again. One that waits for another's lease, or
    /// that gave up and runs its body uncached, is here too and takes no further step.
    Called(Call),
    /// Has Redis's answer about the entry, and asks for the tag next.
    Found(Call, Found),
    /// Found a value whose tag is no longer valid, with this write id, and is about to seize it.
    Seizing(Call, Token),
    /// Found a value in which only others keep something, with the tag's version where that is known,
    /// and is about to claim the load beside it.
    Beside(Call, Value, Option<Token>),
    /// Has the fence, and captures the tag's version next.
    Capturing(Fence, Option<Version>),
    /// Fence and tag version are captured, the body is about to start.
    Ready(Flight),
    /// The body runs; it started at this version.
    Body(Flight, Version),
    /// The commit was sent and its answer has come or not; the joiners are told next. What is
    /// kept is the claim to refresh, which is given up then.
    Told(Verdict, Version, Option<Token>),
    /// Waits for the flight of the caller with this number; the oldest version it may return.
    Joined(Version, u8),
    /// Has returned what it keeps in this value, under this tag version, and may refresh it.
    Refreshing(Value, Option<Token>),
    /// Has returned.
    Done(Outcome),
}

/// A call under way.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Call {
    /// The oldest version it may return: what `World::floor` was when it began.
    pub floor: Version,
    /// When its body started; before its lookup in a mutant only.
    pub started: Option<Version>,
    /// The token of a lookup without an answer, to be sent again; in a mutant only.
    pub resend: Option<Token>,
}

/// What a lookup learnt of the entry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Found {
    /// Nothing was there; the lease is ours.
    Leased(Fence),
    /// A value.
    Value(Value),
}

/// A body that runs, or is about to, to be stored afterwards.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Flight {
    /// What the key must hold when the value is committed.
    pub fence: Fence,
    /// The tag's version when it was captured; `None` in configurations without a tag.
    pub tag: Option<Token>,
    /// The token in `K:r`, of a load that leaves what is there in its place.
    pub claim: Option<Token>,
    /// What the other owner keeps there, to be stored beside the new value.
    pub kept: Option<Variant>,
}

/// What a commit said.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Verdict {
    /// The value is stored.
    Stored,
    /// It is not.
    Refused,
    /// There was no answer in time.
    Unknown,
}

/// How a call ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Outcome {
    /// With a stored value.
    Hit,
    /// With the value of its own body.
    Loaded,
    /// With the value of the flight it joined.
    Joined,
    /// With an error: the body failed.
    Failed,
    /// The call was dropped, and a joiner went on with its lease.
    Dropped,
}

/// A command whose sender gave up.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Late {
    /// `SET K L(token) NX GET`.
    Lookup(Token),
    /// Compare the value's write id, and set the lease.
    Seize(Token, Token),
    /// The compare-and-delete that is sent behind the two above.
    Release(Token),
    /// The commit.
    Commit(Commit),
}

/// A broken promise.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Broken {
    /// The version of the body whose value was returned.
    pub returned: Version,
    /// The oldest version allowed.
    pub floor: Version,
}

impl Call {
    pub(crate) fn each_token(&mut self, f: &mut impl FnMut(&mut Token)) {
        self.resend.iter_mut().for_each(f);
    }
}

impl Flight {
    pub(crate) fn each_token(&mut self, f: &mut impl FnMut(&mut Token)) {
        self.fence.each_token(f);
        self.tag.iter_mut().for_each(&mut *f);
        self.claim.iter_mut().for_each(&mut *f);
        self.kept.iter_mut().for_each(|variant| variant.each_token(f));
    }
}

impl Late {
    pub(crate) fn each_token(&mut self, f: &mut impl FnMut(&mut Token)) {
        match self {
            Self::Lookup(token) | Self::Release(token) => f(token),
            Self::Seize(id, token) => {
                f(id);
                f(token);
            }
            Self::Commit(commit) => commit.each_token(f),
        }
    }
}

impl Phase {
    pub(crate) fn each_token(&mut self, f: &mut impl FnMut(&mut Token)) {
        match self {
            Self::Idle | Self::Joined(..) | Self::Done(_) => {}
            Self::Called(call) => call.each_token(f),
            Self::Found(call, found) => {
                call.each_token(f);
                match found {
                    Found::Leased(fence) => fence.each_token(f),
                    Found::Value(value) => value.each_token(f),
                }
            }
            Self::Seizing(call, id) => {
                call.each_token(f);
                f(id);
            }
            Self::Capturing(fence, _) => fence.each_token(f),
            Self::Ready(flight) | Self::Body(flight, _) => flight.each_token(f),
            Self::Told(_, _, claim) => claim.iter_mut().for_each(f),
            Self::Refreshing(value, tag) => {
                value.each_token(f);
                tag.iter_mut().for_each(f);
            }
            Self::Beside(call, value, tag) => {
                call.each_token(f);
                value.each_token(f);
                tag.iter_mut().for_each(f);
            }
        }
    }
}
