//! A small stampede of real processes: how often the body runs, and that nobody hangs. Times are
//! the benchmark's business.

use std::path::Path;
use std::time::Duration;

use cached_benches::fleet::{Fleet, Size, Way};

/// Deadlines that a busy machine does not miss, and a lease that ends soon.
const SIZE: Size = Size {
    processes: 4,
    tasks: 200,
    deadline: Some(Duration::from_secs(10)),
    lease: Duration::from_secs(2),
};
const ALL: usize = SIZE.processes * SIZE.tasks;

fn fleet() -> Fleet {
    Fleet::start(Path::new(env!("CARGO_BIN_EXE_stampede")), SIZE)
}

#[test]
fn processes_that_miss_together_run_the_body_once() {
    let mut fleet = fleet();
    for _ in 0..3 {
        let round = fleet.round(Way::Cached);
        assert_eq!((round.served, round.runs), (ALL, 1), "{round:?}");
        let share = round.commands as f64 / SIZE.processes as f64;
        assert!(share <= 10.0, "{share} commands a process");
    }
}

#[test]
fn a_task_that_is_aborted_is_replaced() {
    let round = fleet().round(Way::Abort);
    assert_eq!(round.served, ALL - 1, "{round:?}");
    assert!((1..=2).contains(&round.runs), "{round:?}");
}

#[test]
fn a_process_that_is_killed_is_replaced() {
    let recovery = fleet().kill_the_holder();
    assert_eq!(recovery.round.served, ALL - SIZE.tasks, "{recovery:?}");
    assert_eq!(recovery.round.runs, 2, "{recovery:?}");
}
