//! The check itself, for as long as a test may take.
#![allow(clippy::unwrap_used)]

use std::process::Command;

/// The program fails on a violation, on a control without one, and on a run in which too little
/// happened to show anything.
#[test]
fn nothing_is_served_after_its_invalidation_by_six_processes_under_fire() {
    let program = env!("CARGO_BIN_EXE_cached-history");
    let output = Command::new(program).args(["--seconds", "20"]).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}\n{errors}");
    assert!(printed.contains("violations: ours 0 of "), "{printed}");
    assert!(printed.ends_with("PASS\n"), "{printed}");
}
