//! Who writes: other entries of the namespace, and the rows that the process keeps, which change in
//! the database and are then invalidated.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use cached_benches::fleet::since_epoch;
use cached_tests::RedisServer;
use redis::{Client, Connection, Pipeline};

use super::process::row;
use super::{KEPT, RATE};

/// How many other entries there are.
const OTHERS: usize = 100_000;
/// So often a second all that is due is sent, in one pipeline.
const TURNS: usize = 100;
/// How many rows change in each turn: a hundredth of what is written.
const CHANGES: usize = RATE / TURNS / 100;

/// Since when each version of each row has been acknowledged as the one that is valid. Row, then
/// version.
pub(crate) type History = Vec<Vec<Duration>>;

pub(crate) struct Writer {
    stop: Arc<AtomicBool>,
    written: Arc<AtomicUsize>,
    thread: JoinHandle<History>,
}

/// All that is ever written is there at first, so that the server's memory grows by nothing else
/// than what it holds back.
pub(crate) fn fill(cache: &RedisServer, database: &RedisServer) {
    let (mut cache, mut database) = (connect(cache), connect(database));
    for start in (0..OTHERS).step_by(1_000) {
        let mut pipe = redis::pipe();
        for n in start..start + 1_000 {
            write(&mut pipe, n);
        }
        pipe.exec(&mut cache).unwrap();
    }
    let mut pipe = redis::pipe();
    for n in 0..KEPT {
        pipe.set(place(n), 0).ignore();
    }
    pipe.exec(&mut database).unwrap();
}

impl Writer {
    pub(crate) fn start(cache: &RedisServer, database: &RedisServer) -> Self {
        let (stop, written) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let servers = (connect(cache), connect(database));
        let (stopped, count) = (Arc::clone(&stop), Arc::clone(&written));
        let thread = thread::spawn(move || work(servers, &stopped, &count));
        Self { stop, written, thread }
    }

    /// How many commands were carried out.
    pub(crate) fn written(&self) -> usize {
        self.written.load(Ordering::Relaxed)
    }

    pub(crate) fn end(self) -> History {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn work(
    (mut cache, mut database): (Connection, Connection),
    stop: &AtomicBool,
    written: &AtomicUsize,
) -> History {
    let keys: Vec<String> = (0..KEPT).map(key).collect();
    let mut history = vec![vec![Duration::ZERO]; KEPT];
    let (began, mut other, mut row) = (Instant::now(), 0, 0);
    for turn in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let due = Duration::from_secs(1) * turn / TURNS as u32;
        // Who is late catches up, so that the rate is what was meant where it can be.
        thread::sleep(due.saturating_sub(began.elapsed()));
        let rows: Vec<usize> = (row..row + CHANGES).map(|n| n % KEPT).collect();
        row += CHANGES;
        let mut pipe = redis::pipe();
        for &n in &rows {
            pipe.incr(place(n), 1).ignore();
        }
        pipe.exec(&mut database).unwrap();
        let mut pipe = redis::pipe();
        for &n in &rows {
            pipe.del(&keys[n]).ignore();
        }
        for _ in CHANGES..RATE / TURNS {
            write(&mut pipe, other);
            other += 1;
        }
        pipe.exec(&mut cache).unwrap();
        let now = since_epoch();
        rows.iter().for_each(|&n| history[n].push(now));
        written.fetch_add(RATE / TURNS, Ordering::Relaxed);
    }
    history
}

fn write(pipe: &mut Pipeline, n: usize) {
    pipe.cmd("SET").arg(format!("cache:another.function:{}", n % OTHERS)).arg("x").ignore();
}

/// A row's place in the database.
pub(crate) fn place(n: usize) -> String {
    format!("row:{n}")
}

/// The name of its entry.
fn key(n: usize) -> String {
    format!("cache:{}", row::key(n))
}

fn connect(server: &RedisServer) -> Connection {
    Client::open(server.url()).unwrap().get_connection().unwrap()
}
