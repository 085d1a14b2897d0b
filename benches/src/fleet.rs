//! Processes whose tasks all call one cold key at one moment, and what that came to.
//!
//! Each is the program `stampede`, told what to do by lines on its standard input. When a body
//! runs, it says so to a second server, so that what is counted at the first is the cache's alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "fails loudly")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cached_tests::RedisServer;

/// How long the body takes, and the sleep that it is measured against.
pub const BODY: Duration = Duration::from_millis(200);
/// From an order until all begin: long enough for each process to have its tasks ready.
const AHEAD: Duration = Duration::from_millis(400);
/// Whoever takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many there are, and the settings of their caches.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Processes.
    pub processes: usize,
    /// Tasks in each.
    pub tasks: usize,
    /// The caches' deadlines, where they are not the default ones.
    pub deadline: Option<Duration>,
    /// The caches' lease.
    pub lease: Duration,
}

/// What all tasks do at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Sleep as long as the body takes.
    Sleep,
    /// Call the cached function.
    Cached,
    /// The same, and the task that runs the body is aborted half-way.
    Abort,
}

impl Way {
    /// As orders have it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Sleep => "sleep",
            Self::Cached => "cached",
            Self::Abort => "abort",
        }
    }

    /// The way of an order.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        [Self::Sleep, Self::Cached, Self::Abort].into_iter().find(|way| way.word() == word)
    }
}

/// What one round came to.
#[derive(Debug, Clone, Copy)]
pub struct Round {
    /// From the common beginning until the last caller was done.
    pub last: Duration,
    /// From the common beginning until the body first began, where it did.
    pub began: Option<Duration>,
    /// How many callers were served.
    pub served: usize,
    /// How often the body ran.
    pub runs: u64,
    /// What the server carried out, with what scripts call.
    pub commands: u64,
}

/// What a round came to whose holder was killed.
#[derive(Debug, Clone, Copy)]
pub struct Recovery {
    /// The round, for those who were left.
    pub round: Round,
    /// From the kill until the body began again.
    pub after: Duration,
}

/// The processes and their servers.
pub struct Fleet {
    server: RedisServer,
    counts: RedisServer,
    workers: Vec<Worker>,
    rounds: usize,
}

/// What all were told: the key, and when to begin.
struct Order {
    key: String,
    begin: Duration,
}

struct Worker {
    child: Child,
    orders: ChildStdin,
    reports: Receiver<String>,
}

impl Fleet {
    /// Starts processes of this program, and a first round that nobody measures: afterwards all
    /// connections are made.
    ///
    /// # Panics
    /// As everything here: where something does not go as it must.
    #[must_use]
    pub fn start(program: &Path, size: Size) -> Self {
        let (server, counts) = (RedisServer::start(), RedisServer::start());
        let worker = || Worker::start(program, size, &server, &counts);
        let workers: Vec<Worker> = (0..size.processes).map(|_| worker()).collect();
        for worker in &workers {
            assert_eq!(worker.report(), "ready");
        }
        let mut fleet = Self { server, counts, workers, rounds: 0 };
        fleet.round(Way::Cached);
        fleet
    }

    /// All tasks of all processes do this, once, at one moment.
    pub fn round(&mut self, way: Way) -> Round {
        let order = self.order(way);
        self.finish(&order)
    }

    /// All call, and the process that runs the body is killed half-way.
    pub fn kill_the_holder(&mut self) -> Recovery {
        let order = self.order(Way::Cached);
        let key = &order.key;
        cached_tests::eventually_blocking(PATIENCE, || !self.begun(key).is_empty());
        std::thread::sleep(BODY / 2);
        let (holder, _) = self.begun(key)[0];
        let at = self.workers.iter().position(|worker| worker.child.id() == holder).unwrap();
        let killed = since_epoch();
        self.workers.remove(at).end();
        let round = self.finish(&order);
        let (_, again) = *self.begun(key).get(1).expect("the body ran again");
        Recovery { round, after: again.saturating_sub(killed) }
    }

    fn order(&mut self, way: Way) -> Order {
        self.rounds += 1;
        let key = format!("round-{}", self.rounds);
        self.server.reset_stats();
        let begin = since_epoch() + AHEAD;
        for worker in &mut self.workers {
            writeln!(worker.orders, "{} {key} {}", way.word(), begin.as_nanos()).unwrap();
        }
        Order { key, begin }
    }

    fn finish(&self, order: &Order) -> Round {
        let (mut last, mut served) = (Duration::ZERO, 0);
        for worker in &self.workers {
            let report = worker.report();
            let (took, count) = report.split_once(' ').expect("two numbers");
            last = last.max(Duration::from_nanos(took.parse().unwrap()));
            served += count.parse::<usize>().unwrap();
        }
        let commands = self.server.command_calls().values().sum();
        let runs = self.begun(&order.key);
        let began = runs.first().map(|(_, at)| at.saturating_sub(order.begin));
        Round { last, began, served, runs: runs.len() as u64, commands }
    }

    /// Which processes began to run the body, and when.
    fn begun(&self, key: &str) -> Vec<(u32, Duration)> {
        let redis::Value::Array(runs) = self.counts.cmd(&["LRANGE", key, "0", "-1"]) else {
            panic!("no list of runs")
        };
        runs.into_iter()
            .map(|run| {
                let redis::Value::BulkString(run) = run else { panic!("{run:?}") };
                let run = String::from_utf8(run).unwrap();
                let (process, at) = run.split_once(' ').expect("two numbers");
                (process.parse().unwrap(), Duration::from_nanos(at.parse().unwrap()))
            })
            .collect()
    }
}

/// The time that all processes share.
///
/// # Panics
/// Where the clock is before 1970.
#[must_use]
pub fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

impl Worker {
    fn start(program: &Path, size: Size, server: &RedisServer, counts: &RedisServer) -> Self {
        let deadline = size.deadline.map_or(0, |deadline| deadline.as_millis());
        let mut child = Command::new(program)
            .args(["worker", &server.url(), &counts.url(), &size.tasks.to_string()])
            .args([deadline.to_string(), size.lease.as_millis().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let orders = child.stdin.take().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, reports) = channel();
        // A thread, since nobody can wait for a pipe with a limit.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, orders, reports }
    }

    fn report(&self) -> String {
        self.reports.recv_timeout(PATIENCE).expect("a process that answers")
    }

    /// SIGKILL.
    fn end(mut self) {
        self.kill();
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill();
    }
}
