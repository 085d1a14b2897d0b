//! The lane of lookups: callers that go away, answers that come in pieces or late, and what is
//! left on the server by then.

use std::time::Duration;

use cached_runtime::{Cache, cache_result, scope};
use cached_tests::{Proxy, RedisServer, Wire, eventually};

use super::patient::{self, LONG};

/// So long that no lease ends by itself while a test runs.
const ENDLESS: Duration = Duration::from_secs(600);

/// The length of one in bytes.
const LEASE: i64 = 19;

#[cache_result(ttl = 60)]
async fn text(id: u64, len: usize) -> String {
    format!("{id} ").repeat(len)
}

#[cache_result(ttl = 60, stale_while_revalidate = 60, tags = ["all", "tag:{id}"])]
async fn tagged(id: u64) -> u64 {
    id + 1
}

async fn behind(proxy: &Proxy) -> Cache {
    patient::builder(&proxy.url()).lease(ENDLESS).build().await.unwrap()
}

/// Its lookup is on its way, and takes the lease when it arrives.
#[tokio::test]
async fn a_caller_that_goes_away_leaves_no_lease() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.port());
    let cache = behind(&proxy).await;
    assert_eq!(scope(cache.clone(), text(0, 1)).await, "0 ");
    proxy.set(Wire::HoldRequests);
    server.reset_stats();
    let calls: Vec<_> =
        (1..=20).map(|id| tokio::spawn(scope(cache.clone(), text(id, 1)))).collect();
    eventually(LONG, async || proxy.holding() > 0).await;
    for (at, call) in calls.iter().enumerate() {
        if at % 2 == 0 {
            call.abort();
        }
    }
    proxy.set(Wire::Pass);
    for (id, call) in (1..).zip(calls) {
        match call.await {
            Ok(found) => assert_eq!(found, format!("{id} ")),
            Err(error) => assert!(error.is_cancelled()),
        }
    }
    // Ten values, that of before, and no lease.
    eventually(LONG, async || server.keys().len() == 11).await;
    assert_eq!(scope(cache.clone(), text(1, 1)).await, "1 ");
}

/// Each gets its own, whatever becomes of those before it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_told_to_those_who_asked() {
    let server = RedisServer::start();
    let cache = patient::cache(&server).await;
    let calls: Vec<_> = (0..2_000_u64)
        .map(|at| {
            let cache = cache.clone();
            tokio::spawn(async move {
                let (id, len) = (at % 50, 1 + (at % 7) as usize);
                let call = scope(cache.clone(), text(id, len));
                let brief = Duration::from_micros(at % 400);
                if at % 3 == 0 && tokio::time::timeout(brief, call).await.is_err() {
                    return;
                }
                assert_eq!(scope(cache.clone(), text(id, len)).await, format!("{id} ").repeat(len));
                assert_eq!(scope(cache, tagged(id)).await, id + 1);
            })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    let total = cache.stats().total;
    assert!(total.errors.is_empty(), "{total}");
    // Entries, and no leases; the versions of tags stand beside them.
    eventually(LONG, async || {
        let keys = server.keys();
        let mut entries = keys.iter().filter(|key| !key.contains('#'));
        entries.all(|key| server.int(&["STRLEN", key]) != LEASE)
    })
    .await;
}

/// Many times what is read at once, with small ones before and behind.
#[tokio::test]
async fn long_answers_come_in_pieces() {
    let server = RedisServer::start();
    let cache = patient::cache(&server).await;
    scope(cache.clone(), async {
        for _ in 0..2 {
            let (small, long, next) = tokio::join!(text(1, 1), text(2, 400_000), text(3, 1));
            assert_eq!((small, next), ("1 ".to_owned(), "3 ".to_owned()));
            assert!(long == "2 ".repeat(400_000));
        }
    })
    .await;
    let total = cache.stats().total;
    assert_eq!((total.hits(), total.loads), (3, 3), "{total}");
}

/// Lookups that were given up are answered when the server comes to itself: nothing of that is
/// taken for the answer to another, and the lane goes on.
#[tokio::test]
async fn late_answers_are_nobodys() {
    let server = RedisServer::start();
    let cache = Cache::builder().url(server.url()).lookup_deadline(Duration::from_millis(200));
    let cache = cache.lease(ENDLESS).build().await.unwrap();
    eventually(LONG, async || {
        scope(cache.clone(), text(0, 1)).await;
        cache.stats().total.hits() > 0
    })
    .await;
    server.stop();
    assert_eq!(scope(cache.clone(), text(1, 1)).await, "1 ");
    assert_eq!(scope(cache.clone(), text(2, 1)).await, "2 ");
    server.cont();
    // What these lookups took when they arrived is given up behind them.
    eventually(LONG, async || {
        let hits = cache.stats().total.hits();
        for id in [1, 2] {
            assert_eq!(scope(cache.clone(), text(id, 1)).await, format!("{id} "));
        }
        cache.stats().total.hits() == hits + 2
    })
    .await;
}
