//! The link that tells of changes: lost, silent or slow, while everything else goes on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cached_runtime::{Cache, LocalHealth, Source, scope};
use cached_tests::{Proxy, RedisServer, Wire, eventually};

use super::super::patient::{self, LONG};
use super::{BOUND, Database, coherent, row, turns_new, warm};

/// A cache behind a proxy, with `row(1)` in its memory, and one that reaches the server directly.
struct Pair {
    server: RedisServer,
    proxy: Proxy,
    behind: Cache,
    direct: Cache,
    db: Arc<Database>,
}

impl Pair {
    async fn new() -> Self {
        let server = RedisServer::start();
        let proxy = Proxy::to(server.port());
        let behind = patient::builder(&proxy.url()).build().await.unwrap();
        let direct = patient::cache(&server).await;
        let db = Arc::<Database>::default();
        scope(behind.clone(), warm(&db, 1)).await;
        Self { server, proxy, behind, direct, db }
    }

    /// Changes the row, and invalidates what is cached of it elsewhere. The new value, and when the
    /// invalidation had returned.
    async fn change(&self) -> (u64, Instant) {
        let new = self.db.write();
        scope(self.direct.clone(), row::invalidate(1)).await.unwrap();
        (new, Instant::now())
    }

    fn local(&self) -> LocalHealth {
        self.behind.health().local
    }

    async fn becomes_incoherent(&self) {
        eventually(LONG, || async { matches!(self.local(), LocalHealth::Incoherent(_)) }).await;
    }

    /// The clients whose flags have this letter, by their ids.
    fn clients(&self, flag: char) -> Vec<String> {
        let list = self.server.text(&["CLIENT", "LIST"]).unwrap();
        let flags = |line: &str| {
            line.split(" flags=").nth(1).unwrap().split(' ').next().unwrap().to_owned()
        };
        let lines = list.lines().filter(|line| flags(line).contains(flag));
        lines.map(|line| line.split(['=', ' ']).nth(1).unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn a_black_hole_around_the_link_alone_outlasts_no_value() {
    let pair = Pair::new().await;
    pair.proxy.set_tracking(Wire::BlackHole);
    let (new, done) = pair.change().await;
    // Everything but the link works, so nothing else would notice.
    scope(pair.behind.clone(), turns_new("its invalidation", &pair.db, new, done, BOUND)).await;
    pair.becomes_incoherent().await;
    let fetched = scope(pair.behind.clone(), row::fetch(&pair.db, 1)).await;
    assert_eq!((fetched.value, fetched.source), (new, Source::Store), "the store is asked");
    pair.proxy.set(Wire::Pass);
    coherent(&pair.behind).await;
    scope(pair.behind.clone(), async {
        warm(&pair.db, 1).await;
        assert_eq!(row(&pair.db, 1).await, new);
    })
    .await;
}

#[tokio::test]
async fn what_was_kept_before_the_link_was_lost_is_not_served_after_it() {
    let pair = Pair::new().await;
    pair.proxy.set(Wire::Refuse);
    let links = pair.clients('t');
    assert_eq!(links.len(), 1, "the other cache has no function with `local` yet");
    assert_eq!(pair.server.int(&["CLIENT", "KILL", "ID", &links[0]]), 1);
    pair.becomes_incoherent().await;
    // Nobody tells of this.
    let (new, _) = pair.change().await;
    scope(pair.behind.clone(), async {
        assert_eq!(row(&pair.db, 1).await, new, "the memory is not asked");
        pair.proxy.set(Wire::Pass);
        coherent(&pair.behind).await;
        assert_eq!(row(&pair.db, 1).await, new);
        warm(&pair.db, 1).await;
    })
    .await;
}

#[tokio::test]
async fn a_link_that_is_slow_is_good_for_what_is_left_of_the_bound() {
    let pair = Pair::new().await;
    pair.proxy.set_tracking(Wire::Delay(BOUND / 2));
    for _ in 0..3 {
        let (new, done) = pair.change().await;
        scope(pair.behind.clone(), turns_new("its invalidation", &pair.db, new, done, BOUND)).await;
        scope(pair.behind.clone(), warm(&pair.db, 1)).await;
    }
    assert_eq!(pair.local(), LocalHealth::Coherent);
}

#[tokio::test]
async fn a_reply_that_arrives_after_the_news_of_its_end_is_not_kept() {
    let pair = Pair::new().await;
    let (old, _) = pair.change().await;
    scope(pair.direct.clone(), async {
        assert_eq!(row(&pair.db, 1).await, old, "in the store");
    })
    .await;
    // What the link told of that has been heard.
    scope(pair.behind.clone(), async {
        row::invalidate(99).await.unwrap();
        coherent(&pair.behind).await;
    })
    .await;
    pair.proxy.set_others(Wire::Delay(LONG));
    pair.server.reset_stats();
    let db = Arc::clone(&pair.db);
    let looking = tokio::spawn(scope(pair.behind.clone(), async move { row::fetch(&db, 1).await }));
    eventually(LONG, || async { pair.server.lookups() > 0 }).await;
    let (new, _) = pair.change().await;
    // Long enough for the news, which the link passes on at once, to be there before the reply.
    tokio::time::sleep(Duration::from_millis(50)).await;
    pair.proxy.set(Wire::Pass);
    let looked = looking.await.unwrap();
    assert_eq!((looked.value, looked.source), (old, Source::Store), "it began before the change");
    scope(pair.behind.clone(), async {
        let fetched = row::fetch(&pair.db, 1).await;
        assert_eq!((fetched.value, fetched.source), (new, Source::Loaded));
        assert_eq!(row(&pair.db, 1).await, new);
    })
    .await;
    assert_eq!(pair.local(), LocalHealth::Coherent);
}

/// The link has a new address, that of the server's successor, before the lookups have it.
#[tokio::test]
async fn nothing_is_kept_of_what_a_server_says_that_was_replaced() {
    let pair = Pair::new().await;
    let successor = RedisServer::start_with(&["--repl-diskless-sync-delay", "0"]);
    let port = pair.server.port().to_string();
    successor.cmd(&["REPLICAOF", "127.0.0.1", &port]);
    eventually(LONG, || async { successor.keys().iter().any(|key| key == super::ROW) }).await;
    let port = successor.port().to_string();
    eventually(LONG, || async {
        pair.server.try_cmd(&["FAILOVER", "TO", "127.0.0.1", &port]).is_ok()
    })
    .await;
    pair.proxy.redirect(successor.port());
    let promoted =
        || async { successor.text(&["INFO", "replication"]).unwrap().contains("role:master") };
    eventually(LONG, promoted).await;
    let direct = patient::cache(&successor).await;
    let new = pair.db.write();
    scope(direct, row::invalidate(1)).await.unwrap();
    let done = Instant::now();
    scope(pair.behind.clone(), async {
        turns_new("its invalidation", &pair.db, new, done, BOUND).await;
        coherent(&pair.behind).await;
        warm(&pair.db, 1).await;
        assert_eq!(row(&pair.db, 1).await, new);
    })
    .await;
}
