//! Exploring: exhaustively, or until the promise breaks.

use crate::{Action, Mutant, PROMISE, Protocol, State, config};
use stateright::{Checker, Expectation, Model};
use std::time::{Duration, Instant};

/// What an exhaustive exploration found.
#[derive(Debug)]
pub struct End {
    /// No reachable state breaks the promise.
    pub holds: bool,
    /// What should have happened somewhere, and did nowhere.
    pub missing: Vec<&'static str>,
    /// Different states, up to symmetry.
    pub states: usize,
    /// Steps taken between them.
    pub steps: usize,
    /// The longest run that was needed to reach a state.
    pub depth: usize,
    /// How long it took.
    pub time: Duration,
}

/// Visits every reachable state.
pub fn exhaust(protocol: Protocol, threads: usize) -> End {
    let begin = Instant::now();
    let checker = protocol.checker().threads(threads).spawn_bfs().join();
    let found = checker.discoveries();
    let witnesses = protocol.properties().into_iter();
    let missing = witnesses
        .filter(|property| property.expectation == Expectation::Sometimes)
        .map(|property| property.name)
        .filter(|name| !found.contains_key(name));
    End {
        holds: !found.contains_key(PROMISE),
        missing: missing.collect(),
        states: checker.unique_state_count(),
        steps: checker.state_count(),
        depth: checker.max_depth(),
        time: begin.elapsed(),
    }
}

/// The shortest run in which a mutant breaks the promise, in its configuration.
pub fn breaks(mutant: Mutant) -> Option<Vec<(State, Option<Action>)>> {
    let protocol = Protocol { config: config::named(mutant.config())?, mutant: Some(mutant) };
    // One thread, so that the search is breadth first in earnest.
    let checker = protocol.checker().spawn_bfs().join();
    Some(checker.discovery(PROMISE)?.into_vec())
}
