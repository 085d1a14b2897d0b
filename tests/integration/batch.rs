//! `batch = ids`: one trip for all keys, one body call for those that are missing.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cached_runtime::{Cache, FunctionStats, cache_invalidate, cache_result, scope, scope_sync};
use cached_tests::{Ability, Proxy, RedisServer, Wire, server_can};
use tokio::sync::Semaphore;

use super::patient::{self, on_each_store, on_each_whole_store};

/// Rows by number, each its number times ten; 404 is not there, and 500 breaks the query.
#[derive(Clone)]
struct Database {
    /// What each query asked for.
    queries: Arc<Mutex<Vec<Vec<u64>>>>,
    version: Arc<AtomicU64>,
    /// One permit for each query that was begun.
    begun: Arc<Semaphore>,
    /// One permit for each query that may answer.
    answers: Arc<Semaphore>,
    broken: Arc<AtomicBool>,
}

impl Database {
    /// Answers at once.
    fn new() -> Self {
        let db = Self::slow();
        db.answers.add_permits(10_000);
        db
    }

    /// Answers when it is told to.
    fn slow() -> Self {
        Self {
            queries: Arc::default(),
            version: Arc::default(),
            begun: Arc::new(Semaphore::new(0)),
            answers: Arc::new(Semaphore::new(0)),
            broken: Arc::default(),
        }
    }

    async fn select(&self, ids: &[u64]) -> Result<Vec<(u64, u64)>, String> {
        self.queries.lock().unwrap().push(ids.to_vec());
        let version = self.version.load(Ordering::SeqCst);
        self.begun.add_permits(1);
        self.answers.acquire().await.unwrap().forget();
        if self.broken.load(Ordering::SeqCst) || ids.contains(&500) {
            return Err("the query broke".to_owned());
        }
        Ok(ids.iter().filter(|id| **id != 404).map(|id| (*id, id * 10 + version)).collect())
    }

    async fn a_query_has_begun(&self) {
        self.begun.acquire().await.unwrap().forget();
    }

    fn let_one_answer(&self) {
        self.answers.add_permits(1);
    }

    /// What was asked since the last time.
    fn asked(&self) -> Vec<Vec<u64>> {
        std::mem::take(&mut self.queries.lock().unwrap())
    }
}

#[cache_result(ttl = 60, name = "batch.row", skip(db), batch = ids)]
async fn rows(db: &Database, ids: &[u64]) -> Result<HashMap<u64, u64>, String> {
    Ok(db.select(ids).await?.into_iter().collect())
}

#[cache_result(ttl = 60, name = "batch.row", skip(db))]
async fn row(db: &Database, id: u64) -> Result<Option<u64>, String> {
    Ok(db.select(&[id]).await?.first().map(|(_, value)| *value))
}

#[cache_result(ttl = 60, none_ttl = 60, name = "batch.known", skip(db), batch = ids)]
async fn known_rows(db: &Database, ids: Vec<u64>) -> BTreeMap<u64, u64> {
    db.select(&ids).await.unwrap_or_default().into_iter().collect()
}

#[cache_result(ttl = 60, none_ttl = 60, name = "batch.known", skip(db))]
async fn known_row(db: &Database, id: &u64) -> Option<u64> {
    db.select(&[*id]).await.ok()?.first().map(|(_, value)| *value)
}

#[cache_result(
    ttl = 60,
    name = "batch.tagged",
    key = "{tenant}:{numbers}",
    tags = ["row:{numbers}", "rows"],
    invalidate_all,
    batch = numbers
)]
async fn tagged_rows(
    db: Database,
    tenant: &str,
    mut numbers: Vec<u64>,
) -> Result<Vec<(u64, u64)>, String> {
    numbers.sort_unstable();
    let _ = tenant;
    db.select(&numbers).await
}

