//! The protocol keeps the promise in every small configuration, and no rule of it can go.

use cached_model::config::{self, SMALL};
use cached_model::mutants::MUTANTS;
use cached_model::state::{Invalidation, Target};
use cached_model::{Action, Mutant, Protocol, State, run, trace};

#[test]
fn the_promise_holds_where_everything_happens() {
    for config in SMALL {
        let end = run::exhaust(Protocol { config: *config, mutant: None }, 1);
        assert!(end.holds, "{}: the promise is broken", config.name);
        assert!(end.missing.is_empty(), "{}: never {:?}", config.name, end.missing);
        assert!(end.states > 1_000, "{}: {} states", config.name, end.states);
    }
}

#[test]
fn each_mutant_fails_in_a_configuration_where_the_protocol_holds() {
    for mutant in MUTANTS {
        let name = mutant.name();
        assert!(SMALL.iter().any(|config| config.name == mutant.config()), "{name}");
        let found = run::breaks(mutant);
        assert!(found.is_some(), "{name}: the promise holds without it");
    }
}

/// Two threads find the states in another order, and so by other runs. That they are as many
/// shows that which run comes first does not decide what counts as the same state.
#[test]
fn the_number_of_states_does_not_depend_on_the_order_of_the_search() {
    let config = config::named("tag-eviction").unwrap();
    let [one, two] = [1, 2].map(|threads| {
        let end = run::exhaust(Protocol { config, mutant: None }, threads);
        (end.states, end.steps)
    });
    assert_eq!(one, two);
}

/// A mutant that fails for another reason than its own would show nothing.
#[test]
fn mutants_fail_by_what_their_rule_is_for() {
    let joined = |action: &Action| matches!(action, Action::Join(..));
    let delivered = |action: &Action| matches!(action, Action::Deliver(_));
    let tag = |action: &Action| *action == Action::Invalidate(Target::Tag);

    assert!(steps(Mutant::TokenResent).iter().any(delivered));
    assert!(steps(Mutant::JoinAfterCommit).iter().any(joined));
    assert!(steps(Mutant::JoinersTakeAnything).iter().any(joined));
    let untagged = steps(Mutant::NoTagCheck);
    assert!(untagged.iter().any(joined) && untagged.iter().any(tag));
    assert!(steps(Mutant::TagAfterBody).iter().any(tag));
    assert!(steps(Mutant::TagVersionsRepeat).iter().any(tag));
}

#[test]
fn counterexamples_end_with_an_invalidation_returned_and_a_value_from_before() {
    for mutant in MUTANTS {
        let run = run::breaks(mutant).unwrap();
        let (State { world, .. }, _) = run.last().unwrap();
        assert!(world.invalidations.contains(&Invalidation::Returned), "{}", mutant.name());
        let broken = world.broken.unwrap();
        assert!(broken.returned < broken.floor, "{}", mutant.name());
    }
}

#[test]
fn a_counterexample_is_told_in_words() {
    let config = config::named(Mutant::TokenResent.config()).unwrap();
    let lines = trace::lines(&config, &run::breaks(Mutant::TokenResent).unwrap());
    let text = lines.join("\n");
    assert!(text.contains("A: SET K L NX GET has no answer, is on its way"), "{text}");
    assert!(text.contains("late delivery: SET K L1 NX GET"), "{text}");
    assert!(text.ends_with("v0 was returned by a call that may not see less than v1"), "{text}");
}

fn steps(mutant: Mutant) -> Vec<Action> {
    run::breaks(mutant).into_iter().flatten().filter_map(|(_, action)| action).collect()
}
