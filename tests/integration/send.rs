//! Every future that the library hands out can be spawned where the user's own types can: the functions,
//! each verb of each companion, every method of a cache. (The example `axum_api` has them in a server's
//! handlers.) Arguments, values and errors here can be sent to another thread, and not be shared by two.

use std::cell::Cell;
use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use cached_runtime::{Cache, Credentials, Source, cache_invalidate, cache_result, scope};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// May be sent, and not be shared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Unshared(Cell<u32>);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Refused(Cell<u32>);

impl Eq for Unshared {}

impl Hash for Unshared {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.get().hash(state);
    }
}

fn unshared(n: u32) -> Unshared {
    Unshared(Cell::new(n))
}

/// As a user's program would.
async fn spawned<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    tokio::spawn(scope(Cache::memory(), future)).await.unwrap()
}

/// A body that is worth being cached waits for something, with what it has.
async fn next(n: Unshared) -> Unshared {
    tokio::task::yield_now().await;
    unshared(n.0.get() + 1)
}

#[cache_result(ttl = 60)]
async fn free(n: Unshared) -> Unshared {
    next(n).await
}

#[cache_result(
    ttl = 60,
    tags = ["numbers"],
    err_ttl = "1s",
    none_ttl = "1s",
    stale_while_revalidate = "1m",
    cache_if = |value| value.0.get() > 0
)]
async fn fallible(n: Unshared) -> Result<Option<Unshared>, Refused> {
    if n.0.get() == 0 { Err(Refused(n.0)) } else { Ok(Some(next(n).await)) }
}

#[cache_result(ttl = 60)]
async fn generic<T: Serialize + DeserializeOwned + Send>(value: T) -> T {
    tokio::task::yield_now().await;
    value
}

#[cache_result(ttl = 60, local)]
async fn near(n: u32) -> u32 {
    next(unshared(n)).await.0.get()
}

#[cache_result(ttl = 60, batch = keys)]
async fn batch<K: Serialize + Clone + Eq + Hash + Send>(
    keys: Vec<K>,
    add: Unshared,
) -> HashMap<K, Unshared> {
    let value = next(add).await;
    keys.into_iter().map(|key| (key, value.clone())).collect()
}

struct Repository {
    cache: Cache,
    by: u32,
}

impl Repository {
    #[cache_result(ttl = 60, cache = self.cache, skip(self), companion)]
    async fn by_ref(&self, n: Unshared) -> Result<Unshared, Refused> {
        tokio::task::yield_now().await;
        if self.by == 0 { Err(Refused(n.0)) } else { Ok(next(n).await) }
    }

    #[cache_result(ttl = 60, cache = self.cache, skip(self), companion)]
    async fn by_arc(self: Arc<Self>, n: Unshared) -> Arc<u32> {
        Arc::new(next(n).await.0.get() + self.by)
    }

    #[cache_result(ttl = 60, cache = self.cache, skip(self), companion)]
    async fn by_value(self, n: Unshared) -> Result<Option<Arc<u32>>, Refused> {
        Ok(Some(Arc::new(next(n).await.0.get() + self.by)))
    }

    #[cache_result(ttl = 60, companion)]
    async fn associated(n: Unshared) -> Unshared {
        next(n).await
    }

    #[cache_result(ttl = 60, cache = self.cache, skip(self), companion)]
    async fn generic<T: Debug + Serialize + DeserializeOwned + Send + 'static>(
        &self,
        n: u32,
        value: T,
    ) -> Option<T> {
        next(unshared(n)).await;
        Some(value)
    }

    #[cache_invalidate(self.by_ref(n.clone()), free(n), tags = ["numbers"])]
    async fn change(&self, n: Unshared) -> Result<Unshared, Refused> {
        Ok(next(n).await)
    }
}

fn repository() -> Repository {
    Repository { cache: Cache::memory(), by: 1 }
}

