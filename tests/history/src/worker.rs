//! One process: callers that read, write and invalidate until the time is over, and log it.

use std::panic;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cached_runtime::{Cache, global};
#[cfg(target_os = "linux")]
use rustix::process::{Signal, set_parent_process_death_signal};
use tokio::task::JoinSet;

use crate::clock;
use crate::control::Naive;
use crate::database::{self, Row};
use crate::functions::{self, Function, Invalidated};
use crate::history::{Counts, Covers, Event, Invalidation, Log, ROWS, Read, Source};
use crate::mode::Mode;

/// The first argument of a process that is to be a worker.
pub(crate) const ARGUMENT: &str = "worker";
/// Callers in each process.
const CALLERS: u64 = 10;

/// What a worker is told, in the order of its arguments.
pub(crate) struct Task {
    pub(crate) cache: String,
    pub(crate) database: String,
    pub(crate) log: PathBuf,
    pub(crate) seed: u64,
    pub(crate) mode: Mode,
    /// When it ends, by [`clock::now`].
    pub(crate) until: u64,
}

impl Task {
    pub(crate) fn arguments(&self) -> Vec<String> {
        let log = self.log.to_str().expect("a UTF-8 path").to_owned();
        let (seed, until) = (self.seed.to_string(), self.until.to_string());
        let (cache, database) = (self.cache.clone(), self.database.clone());
        let mode = self.mode.argument().to_owned();
        vec![ARGUMENT.to_owned(), cache, database, log, seed, mode, until]
    }

    /// From what follows the first.
    pub(crate) fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Self {
        let mut next = || arguments.next().expect("six arguments");
        Self {
            cache: next(),
            database: next(),
            log: next().into(),
            seed: next().parse().expect("a number"),
            mode: Mode::from_argument(&next()),
            until: next().parse().expect("a number"),
        }
    }
}

/// Panics of this process, those of threads in the background too, which nobody else would see.
static PANICS: AtomicU64 = AtomicU64::new(0);

pub(crate) fn run(task: Task) {
    // Halted, it would outlive a coordinator that was killed.
    #[cfg(target_os = "linux")]
    set_parent_process_death_signal(Some(Signal::KILL)).expect("a signal at the parent's end");
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        print(info);
    }));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(work(task));
}

async fn work(task: Task) {
    let mut random = fastrand::Rng::with_seed(task.seed);
    database::connect(&task.database).await;
    let lease = Duration::from_millis(random.u64(15..=100));
    let mut builder = Cache::builder().url(&task.cache).lease(lease);
    if let Some(bound) = task.mode.coherence_bound() {
        builder = builder.coherence_bound(bound);
    }
    if let Some(deadline) = task.mode.lookup_deadline() {
        builder = builder.lookup_deadline(deadline);
    }
    let cache = builder.build().await;
    cache.and_then(|cache| cache.install()).expect("a cache");
    let log = Arc::new(Log::create(&task.log));
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let caller = Caller {
            random: random.fork(),
            functions: Function::called(task.mode.is_local()),
            changes: task.mode.changes(),
            naive: Naive::new(&task.cache),
            log: Arc::clone(&log),
            failures: 0,
        };
        callers.spawn(caller.run(task.until));
    }
    let failures = callers.join_all().await.into_iter().sum();
    // What goes on in the background may still panic.
    global().shutdown().await;
    let stats = global().stats().total;
    let (loads, local, refused) = (stats.loads, stats.hits_local, stats.writes_refused);
    let panics = PANICS.load(Ordering::Relaxed);
    log.write(Event::Counts(Counts { loads, local, refused, failures, panics }));
    log.finish();
}

struct Caller {
    random: fastrand::Rng,
    functions: Vec<Function>,
    /// Of a hundred calls.
    changes: u8,
    naive: Naive,
    log: Arc<Log>,
    failures: u64,
}

impl Caller {
    async fn run(mut self, until: u64) -> u64 {
        while clock::now() < until {
            let function = self.functions[self.random.usize(..self.functions.len())];
            // Of two draws the lower: some rows are asked for much more often than others.
            let row = self.random.u8(..ROWS).min(self.random.u8(..ROWS));
            match self.random.u8(..100) {
                drawn if drawn < self.changes => self.change(function, row).await,
                6..8 if function != Function::Naive => self.refresh(function, row).await,
                _ => self.read(function, row).await,
            }
            // Not for any event: what a caller does between its calls.
            tokio::time::sleep(Duration::from_micros(self.random.u64(..4_000))).await;
        }
        self.failures
    }

    async fn read(&mut self, function: Function, row: u8) {
        let called = clock::now();
        let yielded = match function {
            Function::Naive => Some(self.naive.read(row).await),
            _ => functions::read(function, row).await,
        };
        self.log_read(function, row, called, yielded);
    }

    async fn refresh(&mut self, function: Function, row: u8) {
        let called = clock::now();
        let yielded = functions::refresh(function, row).await;
        self.log_read(function, row, called, yielded);
    }

    fn log_read(
        &mut self,
        function: Function,
        asked: u8,
        called: u64,
        yielded: Option<(Row, Source)>,
    ) {
        let returned = clock::now();
        let Some((Row { row, version, started }, source)) = yielded else {
            self.failures += 1;
            return;
        };
        assert_eq!(row, asked, "{function:?} yields another row's value");
        let read = Read { process: 0, called, returned, function, row, source, started, version };
        self.log.write(Event::Read(read));
    }

    async fn change(&mut self, function: Function, row: u8) {
        let Invalidated { called, ok, covers, version } = match function {
            Function::Naive => {
                let version = database::write(row).await;
                let called = clock::now();
                let ok = self.naive.invalidate(row).await.is_ok();
                Invalidated { called, ok, covers: Covers::of(&[function], Some(row)), version }
            }
            _ => functions::change(function, row).await,
        };
        let returned = clock::now();
        let invalidation = Invalidation { process: 0, called, returned, ok, covers, version };
        self.log.write(Event::Invalidation(invalidation));
    }
}
