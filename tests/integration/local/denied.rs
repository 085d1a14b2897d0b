//! A server that does not tell of changes: calls work, nothing is kept in memory, and the log says
//! so once.

use cached_runtime::{Fault, LocalHealth, Source, scope};
use cached_tests::{Ability, Logs, RedisServer, eventually, server_can};
use tracing::Level;

use super::super::patient::{self, LONG};
use super::{Database, coherent, row, warm};

fn warnings(logs: &Logs) -> usize {
    let says = |(level, text): &&(Level, String)| {
        *level == Level::WARN && text.contains("are not kept in this process's memory")
    };
    logs.lines().iter().filter(says).count()
}

/// One test, since it counts what all threads of the process say.
#[tokio::test]
async fn where_the_server_does_not_allow_it_nothing_is_kept_and_the_log_says_so_once() {
    if !server_can(Ability::FineRules) {
        return;
    }
    let server = RedisServer::start();
    // A server that does not know what is asked, as one before version 6.
    let old = RedisServer::start_with(&["--rename-command", "CLIENT", ""]);
    let users: [(&str, &[&str]); 3] = [
        ("untold", &["allkeys", "allchannels", "+@all", "-client|tracking"]),
        ("blind", &["allkeys", "allchannels", "+@all", "-role"]),
        ("deaf", &["allkeys", "resetchannels", "+@all"]),
    ];
    for (user, rules) in users {
        server.cmd(&[&["ACL", "SETUSER", user, "on", ">pw"], rules].concat());
    }
    let forbidden = users.map(|(user, _)| {
        (format!("redis://{user}:pw@127.0.0.1:{}", server.port()), Fault::Forbidden)
    });
    for (url, fault) in forbidden.into_iter().chain([(old.url(), Fault::Server)]) {
        let logs = Logs::capture_process();
        let cache = patient::builder(&url).build().await.unwrap();
        let db = Database::default();
        scope(cache.clone(), async {
            assert_eq!(cache.health().local, LocalHealth::Unused);
            row::invalidate(1).await.unwrap();
            assert_eq!(row::fetch(&db, 1).await.source, Source::Loaded, "{url}");
            eventually(LONG, || async { cache.health().local == LocalHealth::Off(fault) }).await;
            for _ in 0..20 {
                assert_eq!(row::fetch(&db, 1).await.source, Source::Store, "{url}");
                assert_eq!(row(&db, 1).await, 0);
            }
            assert_eq!((row::stats().hits_local, db.reads()), (0, 1));
            assert_eq!(cache.stats().local.entries, 0);
        })
        .await;
        assert_eq!(warnings(&logs), 1, "{url}");
    }
    let logs = Logs::capture_process();
    let cache = patient::cache(&server).await;
    let db = Database::default();
    scope(cache.clone(), warm(&db, 1)).await;
    coherent(&cache).await;
    assert_eq!(warnings(&logs), 0);
}
