//! Starts the servers and the workers, disturbs them, and judges what they logged.

use std::env;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use cached_tests::RedisServer;
use rustix::process::{Pid, Signal, kill_process};

use crate::clock;
use crate::history::Log;
use crate::report::{Disturbances, Report};
use crate::worker::Task;

/// How long the workers may take to end.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Run {
    pub(crate) duration: Duration,
    pub(crate) seed: u64,
    pub(crate) workers: usize,
}

/// Whether the promise held, in a run that could have shown that it does not.
pub(crate) fn run(run: &Run) -> bool {
    println!("seed {}, {} workers, {:?}", run.seed, run.workers, run.duration);
    let (cache, database) = (RedisServer::start(), RedisServer::start());
    let logs = tempfile::tempdir().expect("a temporary directory");
    let until = clock::now() + u64::try_from(run.duration.as_nanos()).unwrap();
    let tasks = (0..run.workers).map(|at| Task {
        cache: cache.url(),
        database: database.url(),
        log: logs.path().join(at.to_string()),
        seed: run.seed.wrapping_mul(1_000).wrapping_add(at as u64),
        until,
    });
    let mut workers = Workers(Vec::new());
    for task in tasks {
        workers.spawn(&task);
    }
    let disturbances = disturb(run, &cache, &workers, until);
    workers.join();
    let events =
        (0..run.workers).flat_map(|at| Log::read(&logs.path().join(at.to_string()))).collect();
    let report = Report::new(events, disturbances);
    println!("{report}");
    report.passes()
}

/// Stops, evictions and broken connections, until the time is over.
fn disturb(run: &Run, cache: &RedisServer, workers: &Workers, until: u64) -> Disturbances {
    thread::scope(|scope| {
        // Two that halt, each its own half, so that more than one worker can stand at a time.
        let (left, right) = workers.0.split_at(workers.0.len() / 2);
        let halts = [left, right].map(|workers| {
            let random = fastrand::Rng::with_seed(run.seed ^ workers.len() as u64);
            scope.spawn(move || halt(random, workers, until))
        });
        let random = fastrand::Rng::with_seed(!run.seed);
        let evictions = scope.spawn(move || evict(random, cache, until));
        let mut random = fastrand::Rng::with_seed(run.seed.rotate_left(32));
        let mut disconnections = 0;
        while wait(until, random.u64(100..800)) {
            disconnections += disconnect(&mut random, cache);
        }
        let stops = halts.into_iter().map(|halts| halts.join().unwrap()).sum();
        let (evictions, tag_evictions) = evictions.join().unwrap();
        Disturbances { stops, evictions, tag_evictions, disconnections }
    })
}

/// Waits; `false` once the time is over.
fn wait(until: u64, millis: u64) -> bool {
    // The length of a disturbance, and the pause between two.
    thread::sleep(Duration::from_millis(millis));
    clock::now() < until
}

/// Halts one worker at a time for 5 to 200 ms. How often it did.
fn halt(mut random: fastrand::Rng, workers: &[Child], until: u64) -> u64 {
    let mut stops = 0;
    while wait(until, random.u64(..60)) {
        let Some(worker) = random.choice(workers) else { return 0 };
        let pid = Pid::from_child(worker);
        if kill_process(pid, Signal::STOP).is_ok() {
            stops += 1;
            wait(until, random.u64(5..=200));
            kill_process(pid, Signal::CONT).expect("a worker that was halted");
        }
    }
    stops
}

/// Deletes random keys, as a server short of memory would: any, and one in four times a tag's
/// version. How many, and how many of them were versions.
fn evict(mut random: fastrand::Rng, cache: &RedisServer, until: u64) -> (u64, u64) {
    let (mut all, mut tags) = (0, 0);
    while wait(until, random.u64(5..30)) {
        let key = if random.u8(..4) == 0 {
            let keys = cache.keys();
            let versions: Vec<_> = keys.into_iter().filter(|key| key.contains("#t:")).collect();
            random.choice(versions)
        } else {
            cache.text(&["RANDOMKEY"])
        };
        let Some(key) = key else { continue };
        if cache.int(&["DEL", &key]) == 1 {
            all += 1;
            tags += u64::from(key.contains("#t:"));
        }
    }
    (all, tags)
}

/// Closes one of the clients' connections from the server's side. How many it were.
fn disconnect(random: &mut fastrand::Rng, cache: &RedisServer) -> u64 {
    let clients = cache.text(&["CLIENT", "LIST"]).unwrap_or_default();
    let ids = clients.lines().filter_map(|line| line.strip_prefix("id=")?.split(' ').next());
    let Some(id) = random.choice(ids.collect::<Vec<_>>()) else { return 0 };
    // It may be the connection of the list itself, which is gone by now.
    u64::from(cache.int(&["CLIENT", "KILL", "ID", id]) > 0)
}

/// The processes; none outlives this.
struct Workers(Vec<Child>);

impl Workers {
    fn spawn(&mut self, task: &Task) {
        let program = env::current_exe().expect("this program");
        let child = Command::new(program).args(task.arguments()).stdin(Stdio::null()).spawn();
        self.0.push(child.expect("a worker"));
    }

    /// Waits until each has ended by itself.
    fn join(&mut self) {
        let start = Instant::now();
        for worker in &mut self.0 {
            let status = loop {
                if let Some(status) = worker.try_wait().expect("a child to wait for") {
                    break status;
                }
                assert!(start.elapsed() < PATIENCE, "a worker does not end");
                // A child's end sends no notice that could be awaited with a limit.
                thread::sleep(Duration::from_millis(10));
            };
            assert!(status.success(), "a worker failed: {status}");
        }
        self.0.clear();
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for worker in &mut self.0 {
            // Not waited for yet, so its id is still its own.
            if let Ok(None) = worker.try_wait() {
                let _ = kill_process(Pid::from_child(worker), Signal::CONT);
                let _ = worker.kill();
                let _ = worker.wait();
            }
        }
    }
}
