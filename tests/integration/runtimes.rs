//! Runtimes of all kinds, most of which lack something: their callers get right values and hits, and
//! nothing panics that a panic hook would record.

use std::env;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use cached_runtime::{Cache, Source, cache_result, scope, scope_sync};
use cached_tests::RedisServer;
use tokio::runtime::{Builder, Runtime};

use super::patient;

const URL: &str = "CACHED_TESTS_RUNTIMES_URL";
const KIND: &str = "CACHED_TESTS_RUNTIMES_KIND";
const NEIGHBOUR: &str = "CACHED_TESTS_RUNTIMES_NEIGHBOUR";

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

/// The other process: all callers on one kind of runtime, on either store. Tells how many panics a
/// hook saw.
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
    for cache in [redis, Cache::memory()] {
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
    }
    drop(neighbour);
    println!("\n> panics: {}", PANICS.load(Ordering::SeqCst));
}

/// How many panics were seen in a process with this kind of runtime, and with one that has all
/// beside it, if so.
fn panics(url: &str, kind: &str, neighbour: bool) -> usize {
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
    let count = told.lines().find_map(|line| line.strip_prefix("> panics: "));
    count.unwrap_or_else(|| panic!("{kind}: {told}")).parse().unwrap()
}

#[test]
fn callers_on_each_kind_of_runtime_hit_and_nothing_panics() {
    let server = RedisServer::start();
    for kind in KINDS {
        let seen = panics(&server.url(), kind, false);
        if cfg!(target_os = "linux") {
            assert_eq!(seen, 0, "{kind}");
        }
    }
}

/// Where another runtime of the process has a driver, tokio's one answer is a panic: one for each
/// runtime (there are two, one after the other), and none where a driver is.
#[test]
fn beside_another_runtime_each_is_asked_once() {
    let server = RedisServer::start();
    for kind in KINDS {
        let seen = panics(&server.url(), kind, true);
        let lacks_io = kind.ends_with("none") || kind.ends_with("time");
        assert!(seen <= 2 * usize::from(lacks_io), "{kind}: {seen}");
    }
}
