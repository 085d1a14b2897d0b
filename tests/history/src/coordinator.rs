//! Starts the servers and the workers, disturbs them, and judges what they logged.

use std::env;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use cached_tests::RedisServer;
use redis::Value;
use rustix::process::{Pid, Signal, kill_process};

use crate::clock;
use crate::disturbances::Disturbances;
use crate::history::Log;
use crate::mode::Mode;
use crate::network::{Kind, Network};
use crate::report::Report;
use crate::worker::Task;

/// How long the workers may take to end.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Run {
    pub(crate) duration: Duration,
    pub(crate) seed: u64,
    pub(crate) workers: usize,
    pub(crate) mode: Mode,
    pub(crate) network: Kind,
}

/// Whether the promise held, in a run that could have shown that it does not.
pub(crate) fn run(run: &Run) -> bool {
    let Run { duration, seed, workers: count, mode, network: kind } = *run;
    println!("seed {seed}, {count} workers, {duration:?}, {mode:?}, {kind:?}");
    let network = Network::start(kind, count);
    let database = RedisServer::start();
    let logs = tempfile::tempdir().expect("a temporary directory");
    let until = clock::now() + u64::try_from(duration.as_nanos()).unwrap();
    let tasks = (0..count).map(|at| Task {
        cache: network.url(at),
        database: database.url(),
        log: logs.path().join(at.to_string()),
        seed: seed.wrapping_mul(1_000).wrapping_add(at as u64),
        mode,
        until,
    });
    let mut workers = Workers(Vec::new());
    for task in tasks {
        workers.spawn(&task);
    }
    let disturbances = disturb(run, &network, &workers, until);
    workers.join();
    let read = |at: usize| Log::read(&logs.path().join(at.to_string()), u8::try_from(at).unwrap());
    let report = Report::new((0..count).flat_map(read).collect(), disturbances, mode, kind);
    println!("{report}");
    report.passes()
}

/// Stops, evictions and broken connections, and a network that fails, until the time is over.
fn disturb(run: &Run, network: &Network, workers: &Workers, until: u64) -> Disturbances {
    thread::scope(|scope| {
        // Two that halt, each its own half, so that more than one worker can stand at a time.
        let (left, right) = workers.0.split_at(workers.0.len() / 2);
        let halts = [left, right].map(|workers| {
            let random = fastrand::Rng::with_seed(run.seed ^ workers.len() as u64);
            let long = if run.mode.is_local() { 600 } else { 200 };
            scope.spawn(move || halt(random, workers, long, until))
        });
        let random = fastrand::Rng::with_seed(!run.seed);
        let evictions = scope.spawn(move || evict(random, network, until));
        let mut random = fastrand::Rng::with_seed(run.seed.rotate_left(32));
        let mut failing = random.fork();
        let failures =
            run.network.fails().then(|| scope.spawn(move || network.disturb(&mut failing, until)));
        let mut all = Disturbances::default();
        while wait(until, random.u64(100..800)) {
            let links = run.mode.is_local() && random.bool();
            let what = if links { "links killed" } else { "connections closed" };
            all.add(what, disconnect(&mut random, network, links));
        }
        let others = halts.into_iter().chain([evictions]).chain(failures);
        others.for_each(|disturbances| all.merge(disturbances.join().unwrap()));
        all
    })
}

/// Waits; `false` once the time is over.
pub(crate) fn wait(until: u64, millis: u64) -> bool {
    // The length of a disturbance, and the pause between two.
    thread::sleep(Duration::from_millis(millis));
    clock::now() < until
}

/// Halts one worker at a time, for 5 ms to so many, with pauses of up to a third of that.
fn halt(mut random: fastrand::Rng, workers: &[Child], most: u64, until: u64) -> Disturbances {
    let mut done = Disturbances::default();
    while wait(until, random.u64(..most / 3)) {
        let Some(worker) = random.choice(workers) else { break };
        let pid = Pid::from_child(worker);
        if kill_process(pid, Signal::STOP).is_ok() {
            done.add("stops", 1);
            wait(until, random.u64(5..=most));
            kill_process(pid, Signal::CONT).expect("a worker that was halted");
        }
    }
    done
}

/// Deletes random keys, as a server short of memory would: any, and one in four times a tag's
/// version.
fn evict(mut random: fastrand::Rng, network: &Network, until: u64) -> Disturbances {
    let mut done = Disturbances::default();
    while wait(until, random.u64(5..30)) {
        let server = network.primary(&mut random);
        let key = if random.u8(..4) == 0 {
            let versions = texts(ask(server, &["KEYS", "*#t:*"]));
            random.choice(versions)
        } else {
            texts(ask(server, &["RANDOMKEY"])).pop()
        };
        let Some(key) = key else { continue };
        if ask(server, &["DEL", &key]) == Value::Int(1) {
            let is_version = key.contains("#t:");
            done.add(if is_version { "evictions of tags" } else { "evictions of entries" }, 1);
        }
    }
    done
}

/// Closes one of the clients' connections from the server's side; one that tells of changes, where
/// that is wanted. How many it were.
fn disconnect(random: &mut fastrand::Rng, network: &Network, links: bool) -> u64 {
    let cache = network.primary(random);
    let clients = texts(ask(cache, &["CLIENT", "LIST"])).pop().unwrap_or_default();
    // Replication is no client's, nor is what moves a slot's keys; the harness asks by the socket.
    let wanted = |line: &&str| {
        let flags = line.split(" flags=").nth(1).and_then(|rest| rest.split(' ').next());
        let moves = ["cmd=restore", "cmd=NULL", "cmd=select"].iter().any(|cmd| line.contains(cmd));
        line.contains(" addr=127.0.0.1:")
            && !moves
            && flags
                .is_some_and(|flags| !flags.contains(['S', 'M']) && (!links || flags.contains('t')))
    };
    let clients = clients.lines().filter(wanted);
    let ids = clients.filter_map(|line| line.strip_prefix("id=")?.split(' ').next());
    let Some(id) = random.choice(ids.collect::<Vec<_>>()) else { return 0 };
    // It may be gone by now.
    u64::from(matches!(ask(cache, &["CLIENT", "KILL", "ID", id]), Value::Int(1..)))
}

/// Nil where the server is just restarted, or no primary any more.
fn ask(server: &RedisServer, command: &[&str]) -> Value {
    server.try_cmd(command).unwrap_or(Value::Nil)
}

fn texts(answer: Value) -> Vec<String> {
    match answer {
        Value::BulkString(bytes) => vec![String::from_utf8_lossy(&bytes).into_owned()],
        Value::Array(all) => all.into_iter().flat_map(texts).collect(),
        _ => Vec::new(),
    }
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
