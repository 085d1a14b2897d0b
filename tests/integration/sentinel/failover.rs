//! Primaries that are replaced.

use std::sync::Arc;

use cached_runtime::{Cache, Source, scope};
use cached_tests::{RedisServer, Watched, eventually};

use super::{Database, LONG, cache, hits, row};

/// The name of the entry of `row(1)` on the server.
fn entry() -> String {
    format!("cache:{}", row::key(1))
}

/// A cache with the deadlines that one gets without asking.
async fn with_usual_deadlines(watched: &Watched) -> Cache {
    Cache::connect(&watched.url()).await.unwrap()
}

/// Calls `row(1)` over and over, none of them hanging, until `what` is over, which goes on in another
/// thread. Each yields `expected`.
async fn called_during(
    cache: &Cache,
    db: &Database,
    expected: u64,
    what: impl FnOnce() + Send + 'static,
) {
    let mut going_on = tokio::task::spawn_blocking(what);
    loop {
        let called = scope(cache.clone(), row(db, 1));
        assert_eq!(tokio::time::timeout(LONG, called).await.expect("a call hangs"), expected);
        tokio::select! {
            // So that the other thread, and the servers, get their turn.
            () = tokio::time::sleep(std::time::Duration::from_millis(5)) => {}
            done = &mut going_on => return done.unwrap(),
        }
    }
}

/// An invalidation is a promise at whatever is the primary now.
async fn invalidation_holds(cache: &Cache, db: &Database, primary: &RedisServer) {
    scope(cache.clone(), async {
        let new = db.write();
        row::invalidate(1).await.unwrap();
        assert_eq!(row(db, 1).await, new);
        hits(cache, db).await;
        assert_eq!(row(db, 1).await, new);
    })
    .await;
    assert!(primary.keys().contains(&entry()), "it is kept there: {:?}", primary.keys());
}

#[tokio::test]
async fn calls_go_where_the_primary_is() {
    let (watched, db) = (Watched::start(3), Database::default());
    let cache = cache(&watched).await;
    hits(&cache, &db).await;
    for _ in 0..2 {
        let reads = db.reads();
        watched.settle();
        let primary = watched.fail_over();
        hits(&cache, &db).await;
        // A call that met the lost connection ran its body, and stored nothing.
        let peeked = scope(cache.clone(), row::peek(1)).await.unwrap();
        assert_eq!(peeked, Some(db.write() - 1), "what was kept is still there");
        assert!(db.reads() <= reads + 20, "not each call runs its body");
        invalidation_holds(&cache, &db, primary).await;
    }
}

#[tokio::test]
async fn a_dead_primary_costs_the_time_until_it_is_replaced() {
    let (watched, db) = (Arc::new(Watched::start(3)), Database::default());
    let cache = with_usual_deadlines(&watched).await;
    hits(&cache, &db).await;
    watched.settle();
    let dead = watched.primary().port();
    let failing = Arc::clone(&watched);
    called_during(&cache, &db, 0, move || {
        failing.fail_over_by_death();
    })
    .await;
    hits(&cache, &db).await;
    invalidation_holds(&cache, &db, watched.primary()).await;
    // It is back as a replica, which nobody asks.
    watched.replica().restart();
    watched.settle();
    assert_eq!(watched.replica().port(), dead);
    watched.replica().reset_stats();
    hits(&cache, &db).await;
    assert!(!watched.replica().command_calls().contains_key("get"), "a replica is not asked");
    invalidation_holds(&cache, &db, watched.primary()).await;
}

#[tokio::test]
async fn a_halted_primary_that_goes_on_is_not_believed() {
    let (watched, db) = (Arc::new(Watched::start(3)), Database::default());
    let cache = with_usual_deadlines(&watched).await;
    let idle = super::cache(&watched).await;
    hits(&cache, &db).await;
    hits(&idle, &db).await;
    watched.settle();
    let failing = Arc::clone(&watched);
    called_during(&cache, &db, 0, move || {
        failing.fail_over_by_halt();
    })
    .await;
    hits(&cache, &db).await;
    invalidation_holds(&cache, &db, watched.primary()).await;
    let new = scope(cache.clone(), row(&db, 1)).await;
    let halted = Arc::clone(&watched);
    called_during(&cache, &db, new, move || {
        halted.replica().cont();
        halted.settle();
    })
    .await;
    // One that asked nobody meanwhile is still connected to the old one, and learns that it is none.
    scope(idle.clone(), eventually(LONG, || async { row(&db, 1).await == new })).await;
    hits(&idle, &db).await;
    scope(idle.clone(), async {
        let fetched = row::fetch(&db, 1).await;
        assert_eq!((fetched.value, fetched.source), (new, Source::Store));
    })
    .await;
    invalidation_holds(&idle, &db, watched.primary()).await;
}
