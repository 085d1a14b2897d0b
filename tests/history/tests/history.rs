//! The check itself, for as long as a test may take.
#![allow(clippy::unwrap_used)]

use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

/// One run at a time. A cluster whose nodes get no turn for long elects other primaries, and then
/// may lose what was acknowledged; and where a dozen processes share two cores, too little happens
/// in each run to show anything.
static MACHINE: Mutex<()> = Mutex::new(());

fn run(arguments: &[&str]) -> (Output, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_cached-history")).args(arguments).output();
    let output = output.unwrap();
    let texts = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    let printed = texts.join("");
    (output, printed)
}

/// The program fails on a violation, on a control without one, and on a run in which too little
/// happened to show anything.
#[test]
fn nothing_is_served_after_its_invalidation_by_six_processes_under_fire() {
    let _alone = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let (output, printed) = run(&["--seconds", "20"]);
    assert!(output.status.success(), "{printed}");
    assert!(printed.contains("violations: ours 0 of "), "{printed}");
    assert!(printed.contains("\nPASS\n"), "{printed}");
}

/// What is kept in memory outlives an invalidation by the coherence bound and no more, whatever the
/// network does; and it would, if the link were trusted without a sign of life.
#[test]
fn memory_outlives_an_invalidation_by_the_bound_alone_and_without_a_lease_by_more() {
    let _alone = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let (output, printed) = run(&["--local", "--seconds", "20"]);
    assert!(output.status.success(), "{printed}");
    assert!(printed.contains("violations: ours 0 of "), "{printed}");
    assert!(printed.contains("\nPASS\n"), "{printed}");
    let (output, printed) = run(&["--local", "--no-lease", "--seconds", "12"]);
    assert!(!output.status.success(), "{printed}");
    let found = printed.split_once("violations: ours ").unwrap().1;
    let (found, rest) = found.split_once(' ').unwrap();
    let memory = rest.split_once(" reads, ").unwrap().1.split_once(" of them from memory").unwrap();
    assert!(found.parse::<u64>().unwrap() > 0, "{printed}");
    assert_eq!(found, memory.0, "the store breaks no promise: {printed}");
    assert!(!printed.contains("NOT LIVE"), "{printed}");
}

/// Wherever a key is, and whoever takes over from whom.
#[test]
fn nothing_is_served_after_its_invalidation_while_slots_move_and_primaries_change() {
    let _alone = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let (output, printed) = run(&["--cluster", "--seconds", "20"]);
    assert!(output.status.success(), "{printed}");
    assert!(printed.contains("violations: ours 0 of "), "{printed}");
    assert!(printed.contains("\nPASS\n"), "{printed}");
}
