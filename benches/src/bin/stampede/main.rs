//! Four processes with 250 tasks each, and eight with a thousand, call one cold key at one moment: how often the body
//! runs, when the last caller is served, and what it costs the server. Measured against the same
//! tasks that each sleep as long as the body takes, in turns: A, B, A, B, …
//!
//! ```text
//! cargo run --release -p cached-benches --bin stampede
//! ```
//!
//! It starts two redis-servers of its own: one for the cache, one that counts runs of the body.
#![allow(clippy::print_stdout, reason = "a benchmark prints its table")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "it fails loudly")]

mod worker;

use std::process::ExitCode;
use std::time::Duration;

use cached_benches::fleet::{BODY, Fleet, Recovery, Round, Size, Way};

const ROUNDS: usize = 5;
const LEASE: Duration = Duration::from_secs(5);
/// How many callers, by how many ms at most the last of them is later than one that sleeps, and how
/// many commands a process there may be.
const FLEETS: [(Size, f64, f64); 2] = [
    (Size { processes: 4, tasks: 250, deadline: None, lease: LEASE }, 5.0, 10.0),
    (Size { processes: 8, tasks: 1_000, deadline: None, lease: LEASE }, 10.0, 10.0),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(("worker", rest)) =
        arguments.split_first().map(|(first, rest)| (first.as_str(), rest))
    {
        worker::work(rest);
        return ExitCode::SUCCESS;
    }
    // Each is measured, whatever came of the one before.
    let good = FLEETS.map(measure);
    if good == [true; FLEETS.len()] { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn measure((size, later, commands): (Size, f64, f64)) -> bool {
    let Size { processes, tasks, .. } = size;
    println!("{processes} processes × {tasks} tasks, one cold key, a body of {BODY:?}");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("{cores} cores, a lease of {LEASE:?}, {ROUNDS} rounds in turns\n");

    let program = std::env::current_exe().unwrap();
    let mut fleet = Fleet::start(&program, size);
    let (mut sleeping, mut cached) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        sleeping.push(fleet.round(Way::Sleep));
        cached.push(fleet.round(Way::Cached));
    }
    let aborted = fleet.round(Way::Abort);
    let killed = fleet.kill_the_holder();
    drop(fleet);
    table((size, later, commands), (&sleeping, &cached), aborted, killed)
}

/// Prints what was measured and what it should be; whether it is.
fn table(
    (Size { processes, tasks, .. }, latest, most): (Size, f64, f64),
    (sleeping, cached): (&[Round], &[Round]),
    aborted: Round,
    killed: Recovery,
) -> bool {
    let all = processes * tasks;
    let (asleep, served) = (median(sleeping, last), median(cached, last));
    let began = median(cached, |round| round.began.unwrap_or_default());
    let told =
        median(cached, |round| round.last.saturating_sub(round.began.unwrap_or_default() + BODY));
    let worst = |of: fn(&Round) -> u64| cached.iter().map(of).max().unwrap();
    let share = worst(|round| round.commands) as f64 / processes as f64;
    let all_served = cached.iter().all(|round| round.served == all);

    let mut good = true;
    let mut line = |what: &str, measured: String, bound: &str, holds: bool| {
        good &= holds;
        let holds = if holds { "ok" } else { "MISSED" };
        println!("{what:<44} {measured:>12}   {bound:<16} {holds}");
    };
    println!("{:<44} {:>12}   bound", "", "measured");
    line("last of the sleeping tasks, median", format!("{asleep:.1} ms"), "", true);
    line("last caller served, median", format!("{served:.1} ms"), "", true);
    let later = served - asleep;
    line(
        "  later than the sleeping tasks",
        format!("{later:.1} ms"),
        &format!("<= {latest} ms"),
        later <= latest,
    );
    line("  of that, before the body began", format!("{began:.1} ms"), "", true);
    line("  and after it ended", format!("{told:.1} ms"), "", true);
    line("callers served, each round", format!("{all}"), "all", all_served);
    let runs = worst(|round| round.runs);
    line("runs of the body, most in a round", format!("{runs}"), "1", runs == 1);
    line(
        "commands a process, most in a round",
        format!("{share:.1}"),
        &format!("<= {most}"),
        share <= most,
    );
    let Round { runs, served, last, .. } = aborted;
    let whole = (1..=2).contains(&runs) && served == all - 1;
    line("leader's task aborted: runs", format!("{runs}"), "<= 2", whole);
    line("  last caller served", format!("{:.0} ms", millis(last)), "", true);
    let Round { runs, served, last, .. } = killed.round;
    let whole = runs == 2 && served == all - tasks;
    line("holder killed: runs", format!("{runs}"), "2", whole);
    let bound = LEASE + Duration::from_millis(500);
    let after = format!("{:.2} s", killed.after.as_secs_f64());
    line("  the body runs again after", after, "<= 5.5 s", killed.after <= bound);
    line("  last caller served", format!("{:.0} ms", millis(last)), "", true);
    println!("\nlast caller, each round: sleeping {:.1?}", lasts(sleeping));
    println!("                         cached   {:.1?}\n", lasts(cached));
    good
}

fn last(round: &Round) -> Duration {
    round.last
}

fn median(rounds: &[Round], of: fn(&Round) -> Duration) -> f64 {
    let mut figures: Vec<f64> = rounds.iter().map(|round| millis(of(round))).collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn lasts(rounds: &[Round]) -> Vec<f64> {
    rounds.iter().map(|round| millis(round.last)).collect()
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