#[cache_result(
    ttl = 60,
    name = "batch.tagged",
    key = "{tenant}:{id}",
    tags = ["row:{id}", "rows"],
    invalidate_all
)]
async fn tagged_row(db: &Database, tenant: String, id: u64) -> Option<u64> {
    let _ = tenant;
    db.select(&[id]).await.ok()?.first().map(|(_, value)| *value)
}

#[cache_invalidate(rows(ids))]
async fn write(db: &Database, ids: &[u64]) {
    let _ = ids;
    db.version.fetch_add(1, Ordering::SeqCst);
}

/// A batch that is polled before this one, and has this row to load, then waits for others.
async fn it_has_stored(id: u64) {
    while row::peek(id).await.unwrap().is_none() {}
}

fn of(pairs: &[(u64, u64)]) -> HashMap<u64, u64> {
    pairs.iter().copied().collect()
}

fn plain(ids: impl IntoIterator<Item = u64>) -> HashMap<u64, u64> {
    ids.into_iter().map(|id| (id, id * 10)).collect()
}

fn counted(stats: &FunctionStats) -> [u64; 4] {
    [stats.hits(), stats.misses, stats.bypasses, stats.loads]
}

#[tokio::test]
async fn the_body_gets_the_missing_keys_once_and_in_their_order() {
    on_each_store(async |cache| {
        let db = Database::new();
        scope(cache.clone(), async {
            let before = rows::stats();
            assert_eq!(rows(&db, &[5, 3, 5, 9, 3]).await.unwrap(), plain([3, 5, 9]));
            assert_eq!(db.asked(), [[5, 3, 9]], "duplicates are asked for once");
            assert_eq!(rows(&db, &[9, 8, 5, 7]).await.unwrap(), plain([5, 7, 8, 9]));
            assert_eq!(db.asked(), [[8, 7]], "what is stored is not asked for");
            assert_eq!(rows(&db, &[7, 8]).await.unwrap(), plain([7, 8]));
            assert_eq!(rows(&db, &[]).await.unwrap(), plain([]));
            assert_eq!(db.asked(), [[0; 0]; 0]);
            let now = counted(&rows::stats());
            let calls: Vec<u64> = now.iter().zip(counted(&before)).map(|(n, b)| n - b).collect();
            assert_eq!(calls, [4, 5, 0, 2], "each key is a call, each body a load");
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn entries_are_shared_with_the_function_of_a_single_key() {
    on_each_store(async |cache| {
        let db = Database::new();
        scope(cache.clone(), async {
            assert_eq!(row(&db, 1).await, Ok(Some(10)));
            rows(&db, &[1, 2]).await.unwrap();
            assert_eq!(row(&db, 2).await, Ok(Some(20)));
            assert_eq!(db.asked(), [[1], [2]]);
            row::invalidate(1).await.unwrap();
            row::put(3, &33).await.unwrap();
            assert_eq!(rows(&db, &[1, 2, 3]).await.unwrap(), of(&[(1, 10), (2, 20), (3, 33)]));
            assert_eq!(db.asked(), [[1]]);
            rows::invalidate(&[1, 3]).await.unwrap();
            assert_eq!(row::peek(1).await.unwrap(), None);
            assert_eq!(row::peek(2).await.unwrap(), Some(20));
            assert_eq!(row::peek(3).await.unwrap(), None);
            // With templates, tags and arguments of other names and types as well.
            assert_eq!(tagged_row(&db, "a".to_owned(), 4).await, Some(40));
            let two = tagged_rows(db.clone(), "a", vec![5, 4]).await.unwrap();
            assert_eq!(two, [(5, 50), (4, 40)]);
            assert_eq!(tagged_row(&db, "a".to_owned(), 5).await, Some(50));
            assert_eq!(db.asked(), [[4], [5]]);
            assert_eq!(tagged_row(&db, "b".to_owned(), 5).await, Some(50));
            assert_eq!(db.asked(), [[5]]);
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_key_without_a_value_is_asked_again_unless_none_ttl_says_otherwise() {
    on_each_store(async |cache| {
        let db = Database::new();
        scope(cache.clone(), async {
            assert_eq!(rows(&db, &[1, 404]).await.unwrap(), plain([1]));
            assert_eq!(rows(&db, &[1, 404]).await.unwrap(), plain([1]));
            assert_eq!(db.asked(), [vec![1, 404], vec![404]]);
            for _ in 0..2 {
                assert_eq!(known_rows(&db, vec![404, 1]).await, BTreeMap::from([(1, 10)]));
            }
            assert_eq!(known_row(&db, &404).await, None);
            assert_eq!(db.asked(), [[404, 1]], "there is none, and that is known");
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn an_error_is_returned_and_nothing_is_stored_or_held() {
    on_each_store(async |cache| {
        let db = Database::new();
        scope(cache.clone(), async {
            rows(&db, &[1]).await.unwrap();
            let failed = rows(&db, &[1, 2, 500]).await;
            assert_eq!(failed, Err("the query broke".to_owned()));
            assert_eq!(rows(&db, &[2]).await.unwrap(), plain([2]), "no lease is in the way");
            assert_eq!(db.asked(), [vec![1], vec![2, 500], vec![2]]);
            assert_eq!(rows(&db, &[1, 2]).await.unwrap(), plain([1, 2]));
            assert_eq!(db.asked(), [[0; 0]; 0]);
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_tag_reaches_single_entries_and_invalidate_all_reaches_all() {
    on_each_store(async |cache| {
        let db = Database::new();
        scope(cache.clone(), async {
            let all = async || tagged_rows(db.clone(), "a", vec![1, 2, 3]).await.unwrap();
            all().await;
            all().await;
            assert_eq!(db.asked(), [[1, 2, 3]]);
            cache.invalidate_tag("row:2").await.unwrap();
            all().await;
            assert_eq!(db.asked(), [[2]]);
            cache.invalidate_tag("rows").await.unwrap();
            all().await;
            assert_eq!(db.asked(), [[1, 2, 3]]);
            tagged_rows::invalidate_all().await.unwrap();
            all().await;
            assert_eq!(db.asked(), [[1, 2, 3]]);
            tagged_rows::invalidate("a", vec![1, 3]).await.unwrap();
            all().await;
            assert_eq!(db.asked(), [[1, 3]]);
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn an_invalidation_during_the_body_refuses_its_key_and_no_other() {
    on_each_store(async |cache| {
        let db = Database::slow();
        scope(cache.clone(), async {
            let (loaded, ()) = tokio::join!(rows(&db, &[1, 2, 3]), async {
                db.a_query_has_begun().await;
                row::invalidate(2).await.unwrap();
                db.let_one_answer();
            });
            assert_eq!(loaded.unwrap(), plain([1, 2, 3]));
            assert_eq!(row::peek(1).await.unwrap(), Some(10));
            assert_eq!(row::peek(2).await.unwrap(), None);
            assert_eq!(row::peek(3).await.unwrap(), Some(30));
            // A writing function names the whole batch.
            write(&db, &[1, 3]).await;
            assert_eq!(row::peek(1).await.unwrap(), None);
            assert_eq!(row::peek(3).await.unwrap(), None);
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn refresh_loads_all_keys_and_uncached_stores_nothing() {
    on_each_store(async |cache| {
        let db = Database::new();
        scope(cache.clone(), async {
            rows(&db, &[1]).await.unwrap();
            db.version.store(5, Ordering::SeqCst);
            assert_eq!(rows::uncached(&db, &[1, 2]).await.unwrap(), of(&[(1, 15), (2, 25)]));
            assert_eq!(row::peek(1).await.unwrap(), Some(10));
            assert_eq!(row::peek(2).await.unwrap(), None);
            assert_eq!(rows::refresh(&db, &[1, 2]).await.unwrap(), of(&[(1, 15), (2, 25)]));
            assert_eq!(db.asked(), [vec![1], vec![1, 2], vec![1, 2]]);
            assert_eq!(rows(&db, &[1, 2]).await.unwrap(), of(&[(1, 15), (2, 25)]));
            assert_eq!(db.asked(), [[0; 0]; 0]);
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn keys_that_another_process_loads_are_waited_for() {
    let server = RedisServer::start();
    let (here, there) = (patient::cache(&server).await, patient::cache(&server).await);
    let (ours, theirs) = (Database::new(), Database::slow());
    let (found, loaded, ()) = tokio::join!(
        scope(here, async {
            theirs.a_query_has_begun().await;
            rows(&ours, &[1, 2, 3, 4]).await
        }),
        scope(there, rows(&theirs, &[2, 3])),
        async {
            // Only when our own keys are loaded do they answer.
            ours.a_query_has_begun().await;
            theirs.let_one_answer();
        }
    );
    assert_eq!(found.unwrap(), plain([1, 2, 3, 4]));
    assert_eq!(loaded.unwrap(), plain([2, 3]));
    assert_eq!(ours.asked(), [[1, 4]]);
    assert_eq!(theirs.asked(), [[2, 3]]);
}

#[tokio::test]
async fn overlapping_batches_in_opposite_order_load_each_key_once() {
    let server = RedisServer::start();
    let caches = [patient::cache(&server).await, patient::cache(&server).await];
    for round in 0..20 {
        let db = Database::new();
        let first: Vec<u64> = (round * 1000 + 1000..round * 1000 + 1030).collect();
        let second: Vec<u64> = (round * 1000 + 1010..round * 1000 + 1040).rev().collect();
        let calls: Vec<_> = (0..4)
            .map(|at| {
                let (db, cache) = (db.clone(), caches[at % 2].clone());
                let ids = if at < 2 { first.clone() } else { second.clone() };
                tokio::spawn(scope(cache, async move {
                    assert_eq!(rows(&db, &ids).await.unwrap(), plain(ids));
                }))
            })
            .collect();
        for call in calls {
            call.await.unwrap();
        }
        let mut asked: Vec<u64> = db.asked().into_iter().flatten().collect();
        asked.sort_unstable();
        let all: Vec<u64> = (round * 1000 + 1000..round * 1000 + 1040).collect();
        assert_eq!(asked, all);
    }
}

#[tokio::test]
async fn what_another_batch_of_the_process_leaves_is_loaded_together() {
    for dropped in [true, false] {
        // In a cluster the keys come free one by one, each at its primary.
        on_each_whole_store(async |cache| {
            let (holder, db) = (Database::slow(), Database::new());
            holder.broken.store(true, Ordering::SeqCst);
            let held = {
                let (holder, cache) = (holder.clone(), cache.clone());
                tokio::spawn(scope(cache, async move { rows(&holder, &[1, 2, 3]).await }))
            };
            holder.a_query_has_begun().await;
            let (found, ()) = tokio::join!(scope(cache.clone(), rows(&db, &[9, 3, 2, 1])), async {
                db.a_query_has_begun().await;
                if dropped {
                    held.abort();
                } else {
                    holder.let_one_answer();
                }
            });
            assert_eq!(found.unwrap(), plain([1, 2, 3, 9]));
            assert_eq!(db.asked(), [vec![9], vec![3, 2, 1]]);
        })
        .await;
    }
}

#[tokio::test]
async fn what_another_process_leaves_is_loaded_together() {
    for dropped in [true, false] {
        let server = RedisServer::start();
        let (here, there) = (patient::cache(&server).await, patient::cache(&server).await);
        let (holder, db) = (Database::slow(), Database::new());
        holder.broken.store(true, Ordering::SeqCst);
        let ids: Vec<u64> = (1..=30).collect();
        let held = {
            let (holder, ids) = (holder.clone(), ids.clone());
            tokio::spawn(scope(there, async move { rows(&holder, &ids).await }))
        };
        holder.a_query_has_begun().await;
        let all: Vec<u64> = (1..=31).collect();
        let (found, ()) = tokio::join!(scope(here.clone(), rows(&db, &all)), async {
            scope(here, it_has_stored(31)).await;
            if dropped {
                held.abort();
            } else {
                holder.let_one_answer();
            }
        });
        assert_eq!(found.unwrap(), plain(all));
        let asked = db.asked();
        assert_eq!(asked[0], [31]);
        let mut rest: Vec<u64> = asked[1..].concat();
        rest.sort_unstable();
        assert_eq!(rest, ids, "each once");
        // The leases are given up one by one, on a slow machine with pauses between.
        assert!(asked.len() < 10, "{asked:?}");
    }
}

#[tokio::test]
async fn a_dropped_batch_leaves_nothing_behind() {
    on_each_store(async |cache| {
        let (holder, db) = (Database::slow(), Database::new());
        scope(cache.clone(), async {
            tokio::select! {
                biased;
                _ = rows(&holder, &[1, 2]) => unreachable!(),
                () = holder.a_query_has_begun() => {}
            }
            assert_eq!(rows(&db, &[2, 1]).await.unwrap(), plain([1, 2]));
            assert_eq!(rows(&db, &[2, 1]).await.unwrap(), plain([1, 2]));
            assert_eq!(db.asked(), [[2, 1]]);
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn without_a_store_the_body_answers() {
    let server = RedisServer::start();
    let cache = patient::cache(&server).await;
    let db = Database::new();
    scope(cache, async {
        rows(&db, &[1]).await.unwrap();
        server.kill();
        let before = counted(&rows::stats());
        for _ in 0..3 {
            assert_eq!(rows(&db, &[1, 2, 3]).await.unwrap(), plain([1, 2, 3]));
        }
        let now = counted(&rows::stats());
        assert_eq!([now[2] - before[2], now[3] - before[3]], [9, 3], "bypasses, loads");
        assert_eq!(db.asked()[1..], [[1, 2, 3], [1, 2, 3], [1, 2, 3]]);
    })
    .await;
}

/// A body that calls, for one of its own keys, the function of a single one.
#[cache_result(ttl = 60, name = "batch.nested", skip(db), batch = ids)]
async fn outer(db: &Database, ids: &[u64]) -> Result<HashMap<u64, u64>, String> {
    let mut all = HashMap::new();
    for id in ids {
        all.insert(*id, inner(db, *id).await?);
    }
    Ok(all)
}

#[cache_result(ttl = 60, name = "batch.nested", skip(db))]
async fn inner(db: &Database, id: u64) -> Result<u64, String> {
    Ok(db.select(&[id]).await?[0].1)
}

#[tokio::test]
async fn a_body_may_ask_for_its_own_keys() {
    on_each_store(async |cache| {
        let db = Database::new();
        scope(cache.clone(), async {
            assert_eq!(outer(&db, &[1, 2, 3]).await.unwrap(), plain([1, 2, 3]));
            assert_eq!(outer(&db, &[1, 2, 3]).await.unwrap(), plain([1, 2, 3]));
            assert_eq!(db.asked(), [[1], [2], [3]]);
        })
        .await;
    })
    .await;
}

#[cache_result(ttl = 60, name = "batch.word", skip(asked), batch = words)]
fn lengths(asked: &Mutex<Vec<String>>, words: &[String]) -> HashMap<String, usize> {
    asked.lock().unwrap().extend(words.iter().cloned());
    words.iter().map(|word| (word.clone(), word.len())).collect()
}

#[cache_result(ttl = 60, name = "batch.word")]
fn length(word: &str) -> usize {
    word.len()
}

#[test]
fn a_sync_batch() {
    let server = RedisServer::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for cache in [runtime.block_on(patient::cache(&server)), Cache::memory()] {
        scope_sync(cache, || {
            let asked = Mutex::default();
            let words = ["one", "three", "42", "one"].map(ToOwned::to_owned).to_vec();
            length("three");
            for _ in 0..2 {
                assert_eq!(lengths(&asked, &words)["three"], 5);
            }
            assert_eq!(*asked.lock().unwrap(), ["one", "42"]);
            lengths::invalidate(&words).unwrap();
            assert_eq!(lengths::refresh(&asked, &words).len(), 3);
            assert_eq!(asked.lock().unwrap().len(), 5);
            assert_eq!(length::peek("one").unwrap(), Some(3));
        });
    }
}

struct Repo {
    tenant: u64,
    db: Database,
}

impl Repo {
    #[cache_result(ttl = 60, key = "{self.tenant}:{ids}", batch = ids)]
    async fn rows(&self, ids: &[u64]) -> Result<HashMap<u64, u64>, String> {
        Ok(self.db.select(ids).await?.into_iter().collect())
    }
}

#[tokio::test]
async fn a_method() {
    on_each_store(async |cache| {
        let db = Database::new();
        let repos = [1, 2].map(|tenant| Repo { tenant, db: db.clone() });
        scope(cache.clone(), async {
            for repo in &repos {
                assert_eq!(repo.rows(&[1, 2]).await.unwrap(), plain([1, 2]));
                assert_eq!(repo.rows(&[2, 1]).await.unwrap(), plain([1, 2]));
            }
            assert_eq!(db.asked(), [[1, 2], [1, 2]]);
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_batch_is_one_trip_to_read_one_body_and_one_trip_to_store() {
    if !server_can(Ability::FusedLookup) {
        return;
    }
    let server = RedisServer::start();
    // Each reply comes this much later, so that trips can be told from commands.
    let proxy = Proxy::to(server.port());
    let cache = patient::builder(&proxy.url()).build().await.unwrap();
    let db = Database::new();
    scope(cache, async {
        let all: Vec<u64> = (0..100).collect();
        // The server has to learn the script.
        rows(&db, &[1000]).await.unwrap();
        rows(&db, &all[..70]).await.unwrap();
        db.asked();
        server.reset_stats();
        proxy.set(Wire::Delay(Duration::from_secs(1)));
        let started = std::time::Instant::now();
        assert_eq!(rows(&db, &all).await.unwrap(), plain(0..100));
        let took = started.elapsed();
        assert_eq!(db.asked(), [(70..100).collect::<Vec<u64>>()]);
        let calls = server.command_calls();
        let expected = [("evalsha", 30), ("get", 30), ("publish", 30), ("set", 100 + 30)];
        let expected: BTreeMap<String, u64> =
            expected.map(|(name, calls)| (name.to_owned(), calls)).into();
        assert_eq!(calls, expected, "a commit's script gets, sets and publishes");
        let trips = took.as_secs();
        assert_eq!(trips, 2, "{took:?}");
    })
    .await;
}

/// Very many keys are more than a server answers within one deadline, and no reason to take it for
/// dead.
#[tokio::test]
async fn a_very_large_batch_is_cached_and_harms_nobody() {
    let server = RedisServer::start();
    let cache = patient::cache(&server).await;
    let db = Database::new();
    let ids: Vec<u64> = (1_000..6_000).collect();
    scope(cache.clone(), async {
        assert_eq!(rows(&db, &ids).await.unwrap(), plain(ids.clone()));
        assert_eq!(rows(&db, &ids).await.unwrap(), plain(ids.clone()));
    })
    .await;
    assert_eq!(db.asked().len(), 1, "the second call found all of them");
    let stats = cache.stats().total;
    assert_eq!((stats.hits(), stats.misses, stats.bypasses), (5_000, 5_000, 0), "{stats}");
    assert_eq!(cache.health().circuit_opened, 0);
}
