//! What the cache costs to build: a first program against one with the redis crate alone, and a
//! crate of a hundred functions against the same cached by hand and by the crate `cached`.
//!
//! ```text
//! cargo run --release --manifest-path benches/peers/Cargo.toml --bin building
//! ```
//!
//! Offline, in a directory that is thrown away; the versions are those of this package's lock
//! file. The figures are medians of 3 alternating rounds. It takes several minutes: `hello` or
//! `functions` as an argument measures one half.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its table")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark fails loudly")]

mod project;
mod source;

use std::path::Path;

use cached_peers::median::median;
use project::{Profile, Project};

const ROUNDS: usize = 3;

fn main() {
    let dir = tempfile::tempdir().unwrap();
    match std::env::args().nth(1).as_deref() {
        None => {
            hello(dir.path());
            functions(dir.path());
        }
        Some("hello") => hello(dir.path()),
        Some("functions") => functions(dir.path()),
        Some(other) => panic!("neither hello nor functions: {other}"),
    }
}

/// Clean debug builds, each in a target directory of its own.
fn hello(dir: &Path) {
    let ours = Project::new(dir, "hello-ours", &source::OURS, source::HELLO_OURS);
    let redis = Project::new(dir, "hello-redis", &source::REDIS, source::HELLO_REDIS);
    let projects = [&ours, &redis];
    let [ours_took, redis_took] = rounds(projects, |project| {
        project.forget_builds();
        project.build(Profile::Debug)
    });
    println!("| a first program, clean debug build | seconds | crates |\n|---|---:|---:|");
    println!("| cached-runtime, tokio, serde | {ours_took:.1} | {} |", ours.crates());
    println!("| redis, tokio, serde | {redis_took:.1} | {} |", redis.crates());
    println!("| ratio (goal ≤ 1.25; crates ≤ 80) | {:.2} | |\n", ours_took / redis_took);
}

/// Builds of the crate alone, after those of what it depends on.
fn functions(dir: &Path) {
    let ours = Project::new(dir, "hundred-ours", &source::OURS, &source::hundred_ours());
    let hand = Project::new(dir, "hundred-hand", &source::HAND, &source::hundred_by_hand());
    let cached = Project::new(dir, "hundred-cached", &source::CACHED, &source::hundred_cached());
    let projects = [&ours, &hand, &cached];
    println!("| 100 functions | ours, s | by hand, s | cached, s | ours / hand | ours / cached |");
    println!("|---|---:|---:|---:|---:|---:|");
    for profile in [Profile::Debug, Profile::Release] {
        for project in projects {
            project.build(profile);
        }
        let [ours, hand, cached] = rounds(projects, |project| {
            project.touch();
            project.build(profile)
        });
        let (to_hand, to_cached) = (ours / hand, ours / cached);
        println!(
            "| {} | {ours:.1} | {hand:.1} | {cached:.1} | {to_hand:.2} | {to_cached:.2} |",
            profile.name()
        );
    }
}

fn rounds<const N: usize>(projects: [&Project; N], build: impl Fn(&Project) -> f64) -> [f64; N] {
    let mut took = [const { Vec::new() }; N];
    for _ in 0..ROUNDS {
        for (project, took) in projects.iter().zip(&mut took) {
            let seconds = build(project);
            eprintln!("{}: {seconds:.1} s", project.name());
            took.push(seconds);
        }
    }
    took.map(median)
}
