// Every shape of function, with lints as errors: generated code causes none.
#![deny(warnings, missing_docs, unused, rust_2018_idioms, unused_qualifications)]
#![deny(single_use_lifetimes, unused_lifetimes, missing_debug_implementations)]
//! The crate.

use std::borrow::Cow;
use std::fmt::{Debug, Display};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use cached_runtime::{Cache, cache_invalidate, cache_result};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Public, with a companion.
#[cache_result(ttl = 60, none_ttl = 5, err_ttl = 1, jitter = 0.1, compress, name = "find")]
pub async fn find(id: u64) -> Result<Option<Arc<String>>, String> {
    Ok(Some(Arc::new(id.to_string())))
}

/// Synchronous, with lifetimes.
#[cache_result(ttl = "5m", key = "{name}:{number}", skip(out))]
pub fn borrowed<'a>(name: &'a str, number: &u64, out: &[Cow<'a, str>]) -> String {
    format!("{name}{number}{out:?}")
}

/// Generic.
#[cache_result(ttl = Duration::from_secs(N as u64), skip(db))]
pub async fn generic<D: Sync + ?Sized, T, const N: usize>(db: &D, from: T) -> Vec<T>
where
    T: Serialize + DeserializeOwned + Clone + Send + Sync,
{
    let _ = db;
    vec![from; N]
}

/// Patterns, and conditions on arguments.
#[cache_result(ttl = |sum| Duration::from_secs(*sum), cache_if = |sum| *sum > 0)]
pub async fn patterns((a, _): (u64, u64), mut b: u64, #[cfg(any())] never: u64) -> u64 {
    b += a;
    b
}

/// Opaque arguments.
#[cache_result(ttl = 60)]
pub async fn opaque(name: impl Display + Serialize) -> String {
    name.to_string()
}

/// A future.
#[cache_result(ttl = 60)]
pub fn future(id: u64) -> impl Future<Output = u64> + Send {
    async move { id }
}

/// A boxed one.
#[cache_result(ttl = 60)]
pub fn boxed(id: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move { id })
}

/// A type.
#[derive(Debug)]
pub struct Repo<T> {
    cache: Cache,
    tenant: T,
}

impl<T: Serialize + Debug + Clone + Send + Sync> Repo<T> {
    /// A method with a handle.
    #[cache_result(ttl = 60, key = "{self.tenant}:{id}", cache = self.cache, companion)]
    pub async fn find(&self, id: &str) -> Result<String, Box<dyn std::error::Error>> {
        Ok(format!("{:?} {id}", self.tenant))
    }

    /// A synchronous one.
    #[cache_result(ttl = 60, skip(self), cache = self.cache, companion)]
    pub fn find_now(&self, id: u64) -> u64 {
        id
    }

    /// By `Arc`.
    #[cache_result(ttl = 60, skip(self))]
    pub async fn by_arc(self: Arc<Self>, id: u64) -> u64 {
        id
    }

    /// Writes.
    #[cache_invalidate(self.find(&id), self.find_now(1), pattern = "*:{id}", cache = self.cache)]
    pub async fn write(&mut self, id: String, tenant: T) -> Result<(), String> {
        self.tenant = tenant;
        drop(id);
        Ok(())
    }
}

#[allow(missing_docs)]
#[async_trait::async_trait]
pub trait Find {
    async fn find(&self, id: u64, name: &str) -> Result<String, String>;

    #[cache_result(ttl = 60, skip(self))]
    async fn provided(&self, id: u64) -> u64 {
        id
    }
}

#[async_trait::async_trait]
impl Find for Repo<u64> {
    #[cache_result(ttl = 60, skip(self))]
    async fn find(&self, id: u64, name: &str) -> Result<String, String> {
        Ok(format!("{id}{name}"))
    }
}

/// Writes and returns nothing.
#[cache_invalidate(find(id), borrowed("a", &1), key = "users:{id}")]
pub fn write(id: u64) {
    drop(id.to_string());
}

macro_rules! by_macro {
    ($name:ident, $ty:ty) => {
        /// From a macro.
        #[cache_result(ttl = 60, key = "{id}")]
        pub async fn $name(id: $ty) -> Result<Option<$ty>, String> {
            Ok(Some(id))
        }
    };
}

by_macro!(from_macro, u64);

fn main() {}
