//! Many callers, in many processes, that miss together: one of them runs the body, the others wait
//! for it.
//!
//! ```text
//! REDIS_URL=redis://127.0.0.1:6379 cargo run -p cached-examples --example stampede
//! cargo run -p cached-examples --example stampede
//! ```
//!
//! With `CACHE_URL` or `REDIS_URL` the program starts four more of itself, which share nothing but
//! that server. Without one there is nothing that processes could share: then the callers are
//! four threads of this process, each with a runtime of its own.

#![allow(clippy::print_stdout, reason = "an example speaks to its reader")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use cached_runtime::{Source, cache_result};

const GROUPS: usize = 4;
const TASKS: usize = 5;

/// An expensive query, and which process or thread ran it. That is no part of the key, of course.
#[cache_result(ttl = 60, skip(group))]
async fn yearly_report(year: u32, group: &str) -> String {
    tokio::time::sleep(Duration::from_millis(500)).await; // a query with many joins
    format!("the report of {year}, made by {group}")
}

fn main() -> anyhow::Result<()> {
    if let Some(group) = std::env::args().nth(1) {
        // One of the processes that the first has started.
        return call(&group, || {
            println!("ready");
            std::io::stdin().lock().read_line(&mut String::new())?;
            Ok(())
        });
    }
    println!("Values live in {:?}", cached_runtime::global());
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(yearly_report::invalidate(2024))?; // what an earlier run may have left

    let has_server = ["CACHE_URL", "REDIS_URL"].iter().any(|name| {
        std::env::var(name).is_ok_and(|url| !url.is_empty() && !url.starts_with("memory"))
    });
    let started = Instant::now();
    if has_server {
        println!("{GROUPS} processes with {TASKS} tasks each ask for the same report:\n");
        processes()?;
    } else {
        println!(
            "Without CACHE_URL or REDIS_URL processes have nothing in common, so here it is\n\
             {GROUPS} threads with {TASKS} tasks each that ask for the same report:\n"
        );
        let start = Arc::new(Barrier::new(GROUPS));
        let groups = (1..=GROUPS).map(|n| {
            let start = Arc::clone(&start);
            thread::spawn(move || {
                call(&format!("thread {n}"), || {
                    start.wait();
                    Ok(())
                })
            })
        });
        for group in groups.collect::<Vec<_>>() {
            group.join().map_err(|_| anyhow::anyhow!("a thread panicked"))??;
        }
    }
    let calls = GROUPS * TASKS;
    println!("\n{calls} calls took {} ms in all.", started.elapsed().as_millis());
    Ok(())
}

/// Starts this program several times, and lets all go at one moment.
fn processes() -> anyhow::Result<()> {
    let mut children = Vec::new();
    for n in 1..=GROUPS {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(format!("process {n}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut says = BufReader::new(child.stdout.take().context("a pipe")?).lines();
        says.next().context("a process that is ready")??;
        children.push((child, says));
    }
    for (child, _) in &mut children {
        let mut stdin = child.stdin.take().context("a pipe")?;
        writeln!(stdin, "go")?;
    }
    for (mut child, says) in children {
        for line in says {
            println!("{}", line?);
        }
        anyhow::ensure!(child.wait()?.success(), "a process failed");
    }
    Ok(())
}

/// The tasks of one process or thread, which begin when all others do.
#[tokio::main(flavor = "current_thread")]
async fn call(group: &str, start: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    yearly_report::peek(2024).await?; // connects
    start()?;
    let tasks: Vec<_> = (1..=TASKS)
        .map(|task| {
            let group = group.to_owned();
            tokio::spawn(async move {
                let started = Instant::now();
                let report = yearly_report::fetch(2024, &group).await;
                let waited = started.elapsed().as_millis();
                let what = match report.source {
                    Source::Loaded => "ran the body",
                    Source::Shared => "waited for a task of its own process",
                    Source::Store => "waited for another process",
                    _ => "was on its own",
                };
                println!("{group}, task {task}: {waited:>4} ms, {what:<36} {}", report.value);
            })
        })
        .collect();
    for task in tasks {
        task.await?;
    }
    Ok(())
}
