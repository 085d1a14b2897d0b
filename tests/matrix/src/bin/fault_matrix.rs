//! Prints the fault matrix, and fails where a bound is broken.
//!
//! ```text
//! cargo run --release -p cached-matrix                       all faults, and the controls
//! cargo run --release -p cached-matrix -- LOADING SIGSTOP    these alone
//! cargo run --release -p cached-matrix -- --seconds 10       all, each fault for so long
//! ```
//!
//! The bounds on times hold on a machine that does nothing else; the load average at the beginning
//! and the end is printed, where the system tells it.

#![allow(clippy::print_stdout, reason = "it prints a table")]

use std::process::ExitCode;
use std::time::Duration;

use cached_matrix::{Case, Row, Strictness, Timing, run, run_control, table};

const TIMING: Timing = Timing {
    callers: 16,
    blocking: 3,
    healthy: Duration::from_millis(500),
    fault: Duration::from_millis(2_500),
    recovery: Duration::from_secs(10),
};

#[tokio::main]
async fn main() -> ExitCode {
    let Some((timing, wanted)) = arguments() else {
        println!("--seconds wants a number of seconds, at least 1");
        return ExitCode::from(2);
    };
    let cases = Case::ALL
        .into_iter()
        .filter(|case| wanted.is_empty() || wanted.iter().any(|label| label == case.label()));
    println!("load average: {}", load_average());
    let (mut rows, mut broken) = (Vec::new(), Vec::new());
    for case in cases {
        let row = run(case, timing).await;
        broken.extend(described(&row));
        rows.push(row);
    }
    println!("load average: {}\n", load_average());
    println!("{}", table(&rows));
    if wanted.is_empty() {
        broken.extend(controls().await);
    }
    for what in &broken {
        println!("BROKEN: {what}");
    }
    if rows.is_empty() {
        println!("no such fault; there are: {}", Case::ALL.map(Case::label).join(", "));
    }
    ExitCode::from(u8::from(!broken.is_empty() || rows.is_empty()))
}

/// How long each fault lasts, and which are wanted.
fn arguments() -> Option<(Timing, Vec<String>)> {
    let (mut timing, mut wanted) = (TIMING, Vec::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--seconds" {
            let seconds: u64 = arguments.next()?.parse().ok().filter(|seconds| *seconds > 0)?;
            timing.fault = Duration::from_secs(seconds);
        } else {
            wanted.push(argument);
        }
    }
    Some((timing, wanted))
}

/// A cache written by hand, which must be found to break bounds.
async fn controls() -> Vec<String> {
    let (mut rows, mut unseen) = (Vec::new(), Vec::new());
    for case in [Case::Halted, Case::Replica] {
        let row = run_control(case, TIMING).await;
        if row.broken(Strictness::Strict).is_empty() {
            unseen.push(format!("nothing was found wrong with {}", row.label()));
        }
        rows.push(row);
    }
    println!("The controls, GET and SETEX written by hand:\n\n{}", table(&rows));
    for what in rows.iter().flat_map(described) {
        println!("found: {what}");
    }
    unseen
}

fn described(row: &Row) -> Vec<String> {
    let broken = row.broken(Strictness::Strict).into_iter();
    broken.map(|what| format!("{}: {what}", row.label())).collect()
}

fn load_average() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let averages: Vec<&str> = text.split_whitespace().take(3).collect();
    format!("{} on {cores} cores", averages.join(" "))
}
