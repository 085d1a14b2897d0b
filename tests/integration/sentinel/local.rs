//! The local tier over a failover, and those who wait for another process's load.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cached_runtime::{Cache, LocalHealth, Source, cache_result, scope};
use cached_tests::{RedisServer, Watched, eventually};
use redis::Value;

use super::super::fencing;
use super::super::patient;
use super::{Database, LONG, cache, row};

/// The bound of caches that say nothing else.
const BOUND: Duration = Duration::from_secs(1);

#[cache_result(ttl = 600, local, skip(db))]
async fn near(db: &Database, id: u64) -> u64 {
    db.read()
}

#[cache_result(ttl = 600, skip(db))]
async fn held_up(db: Arc<fencing::Database>, id: u64) -> u64 {
    db.read().await
}

/// Until `near(1)` is in this cache's memory, which is coherent by itself then.
async fn warm(cache: &Cache, db: &Database) {
    scope(cache.clone(), async {
        eventually(LONG, || async { near::fetch(db, 1).await.source == Source::Local }).await;
    })
    .await;
    assert_eq!(cache.health().local, LocalHealth::Coherent);
}

/// Invalidates `near(1)` by way of one cache, until it is acknowledged; the other, which has the
/// value in its memory, serves that for the bound at most.
async fn heard_of(by: &Cache, of: &Cache, db: &Database, what: &str) {
    let new = db.write();
    scope(by.clone(), near::invalidate(1)).await.unwrap();
    let done = Instant::now();
    scope(of.clone(), async {
        loop {
            let called = Instant::now();
            if near(db, 1).await == new {
                break;
            }
            let late = called - done;
            assert!(late <= BOUND, "an old value {late:?} after an invalidation {what}");
            tokio::task::yield_now().await;
        }
        assert_eq!(near(db, 1).await, new, "and it stays away {what}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_is_told_of_changes_at_the_new_primary() {
    let (watched, db) = (Watched::start(3), Database::default());
    let (ours, other) = (cache(&watched).await, cache(&watched).await);
    warm(&ours, &db).await;
    heard_of(&other, &ours, &db, "before any failover").await;
    for _ in 0..2 {
        warm(&ours, &db).await;
        watched.settle();
        tokio::task::block_in_place(|| watched.fail_over());
        heard_of(&other, &ours, &db, "at the new primary").await;
        warm(&ours, &db).await;
        heard_of(&other, &ours, &db, "when all is well again").await;
    }
}

/// Connections to it stay open, and it takes itself for the primary when it goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_is_not_told_by_a_primary_that_was_replaced_while_it_stood_still() {
    let (watched, db) = (Watched::start(3), Database::default());
    // Calls of theirs that wait for the halted one are over soon.
    let cache = async || Cache::connect(&watched.url()).await.unwrap();
    let (ours, other) = (cache().await, cache().await);
    warm(&ours, &db).await;
    warm(&other, &db).await;
    watched.settle();
    tokio::task::block_in_place(|| watched.fail_over_by_halt());
    // Nobody called meanwhile, so the first ones learn it.
    scope(other.clone(), eventually(LONG, || async { near::invalidate(1).await.is_ok() })).await;
    heard_of(&other, &ours, &db, "at the new primary").await;
    warm(&ours, &db).await;
    watched.replica().cont();
    heard_of(&other, &ours, &db, "while the old one goes on").await;
    watched.settle();
    heard_of(&other, &ours, &db, "when all is well again").await;
    warm(&ours, &db).await;
}

/// Somebody is told of changes there.
fn has_link(server: &RedisServer) -> bool {
    let clients = server.text(&["CLIENT", "LIST"]).unwrap();
    let flags = clients.lines().filter_map(|line| line.split(" flags=").nth(1)?.split(' ').next());
    flags.into_iter().any(|flags| flags.contains('t'))
}

fn takes_itself_for_the_primary(server: &RedisServer) -> bool {
    let Ok(Value::Array(role)) = server.try_cmd(&["ROLE"]) else { return false };
    role.first() == Some(&Value::BulkString(b"master".to_vec()))
}

/// The link that tells of changes is at the new primary, while lookups, of which there were none
/// meanwhile, still go to the old one: what that says is not kept beyond its time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_old_primary_says_is_not_kept_under_the_word_of_the_new_one() {
    let (watched, db) = (Watched::start(3), Database::default());
    let ours = cache(&watched).await;
    warm(&ours, &db).await;
    watched.settle();
    tokio::task::block_in_place(|| watched.fail_over_by_halt());
    let new = db.write();
    scope(cache(&watched).await, near::invalidate(1)).await.unwrap();
    eventually(LONG, || async { has_link(watched.primary()) }).await;
    eventually(LONG, || async { ours.health().local == LocalHealth::Coherent }).await;
    let replaced = watched.replica();
    replaced.cont();
    scope(ours.clone(), async {
        // Until it is corrected.
        while takes_itself_for_the_primary(replaced) {
            near(&db, 1).await;
        }
        watched.settle();
        let done = Instant::now();
        loop {
            let called = Instant::now();
            if near(&db, 1).await == new {
                break;
            }
            let late = called - done;
            assert!(late <= BOUND, "an old value {late:?} after the old primary was corrected");
            tokio::task::yield_now().await;
        }
        warm(&ours, &db).await;
        assert_eq!(near(&db, 1).await, new);
    })
    .await;
}

/// Who waits in another process listens at the primary that there is now.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_another_process_is_woken_after_a_failover() {
    let watched = Watched::start(1);
    let endless = async || {
        let builder = patient::builder(&watched.url()).lease(Duration::from_secs(600));
        builder.build().await.unwrap()
    };
    let (one, two) = (endless().await, endless().await);
    for (id, fails_over) in [(1, false), (2, true), (3, true)] {
        if fails_over {
            watched.settle();
            tokio::task::block_in_place(|| watched.fail_over());
            let plain = Database::default();
            super::hits(&one, &plain).await;
            super::hits(&two, &plain).await;
            scope(one.clone(), row::invalidate(1)).await.unwrap();
        }
        let db = fencing::Database::new();
        let loading = tokio::spawn(scope(one.clone(), held_up(Arc::clone(&db), id)));
        db.a_read_has_begun().await;
        let waiting = tokio::spawn(scope(two.clone(), held_up(Arc::clone(&db), id)));
        let listens = || async {
            let primary = watched.primary();
            let Value::Array(channels) = primary.cmd(&["PUBSUB", "CHANNELS", "*held_up*"]) else {
                return false;
            };
            !channels.is_empty()
        };
        eventually(LONG, listens).await;
        db.let_one_answer();
        assert_eq!(loading.await.unwrap(), 1);
        // Its own body would wait in vain.
        let waited = tokio::time::timeout(LONG, waiting).await.expect("not woken");
        assert_eq!(waited.unwrap(), 1, "what the other process loaded");
    }
}
