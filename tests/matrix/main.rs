//! A short fault matrix: values are right, no error reaches a caller, the cause is counted, and it
//! heals. What calls may take is left to the binary `fault_matrix`, since tests run beside others.

#![allow(clippy::unwrap_used, clippy::panic, reason = "all of it is a test")]

use std::time::Duration;

use cached_matrix::{Case, Row, Strictness, Timing, run, run_control, table};

const TIMING: Timing = Timing {
    callers: 8,
    blocking: 2,
    healthy: Duration::from_millis(100),
    fault: Duration::from_millis(700),
    recovery: Duration::from_secs(5),
};
/// So many rows at a time.
const TOGETHER: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_go_on_under_every_fault_and_the_cache_heals() {
    let mut rows: Vec<Row> = Vec::new();
    for cases in Case::ALL.chunks(TOGETHER) {
        let running: Vec<_> = cases.iter().map(|case| tokio::spawn(run(*case, TIMING))).collect();
        for row in running {
            rows.push(row.await.unwrap());
        }
    }
    let broken: Vec<String> = rows
        .iter()
        .flat_map(|row| row.broken(Strictness::Busy).into_iter().map(|w| (row.label(), w)))
        .map(|(label, what)| format!("{label}: {what}"))
        .collect();
    assert!(broken.is_empty(), "{}\n{}", table(&rows), broken.join("\n"));
}

/// What the matrix would say if the library were not better than a cache written by hand.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cache_written_by_hand_is_found_wanting() {
    for case in [Case::Halted, Case::Replica] {
        let row = run_control(case, TIMING).await;
        let broken = row.broken(Strictness::Busy);
        assert!(broken.iter().any(|what| what.contains("errors to callers")), "{broken:?}");
    }
}
