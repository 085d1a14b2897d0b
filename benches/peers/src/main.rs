//! The cache against its peers and against what one writes by hand, in one run.
//!
//! ```text
//! cargo run --release --manifest-path benches/peers/Cargo.toml -- --out DIR
//! ```
//!
//! It starts a redis-server of its own for each part of the run. Each part is a process of its
//! own too: what a library keeps in a static belongs to the runtime that it was first used in,
//! and here a part has one thread and another two. With `--out`, the table goes to `peers.md` in
//! that directory and a chart of it to `peers.svg`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its table")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark fails loudly")]
#![allow(clippy::cast_precision_loss, reason = "figures for people")]

mod chart;
mod figure;
mod load;
mod local_hits;
mod machine;
mod peers;
mod redis_hits;
mod report;
mod rounds;
mod user;

use std::path::Path;
use std::process::{Command, Stdio};

use cached_peers::allocations::Counting;
use figure::Figure;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

type Part = (&'static str, fn() -> Vec<Figure>);

const PARTS: [Part; 3] =
    [("redis", redis_hits::many_keys), ("hot", redis_hits::hot_key), ("local", local_hits::all)];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => println!("{}", report::markdown(&measure(), &machine::describe())),
        ["--out", dir] => {
            let (dir, figures) = (Path::new(dir), measure());
            let text = report::markdown(&figures, &machine::describe());
            println!("{text}");
            std::fs::create_dir_all(dir).unwrap();
            std::fs::write(dir.join("peers.md"), text).unwrap();
            chart::draw(&figures, &dir.join("peers.svg")).unwrap();
        }
        ["--part", name] => {
            let (_, part) = PARTS.iter().find(|(known, _)| *known == name).expect("a part");
            println!("{}", serde_json::to_string(&part()).unwrap());
        }
        _ => {
            eprintln!("usage: cached-peers [--out DIR]");
            std::process::exit(2);
        }
    }
}

fn measure() -> Vec<Figure> {
    let figures = PARTS.iter().map(|(name, _)| {
        let mut part = Command::new(std::env::current_exe().unwrap());
        let output = part.args(["--part", name]).stderr(Stdio::inherit()).output().unwrap();
        assert!(output.status.success(), "the part {name} failed");
        serde_json::from_slice::<Vec<Figure>>(&output.stdout).unwrap()
    });
    figures.flatten().collect()
}
