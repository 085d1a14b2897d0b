//! Engines for a tier in the process: which in-memory cache does best what a function-result
//! cache needs of it.
//!
//! ```text
//! cargo run --release --manifest-path benches/peers/Cargo.toml --bin engines
//! ```
//!
//! Keys are a function's number and a short text, looked up by a borrowed form; values are
//! `Arc`s of 64 B to 256 KiB, weighed in bytes, in caches bound to 64 MiB. Each engine's round
//! is a process of its own, so that one's memory is not another's; rounds alternate, and the
//! figures are their medians.
#![allow(clippy::print_stdout, reason = "a benchmark prints its table")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark fails loudly")]
#![allow(clippy::cast_precision_loss, reason = "figures for people")]

mod engine;
mod workload;

use std::process::Command;

use cached_peers::median::median;
use workload::{COLUMNS, round};

const ROUNDS: usize = 5;
const ENGINES: [&str; 4] = ["quick_cache", "moka::sync", "foyer LRU", "foyer S3-FIFO"];

fn main() {
    if let Some(engine) = std::env::args().nth(1) {
        let figures = match engine.as_str() {
            "quick_cache" => round::<engine::Quick>(),
            "moka::sync" => round::<engine::Moka>(),
            "foyer LRU" => round::<engine::FoyerLru>(),
            "foyer S3-FIFO" => round::<engine::FoyerS3>(),
            other => panic!("none of {ENGINES:?}: {other}"),
        };
        println!("{}", figures.map(|figure| figure.to_string()).join(" "));
        return;
    }
    let mut rounds = vec![Vec::new(); ENGINES.len()];
    for _ in 0..ROUNDS {
        for (rounds, engine) in rounds.iter_mut().zip(ENGINES) {
            rounds.push(in_its_process(engine));
        }
    }
    println!("| engine | {} |", COLUMNS.map(|(name, _)| name).join(" | "));
    println!("|---{}|", "|---:".repeat(COLUMNS.len()));
    for (rounds, engine) in rounds.iter().zip(ENGINES) {
        let figures = COLUMNS.iter().enumerate().map(|(column, (_, digits))| {
            let figure = median(rounds.iter().map(|round| round[column]).collect());
            format!("{figure:.digits$}")
        });
        println!("| {engine} | {} |", figures.collect::<Vec<_>>().join(" | "));
    }
}

fn in_its_process(engine: &str) -> Vec<f64> {
    let output = Command::new(std::env::current_exe().unwrap()).arg(engine).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_whitespace().map(|figure| figure.parse().unwrap()).collect()
}
