//! The state machine of single flight (`cached-runtime/src/flight`), whose files are included
//! here with other locks, under all sorts of schedules: all of them where there are few, else
//! many at random, from fixed seeds.
//!
//! By shuttle and not loom: the machine shares nothing but what its locks guard, so that weak
//! memory, which loom adds, has nothing to show, and shuttle's random schedulers reach with five
//! callers what loom would not come to the end of with three.
//!
//! `EXPLORE=100 cargo test -p cached-explore` runs a hundred times as many, from other seeds.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "all of it is a test")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use shuttle::scheduler::{DfsScheduler, PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, FailurePersistence, Runner};

#[allow(dead_code, unreachable_pub, reason = "not all of it is run")]
mod sound;

#[allow(dead_code, unreachable_pub, clippy::all, reason = "it is mistaken")]
mod mistaken {
    include!(concat!(env!("OUT_DIR"), "/mistaken.rs"));
}

use sound::scenarios;

const RANDOM: usize = 4000;
const PCT: usize = 2000;
/// Of the priority changes that a PCT schedule makes.
const DEPTH: usize = 4;

/// How many times as many schedules as usual.
fn times() -> usize {
    std::env::var("EXPLORE").ok().and_then(|times| times.parse().ok()).unwrap_or(1)
}

fn run(
    scheduler: impl Scheduler + 'static,
    scenario: fn(),
    persistence: FailurePersistence,
) -> usize {
    let mut config = Config::new();
    config.failure_persistence = persistence;
    config.silence_warnings = true;
    // The standard one is too small for a panic's message.
    config.stack_size = 1 << 18;
    Runner::new(scheduler, config).run(scenario)
}

fn sample(scenario: fn()) {
    let seed = times() as u64;
    let print = || FailurePersistence::Print;
    run(RandomScheduler::new_from_seed(seed, RANDOM * times()), scenario, print());
    run(PctScheduler::new_from_seed(seed, DEPTH, PCT * times()), scenario, print());
}

fn exhaust(scenario: fn()) {
    let schedules = run(DfsScheduler::new(None, false), scenario, FailurePersistence::Print);
    assert!(schedules > 1, "there is more than one order");
}

#[test]
fn anything() {
    sample(scenarios::anything);
}

#[test]
fn a_leader_that_is_set_aside() {
    sample(scenarios::a_leader_that_is_set_aside);
}

#[test]
fn a_follower_that_is_set_aside() {
    sample(scenarios::a_follower_that_is_set_aside);
}

#[test]
fn a_ring_of_bodies_that_want_each_other() {
    sample(scenarios::a_ring_of_any);
}

macro_rules! exhausted {
    ($($scenario:ident)*) => {$(
        #[test]
        fn $scenario() {
            exhaust(scenarios::$scenario);
        }
    )*};
}

exhausted! {
    close_against_join
    early_against_join
    drop_against_departure
    hand_over_against_departure
    release_against_departure
    hand_over_against_the_last_departure
    release_against_the_last_departure
    late_end_against_the_next
    two_bodies_that_want_each_other
}

/// Each mistake is found, and for what it is.
mod finds {
    use super::{mistaken, must_fail};

    macro_rules! finds {
        ($($mistake:ident $scenario:ident $words:literal)*) => {$(
            #[test]
            fn $mistake() {
                must_fail(mistaken::$mistake::scenarios::$scenario, $words);
            }
        )*};
    }

    finds! {
        ignores_close anything "late"
        takes_late_for_early early_against_join "late"
        forgets_the_next_round anything "deadlock"
        forgets_followers_of_the_dropped anything "deadlock"
        gives_the_lead_to_the_departed anything "deadlock"
        takes_the_lead_away anything "left: flights"
        loses_the_baton anything "left: batons"
        takes_anothers_flight_for_its_own late_end_against_the_next "late"
        does_not_watch_whom_it_promotes a_follower_that_is_set_aside "max_steps"
        forgets_followers_of_the_stalled a_leader_that_is_set_aside "deadlock"
        looks_before_it_notes a_ring_of_any "deadlock"
    }
}

fn must_fail(scenario: fn(), words: &str) {
    let scheduler = RandomScheduler::new_from_seed(1, RANDOM);
    let explore = AssertUnwindSafe(|| run(scheduler, scenario, FailurePersistence::None));
    let panic = catch_unwind(explore).expect_err("the mistake was not found");
    let message = match panic.downcast_ref::<String>() {
        Some(message) => message.as_str(),
        None => panic.downcast_ref::<&str>().expect("panics have a message"),
    };
    assert!(message.contains(words), "found something else: {message}");
}
