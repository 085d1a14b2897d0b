//! A value that was computed before an invalidation is never stored after it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cached_runtime::{Cache, cache_invalidate, cache_result, scope};
use cached_tests::{Proxy, RedisServer, Wire, eventually};
use redis::Value;
use tokio::sync::Semaphore;

use super::patient::{self, LONG, on_each_store};

const MINUTE: Duration = Duration::from_secs(60);

/// A database of one row, whose reads can be held up between reading and answering.
pub(super) struct Database {
    row: AtomicU64,
    reads: AtomicU64,
    /// One permit for each read that was begun.
    begun: Semaphore,
    /// One permit for each read that may answer.
    answers: Semaphore,
}

impl Database {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            row: AtomicU64::new(1),
            reads: AtomicU64::new(0),
            begun: Semaphore::new(0),
            answers: Semaphore::new(0),
        })
    }

    pub(super) async fn read(&self) -> u64 {
        let row = self.row.load(Ordering::SeqCst);
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.begun.add_permits(1);
        self.answers.acquire().await.unwrap().forget();
        row
    }

    pub(super) fn write(&self, row: u64) {
        self.row.store(row, Ordering::SeqCst);
    }

    pub(super) async fn a_read_has_begun(&self) {
        self.begun.acquire().await.unwrap().forget();
    }

    pub(super) fn let_one_answer(&self) {
        self.answers.add_permits(1);
    }

    pub(super) fn let_all_answer(&self) {
        self.answers.add_permits(1000);
    }
}

#[cache_result(ttl = 60, skip(db))]
async fn row(db: Arc<Database>, id: u64) -> u64 {
    db.read().await
}

#[cache_result(ttl = 60, skip(db))]
async fn checked(db: Arc<Database>, id: u64) -> Result<u64, String> {
    match db.read().await {
        0 => Err("no row".to_owned()),
        row => Ok(row),
    }
}

#[cache_invalidate(row(id))]
async fn update(db: &Database, id: u64, value: u64) -> Result<u64, String> {
    if value == 0 {
        return Err("no".to_owned());
    }
    db.write(value);
    Ok(id)
}

#[cache_invalidate(pattern = "*fencing.row:{id}")]
async fn update_by_pattern(db: &Database, id: u64, value: u64) {
    db.write(value);
}

/// The one scenario: a read begins, the row is written and the cache told, the read ends. What
/// do the held-up reader and a later one get?
async fn read_across_a_write<F: Future<Output = u64> + Send + 'static>(
    db: &Arc<Database>,
    read: impl Fn(Arc<Database>) -> F,
    tell_the_cache: impl AsyncFnOnce(),
) -> (u64, u64) {
    let held_up = tokio::spawn(read(Arc::clone(db)));
    db.a_read_has_begun().await;
    db.write(2);
    tell_the_cache().await;
    db.let_one_answer();
    let early = held_up.await.unwrap();
    db.let_all_answer();
    (early, read(Arc::clone(db)).await)
}

fn in_scope(cache: &Cache) -> impl Fn(Arc<Database>) -> cached_runtime::Scoped<RowCall> {
    let cache = cache.clone();
    move |db| scope(cache.clone(), Box::pin(row(db, 1)))
}

type RowCall = std::pin::Pin<Box<dyn Future<Output = u64> + Send>>;

/// Runs the scenario; the late reader must run the body, and its value is then kept.
async fn assert_fenced(cache: &Cache, what: &str, tell_the_cache: impl AsyncFnOnce()) {
    cache.clear().await.unwrap();
    let (before, db) = (cache.stats().total, Database::new());
    let read = in_scope(cache);
    let (early, late) = read_across_a_write(&db, &read, async || {
        scope(cache.clone(), tell_the_cache()).await;
    })
    .await;
    assert_eq!((early, late), (1, 2), "{what}");
    assert_eq!(read(Arc::clone(&db)).await, 2, "{what}");
    let after = cache.stats().total;
    assert_eq!(after.writes_refused - before.writes_refused, 1, "{what}");
    assert_eq!((after.misses - before.misses, after.hits() - before.hits()), (2, 1), "{what}");
}

