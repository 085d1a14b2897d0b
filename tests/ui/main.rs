//! What the attributes say about mistakes, grouped by option: each `.stderr` is what a user
//! reads. `TRYBUILD=overwrite cargo test -p cached-tests --test ui` writes them anew; look at the
//! difference before believing it.
//!
//! A good part of each text is the compiler's own, and changes with it. So the texts are compared
//! on the version they were written with; on another one only what must compile is compiled.
#![allow(clippy::print_stderr, reason = "a check that is left out says so")]
#![allow(clippy::unwrap_used, reason = "a harness fails loudly")]

mod once;

use std::process::Command;

/// The compiler whose words stand in the `.stderr` files.
const COMPILER: &str = "rustc 1.95.";

#[test]
fn mistakes_are_reported_where_they_are_and_with_their_cure() {
    let cases = trybuild::TestCases::new();
    for group in
        ["batch", "companion", "invalidate", "local", "signature", "stale", "tags", "types"]
    {
        cases.pass(format!("ui/{group}/pass_*.rs"));
    }
    let compiler = compiler();
    if !compiler.starts_with(COMPILER) {
        eprintln!("compile errors are not compared: this is {compiler}, they are of {COMPILER}x");
        return;
    }
    for group in [
        "batch",
        "companion",
        "flight",
        "invalidate",
        "key",
        "local",
        "options",
        "receiver",
        "signature",
        "skip",
        "stale",
        "tags",
        "ttl",
        "types",
    ] {
        cases.compile_fail(format!("ui/{group}/fail_*.rs"));
    }
}

#[test]
fn each_mistake_is_said_once() {
    let compiler = compiler();
    if compiler.starts_with(COMPILER) {
        once::check();
    } else {
        eprintln!("diagnostics are not counted: this is {compiler}, they are of {COMPILER}x");
    }
}

fn compiler() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output();
    version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}
