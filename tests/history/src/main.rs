//! Whether the promise of invalidation holds in what really happened: many processes read through
//! cached functions, write and invalidate, while they are halted, cut off, and their entries
//! evicted. Each logs its calls; the merged history is then searched for a read, begun after an
//! invalidation had returned `Ok`, of a value whose body had started before that invalidation.
//!
//! ```text
//! cargo run --release -p cached-history -- --minutes 10
//! ```
//!
//! `--seconds N`, `--seed N` and `--workers N` are the other options. The seed decides what the
//! processes draw; how they interleave is the machine's.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a check fails loudly, and prints what it found"
)]

mod check;
mod clock;
mod control;
mod coordinator;
mod database;
mod functions;
mod history;
mod report;
mod worker;

use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.next_if_eq(worker::ARGUMENT).is_some() {
        worker::run(worker::Task::from_arguments(arguments));
        return ExitCode::SUCCESS;
    }
    let mut run = coordinator::Run {
        duration: Duration::from_secs(20),
        seed: fastrand::u64(..1_000_000),
        workers: 6,
    };
    while let Some(name) = arguments.next() {
        let number = arguments.next().and_then(|text| text.parse::<u64>().ok());
        let Some(number) = number else { panic!("`{name}` wants a number") };
        match name.as_str() {
            "--seconds" => run.duration = Duration::from_secs(number),
            "--minutes" => run.duration = Duration::from_secs(number * 60),
            "--seed" => run.seed = number,
            "--workers" => run.workers = usize::try_from(number).unwrap(),
            _ => panic!("no option `{name}`: --seconds, --minutes, --seed, --workers"),
        }
    }
    if coordinator::run(&run) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
