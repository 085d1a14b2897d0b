//! What may go on without its caller, and what its caller waits for.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use cached_runtime::{Fetched, cache_result};
use serde::Serialize;
use serde::de::DeserializeOwned;

#[derive(Debug)]
struct Failure(String);

impl From<cached_runtime::Error> for Failure {
    fn from(error: cached_runtime::Error) -> Self {
        Self(error.to_string())
    }
}

fn is_short(text: &String) -> bool {
    text.len() < 100
}

struct Local(#[allow(dead_code)] Rc<u8>);

#[cache_result(
    ttl = 60,
    stale_while_revalidate = "5m",
    stale_if_error = "1h",
    refresh_ahead = 0.8,
    early_refresh,
    soft_timeout = "100ms",
    load_timeout = 2,
    single_flight = "process"
)]
async fn owned(id: u64, name: String) -> Result<Option<Arc<String>>, Failure> {
    Ok((id > 0).then(|| Arc::new(name)))
}

#[cache_result(ttl = 60, stale_while_revalidate = Duration::from_secs(id))]
async fn borrowed(id: u64, name: &str) -> Result<String, Failure> {
    Ok(format!("{id} {name}"))
}

#[cache_result(ttl = 60, refresh_ahead = 0.5)]
fn blocking(id: u64, name: String) -> Option<String> {
    (id > 0).then_some(name)
}

#[cache_result(ttl = 60, early_refresh = 2, skip(local))]
fn blocking_and_borrowed(id: u64, local: &Local) -> u64 {
    let _ = local;
    id
}

#[cache_result(
    ttl = |user: &String| Duration::from_secs(user.len() as u64),
    cache_if = is_short,
    stale_while_revalidate = 5
)]
async fn closures(id: u64) -> String {
    id.to_string()
}

#[cache_result(ttl = |_| Duration::from_secs(id), stale_while_revalidate = 5)]
async fn a_closure_over_an_argument(id: u64) -> u64 {
    id
}

#[cache_result(ttl = 60, stale_while_revalidate = 5)]
async fn generic<T: Serialize + DeserializeOwned + Send>(value: T) -> T {
    value
}

#[cache_result(ttl = 60, stale_while_revalidate = 5)]
async fn generic_and_owned<T>(value: T) -> Option<T>
where
    T: Serialize + DeserializeOwned + Send + 'static,
{
    Some(value)
}

#[cache_result(ttl = 60, stale_while_revalidate = 5, skip(f))]
async fn opaque(id: u64, f: impl Fn(u64) -> u64) -> u64 {
    f(id)
}

#[cache_result(ttl = 60, stale_while_revalidate = 5)]
fn future(id: u64) -> impl Future<Output = u64> + Send {
    async move { id }
}

#[cache_result(ttl = 60, stale_while_revalidate = 5, skip(local))]
fn local_future(id: u64, local: Rc<u8>) -> impl Future<Output = u64> {
    async move { id + u64::from(*local) }
}

#[cache_result(ttl = 60, stale_while_revalidate = 5)]
fn boxed(id: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move { id })
}

#[cache_result(ttl = 60, stale_while_revalidate = 5, skip(local))]
fn boxed_local(id: u64, local: Rc<u8>) -> Pin<Box<dyn Future<Output = u64>>> {
    Box::pin(async move { id + u64::from(*local) })
}

trait Backend {
    type Error;
    async fn find(&self, id: u64) -> Result<u64, Self::Error>;
}

struct Repo<T>(T);

impl<T: Clone + Send> Repo<T> {
    // Nothing says that `T` is `'static`, so its errors are not shared.
    #[cache_result(ttl = 60, skip(self), stale_while_revalidate = 5, companion)]
    async fn by_reference(&self, id: u64) -> Result<u64, T> {
        let _ = &self.0;
        Ok(id)
    }

    #[cache_result(ttl = 60, stale_while_revalidate = 5, companion)]
    async fn associated(id: u64) -> Result<u64, T> {
        Ok(id)
    }
}

impl Repo<u8> {
    #[cache_result(ttl = 60, skip(self), stale_while_revalidate = 5, companion)]
    async fn by_arc(self: Arc<Self>, id: u64) -> Result<u64, String> {
        Ok(id + u64::from(self.0))
    }

    #[cache_result(ttl = 60, skip(self), stale_while_revalidate = 5)]
    fn by_value(self, id: u64) -> u64 {
        id + u64::from(self.0)
    }
}

impl<E: Clone + Send> Backend for Repo<E> {
    type Error = E;

    #[cache_result(ttl = 60, skip(self))]
    async fn find(&self, id: u64) -> Result<u64, Self::Error> {
        Ok(id)
    }
}

#[cache_result(ttl = 60)]
async fn a_generic_error<E: Clone + Send>(id: u64) -> Result<u64, E> {
    Ok(id)
}

#[cache_result(ttl = 60, single_flight = "off")]
fn a_borrowed_error(text: &str) -> Result<u64, std::str::Split<'_, char>> {
    text.parse().map_err(|_| text.split(','))
}

#[async_trait::async_trait]
trait Find {
    async fn find(&self, id: u64) -> Result<u64, Failure>;
}

#[async_trait::async_trait]
impl Find for u8 {
    #[cache_result(
        ttl = 60,
        key = "{self}:{id}",
        stale_if_error = 5,
        soft_timeout = 1,
        load_timeout = 2
    )]
    async fn find(&self, id: u64) -> Result<u64, Failure> {
        Ok(id)
    }
}

fn sendable<F: Future + Send>(_: &F) {}

async fn calls() {
    let call = owned(1, "a".into());
    sendable(&call);
    let _: Fetched<Result<Option<Arc<String>>, Failure>> = owned::fetch(1, "a".into()).await;
    let _: Fetched<Option<String>> = blocking::fetch(1, "a".into());
    let _: Fetched<Result<u64, String>> = Arc::new(Repo(1_u8)).by_arc_cache(1).fetch().await;
    let _ = (borrowed(1, "a").await, blocking_and_borrowed(1, &Local(Rc::new(1))));
    let _ = (closures(1).await, a_closure_over_an_argument(1).await, generic(1).await);
    let _ = (generic_and_owned(1).await, opaque(1, |id| id).await, future(1).await);
    let _ = (boxed(1).await, local_future(1, Rc::new(1)).await, boxed_local(1, Rc::new(1)).await);
    let _ = (Repo(1).by_reference(1).await, Repo::<u8>::associated(1).await, Repo(1).by_value(1));
    let _ = (Backend::find(&Repo(1), 1).await, a_generic_error::<u8>(1).await);
    let _ = (a_borrowed_error("1").is_ok(), 1_u8.find(1).await);
}

fn main() {
    drop(calls());
}
