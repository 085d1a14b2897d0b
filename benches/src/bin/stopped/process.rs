//! The process that is halted: calls for its rows in turn, and tells what it was given.

use std::io::{BufRead, BufReader, BufWriter, Write, stdout};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use cached_benches::fleet::since_epoch;
use cached_runtime::{Cache, cache_result};
use cached_tests::{RedisServer, eventually_blocking};
use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, AsyncConnectionConfig};

use super::writer::place;
use super::{BOUND, KEPT, PATIENCE};

/// Between two passes over all rows.
const PAUSE: Duration = Duration::from_millis(20);
/// In the database: the process is to end.
const END: &str = "end";

static DATABASE: OnceLock<MultiplexedConnection> = OnceLock::new();

/// Which version of the row the database has.
#[cache_result(ttl = "1h", local)]
pub(crate) async fn row(n: usize) -> u64 {
    DATABASE.get().unwrap().clone().get(place(n)).await.unwrap()
}

/// What the other process does.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn work(cache: &str, database: &str) {
    let cache = Cache::builder().url(cache).coherence_bound(BOUND).build().await.unwrap();
    cache.install().unwrap();
    let database = redis::Client::open(database).unwrap();
    // Without a deadline: a halted process is no reason to give up.
    let patient = AsyncConnectionConfig::new().set_response_timeout(None);
    let mut database =
        database.get_multiplexed_async_connection_with_config(&patient).await.unwrap();
    DATABASE.set(database.clone()).unwrap_or_else(|_| panic!("connected once"));
    let mut out = BufWriter::new(stdout().lock());
    while !database.exists::<_, bool>(END).await.unwrap() {
        for n in 0..KEPT {
            let local = row::stats().hits_local;
            let start = since_epoch();
            let version = row(n).await;
            let end = since_epoch();
            let memory = u8::from(row::stats().hits_local > local);
            let (start, end) = (start.as_nanos(), end.as_nanos());
            writeln!(out, "{n} {version} {start} {end} {memory}").unwrap();
        }
        out.flush().unwrap();
        tokio::time::sleep(PAUSE).await;
    }
}

/// One call of the process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    pub(crate) row: usize,
    pub(crate) version: usize,
    pub(crate) start: Duration,
    pub(crate) end: Duration,
    /// Served from its memory.
    pub(crate) memory: bool,
}

impl Call {
    fn of(line: &str) -> Self {
        let numbers: Vec<u64> = line.split(' ').map(|word| word.parse().unwrap()).collect();
        let [row, version, start, end, memory] = numbers[..] else { panic!("{line}") };
        Self {
            row: row as usize,
            version: version as usize,
            start: Duration::from_nanos(start),
            end: Duration::from_nanos(end),
            memory: memory == 1,
        }
    }
}

/// The process, as seen from here.
pub(crate) struct Process {
    child: Child,
    calls: Arc<Mutex<Vec<Call>>>,
    reader: Option<JoinHandle<()>>,
}

impl Process {
    pub(crate) fn start(cache: &str, database: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["process", cache, database])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let calls = Arc::<Mutex<Vec<Call>>>::default();
        let seen = Arc::clone(&calls);
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                seen.lock().unwrap().push(Call::of(&line));
            }
        });
        Self { child, calls, reader: Some(reader) }
    }

    /// What it has told until now.
    pub(crate) fn calls(&self) -> MutexGuard<'_, Vec<Call>> {
        self.calls.lock().unwrap()
    }

    pub(crate) fn signal(&self, signal: &str) {
        // The standard library can only kill, and this crate has no unsafe code.
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }
}

impl Process {
    /// Tells it to end, and has all that it told.
    pub(crate) fn end(mut self, database: &RedisServer) -> Vec<Call> {
        database.cmd(&["SET", END, "1"]);
        eventually_blocking(PATIENCE, || self.child.try_wait().unwrap().is_some());
        self.reader.take().unwrap().join().unwrap();
        std::mem::take(&mut *self.calls())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // SIGKILL ends a halted process too.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
