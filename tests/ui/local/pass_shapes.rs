// Whatever a function looks like, its values can stay in memory; generated code causes no lint.
#![deny(warnings, unused, rust_2018_idioms, unused_qualifications)]

use std::error::Error;
use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use cached_runtime::{Cache, Fetched, MessagePack, cache_result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
struct User {
    id: u64,
}

#[derive(Serialize, Deserialize)]
struct NotClone {
    id: u64,
}

impl User {
    fn is_complete(&self) -> bool {
        self.id > 0
    }
}

#[cache_result(ttl = 60, local)]
async fn plain(id: u64) -> User {
    User { id }
}

#[cache_result(ttl = 60, local = 5)]
async fn optional(id: u64) -> Option<User> {
    Some(User { id })
}

#[cache_result(ttl = 60, local = 0.25)]
async fn fallible(id: u64) -> Result<User, String> {
    Ok(User { id })
}

#[cache_result(ttl = 60, local = "5s")]
async fn both(id: u64) -> Result<Option<User>, String> {
    Ok(Some(User { id }))
}

// What is counted is not cloned.
#[cache_result(ttl = 60, local)]
async fn counted(id: u64) -> Arc<NotClone> {
    Arc::new(NotClone { id })
}

#[cache_result(ttl = 60, local(ttl = "5s"))]
async fn counted_inside(id: u64) -> Result<Option<Arc<NotClone>>, String> {
    Ok(Some(Arc::new(NotClone { id })))
}

type Counted = Result<Arc<NotClone>, String>;

#[cache_result(ttl = 60, local(ttl = 5,))]
async fn by_an_alias(id: u64) -> Counted {
    Ok(Arc::new(NotClone { id }))
}

const SHORT: Duration = Duration::from_secs(5);

#[cache_result(ttl = 60, local = SHORT)]
fn blocking(id: u64) -> Option<User> {
    (id > 0).then_some(User { id })
}

#[cache_result(ttl = 60, local(ttl = *short))]
fn blocking_and_borrowed<'a>(name: &'a str, short: &Duration) -> Result<String, Box<dyn Error>> {
    Ok(format!("{name} {short:?}"))
}

#[cache_result(ttl = 60, local = Duration::from_secs(id))]
async fn borrowed(id: u64, name: &str) -> Result<String, String> {
    Ok(format!("{id} {name}"))
}

// The names of generated code are its own.
#[cache_result(ttl = 60, local, skip(local))]
async fn names(entry: u64, found: u64, local: u64) -> u64 {
    entry + found + local
}

// A body may return early, and use its arguments up.
#[cache_result(ttl = 60, local)]
async fn returning(name: String) -> Result<String, std::num::ParseIntError> {
    if name.is_empty() {
        return Ok(name);
    }
    let number: u64 = name.parse()?;
    Ok(format!("{number}{name}"))
}

// An error that cannot be sent does not keep the future from being sent.
#[cache_result(ttl = 60, local)]
async fn an_error_that_stays(id: u64) -> Result<u64, Box<dyn Error>> {
    Ok(id)
}

#[cache_result(ttl = 60, local)]
async fn generic<T>(value: T) -> T
where
    T: Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    value
}

#[cache_result(ttl = 60, local, stale_while_revalidate = 5, skip(more))]
async fn generic_and_owned<T: Clone + Serialize + DeserializeOwned + Send + Sync + 'static>(
    value: T,
    more: impl Display + Send + 'static,
) -> Result<Option<T>, String> {
    if more.to_string().is_empty() { Err("nothing".into()) } else { Ok(Some(value)) }
}

#[cache_result(ttl = 60, local)]
async fn opaque(name: impl Display + Serialize) -> String {
    name.to_string()
}

#[cache_result(ttl = 60, local)]
fn future(id: u64) -> impl Future<Output = Arc<NotClone>> + Send {
    async move { Arc::new(NotClone { id }) }
}

#[cache_result(ttl = 60, local = 5, refresh_ahead = 0.5)]
fn boxed(id: u64) -> Pin<Box<dyn Future<Output = Option<User>> + Send>> {
    Box::pin(async move { Some(User { id }) })
}

#[cache_result(ttl = |user| Duration::from_secs(user.id), cache_if = User::is_complete, local)]
async fn closures(id: u64) -> User {
    User { id }
}

