//! Clocks of tokio that stand still or jump: the store is real, so its deadlines are of real time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cached_runtime::{Cache, Error, Fault, cache_result, scope};
use cached_tests::RedisServer;
use tokio::time;

use super::patient::{self, LONG};

const ROUNDS: u64 = 10;
/// Of what is not answered, below.
const DEADLINE: Duration = Duration::from_millis(300);

#[cache_result(ttl = 60)]
async fn next(n: u64) -> u64 {
    n + 1
}

static LOADS: AtomicU64 = AtomicU64::new(0);

/// Takes real time.
#[cache_result(ttl = 60)]
async fn slow(n: u64) -> u64 {
    LOADS.fetch_add(1, Ordering::Relaxed);
    real(DEADLINE).await;
    n
}

#[cache_result(ttl = 60, load_timeout = "300ms")]
async fn endless(n: u64) -> Result<u64, Error> {
    std::future::pending::<()>().await;
    Ok(n)
}

#[cache_result(ttl = 60, load_timeout = "10s")]
async fn ample(n: u64) -> Result<u64, Error> {
    real(DEADLINE).await;
    Ok(n)
}

/// A pause that no clock of tokio's knows of.
async fn real(pause: Duration) {
    let (done, over) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        // Real time is what this is about.
        std::thread::sleep(pause);
        let _ = done.send(());
    });
    over.await.unwrap();
}

/// What a test may do to the clock of its runtime.
#[derive(Debug, Clone, Copy)]
enum Clock {
    Paused,
    /// It jumps an hour ahead again and again, all the time.
    Advanced,
    Resumed,
}

const CLOCKS: [Clock; 3] = [Clock::Paused, Clock::Advanced, Clock::Resumed];

/// Runs a scenario while the clock of this runtime, which is paused, is as told.
async fn under(clock: Clock, scenario: impl Future<Output = ()>) {
    let jumps = async {
        loop {
            time::advance(Duration::from_secs(3_600)).await;
            real(Duration::from_millis(1)).await;
        }
    };
    match clock {
        Clock::Paused => scenario.await,
        Clock::Advanced => tokio::select! {
            () = scenario => {}
            () = jumps => {}
        },
        Clock::Resumed => {
            time::resume();
            scenario.await;
            time::pause();
        }
    }
}

/// Misses, hits and invalidations, from a task like those of a server.
async fn assert_works(cache: &Cache, clock: Clock) {
    let work = async {
        for n in 0..ROUNDS {
            assert_eq!(next(n).await, n + 1);
            assert_eq!(next::fetch(n).await.value, n + 1);
            next::invalidate(n).await.unwrap();
        }
    };
    let before = cache.stats().total;
    tokio::spawn(scope(cache.clone(), work)).await.unwrap();
    let after = cache.stats().total;
    assert_eq!(after.hits() - before.hits(), ROUNDS, "{clock:?}: {after}");
    assert!(after.errors.is_empty(), "{clock:?}: {after}");
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_stands_or_jumps_ends_no_operation() {
    let server = RedisServer::start();
    let cache = Cache::connect(&server.url()).await.unwrap();
    for clock in CLOCKS {
        under(clock, assert_works(&cache, clock)).await;
    }
}

/// The connections were made while it ran.
#[tokio::test]
async fn nor_does_one_that_is_paused_later() {
    let server = RedisServer::start();
    let cache = Cache::connect(&server.url()).await.unwrap();
    assert_works(&cache, Clock::Resumed).await;
    time::pause();
    for clock in CLOCKS {
        under(clock, assert_works(&cache, clock)).await;
    }
}

/// The server stands still, so that each operation goes on for its own deadline, in real time.
#[tokio::test(start_paused = true)]
async fn deadlines_are_of_real_time() {
    for clock in CLOCKS {
        let server = RedisServer::start();
        let builder = Cache::builder().url(server.url()).lookup_deadline(DEADLINE);
        let cache = builder.invalidate_deadline(DEADLINE).build().await.unwrap();
        assert_works(&cache, clock).await;
        server.stop();
        under(
            clock,
            scope(cache.clone(), async {
                let start = Instant::now();
                assert_eq!(next(1).await, 2);
                let looked = start.elapsed();
                let error = next::invalidate(1).await.unwrap_err();
                let invalidated = start.elapsed() - looked;
                for took in [looked, invalidated] {
                    assert!(took >= DEADLINE && took < LONG, "{clock:?}: {took:?}, {error}");
                }
                assert!(cache.stats().total.errors.contains_key(&Fault::Timeout));
            }),
        )
        .await;
        server.cont();
    }
}

/// Another cache, as another process has it, waits for the one that loads.
#[tokio::test(start_paused = true)]
async fn who_waits_for_anothers_load_waits_in_real_time() {
    let server = RedisServer::start();
    let caches = [patient::cache(&server).await, patient::cache(&server).await];
    for (n, clock) in CLOCKS.into_iter().enumerate() {
        under(clock, async {
            let before = LOADS.load(Ordering::Relaxed);
            let calls = caches.clone().map(|cache| tokio::spawn(scope(cache, slow(n as u64))));
            for call in calls {
                assert_eq!(call.await.unwrap(), n as u64);
            }
            assert_eq!(LOADS.load(Ordering::Relaxed) - before, 1, "{clock:?}");
        })
        .await;
    }
}

/// As documented: a body that waits for something real is not cut short by a jump of the clock.
#[tokio::test(start_paused = true)]
async fn limits_of_loads_are_of_real_time() {
    let server = RedisServer::start();
    for cache in [patient::cache(&server).await, Cache::memory()] {
        for (n, clock) in CLOCKS.into_iter().enumerate() {
            let n = n as u64;
            under(
                clock,
                scope(cache.clone(), async {
                    assert_eq!(ample(n).await.unwrap(), n, "{clock:?}");
                    let start = Instant::now();
                    let error = endless(n).await.unwrap_err();
                    let took = start.elapsed();
                    assert!(took >= DEADLINE && took < LONG, "{clock:?}: {took:?}, {error}");
                }),
            )
            .await;
        }
    }
}