#[tokio::test]
async fn functions_and_their_verbs_can_be_spawned() {
    spawned(async {
        assert_eq!(free(unshared(1)).await, unshared(2));
        assert_eq!(free::peek(unshared(1)).await.unwrap(), Some(unshared(2)));
        free::invalidate(unshared(1)).await.unwrap();
        assert_eq!(free::refresh(unshared(1)).await, unshared(2));
        assert_eq!(free::uncached(unshared(1)).await, unshared(2));
        assert_eq!(free::fetch(unshared(1)).await.source, Source::Store);
        assert_eq!(free::invalidate_all().await.unwrap(), 1);
    })
    .await;
    spawned(async {
        assert_eq!(fallible(unshared(0)).await, Err(Refused(Cell::new(0))));
        assert_eq!(fallible(unshared(1)).await, Ok(Some(unshared(2))));
        assert!(fallible::peek(unshared(1)).await.unwrap().is_some());
        fallible::invalidate(unshared(1)).await.unwrap();
        assert_eq!(fallible::refresh(unshared(1)).await, Ok(Some(unshared(2))));
        assert_eq!(fallible::uncached(unshared(0)).await, Err(Refused(Cell::new(0))));
        assert_eq!(fallible::fetch(unshared(1)).await.source, Source::Store);
        assert!(fallible::invalidate_all().await.unwrap() > 0);
    })
    .await;
    spawned(async {
        assert_eq!(generic(unshared(1)).await, unshared(1));
        assert_eq!(generic::<Unshared>::peek(unshared(1)).await.unwrap(), Some(unshared(1)));
        generic::<u32>::put(1, &1).await.unwrap();
        generic::<Unshared>::invalidate(unshared(1)).await.unwrap();
        assert_eq!(generic::<Unshared>::refresh(unshared(1)).await, unshared(1));
        assert_eq!(generic::<Unshared>::uncached(unshared(1)).await, unshared(1));
        assert_eq!(generic::<Unshared>::fetch(unshared(1)).await.source, Source::Store);
        assert_eq!(generic::<Unshared>::invalidate_all().await.unwrap(), 1);
    })
    .await;
    spawned(async {
        assert_eq!(near(1).await, 2);
        near::put(2, &3).await.unwrap();
        assert_eq!(near::peek(2).await.unwrap(), Some(3));
        near::invalidate(2).await.unwrap();
        assert_eq!((near::refresh(1).await, near::uncached(1).await), (2, 2));
        assert_eq!(near::fetch(1).await.value, 2);
        assert_eq!(near::invalidate_all().await.unwrap(), 1);
    })
    .await;
    spawned(async {
        let (keys, one) = (|| vec![unshared(1)], HashMap::from([(unshared(1), unshared(6))]));
        assert_eq!(batch(keys(), unshared(5)).await, one);
        assert_eq!(batch::<Unshared>::refresh(keys(), unshared(5)).await, one);
        assert_eq!(batch::<Unshared>::uncached(keys(), unshared(5)).await, one);
        batch::<Unshared>::invalidate(keys(), unshared(5)).await.unwrap();
        assert_eq!(batch::<Unshared>::invalidate_all().await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn methods_and_their_handles_can_be_spawned() {
    let it = Arc::new(repository());
    let of = || Arc::clone(&it);
    {
        let it = of();
        spawned(async move {
            it.by_ref(unshared(1)).await.unwrap();
            assert_eq!(it.by_ref_cache(unshared(1)).peek().await.unwrap(), Some(unshared(2)));
            // A handle that is kept: the call that it stands for may not be shared by threads.
            let handle = it.by_ref_cache(unshared(1));
            handle.invalidate().await.unwrap();
            handle.invalidate_all().await.unwrap();
            assert_eq!(handle.peek().await.unwrap(), None);
            assert_eq!(handle.refresh().await, Ok(unshared(2)));
            assert_eq!(it.by_ref_cache(unshared(1)).uncached().await, Ok(unshared(2)));
            assert_eq!(it.by_ref_cache(unshared(1)).fetch().await.source, Source::Store);
            it.change(unshared(1)).await.unwrap();
            assert_eq!(it.by_ref_cache(unshared(1)).peek().await.unwrap(), None);
        })
        .await;
    }
    {
        let it = of();
        spawned(async move {
            let again = || Arc::clone(&it).by_arc_cache(unshared(1));
            again().put(&Arc::new(7)).await.unwrap();
            assert_eq!(*Arc::clone(&it).by_arc(unshared(1)).await, 7);
            let handle = again();
            assert_eq!(handle.peek().await.unwrap(), Some(Arc::new(7)));
            handle.invalidate().await.unwrap();
            handle.invalidate_all().await.unwrap();
            assert_eq!((*handle.refresh().await, *again().uncached().await), (3, 3));
            assert_eq!(again().fetch().await.source, Source::Store);
        })
        .await;
    }
    spawned(async move {
        let cache = Cache::memory();
        let of = || Repository { cache: cache.clone(), by: 1 };
        of().by_value_cache(unshared(1)).put(&Arc::new(7)).await.unwrap();
        assert_eq!(of().by_value(unshared(1)).await, Ok(Some(Arc::new(7))));
        let handle = of().by_value_cache(unshared(1));
        assert_eq!(handle.peek().await.unwrap(), Some(Arc::new(7)));
        handle.invalidate().await.unwrap();
        handle.invalidate_all().await.unwrap();
        assert_eq!(handle.refresh().await, Ok(Some(Arc::new(3))));
        of().by_value_cache(unshared(1)).uncached().await.unwrap();
        assert_eq!(of().by_value_cache(unshared(1)).fetch().await.source, Source::Store);
    })
    .await;
    spawned(async move {
        Repository::associated(unshared(1)).await;
        let handle = Repository::associated_cache(unshared(1));
        assert_eq!(handle.peek().await.unwrap(), Some(unshared(2)));
        handle.invalidate().await.unwrap();
        handle.invalidate_all().await.unwrap();
        assert_eq!(handle.refresh().await, unshared(2));
        Repository::associated_cache(unshared(1)).uncached().await;
        Repository::associated_cache(unshared(1)).fetch().await;
    })
    .await;
    let it = of();
    spawned(async move {
        it.generic(1, unshared(1)).await.unwrap();
        let handle = it.generic_cache(1, unshared(1));
        assert_eq!(handle.peek().await.unwrap(), Some(unshared(1)));
        handle.invalidate().await.unwrap();
        handle.invalidate_all().await.unwrap();
        handle.refresh().await.unwrap();
        it.generic_cache(1, unshared(1)).uncached().await.unwrap();
        it.generic_cache(1, unshared(1)).fetch().await;
    })
    .await;
}

#[tokio::test]
async fn methods_of_a_cache_can_be_spawned() {
    spawned(async {
        let builder = Cache::builder().url("memory:");
        let credentials = || async { Ok::<_, Infallible>(Credentials::password("")) };
        let cache = builder.credentials(credentials).build().await.unwrap();
        let cache_too = Cache::connect("memory:").await.unwrap();
        let minute = Duration::from_secs(60);
        let load = || async { Ok::<_, Refused>(next(unshared(1)).await) };
        assert_eq!(cache.get_or_load("one", minute, load).await, Ok(unshared(2)));
        assert_eq!(cache.get::<Unshared>("one").await.unwrap(), Some(unshared(2)));
        cache.set("two", &2, minute).await.unwrap();
        assert!(cache.remove("two").await.unwrap());
        assert_eq!(cache.invalidate_key("one").await.unwrap(), 1);
        cache.invalidate_pattern("*").await.unwrap();
        cache.invalidate_tag("numbers").await.unwrap();
        cache.invalidate_tags(["numbers", "all"]).await.unwrap();
        cache.invalidate_global(cache.invalidate_tag("numbers")).await.unwrap();
        cache.clear().await.unwrap();
        scope(cache.clone(), free(unshared(1))).await;
        cache.shutdown().await;
        cache_too.shutdown().await;
    })
    .await;
}