#[cache_result(
    ttl = "5m",
    key = "{id}:{name}",
    name = "everything",
    tags = ["user:{id}", "users"],
    invalidate_all,
    local = "5s",
    stale_while_revalidate = "5m",
    stale_if_error = "1h",
    refresh_ahead = 0.8,
    early_refresh,
    soft_timeout = "100ms",
    load_timeout = 2,
    jitter = 0.1,
    cache_if = User::is_complete,
    none_ttl = 5,
    err_ttl = 1,
    single_flight = "process",
    codec = MessagePack,
    compress = 4096,
    cache = cache,
    crate = cached_runtime
)]
async fn everything(cache: Cache, id: u64, name: String) -> Result<Option<User>, Failure> {
    let _ = (cache, name);
    Ok(Some(User { id }))
}

#[derive(Clone, Serialize, Deserialize)]
struct Failure(String);

impl From<cached_runtime::Error> for Failure {
    fn from(error: cached_runtime::Error) -> Self {
        Self(error.to_string())
    }
}

struct Repo<T> {
    cache: Cache,
    short: Duration,
    tenant: T,
}

impl<T: Serialize + Send + Sync> Repo<T> {
    #[cache_result(ttl = 60, skip(self), local)]
    async fn find(&self, id: u64) -> Result<User, String> {
        Ok(User { id })
    }

    #[cache_result(ttl = 60, key = "{self.tenant}:{id}", cache = self.cache, local = self.short, companion)]
    async fn with_handle(&self, id: &str) -> Result<Option<Arc<String>>, Box<dyn Error>> {
        Ok(Some(Arc::new(id.to_owned())))
    }

    #[cache_result(ttl = 60, skip(self), local, companion)]
    fn now(&self, id: u64) -> u64 {
        id
    }

    #[cache_result(ttl = 60, skip(self), local, stale_while_revalidate = 5)]
    async fn by_arc(self: Arc<Self>, id: u64) -> u64 {
        id
    }

    #[cache_result(ttl = 60, local, companion = false)]
    async fn associated(id: u64) -> u64 {
        id
    }
}

#[async_trait::async_trait]
trait Find {
    async fn find_boxed(&self, id: u64, name: &str) -> Result<String, String>;

    #[cache_result(ttl = 60, skip(self), local)]
    async fn provided(&self, id: u64) -> u64 {
        id
    }
}

#[async_trait::async_trait]
impl Find for Repo<u64> {
    #[cache_result(ttl = 60, skip(self), local = "5s")]
    async fn find_boxed(&self, id: u64, name: &str) -> Result<String, String> {
        Ok(format!("{id}{name}"))
    }
}

fn sendable<F: Future + Send>(future: F) -> F {
    future
}

async fn calls(cache: Cache) -> Result<(), cached_runtime::Error> {
    let _ = (sendable(plain(1)).await.id, sendable(optional(1)).await, fallible(1).await.is_ok());
    let _ = (both(1).await.is_ok(), counted(1).await.id, counted_inside(1).await.is_ok());
    let _ = (by_an_alias(1).await.is_ok(), blocking(1), blocking_and_borrowed("a", &SHORT).is_ok());
    let _ = (sendable(borrowed(1, "a")).await, names(1, 2, 3).await, returning("1".into()).await);
    let _ = (sendable(an_error_that_stays(1)).await.is_ok(), sendable(generic(1_u8)).await);
    let _ = (sendable(generic_and_owned(1, 2)).await, opaque("a").await, future(1).await.id);
    let _ = (boxed(1).await, closures(1).await.id);
    let _ = sendable(everything(cache.clone(), 1, "a".into())).await.is_ok();

    let repo = Arc::new(Repo { cache, short: SHORT, tenant: 1_u64 });
    let _ = (sendable(repo.find(1)).await.is_ok(), sendable(repo.with_handle("a")).await.is_ok());
    let _ = (repo.now(1), repo.clone().by_arc(1).await, Repo::<u64>::associated(1).await);
    let _ = (repo.find_boxed(1, "a").await, repo.provided(1).await);

    plain::invalidate(1).await?;
    plain::put(1, &User { id: 1 }).await?;
    let _: Option<User> = plain::peek(1).await?;
    let _: Option<Arc<NotClone>> = counted::peek(1).await?;
    let _: Fetched<Arc<NotClone>> = counted::fetch(1).await;
    let _ = (plain::refresh(1).await, plain::uncached(1).await, plain::invalidate_all().await?);
    repo.now_cache(1).invalidate()?;
    let _ = repo.with_handle_cache("a").fetch().await.age;
    Ok(())
}

fn main() {
    drop(calls(Cache::memory()));
}
