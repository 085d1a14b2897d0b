//! `#[cache_invalidate]` with what is known only from the value, and with errors that are returned.

use std::sync::atomic::{AtomicU64, Ordering};

use cached_runtime::{Cache, ErrorKind, Source, cache_invalidate, cache_result, scope};
use cached_tests::{RedisServer, eventually};

use super::patient::{self, LONG};

#[derive(Debug)]
enum Failure {
    Own,
    Cache(cached_runtime::Error),
}

impl From<cached_runtime::Error> for Failure {
    fn from(error: cached_runtime::Error) -> Self {
        Self::Cache(error)
    }
}

struct User {
    id: u64,
    friend: u64,
}

/// Each call of the body yields another number.
#[cache_result(ttl = 60)]
async fn ticket(id: u64) -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed) * 1000 + id
}

#[cache_invalidate(|user| [ticket(user.id), ticket(user.friend)], |_| ticket(also))]
async fn create(id: Option<u64>, also: u64) -> Result<Option<User>, Failure> {
    match id {
        Some(0) => Err(Failure::Own),
        id => Ok(id.map(|id| User { id, friend: id + 1 })),
    }
}

#[cache_invalidate(|id| ticket(*id))]
async fn touch(id: u64) -> u64 {
    id
}

#[tokio::test]
async fn the_value_says_which_entries_are_removed() {
    scope(Cache::memory(), async {
        let mut before = Vec::new();
        for id in 1..=4 {
            before.push(ticket(id).await);
        }
        create(Some(1), 4).await.unwrap();
        assert_ne!(ticket(1).await, before[0]);
        assert_ne!(ticket(2).await, before[1]);
        assert_eq!(ticket(3).await, before[2]);
        assert_ne!(ticket(4).await, before[3]);
        touch(3).await;
        assert_ne!(ticket(3).await, before[2]);
    })
    .await;
}

#[tokio::test]
async fn without_a_value_nothing_is_learned_from_it() {
    scope(Cache::memory(), async {
        let before = ticket(4).await;
        assert!(create(None, 4).await.unwrap().is_none());
        assert!(matches!(create(Some(0), 4).await, Err(Failure::Own)));
        assert_eq!(ticket(4).await, before);
    })
    .await;
}

#[cache_invalidate(ticket(id), on_error = "fail")]
async fn rename(id: u64) -> Result<u64, Failure> {
    Ok(id)
}

#[cache_invalidate(ticket(id), on_error = "fail")]
fn rename_now(id: u64) -> Result<u64, Failure> {
    Ok(id)
}

#[cache_invalidate(ticket(id))]
async fn rename_anyway(id: u64) -> Result<u64, Failure> {
    Ok(id)
}

struct Unserialisable;

impl serde::Serialize for Unserialisable {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("no"))
    }
}

#[cache_invalidate(pattern = "*:{which}", on_error = "fail")]
async fn names_nothing(which: Unserialisable) -> Result<(), Failure> {
    let _ = which;
    Ok(())
}

#[tokio::test]
async fn an_invalidation_that_fails_is_returned_where_the_function_says_so() {
    let server = RedisServer::start();
    let cache = Cache::connect(&server.url()).await.unwrap();
    scope(cache, async {
        assert_eq!(rename(1).await.unwrap(), 1);
        assert_eq!(rename_now(1).unwrap(), 1);
        drop(server);
        for outcome in [rename(1).await, rename_now(1)] {
            let Err(Failure::Cache(error)) = outcome else { panic!("{outcome:?}") };
            assert!(error.to_string().contains("ticket:1"), "{error}");
        }
        assert_eq!(rename_anyway(1).await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_named_is_not_passed_over() {
    scope(Cache::memory(), async {
        let outcome = names_nothing(Unserialisable).await;
        let Err(Failure::Cache(error)) = outcome else { panic!("{outcome:?}") };
        assert_eq!(error.kind(), ErrorKind::Key);
    })
    .await;
}

#[cache_result(ttl = 60)]
fn half(n: u64) -> Option<u64> {
    n.is_multiple_of(2).then_some(n / 2)
}

#[tokio::test]
async fn fetch_gives_the_value_and_where_it_came_from() {
    scope(Cache::memory(), async {
        let first = ticket::fetch(7).await;
        assert_eq!(first.source, Source::Loaded);
        assert_eq!(ticket::fetch(7).await.value, first.value);
        assert_eq!(half::fetch(8).value, Some(4));
    })
    .await;
}

/// A body that was not let to its end may have written.
#[tokio::test]
async fn a_writer_that_goes_away_or_panics_invalidates() {
    #[cache_invalidate(ticket(id))]
    async fn writes(id: u64, ending: &str) {
        match ending {
            "panic" => panic!("written, and then"),
            _ => std::future::pending().await,
        }
    }

    patient::on_each_store(async |cache| {
        for ending in ["dropped", "panic"] {
            scope(cache.clone(), async {
                let old = ticket(9).await;
                let writing = tokio::spawn(scope(cache.clone(), writes(9, ending)));
                tokio::task::yield_now().await;
                tokio::task::yield_now().await;
                writing.abort();
                assert!(writing.await.is_err(), "{ending}");
                eventually(LONG, async || ticket::peek(9).await.unwrap().is_none()).await;
                assert_ne!(ticket(9).await, old, "{ending}");
            })
            .await;
        }
    })
    .await;
}
