//! A child of `fork` works, on connections of its own, and so does its parent, on its.
#![cfg_attr(unix, allow(unsafe_code, reason = "`fork`, `waitpid` and `_exit` have no safe form"))]

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
fn main() {
    unix::main();
}

#[cfg(unix)]
mod unix {
    use std::fs;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::thread::sleep;
    use std::time::{Duration, Instant};

    use cached_tests::{RedisCluster, RedisServer, eventually_blocking};
    use renamed_cache::{Cache, Source, cache_result, scope_sync};

    /// Longer than a machine under load makes anything wait.
    const LONG: Duration = Duration::from_secs(20);
    const BOUND: Duration = Duration::from_millis(500);

    #[cache_result(ttl = 600)]
    fn text(n: u64) -> String {
        format!("text {n}")
    }

    #[cache_result(ttl = 600, local)]
    fn near(path: &str) -> String {
        fs::read_to_string(path).unwrap()
    }

    pub(super) fn main() {
        for (name, scenario) in [
            ("calls in both processes", calls as fn()),
            ("values in memory", values_in_memory),
            ("an open circuit", an_open_circuit),
        ] {
            scenario();
            println!("test {name} ... ok");
        }
    }

    /// Runs `child` in a child process and `parent` meanwhile here; both must end well, in time.
    fn forked(child: impl FnOnce(), parent: impl FnOnce()) {
        // SAFETY: the only other threads are the cache's, which hold no lock that a child needs.
        let pid = unsafe { libc::fork() };
        assert!(pid >= 0, "no child");
        if pid == 0 {
            let well = catch_unwind(AssertUnwindSafe(child)).is_ok();
            // SAFETY: it ends the process, without what the parent has to clean up.
            unsafe { libc::_exit(i32::from(!well)) };
        }
        parent();
        let (start, mut status) = (Instant::now(), -1);
        // SAFETY: `status` is there for as long as the call takes.
        while unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) } == 0 {
            if start.elapsed() > LONG {
                // SAFETY: it is this process's child, which was not waited for yet.
                unsafe { libc::kill(pid, libc::SIGKILL) };
                panic!("the child hangs");
            }
            // Its end is looked for now and then.
            sleep(Duration::from_millis(5));
        }
        assert_eq!(status, 0, "how the child ended");
    }

    fn cache(url: &str) -> Cache {
        let builder = Cache::builder().url(url).lookup_deadline(LONG).commit_deadline(LONG);
        let builder = builder.invalidate_deadline(LONG).coherence_bound(BOUND);
        builder.build_blocking().unwrap()
    }

    /// Misses, hits and invalidations. Were a reply another's, the values would show it.
    fn work(keys: std::ops::Range<u64>) {
        for n in keys.clone() {
            assert_eq!(text(n), format!("text {n}"));
        }
        for _ in 0..3 {
            for n in keys.clone() {
                let fetched = text::fetch(n);
                assert_eq!((fetched.value, fetched.source), (format!("text {n}"), Source::Store));
            }
        }
        for n in keys {
            text::invalidate(n).unwrap();
            assert_eq!(text::fetch(n).source, Source::Loaded);
        }
    }

    fn calls() {
        let (server, cluster) = (RedisServer::start(), RedisCluster::start(3, 0));
        calls_on(&server.url());
        calls_on(&cluster.url());
    }

    fn calls_on(url: &str) {
        scope_sync(cache(url), || {
            work(0..50);
            // A grandchild, too; and a second child of the same parent.
            for round in 1..3 {
                let from = round * 1_000;
                let child = || {
                    work(from..from + 50);
                    forked(|| work(from + 100..from + 150), || work(from + 200..from + 250));
                };
                forked(child, || work(from + 300..from + 350));
                work(from + 400..from + 450);
            }
        });
    }

    /// The parent's link, which tells of changes, tells the child nothing.
    fn values_in_memory() {
        let (server, cluster) = (RedisServer::start(), RedisCluster::start(3, 0));
        values_in_memory_on(&server.url());
        values_in_memory_on(&cluster.url());
    }

    fn values_in_memory_on(url: &str) {
        let path = std::env::temp_dir().join(format!("cached-fork-{}", std::process::id()));
        let path = path.to_str().unwrap();
        let is_near = || near::fetch(path).source == Source::Local;
        fs::write(path, "old").unwrap();
        scope_sync(cache(url), || {
            eventually_blocking(LONG, is_near);
            let child = || {
                eventually_blocking(LONG, || fs::read_to_string(path).unwrap() == "new");
                // The parent's invalidation, and the bound within which all have heard of it.
                sleep(Duration::from_secs(1) + BOUND);
                assert_eq!(near(path), "new");
                eventually_blocking(LONG, is_near);
                assert_eq!(near(path), "new");
            };
            let parent = || {
                fs::write(path, "new").unwrap();
                near::invalidate(path).unwrap();
                eventually_blocking(LONG, is_near);
                assert_eq!(near(path), "new");
            };
            forked(child, parent);
        });
        fs::remove_file(path).unwrap();
    }

    /// Who probes whether the server is back is not in the child.
    fn an_open_circuit() {
        let server = RedisServer::start();
        let short = Duration::from_millis(50);
        let builder = Cache::builder().url(server.url()).lookup_deadline(short);
        let cache = builder.commit_deadline(short).build_blocking().unwrap();
        let is_stored = || text::fetch(1).source == Source::Store;
        scope_sync(cache.clone(), || {
            eventually_blocking(LONG, is_stored);
            server.kill();
            eventually_blocking(LONG, || {
                text(1);
                cache.health().circuit_opened > 0
            });
            let child = || eventually_blocking(LONG, is_stored);
            forked(child, || {
                server.restart();
                eventually_blocking(LONG, is_stored);
            });
        });
    }
}
