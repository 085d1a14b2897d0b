//! What stays in memory is cloned for each caller, and used by all threads.
#![allow(unused)]

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use cached_runtime::cache_result;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct NotClone(u64);

#[derive(Clone, Serialize, Deserialize)]
struct NotSync(Cell<u64>);

#[derive(Clone)]
struct NotSend(Rc<u64>);

impl Serialize for NotSend {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        u64::serialize(&self.0, to)
    }
}

impl<'de> Deserialize<'de> for NotSend {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        u64::deserialize(from).map(|id| Self(Rc::new(id)))
    }
}

#[cache_result(ttl = 60, local)]
async fn by_value(id: u64) -> NotClone {
    NotClone(id)
}

#[cache_result(ttl = 60, local = 5)]
async fn inside(id: u64) -> Result<Option<NotClone>, String> {
    Ok(Some(NotClone(id)))
}

#[cache_result(ttl = 60, local)]
fn not_send(id: u64) -> Option<NotSend> {
    Some(NotSend(Rc::new(id)))
}

#[cache_result(ttl = 60, local)]
async fn not_sync(id: u64) -> NotSync {
    NotSync(Cell::new(id))
}

#[cache_result(ttl = 60, local(ttl = 5))]
fn not_sync_in_an_arc(id: u64) -> Arc<NotSync> {
    Arc::new(NotSync(Cell::new(id)))
}

struct Repo;

impl Repo {
    #[cache_result(ttl = 60, skip(self), local, companion)]
    async fn method(&self, id: u64) -> NotClone {
        NotClone(id)
    }
}

#[cache_result(ttl = 60, local)]
async fn generic<T: Serialize + serde::de::DeserializeOwned>(value: T) -> T {
    value
}

#[cache_result(ttl = 60, local = id)]
async fn no_duration(id: u64) -> u64 {
    id
}

fn main() {}
