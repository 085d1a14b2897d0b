//! Instructions that one hit takes, counted by valgrind's callgrind: the same from run to run and
//! whatever else the machine does, so that a slower hit path shows in review.
//!
//! ```text
//! cargo run --release -p cached-benches --bin instructions            # compare with the record
//! cargo run --release -p cached-benches --bin instructions -- --write # record anew
//! ```
//!
//! The record, `benches/instructions.txt`, is of one compiler on one architecture; with another it
//! is printed beside what was counted, and nothing fails. A count is the difference between two runs
//! of this program, one of which makes more calls.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it prints what it counts")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "it fails loudly")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;

use cached_benches::user::{User, user};
use cached_runtime::{Cache, cache_result};
use cached_tests::RedisServer;

/// Within this part of what is recorded.
const TOLERANCE: f64 = 0.05;
const FEW: u64 = 500;
const MANY: u64 = 2_500;

#[cache_result(ttl = "1h", local)]
async fn counted(id: u64) -> Arc<User> {
    Arc::new(user(id))
}

#[cache_result(ttl = "1h", local)]
async fn cloned(id: u64) -> User {
    user(id)
}

#[cache_result(ttl = "1h")]
async fn remote(id: u64) -> User {
    user(id)
}

const SUBJECTS: [&str; 3] = ["local, Arc<T>", "local, T", "remote"];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => compare(),
        ["--write"] => {
            fs::write(record_path(), record(&count())).expect("the record can be written");
            ExitCode::SUCCESS
        }
        ["calls", subject, url, calls] => {
            run(subject, url, calls.parse().expect("a number"));
            ExitCode::SUCCESS
        }
        _ => panic!("usage: instructions [--write]"),
    }
}

/// Prints both, and fails where they differ too much.
fn compare() -> ExitCode {
    let recorded = fs::read_to_string(record_path()).expect("benches/instructions.txt");
    let counted = count();
    let now = record(&counted);
    println!("recorded:\n{recorded}\ncounted:\n{now}");
    let head = |text: &str| text.lines().next().unwrap_or_default().to_owned();
    if head(&recorded) != head(&now) {
        println!("the record is of another compiler or machine: not compared");
        return ExitCode::SUCCESS;
    }
    let mut status = ExitCode::SUCCESS;
    for (subject, count) in counted {
        let line = recorded.lines().find(|line| line.ends_with(subject));
        let before = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        let before = before.unwrap_or_else(|| panic!("`{subject}` is not in the record"));
        let change = count / before - 1.0;
        if change.abs() > TOLERANCE {
            eprintln!(
                "{subject}: {:+.1} % instructions a hit; if that is meant, record it with --write",
                change * 100.0
            );
            status = ExitCode::FAILURE;
        }
    }
    status
}

fn record_path() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions.txt")
}

fn record(counted: &[(&str, f64)]) -> String {
    let compiler = Command::new("rustc").arg("--version").output().expect("rustc");
    let compiler = String::from_utf8_lossy(&compiler.stdout).trim().to_owned();
    let mut text = format!("{compiler}, {}; instructions a hit:\n", std::env::consts::ARCH);
    for (subject, count) in counted {
        writeln!(text, "{count:.0}  {subject}").unwrap();
    }
    text
}

fn count() -> Vec<(&'static str, f64)> {
    let server = RedisServer::start();
    let per_hit = |&subject: &&'static str| {
        let [few, many] = [FEW, MANY].map(|calls| instructions(subject, &server.url(), calls));
        #[allow(clippy::cast_precision_loss, reason = "a figure for people")]
        let per_hit = (many - few) as f64 / (MANY - FEW) as f64;
        (subject, per_hit)
    };
    SUBJECTS.iter().map(per_hit).collect()
}

/// Of a whole run of this program.
fn instructions(subject: &str, url: &str, calls: u64) -> u64 {
    let program = std::env::current_exe().unwrap();
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args(["calls", subject, url, &calls.to_string()])
        .output()
        .expect("valgrind (Debian: apt-get install valgrind)");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let collected = said.lines().find_map(|line| line.split("Collected :").nth(1));
    collected.expect("a count").trim().parse().expect("a number")
}

#[tokio::main(flavor = "current_thread")]
async fn run(subject: &str, url: &str, calls: u64) {
    let url = if subject == "remote" { url } else { "memory:" };
    Cache::connect(url).await.unwrap().install().unwrap();
    for _ in 0..calls {
        let id = match subject {
            "local, Arc<T>" => counted(7).await.id,
            "local, T" => cloned(7).await.id,
            _ => remote(7).await.id,
        };
        assert_eq!(id, 7);
    }
}
