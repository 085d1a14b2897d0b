//! Messages that arrive long after they were sent: what they would write is out of date, and the
//! server must refuse it. Each scenario is run with `GET` and `SET` by hand as well, through the
//! same proxy, where it ends with a stale value in the cache.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use cached_runtime::{Cache, cache_result, scope};
use cached_tests::{Ability, Proxy, RedisServer, Wire, eventually, server_can};
use redis::aio::MultiplexedConnection;

use super::fencing::Database;
use super::patient::{self, LONG};

/// So long that no lease ends by itself while a test runs.
const ENDLESS: Duration = Duration::from_secs(600);
/// How long a caller waits for a server that does not answer, where it is to give up.
const SHORT: Duration = Duration::from_millis(200);

#[cache_result(ttl = 60, skip(db))]
async fn row(db: Arc<Database>, id: u64) -> u64 {
    db.read().await
}

/// A reader behind a proxy, and another process beside it whose way to the server is clear.
struct Scene {
    server: RedisServer,
    proxy: Proxy,
    db: Arc<Database>,
    read: Box<dyn Fn() -> Read>,
    /// Where the reader keeps the row.
    key: String,
    /// The reader's cache, and the other process's.
    caches: Option<[Cache; 2]>,
}

type Read = Pin<Box<dyn Future<Output = u64> + Send>>;

impl Scene {
    /// A reader that uses the attribute.
    async fn ours(deadline: Duration) -> Self {
        let (server, db) = (RedisServer::start(), Database::new());
        let proxy = Proxy::to(server.port());
        let late = patient::builder(&proxy.url()).lease(ENDLESS);
        let late = late.lookup_deadline(deadline).commit_deadline(deadline).build().await.unwrap();
        let other = patient::builder(&server.url()).lease(ENDLESS).build().await.unwrap();
        // The server learns the script, so that a commit is one message.
        let warm = other.get_or_load("warm", LONG, || async { Ok::<_, String>(0) });
        warm.await.unwrap();
        other.remove("warm").await.unwrap();
        let caches = Some([late.clone(), other]);
        let own = Arc::clone(&db);
        let read: Box<dyn Fn() -> Read> =
            Box::new(move || Box::pin(scope(late.clone(), row(Arc::clone(&own), 1))));
        Self { server, proxy, db, read, key: format!("cache:{}", row::key(1)), caches }
    }

    /// A reader as one writes it by hand.
    async fn by_hand(deadline: Duration) -> Self {
        let (server, db) = (RedisServer::start(), Database::new());
        let proxy = Proxy::to(server.port());
        let client = redis::Client::open(proxy.url()).unwrap();
        let config = redis::AsyncConnectionConfig::new().set_response_timeout(None);
        let connection =
            client.get_multiplexed_async_connection_with_config(&config).await.unwrap();
        let own = Arc::clone(&db);
        let read: Box<dyn Fn() -> Read> = Box::new(move || {
            Box::pin(hand_written(connection.clone(), Arc::clone(&own), deadline))
        });
        Self { server, proxy, db, read, key: "row".to_owned(), caches: None }
    }

    /// The row is written, and the cache told by a process that reaches the server.
    async fn write_and_invalidate(&self) {
        self.db.write(2);
        match &self.caches {
            Some([_, other]) => scope(other.clone(), row::invalidate(1)).await.unwrap(),
            None => drop(self.server.cmd(&["DEL", &self.key])),
        }
    }

    /// Until the server has carried out this many more such commands than were counted.
    async fn carried_out(&self, command: &str, calls: u64) {
        eventually(LONG, async || {
            self.server.command_calls().get(command).copied().unwrap_or(0) >= calls
        })
        .await;
    }

    async fn something_is_held(&self) {
        eventually(LONG, async || self.proxy.holding() > 0).await;
    }

    fn refused(&self) -> u64 {
        self.caches.as_ref().map_or(0, |[late, _]| late.stats().total.writes_refused)
    }

    /// No lease is left once all is done, and what stands there is this.
    async fn assert_stored(&self, expected: Option<u64>) {
        let Some([late, other]) = &self.caches else { return };
        late.shutdown().await;
        other.shutdown().await;
        let stored = scope(other.clone(), row::peek(1)).await.unwrap();
        assert_eq!(stored, expected);
        assert_eq!(self.server.int(&["EXISTS", &self.key]), i64::from(expected.is_some()));
    }
}

async fn hand_written(
    mut connection: MultiplexedConnection,
    db: Arc<Database>,
    deadline: Duration,
) -> u64 {
    let mut get = redis::cmd("GET");
    let found = get.arg("row").query_async::<Option<u64>>(&mut connection);
    if let Ok(Ok(Some(found))) = tokio::time::timeout(deadline, found).await {
        return found;
    }
    let row = db.read().await;
    let mut set = redis::cmd("SET");
    let set = set.arg("row").arg(row).exec_async(&mut connection);
    // Whether it is stored is not the caller's concern.
    let _ = tokio::time::timeout(deadline, set).await;
    row
}

