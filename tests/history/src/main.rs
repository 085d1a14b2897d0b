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
//!
//! With `--cluster` the server is a cluster, whose replicas change places with their primaries and
//! whose slots move; with `--cluster --proxied` there are no replicas, and the network fails.
//!
//! With `--local` the functions keep values in memory as well, the processes reach the server over a
//! network that fails in every way, and what another process has invalidated may be served for the
//! coherence bound. `--local --no-lease` is the control of that: the link that tells of changes is
//! trusted without a sign of life, and the promise must be seen broken.

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
mod disturbances;
mod functions;
mod history;
mod mode;
mod network;
mod report;
mod worker;

use std::process::ExitCode;
use std::time::Duration;

use mode::Mode;
use network::Kind;

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
        mode: Mode::Store,
        network: Kind::Plain,
    };
    while let Some(name) = arguments.next() {
        match name.as_str() {
            "--local" => {
                run.mode = Mode::Local;
                if run.network == Kind::Plain {
                    run.network = Kind::Pair;
                }
                continue;
            }
            "--cluster" => {
                run.network = Kind::Cluster;
                continue;
            }
            "--proxied" if run.network == Kind::Cluster => {
                run.network = Kind::ProxiedCluster;
                continue;
            }
            "--no-lease" if run.mode == Mode::Local => {
                run.mode = Mode::NoLease;
                continue;
            }
            _ => {}
        }
        let number = arguments.next().and_then(|text| text.parse::<u64>().ok());
        let Some(number) = number else { panic!("`{name}` wants a number") };
        match name.as_str() {
            "--seconds" => run.duration = Duration::from_secs(number),
            "--minutes" => run.duration = Duration::from_secs(number * 60),
            "--seed" => run.seed = number,
            "--workers" => run.workers = usize::try_from(number).unwrap(),
            _ => panic!(
                "no option `{name}`: --seconds, --minutes, --seed, --workers, --cluster, and \
                 after that --proxied, --local, and after that --no-lease"
            ),
        }
    }
    if coordinator::run(&run) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
