//! Asking the sentinels: some of them away, all of them, none that knows the name, passwords.

use cached_runtime::{Cache, Fault, HealthState, scope};
use cached_tests::{Logs, Watched, eventually};
use tracing::Level;

use super::super::patient;
use super::{Database, LONG, cache, hits, row};

/// Where nobody listens.
const NOBODY: &str = "127.0.0.1:1";

/// Calls run their bodies, and the cache's state says so.
async fn bypassed(cache: &Cache, db: &Database) {
    scope(cache.clone(), async {
        for _ in 0..3 {
            let reads = db.reads();
            row(db, 1).await;
            assert_eq!(db.reads(), reads + 1);
        }
    })
    .await;
    eventually(LONG, || async { cache.health().state == HealthState::Bypass }).await;
}

#[tokio::test]
async fn one_that_answers_is_enough() {
    let (watched, db) = (Watched::start(3), Database::default());
    let [dead, halted, _] = watched.sentinels() else { panic!("not three sentinels") };
    dead.kill();
    halted.stop();
    let addresses = watched.addresses();
    let url = format!("redis+sentinel://{NOBODY},{addresses}/mymaster");
    let cache = patient::builder(&url).build().await.unwrap();
    hits(&cache, &db).await;
    watched.settle();
    let primary = watched.fail_over();
    hits(&cache, &db).await;
    let new = db.write();
    scope(cache.clone(), async {
        row::invalidate(1).await.unwrap();
        assert_eq!(row(&db, 1).await, new);
    })
    .await;
    hits(&cache, &db).await;
    assert!(!primary.keys().is_empty());
    halted.cont();
}

#[tokio::test]
async fn a_name_that_no_sentinel_knows_is_said() {
    let (watched, db) = (Watched::start(1), Database::default());
    for addresses in [watched.addresses(), format!("{},{NOBODY}", watched.addresses())] {
        let logs = Logs::capture();
        let url = format!("redis+sentinel://{addresses}/another");
        let cache = patient::builder(&url).build().await.unwrap();
        bypassed(&cache, &db).await;
        let says = |part| logs.contains(Level::WARN, part);
        assert!(says("no sentinel names a primary") && says("`another`"), "{:?}", logs.lines());
        let error = cache.invalidate_key("x").await.unwrap_err().to_string();
        assert!(error.contains("no sentinel names a primary"), "{error}");
    }
}

#[tokio::test]
async fn without_sentinels_what_is_connected_stays_so_and_the_rest_waits_for_them() {
    let (watched, db) = (Watched::start(1), Database::default());
    let before = cache(&watched).await;
    hits(&before, &db).await;
    watched.sentinels()[0].kill();
    hits(&before, &db).await;
    let logs = Logs::capture();
    let after = cache(&watched).await;
    bypassed(&after, &db).await;
    let says = |part| logs.contains(Level::WARN, part);
    assert!(says("no sentinel answers"), "{:?}", logs.lines());
    hits(&before, &db).await;
    watched.sentinels()[0].restart();
    hits(&after, &db).await;
    hits(&before, &db).await;
}

#[tokio::test]
async fn one_that_is_silent_is_no_answer() {
    let (watched, db) = (Watched::start(1), Database::default());
    watched.sentinels()[0].stop();
    let logs = Logs::capture();
    let cache = cache(&watched).await;
    bypassed(&cache, &db).await;
    let says = |part| logs.contains(Level::WARN, part);
    assert!(says("no sentinel answers"), "{:?}", logs.lines());
    watched.sentinels()[0].cont();
    hits(&cache, &db).await;
}

#[tokio::test]
async fn servers_and_sentinels_have_passwords_of_their_own() {
    let (watched, db) =
        (Watched::start_with_passwords(3, "of-server", "of-eye"), Database::default());
    let addresses = watched.addresses();
    let url = |server: &str, sentinel: &str| {
        format!("redis+sentinel://:{server}@{addresses}/mymaster?sentinel_password={sentinel}")
    };
    let cache = patient::builder(&url("of-server", "of-eye")).build().await.unwrap();
    hits(&cache, &db).await;
    watched.settle();
    watched.fail_over();
    hits(&cache, &db).await;

    for (url, of_sentinels) in [
        (url("of-server", "wrong-secret"), true),
        (format!("redis+sentinel://:of-server@{addresses}/mymaster"), true),
        (url("wrong-secret", "of-eye"), false),
    ] {
        let logs = Logs::capture();
        let builder = patient::builder(&url);
        let mut shown = format!("{builder:?}");
        let cache = builder.build().await.unwrap();
        bypassed(&cache, &db).await;
        let health = cache.health();
        let error = cache.invalidate_key("x").await.unwrap_err();
        shown += &format!("{cache:?} {health} {health:?} {error} {error:?} {:?}", logs.lines());
        let source = std::error::Error::source(&error).map(ToString::to_string);
        shown += &source.unwrap_or_default();
        for secret in ["wrong-secret", "of-server", "of-eye"] {
            assert!(!shown.contains(secret), "{shown}");
        }
        let refused = |(level, text): &(Level, String)| {
            *level == Level::WARN
                && text.contains("cause=auth")
                && text.contains("sentinel refuses") == of_sentinels
        };
        assert!(logs.lines().iter().any(refused), "{url}: {:?}", logs.lines());
        assert_ne!(health.cause, None, "{health}");
        let auth = cache.stats().total.errors.contains_key(&Fault::Auth);
        assert!(auth, "{}", cache.stats());
    }
}
