//! Runtimes of all kinds, most of which lack something: their callers get right values and hits, and
//! nothing panics that a panic hook would record. What a runtime has is used.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs};

use cached_runtime::{Cache, Source, cache_result, scope, scope_sync};
use cached_tests::RedisServer;
use tokio::runtime::{Builder, Runtime};

use super::patient;

const URL: &str = "CACHED_TESTS_RUNTIMES_URL";
const KIND: &str = "CACHED_TESTS_RUNTIMES_KIND";
const NEIGHBOUR: &str = "CACHED_TESTS_RUNTIMES_NEIGHBOUR";

const HITS: u64 = 1_000;

/// How many threads, of a pool or none; and what is enabled.
const KINDS: [&str; 8] = [
    "current none",
    "current time",
    "current io",
    "current all",
    "multi none",
    "multi time",
    "multi io",
    "multi all",
];

#[cache_result(ttl = 60)]
async fn square(n: u64) -> u64 {
    n * n
}

#[cache_result(ttl = 60)]
fn square_now(n: u64) -> u64 {
    n * n
}

fn runtime(kind: &str) -> Runtime {
    let (threads, enabled) = kind.split_once(' ').unwrap();
    let mut builder = match threads {
        "multi" => Builder::new_multi_thread(),
        _ => Builder::new_current_thread(),
    };
    match enabled {
        "time" => builder.enable_time(),
        "io" => builder.enable_io(),
        "all" => builder.enable_all(),
        _ => &mut builder,
    };
    builder.build().unwrap()
}

async fn assert_caches(n: u64, source: Source) {
    assert_eq!(square(n).await, n * n);
    let fetched = square::fetch(n).await;
    assert_eq!((fetched.value, fetched.source), (n * n, source));
    square::invalidate(n).await.unwrap();
    assert_eq!(square::fetch(n).await.source, Source::Loaded);
}

fn assert_caches_now(n: u64, source: Source) {
    assert_eq!(square_now(n), n * n);
    let fetched = square_now::fetch(n);
    assert_eq!((fetched.value, fetched.source), (n * n, source));
    square_now::invalidate(n).unwrap();
    assert_eq!(square_now::fetch(n).source, Source::Loaded);
}

/// How often the cache's own thread was woken so far.
fn wakes_of_the_io_thread() -> u64 {
    let threads = fs::read_dir("/proc/self/task").unwrap().map(|thread| thread.unwrap().path());
    let is_it = |thread: &PathBuf| {
        fs::read_to_string(thread.join("comm")).is_ok_and(|name| name.trim() == "cached-io")
    };
    let thread = threads.into_iter().find(is_it).unwrap();
    let status = fs::read_to_string(thread.join("status")).unwrap();
    let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    count.unwrap().trim().parse().unwrap()
}

/// How often that thread is woken for hits of a task on this runtime.
fn wakes_for_hits(runtime: &Runtime, cache: Cache) -> u64 {
    let hits = scope(cache, async {
        square(0).await;
        let before = wakes_of_the_io_thread();
        for _ in 0..HITS {
            square(0).await;
        }
        wakes_of_the_io_thread() - before
    });
    runtime.block_on(runtime.spawn(hits)).unwrap()
}

/// The other process: all callers on one kind of runtime, on either store. Tells how many panics a
/// hook saw, and how often the cache's thread was woken for hits from Redis.
#[test]
#[ignore = "a process that another test starts"]
#[allow(clippy::print_stdout, reason = "how it answers")]
fn process() {
    let (Ok(url), Ok(kind)) = (env::var(URL), env::var(KIND)) else { return };
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.fetch_add(1, Ordering::SeqCst);
        hook(panic);
    }));
    let neighbour = env::var(NEIGHBOUR).is_ok().then(|| runtime("multi all"));
    let redis = patient::builder(&url).build_blocking().unwrap();
    for (cache, is_remote) in [(redis, true), (Cache::memory(), false)] {
        let runtime = runtime(&kind);
        for n in 0..4 {
            let tasks = [10, 20, 30].map(|from| {
                runtime.spawn(scope(cache.clone(), assert_caches(from + n, Source::Store)))
            });
            runtime.block_on(async {
                scope(cache.clone(), assert_caches(n, Source::Store)).await;
                for task in tasks {
                    task.await.unwrap();
                }
                scope_sync(cache.clone(), || assert_caches_now(n, Source::Store));
            });
            scope_sync(cache.clone(), || assert_caches_now(100 + n, Source::Store));
        }
        if cfg!(target_os = "linux") && is_remote {
            println!("\n> wakes: {}", wakes_for_hits(&runtime, cache));
        }
    }
    drop(neighbour);
    println!("\n> panics: {}", PANICS.load(Ordering::SeqCst));
}

/// What such a process tells, with this kind of runtime, and with one that has all beside it if so:
/// panics, and wakes of the cache's thread.
fn told(url: &str, kind: &str, neighbour: bool) -> (u64, Option<u64>) {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "runtimes::process", "--ignored", "--nocapture"]);
    command.envs([(URL, url), (KIND, kind)]);
    if neighbour {
        command.env(NEIGHBOUR, "1");
    }
    let output = command.output().unwrap();
    let (told, log) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{kind}: {told}\n{log}");
    let number = |name: &str| {
        let count = told.lines().find_map(|line| line.strip_prefix(name))?;
        Some(count.parse::<u64>().unwrap())
    };
    (number("> panics: ").unwrap_or_else(|| panic!("{kind}: {told}")), number("> wakes: "))
}

#[test]
fn callers_on_each_kind_of_runtime_hit_and_nothing_panics() {
    let server = RedisServer::start();
    for kind in KINDS {
        for neighbour in [false, true] {
            let (panics, wakes) = told(&server.url(), kind, neighbour);
            assert_eq!(panics, 0, "{kind}, beside another: {neighbour}");
            let lacks_io = kind.ends_with("none") || kind.ends_with("time");
            // Where all have a driver that is seen, and hits need no other thread's.
            match wakes {
                Some(wakes) if lacks_io => assert!(wakes > HITS / 2, "{kind}: {wakes}"),
                Some(wakes) => assert!(wakes < HITS / 10, "{kind}, {neighbour}: {wakes}"),
                None if cfg!(target_os = "linux") => panic!("{kind}: not counted"),
                None => {}
            }
        }
    }
}