/// The lookup arrives when its caller has long given up waiting for it. What do that caller and a
/// later one get?
async fn late_lookup(scene: &Scene) -> (u64, u64) {
    scene.server.reset_stats();
    scene.proxy.set(Wire::HoldRequests);
    let early = tokio::spawn((scene.read)());
    scene.db.a_read_has_begun().await;
    scene.something_is_held().await;
    scene.db.let_one_answer();
    let early = early.await.unwrap();
    scene.write_and_invalidate().await;
    scene.proxy.set(Wire::Pass);
    scene.carried_out("set", 1).await;
    scene.db.let_all_answer();
    (early, (scene.read)().await)
}

/// The same with a value in the cache that the late lookup finds.
async fn late_lookup_of_an_old_value(scene: &Scene) -> (u64, u64) {
    scene.db.let_one_answer();
    assert_eq!((scene.read)().await, 1);
    scene.db.a_read_has_begun().await;
    late_lookup(scene).await
}

#[tokio::test]
async fn a_lookup_that_arrives_after_its_caller_gave_up_stores_nothing() {
    let ours = Scene::ours(SHORT).await;
    assert_eq!(late_lookup(&ours).await, (1, 2));
    ours.assert_stored(Some(2)).await;
    let ours = Scene::ours(SHORT).await;
    assert_eq!(late_lookup_of_an_old_value(&ours).await, (1, 2));
    ours.assert_stored(Some(2)).await;
}

#[tokio::test]
async fn control_a_late_get_and_set_by_hand() {
    assert_eq!(late_lookup(&Scene::by_hand(SHORT).await).await, (1, 1));
}

/// The value is sent, and arrives after an invalidation; `then` is what else happens before it
/// does. What do its caller and a later one get?
async fn late_write(scene: &Scene, then: impl AsyncFnOnce(&Scene)) -> (u64, u64) {
    let early = tokio::spawn((scene.read)());
    scene.db.a_read_has_begun().await;
    scene.proxy.set(Wire::HoldRequests);
    scene.db.let_one_answer();
    scene.something_is_held().await;
    scene.write_and_invalidate().await;
    then(scene).await;
    scene.server.reset_stats();
    scene.proxy.set(Wire::Pass);
    let early = early.await.unwrap();
    let written = if scene.caches.is_some() { "evalsha" } else { "set" };
    scene.carried_out(written, 1).await;
    scene.db.let_all_answer();
    (early, (scene.read)().await)
}

async fn nothing_else(_: &Scene) {}

#[tokio::test]
async fn a_value_that_arrives_after_an_invalidation_is_refused() {
    let ours = Scene::ours(LONG).await;
    assert_eq!(late_write(&ours, nothing_else).await, (1, 2));
    assert_eq!(ours.refused(), 1);
    ours.assert_stored(Some(2)).await;
}

#[tokio::test]
async fn control_a_late_set_by_hand() {
    assert_eq!(late_write(&Scene::by_hand(LONG).await, nothing_else).await, (1, 1));
}

/// The other process has the lease by then, and runs its body.
#[tokio::test]
async fn a_value_that_arrives_after_another_took_the_lease_is_refused() {
    let ours = Scene::ours(LONG).await;
    let other_db = Database::new();
    other_db.write(2);
    let (mut loading, mut watching) = (None, None);
    let seen = late_write(&ours, async |scene| {
        let [_, other] = scene.caches.as_ref().unwrap();
        loading = Some(tokio::spawn(scope(other.clone(), row(Arc::clone(&other_db), 1))));
        other_db.a_read_has_begun().await;
        // The late value arrives while this one is loaded, and before it is stored.
        let db = Arc::clone(&other_db);
        let (server, key) = (scene.server.port(), scene.key.clone());
        watching = Some(tokio::spawn(async move {
            let client = redis::Client::open(format!("redis://127.0.0.1:{server}")).unwrap();
            let mut connection = client.get_multiplexed_async_connection().await.unwrap();
            // The late script's own count is the notice that it has arrived.
            eventually(LONG, async || {
                let mut connection = connection.clone();
                let stats: String = redis::cmd("INFO")
                    .arg("commandstats")
                    .query_async(&mut connection)
                    .await
                    .unwrap();
                stats.contains("cmdstat_evalsha")
            })
            .await;
            let there: Vec<u8> =
                redis::cmd("GET").arg(key).query_async(&mut connection).await.unwrap();
            assert_eq!(there[0], b'L', "the other's lease stands");
            db.let_all_answer();
        }));
    })
    .await;
    watching.unwrap().await.unwrap();
    assert_eq!(loading.unwrap().await.unwrap(), 2);
    assert_eq!((seen, ours.refused()), ((1, 2), 1));
    assert_eq!(ours.caches.as_ref().unwrap()[1].stats().total.writes_refused, 0);
    ours.assert_stored(Some(2)).await;
}