#[tokio::test]
async fn an_invalidation_during_the_body_revokes_the_write() {
    on_each_store(async |cache| {
        let all = &cache;
        assert_fenced(all, "invalidate", async || row::invalidate(1).await.unwrap()).await;
        assert_fenced(all, "invalidate_all", async || {
            // A lease is no entry, but it is what stands there.
            assert_eq!(row::invalidate_all().await.unwrap(), 1);
        })
        .await;
        assert_fenced(all, "invalidate_key", async || {
            all.invalidate_key(row::key(1)).await.unwrap();
        })
        .await;
        assert_fenced(all, "invalidate_pattern", async || {
            all.invalidate_pattern("*fencing.row:1").await.unwrap();
        })
        .await;
        assert_fenced(all, "clear", async || {
            all.clear().await.unwrap();
        })
        .await;
        assert_fenced(all, "remove", async || {
            all.remove(row::key(1)).await.unwrap();
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_writing_function_revokes_the_write() {
    on_each_store(async |cache| {
        let db = Database::new();
        assert_fenced(&cache, "by its arguments", async || {
            update(&db, 1, 2).await.unwrap();
        })
        .await;
        assert_fenced(&cache, "by pattern", async || update_by_pattern(&db, 1, 2).await).await;
    })
    .await;
}

/// A writing function that failed has written nothing, and tells the cache nothing.
#[tokio::test]
async fn a_writing_function_that_fails_revokes_nothing() {
    on_each_store(async |cache| {
        let (db, read) = (Database::new(), in_scope(&cache));
        let seen = read_across_a_write(&db, &read, async || {
            scope(cache.clone(), update(&db, 1, 0)).await.unwrap_err();
        })
        .await;
        assert_eq!((seen, cache.stats().total.writes_refused), ((1, 1), 0));
    })
    .await;
}

/// The control: without a fence the same scenario leaves the old value in the cache.
#[tokio::test]
async fn hand_written_get_and_set_serve_the_stale_value() {
    let server = Arc::new(RedisServer::start());
    let read = |db: Arc<Database>| {
        let server = Arc::clone(&server);
        async move {
            if let Some(found) = server.text(&["GET", "row"]) {
                return found.parse().unwrap();
            }
            let row = db.read().await;
            server.cmd(&["SET", "row", &row.to_string()]);
            row
        }
    };
    let seen = read_across_a_write(&Database::new(), read, async || {
        server.cmd(&["DEL", "row"]);
    })
    .await;
    assert_eq!(seen, (1, 1), "the late reader is served what was read before the write");
}

#[tokio::test]
async fn a_refresh_is_revoked_too() {
    on_each_store(async |cache| {
        for stored_before in [false, true] {
            scope(cache.clone(), async {
                row::invalidate(1).await.unwrap();
                if stored_before {
                    row::put(1, &7).await.unwrap();
                }
            })
            .await;
            let (db, refused) = (Database::new(), cache.stats().total.writes_refused);
            let refreshing = {
                let (cache, db) = (cache.clone(), Arc::clone(&db));
                tokio::spawn(scope(cache, row::refresh(db, 1)))
            };
            db.a_read_has_begun().await;
            db.write(2);
            scope(cache.clone(), row::invalidate(1)).await.unwrap();
            db.let_all_answer();
            assert_eq!(refreshing.await.unwrap(), 1);
            assert_eq!(scope(cache.clone(), row::peek(1)).await.unwrap(), None);
            assert_eq!(cache.stats().total.writes_refused - refused, 1);
            assert_eq!(in_scope(&cache)(db).await, 2);
        }
    })
    .await;
}

/// A refresh that nothing disturbs replaces the value, and serves the old one until then.
#[tokio::test]
async fn a_refresh_leaves_the_old_value_until_it_is_done() {
    on_each_store(async |cache| {
        let db = Database::new();
        scope(cache.clone(), row::put(1, &7)).await.unwrap();
        let refreshing = tokio::spawn(scope(cache.clone(), row::refresh(Arc::clone(&db), 1)));
        db.a_read_has_begun().await;
        assert_eq!(in_scope(&cache)(Arc::clone(&db)).await, 7);
        db.let_all_answer();
        assert_eq!(refreshing.await.unwrap(), 1);
        assert_eq!(in_scope(&cache)(db).await, 1);
    })
    .await;
}

/// By hand: `remove`, `invalidate_key` and `set` during a `get_or_load`.
#[tokio::test]
async fn get_or_load_is_fenced_like_a_function() {
    on_each_store(async |cache| {
        let load = |db: Arc<Database>| {
            let cache = cache.clone();
            async move {
                let load = || async { Ok::<_, String>(db.read().await) };
                cache.get_or_load("row", MINUTE, load).await.unwrap()
            }
        };
        for by_key in [false, true] {
            let seen = read_across_a_write(&Database::new(), load, async || {
                if by_key {
                    assert_eq!(cache.invalidate_key("row").await.unwrap(), 1);
                } else {
                    assert!(cache.remove("row").await.unwrap());
                }
            })
            .await;
            assert_eq!(seen, (1, 2));
            cache.remove("row").await.unwrap();
        }
        let seen = read_across_a_write(&Database::new(), load, async || {
            cache.set("row", &3_u64, MINUTE).await.unwrap();
        })
        .await;
        assert_eq!(seen, (1, 3), "what was set meanwhile stays");
        assert_eq!(cache.stats().total.writes_refused, 3);
    })
    .await;
}

#[tokio::test]
async fn a_value_put_during_the_body_stays() {
    on_each_store(async |cache| {
        let db = Database::new();
        let seen = read_across_a_write(&db, in_scope(&cache), async || {
            scope(cache.clone(), row::put(1, &3)).await.unwrap();
        })
        .await;
        assert_eq!(seen, (1, 3));
    })
    .await;
}

mod lease {
    use super::*;

    /// Nothing of the fill that ended is left in the way of the next one. The leases of these
    /// tests' caches live much longer than the tests wait.
    async fn assert_given_up(cache: &Cache) {
        let db = Database::new();
        db.let_all_answer();
        eventually(LONG, || async {
            scope(cache.clone(), async {
                row(Arc::clone(&db), 1).await;
                row::peek(1).await.unwrap().is_some()
            })
            .await
        })
        .await;
    }

    async fn on_each_store(scenario: impl AsyncFn(Cache)) {
        let server = RedisServer::start();
        let long = patient::builder(&server.url()).lease(Duration::from_secs(600));
        scenario(long.build().await.unwrap()).await;
        scenario(Cache::memory()).await;
    }

    #[tokio::test]
    async fn of_a_dropped_future_is_given_up() {
        on_each_store(async |cache| {
            let db = Database::new();
            let call = tokio::spawn(in_scope(&cache)(Arc::clone(&db)));
            db.a_read_has_begun().await;
            call.abort();
            assert!(call.await.unwrap_err().is_cancelled());
            assert_given_up(&cache).await;
        })
        .await;
    }

    #[tokio::test]
    async fn of_a_call_that_timed_out_is_given_up() {
        on_each_store(async |cache| {
            let call = in_scope(&cache)(Database::new());
            tokio::time::timeout(Duration::from_millis(50), call).await.unwrap_err();
            assert_given_up(&cache).await;
        })
        .await;
    }

    #[tokio::test]
    async fn of_a_body_that_panics_is_given_up() {
        #[cache_result(ttl = 60, name = "integration.fencing.row", skip(_db))]
        async fn panics(_db: Arc<Database>, id: u64) -> u64 {
            if id == 1 {
                panic!("on purpose");
            }
            id
        }
        on_each_store(async |cache| {
            let call = tokio::spawn(scope(cache.clone(), panics(Database::new(), 1)));
            assert!(call.await.unwrap_err().is_panic());
            assert_given_up(&cache).await;
        })
        .await;
    }

    #[tokio::test]
    async fn of_a_body_that_fails_is_given_up() {
        on_each_store(async |cache| {
            let db = Database::new();
            db.let_all_answer();
            db.write(0);
            scope(cache.clone(), checked(Arc::clone(&db), 1)).await.unwrap_err();
            db.write(5);
            eventually(LONG, || async {
                scope(cache.clone(), async {
                    checked(Arc::clone(&db), 1).await.unwrap();
                    checked::peek(1).await.unwrap() == Some(5)
                })
                .await
            })
            .await;
        })
        .await;
    }

    /// Somebody else, perhaps in another process, fills the entry: the body runs here as well,
    /// and what it yields is not stored.
    #[tokio::test]
    async fn of_another_is_left_alone() {
        let server = RedisServer::start();
        let cache = patient::cache(&server).await;
        let key = format!("cache:{}", row::key(1));
        let mut lease = b"L\x01an other's token".to_vec();
        lease.resize(19, 0);
        server.cmd(&[b"SET".as_slice(), key.as_bytes(), &lease, b"PX", b"600000"]);
        let db = Database::new();
        db.let_all_answer();
        assert_eq!(in_scope(&cache)(Arc::clone(&db)).await, 1);
        cache.shutdown().await;
        assert_eq!(server.cmd(&["GET", &key]), Value::BulkString(lease));
        let total = cache.stats().total;
        assert_eq!((total.misses, total.hits(), total.writes_refused), (1, 0, 0));
        server.cmd(&["DEL", &key]);
        in_scope(&cache)(Arc::clone(&db)).await;
        in_scope(&cache)(db).await;
        assert_eq!(cache.stats().total.hits(), 1, "once it is gone, values are stored again");
    }

    #[tokio::test]
    async fn lets_the_first_caller_store() {
        on_each_store(async |cache| {
            let db = Database::new();
            let first = tokio::spawn(in_scope(&cache)(Arc::clone(&db)));
            db.a_read_has_begun().await;
            let second = tokio::spawn(in_scope(&cache)(Arc::clone(&db)));
            // A caller that met the lease may run the body itself, or wait for the first.
            db.let_all_answer();
            assert_eq!((first.await.unwrap(), second.await.unwrap()), (1, 1));
            assert_eq!(in_scope(&cache)(db).await, 1);
            assert_eq!(cache.stats().total.calls(), 3);
            assert!(cache.stats().total.hits() >= 1);
            assert_eq!(cache.stats().total.writes_refused, 0);
        })
        .await;
    }

    /// It is renewed while the body runs.
    #[tokio::test]
    async fn may_be_shorter_than_the_body() {
        let server = RedisServer::start();
        let lease = Duration::from_secs(1);
        let cache = patient::builder(&server.url()).lease(lease).build().await.unwrap();
        let loaded = cache
            .get_or_load("slow", MINUTE, || async {
                // Three times the lease's life has to pass.
                tokio::time::sleep(3 * lease).await;
                Ok::<_, String>(1)
            })
            .await;
        assert_eq!(loaded, Ok(1));
        assert_eq!(cache.get::<i32>("slow").await.unwrap(), Some(1));
        assert_eq!(cache.stats().total.writes_refused, 0);
    }

    /// A lease taken by a lookup whose answer came too late, or that nobody waited for any more.
    #[tokio::test]
    async fn that_was_taken_too_late_is_given_up() {
        let server = RedisServer::start();
        let proxy = Proxy::to(server.port());
        let cache = Cache::builder()
            .url(proxy.url())
            .lease(Duration::from_secs(600))
            .lookup_deadline(Duration::from_millis(300))
            .build()
            .await
            .unwrap();
        for abandoned in [false, true] {
            server.reset_stats();
            proxy.set(Wire::Delay(Duration::from_secs(1)));
            let db = Database::new();
            db.let_all_answer();
            let call = in_scope(&cache)(Arc::clone(&db));
            if abandoned {
                let soon = Duration::from_millis(50);
                tokio::time::timeout(soon, call).await.unwrap_err();
            } else {
                assert_eq!(call.await, 1);
            }
            eventually(LONG, || async { server.command_calls().contains_key("del") }).await;
            assert_eq!(server.command_calls()["set"], 1, "the lease was taken");
            assert!(server.keys().is_empty(), "and given up behind");
            proxy.set(Wire::Pass);
        }
    }
}

#[cache_result(ttl = 60, skip(database))]
async fn refreshed_row(database: Arc<Database>) -> u64 {
    database.read().await
}

/// A refresh that began after a fill must not lose to it: what the older one stores meanwhile is
/// gone when the refresh returns.
#[tokio::test]
async fn a_refresh_does_not_lose_to_an_older_fill() {
    on_each_store(async |cache| {
        let database = Database::new();
        let old = tokio::spawn(scope(cache.clone(), refreshed_row(database.clone())));
        database.begun.acquire().await.unwrap().forget();
        database.row.store(2, Ordering::SeqCst);
        let refresh = scope(cache.clone(), refreshed_row::refresh(database.clone()));
        let refresh = tokio::spawn(refresh);
        database.begun.acquire().await.unwrap().forget();
        // The semaphore is fair: the older read answers first, and its value is stored.
        database.answers.add_permits(1);
        assert_eq!(old.await.unwrap(), 1);
        database.answers.add_permits(1);
        assert_eq!(refresh.await.unwrap(), 2);
        database.answers.add_permits(1);
        let now = scope(cache, refreshed_row(database)).await;
        assert_eq!(now, 2, "not the older fill's value");
    })
    .await;
}

/// A writer whose caller goes away while it invalidates has written; the entry must go all the
/// same.
#[tokio::test]
async fn a_cancelled_writer_invalidates_all_the_same() {
    #[cache_result(ttl = 60)]
    async fn name(id: u64) -> u64 {
        id
    }
    #[cache_invalidate(name(id))]
    async fn rename(id: u64) -> Result<(), ()> {
        let _ = id;
        Ok(())
    }

    let server = RedisServer::start();
    let proxy = Proxy::to(server.port());
    let cache = patient::builder(&proxy.url()).build().await.unwrap();
    scope(cache.clone(), name(7)).await;
    assert_eq!(server.keys().len(), 1);
    // With the way cut, the invalidation has not been sent when its caller goes away.
    proxy.set(Wire::Refuse);
    proxy.cut();
    let writer = tokio::time::timeout(Duration::from_millis(50), scope(cache.clone(), rename(7)));
    assert!(writer.await.is_err(), "it was cancelled while it invalidated");
    assert_eq!(server.keys().len(), 1);
    proxy.set(Wire::Pass);
    eventually(LONG, async || server.keys().is_empty()).await;
}
