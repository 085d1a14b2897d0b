//! Batches of all shapes; their futures are `Send` where the functions' own would be.

#![deny(warnings)]

use std::collections::{BTreeMap, HashMap};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use cached_runtime::{Cache, cache_invalidate, cache_result};
use serde::Serialize;
use serde::de::DeserializeOwned;

#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
struct Id {
    tenant: String,
    number: u64,
}

type Rows<K, E> = Result<HashMap<K, String>, E>;

/// An alias of a map in a `Result`, whose error is not `Send`.
#[cache_result(ttl = 60, batch = ids, key = "{ids.tenant}:{ids.number}", tags = ["t:{ids.tenant}"])]
async fn structs(ids: &[Id]) -> Rows<Id, Rc<String>> {
    if ids.is_empty() {
        return Err(Rc::new(String::new()));
    }
    Ok(ids.iter().map(|id| (id.clone(), id.tenant.clone())).collect())
}

#[cache_result(ttl = |value: &usize| Duration::from_secs(*value as u64), batch = words)]
async fn borrowed<'a>(words: &'a [&'a str]) -> Vec<(&'a str, usize)> {
    words.iter().map(|word| (*word, word.len())).collect()
}

#[cache_result(ttl = Duration::from_secs(factor), skip(log, factor), batch = ids, jitter = 0.1, cache_if = |v| *v > 1)]
async fn owned(
    mut log: Vec<u64>,
    factor: u64,
    mut ids: Vec<u64>,
    (a, _b): (u8, u8),
) -> BTreeMap<u64, u64> {
    ids.dedup();
    log.extend(&ids);
    log.into_iter().map(|id| (id, id * factor + u64::from(a))).collect()
}

#[cache_result(ttl = 60, skip(f), batch = ids, single_flight = "process")]
async fn generic<'a, K, T, const N: usize>(f: &(dyn Fn(&K) -> T + Sync), ids: &'a Vec<K>) -> Result<HashMap<K, T>, String>
where
    K: Clone + Eq + std::hash::Hash + Serialize + Send + Sync,
    T: Serialize + DeserializeOwned + Send,
{
    Ok(ids.iter().take(N).map(|id| (id.clone(), f(id))).collect())
}

#[cache_result(ttl = 60, batch = ids)]
fn future(ids: Vec<u64>) -> impl Future<Output = HashMap<u64, u64>> + Send {
    async move { ids.into_iter().map(|id| (id, id)).collect() }
}

#[cache_result(ttl = 60, batch = ids)]
fn boxed<'a>(ids: &'a [u64]) -> Pin<Box<dyn Future<Output = HashMap<u64, u64>> + Send + 'a>> {
    Box::pin(async move { ids.iter().map(|id| (*id, *id)).collect() })
}

#[cache_result(ttl = 60, batch = ids)]
fn blocking(ids: &[u64]) -> Result<HashMap<u64, u64>, String> {
    if ids.is_empty() {
        return Err(String::new());
    }
    Ok(ids.iter().map(|id| (*id, *id)).collect())
}

trait Repository {
    fn rows(&self, ids: &[u64]) -> impl Future<Output = HashMap<u64, u64>> + Send;
}

struct Repo<T> {
    cache: Cache,
    one: T,
}

impl<T: Copy + Into<u64> + Sync> Repository for Repo<T> {
    #[cache_result(ttl = 60, skip(self), cache = self.cache, batch = ids)]
    async fn rows(&self, ids: &[u64]) -> HashMap<u64, u64> {
        ids.iter().map(|id| (*id, *id + self.one.into())).collect()
    }
}

impl<T: Copy + Into<u64> + Sync> Repo<T> {
    #[cache_result(ttl = 60, batch = ids, companion = false)]
    async fn associated(ids: &[u64]) -> HashMap<u64, u64> {
        ids.iter().map(|id| (*id, *id)).collect()
    }
}

#[cache_invalidate(structs(&ids), borrowed(&["a"]))]
async fn write(ids: Vec<Id>) {
    drop(ids);
}

fn is_send<T: Send>(future: T) -> T {
    future
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), cached_runtime::Error> {
    Cache::memory().install()?;
    let ids = [1, 2].map(|number| Id { tenant: "a".to_owned(), number });
    for _ in 0..2 {
        assert_eq!(is_send(structs(&ids)).await.unwrap().len(), 2);
        assert_eq!(is_send(borrowed(&["one", "three"])).await, [("one", 3), ("three", 5)]);
        let all = is_send(owned(vec![7], 10, vec![1, 2, 2], (1, 2))).await;
        assert_eq!(all, BTreeMap::from([(1, 11), (2, 21)]), "what was not asked for is left out");
        let twice = |id: &u64| id * 2;
        let all = is_send(generic::<u64, u64, 5>(&twice, &vec![1, 2])).await.unwrap();
        assert_eq!(all, HashMap::from([(1, 2), (2, 4)]));
        assert_eq!(is_send(future(vec![1])).await[&1], 1);
        assert_eq!(is_send(boxed(&[1])).await[&1], 1);
        assert_eq!(blocking(&[1]).unwrap()[&1], 1);
        let repo = Repo { cache: Cache::memory(), one: 1_u8 };
        assert_eq!(is_send(repo.rows(&[1])).await[&1], 2);
        assert_eq!(is_send(Repo::<u8>::associated(&[1])).await[&1], 1);
    }
    assert_eq!(structs::stats().hits(), 2);
    is_send(write(ids.to_vec())).await;
    is_send(structs::invalidate(&ids)).await?;
    is_send(structs::refresh(&ids)).await.unwrap();
    is_send(structs::invalidate_all()).await?;
    is_send(owned::uncached(vec![], 1, vec![], (0, 0))).await;
    blocking::invalidate(&[1])?;
    generic::<u64, u64, 5>::invalidate(&vec![1]).await?;
    Ok(())
}
