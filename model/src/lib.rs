//! The remote protocol as an explicit-state model: every order in which a few callers, writers
//! and evictions can act is tried, and the promise is checked in each. It models the protocol
//! and shares no code with the runtime, so that a mistake cannot be in both.
//!
//! **The promise.** After an invalidation has returned `Ok`, no call that begins later returns a
//! value whose body started before that invalidation was called.
//!
//! Where to look, beside "The protocol" in ARCHITECTURE.md:
//!
//! | | |
//! |---|---|
//! | [`redis`] | what the server holds, and each command or script as one function |
//! | `step` | what clients do with the answers: lookup, seizure, body, commit, joiners, refresh |
//! | [`actions`] | what may happen next, and to whom |
//! | [`state`] | how far everyone is |
//! | [`mutants`] | the rules that can be dropped |
//! | [`config`] | the configurations |
//! | `symmetry` | which states are the same but for names |
//! | [`run`], [`trace`] | exploring, and telling a run in words |
//!
//! **What is simplified, and why nothing is lost by it:**
//!
//! * Time is the number of invalidations called. A transaction is committed just before its
//!   invalidation is called, so a body that starts after the call reads what it wrote; the
//!   promise about bodies is then also one about versions of the database.
//! * A command that is answered is one step. Its sender does nothing between sending it and the
//!   answer, so only the moment of its delivery counts. One whose sender gave up is delivered
//!   at any later moment, or never.
//! * An invalidation returns as soon as its deletion is delivered. Were it to return later, the
//!   promise would bind fewer calls.
//! * A caller that waits for another's lease looks up again, at any moment. One that bypasses the
//!   cache does nothing to it, and is a caller that takes no further step; so is a killed
//!   process.
//! * The lookup of servers before Redis 7, a GET and a script that takes the lease where nothing
//!   is, is a lookup at the moment of the one whose answer is used.
//! * A heartbeat only delays an expiry, and there every delay is possible. A deletion that is
//!   delivered twice is an eviction.
//! * A load beside what another version of the program keeps takes the lease beside the entry and
//!   looks at the entry again; that both are one step loses nothing, for what it sees has the write
//!   id that its commit compares.
//! * There is one entry with one tag. Other entries with that tag can create its version.
//! * Each caller calls once. One that calls often is several, one after the other.
//!
//! **What is not in it:** `put` and `set`, which store the caller's word without a fence; the
//! local tier; a server that loses writes it has acknowledged.

use stateright::{Model, Property};

pub mod actions;
pub mod config;
pub mod mutants;
pub mod redis;
pub mod run;
pub mod state;
mod step;
mod symmetry;
pub mod trace;

pub use actions::Action;
pub use config::Config;
pub use mutants::Mutant;
pub use symmetry::State;

use redis::{Entry, Redis};
use state::{Caller, INVALIDATIONS, Invalidation, LATE, Late, Outcome, Phase, Verdict, World};

/// The protocol, or a mutant of it, in a configuration.
#[derive(Clone, Copy, Debug)]
pub struct Protocol {
    /// What is part of the run.
    pub config: Config,
    /// The rule that is dropped.
    pub mutant: Option<Mutant>,
}

/// The name of the property that must always hold.
pub const PROMISE: &str = "the promise";

/// The process of callers that a configuration doesn't have.
const NOBODY: u8 = u8::MAX;

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let callers = std::array::from_fn(|c| Caller {
            process: self.config.callers.get(c).copied().unwrap_or(NOBODY),
            phase: Phase::Idle,
        });
        let world = World {
            redis: Redis { entry: Entry::Absent, tag: None, claim: None },
            late: [None; LATE],
            invalidations: [Invalidation::Future; INVALIDATIONS],
            callers,
            broken: None,
        };
        vec![State::new(world)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.possible(&state.world, actions);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let next = step::Step::take(self, state, action);
        (next.world != state.world).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties =
            vec![Property::always(PROMISE, |_, state: &State| state.world.broken.is_none())];
        if self.mutant.is_none() {
            self.witnesses(&mut properties);
        }
        properties
    }
}

impl Protocol {
    /// What must be reachable, or the promise would hold because nothing happens.
    fn witnesses(&self, to: &mut Vec<Property<Self>>) {
        let Config { tag, refresh, joiners, late, owners, .. } = self.config;
        to.push(Property::sometimes("a hit", |_, state| {
            any(state, |p| matches!(p, Phase::Done(Outcome::Hit) | Phase::Refreshing(..)))
        }));
        to.push(Property::sometimes("a stored value", |_, state| {
            any(state, |p| matches!(p, Phase::Told(Verdict::Stored, ..)))
        }));
        to.push(Property::sometimes("a refused commit", |_, state| {
            any(state, |p| matches!(p, Phase::Told(Verdict::Refused, ..)))
        }));
        if tag {
            to.push(Property::sometimes("a value seized for its tag", |_, state| {
                any(state, |p| matches!(p, Phase::Seizing(..)))
            }));
        }
        if refresh {
            to.push(Property::sometimes("a stored refresh", |_, state| {
                any(state, |p| matches!(p, Phase::Told(Verdict::Stored, _, Some(_))))
            }));
        }
        if owners {
            to.push(Property::sometimes("two owners in one value", |_, state: &State| match state
                .world
                .redis
                .entry
            {
                Entry::Value(value) => value.variants.iter().all(Option::is_some),
                _ => false,
            }));
        }
        if joiners {
            to.push(Property::sometimes("a joiner served", |_, state| {
                any(state, |p| p == Phase::Done(Outcome::Joined))
            }));
            to.push(Property::sometimes("a flight handed over", |_, state| {
                any(state, |p| p == Phase::Done(Outcome::Dropped))
            }));
        }
        if late > 0 {
            to.push(Property::sometimes("a lease taken late", |_, state: &State| {
                late_lease(&state.world)
            }));
            to.push(Property::sometimes("a value stored late", |_, state: &State| {
                late_value(&state.world)
            }));
        }
    }
}

/// The release behind a late lookup stands only where that took its lease.
fn late_lease(world: &World) -> bool {
    world.late.iter().flatten().any(|late| matches!(late, Late::Release(_)))
}

/// There is a value, and who alone has sent a commit had no answer.
fn late_value(world: &World) -> bool {
    let sent = |caller: &&Caller| matches!(caller.phase, Phase::Told(..) | Phase::Done(_));
    let mut senders = world.callers.iter().filter(sent);
    let alone = senders.next().map(|caller| caller.phase);
    matches!(world.redis.entry, Entry::Value(_))
        && matches!(alone, Some(Phase::Told(Verdict::Unknown, ..)))
        && senders.next().is_none()
}

fn any(state: &State, is: impl Fn(Phase) -> bool) -> bool {
    state.world.callers.iter().any(|caller| is(caller.phase))
}