/// The other process has stored its value by then.
#[tokio::test]
async fn a_value_that_arrives_after_a_newer_one_is_refused() {
    let ours = Scene::ours(LONG).await;
    let seen = late_write(&ours, async |scene| {
        let [_, other] = scene.caches.as_ref().unwrap();
        scope(other.clone(), row::put(1, &2)).await.unwrap();
    })
    .await;
    assert_eq!((seen, ours.refused()), ((1, 2), 1));
    ours.assert_stored(Some(2)).await;
}

#[tokio::test]
async fn control_a_late_set_by_hand_over_a_newer_value() {
    let hand = Scene::by_hand(LONG).await;
    let seen = late_write(&hand, async |scene| {
        scene.server.cmd(&["SET", "row", "2"]);
    })
    .await;
    assert_eq!(seen, (1, 1));
}

/// The caller has given up by then: nobody learns of the refusal, and the server is right.
#[tokio::test]
async fn a_value_that_arrives_after_its_caller_gave_up_is_refused() {
    for deadline in [SHORT, LONG] {
        let ours = Scene::ours(deadline).await;
        let given_up = deadline == SHORT;
        let seen = late_write(&ours, async |_| {
            if given_up {
                // The commit's deadline has to pass, which nobody tells of.
                tokio::time::sleep(2 * SHORT).await;
            }
        })
        .await;
        assert_eq!((seen, ours.refused()), ((1, 2), u64::from(!given_up)));
        ours.assert_stored(Some(2)).await;
    }
}

/// The value is stored, its answer lost: whoever sent it knows nothing, and may want to try again.
/// Meanwhile it is invalidated.
async fn lost_answer(scene: &Scene) -> (u64, u64) {
    let early = tokio::spawn((scene.read)());
    scene.db.a_read_has_begun().await;
    scene.server.reset_stats();
    scene.proxy.set(Wire::CutReply(0));
    scene.db.let_one_answer();
    scene.carried_out("set", 1).await;
    scene.write_and_invalidate().await;
    let early = early.await.unwrap();
    scene.db.let_all_answer();
    (early, (scene.read)().await)
}

#[tokio::test]
async fn a_value_whose_answer_was_lost_is_not_sent_again() {
    let ours = Scene::ours(LONG).await;
    assert_eq!(lost_answer(&ours).await, (1, 2));
    // The connection is made anew; until then values are not stored.
    eventually(LONG, async || {
        assert_eq!((ours.read)().await, 2);
        let [late, _] = ours.caches.as_ref().unwrap();
        scope(late.clone(), row::peek(1)).await.is_ok_and(|stored| stored == Some(2))
    })
    .await;
    ours.assert_stored(Some(2)).await;
}

/// By hand with a retry, as clients come with it.
#[tokio::test]
async fn control_a_set_by_hand_that_is_tried_again() {
    let (server, db) = (RedisServer::start(), Database::new());
    let proxy = Proxy::to(server.port());
    let client = redis::Client::open(proxy.url()).unwrap();
    let own = Arc::clone(&db);
    let read = move || -> Read {
        let (client, db) = (client.clone(), Arc::clone(&own));
        Box::pin(async move {
            let mut connection = client.get_multiplexed_async_connection().await.unwrap();
            let mut get = redis::cmd("GET");
            let found: Option<u64> = get.arg("row").query_async(&mut connection).await.unwrap();
            if let Some(found) = found {
                return found;
            }
            let row = db.read().await;
            let mut set = redis::cmd("SET");
            set.arg("row").arg(row);
            let mut pauses = 0;
            while set.exec_async(&mut connection).await.is_err() {
                // As retries do: the invalidation comes in between.
                tokio::time::sleep(SHORT).await;
                pauses += 1;
                assert!(pauses < 50, "the server is there again");
                connection = client.get_multiplexed_async_connection().await.unwrap();
            }
            row
        })
    };
    let scene =
        Scene { server, proxy, db, read: Box::new(read), key: "row".to_owned(), caches: None };
    assert_eq!(lost_answer(&scene).await, (1, 1));
}

/// Two lookups of one caller that tried again, both late: each has a token of its own, so that the
/// first one's can be given up without touching what the second took.
#[tokio::test]
async fn a_lookup_that_is_tried_again_is_another() {
    if !server_can(Ability::FusedLookup) {
        return;
    }
    let ours = Scene::ours(SHORT).await;
    ours.db.let_all_answer();
    ours.proxy.set(Wire::HoldRequests);
    for _ in 0..2 {
        assert_eq!((ours.read)().await, 1, "nobody waits for long");
    }
    ours.write_and_invalidate().await;
    ours.server.reset_stats();
    ours.proxy.set(Wire::Pass);
    ours.carried_out("set", 2).await;
    assert_eq!((ours.read)().await, 2);
    ours.assert_stored(Some(2)).await;
}
