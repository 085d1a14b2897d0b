//! Many keys at once: one trip to the cache for all, one query for those that are missing.
//!
//! ```text
//! cargo run -p cached-examples --example batch
//! REDIS_URL=redis://127.0.0.1:6379 cargo run -p cached-examples --example batch
//! ```

#![allow(clippy::print_stdout, reason = "an example speaks to its reader")]

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use cached_runtime::{cache_invalidate, cache_result};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
struct User {
    id: u64,
    name: String,
}

/// Stands for a table of users 1 to 9, and keeps the queries that it answered.
#[derive(Default)]
struct Database {
    queries: Mutex<Vec<String>>,
    renames: AtomicU32,
}

impl Database {
    fn select(&self, ids: &[u64]) -> Vec<User> {
        if let Ok(mut queries) = self.queries.lock() {
            queries.push(format!("WHERE id IN {ids:?}"));
        }
        let renames = self.renames.load(Ordering::Relaxed);
        let known = ids.iter().filter(|id| (1..10).contains(*id));
        known.map(|&id| User { id, name: format!("user {id}, name {renames}") }).collect()
    }

    fn queries(&self) -> String {
        let queries = self.queries.lock().map(|mut queries| std::mem::take(&mut *queries));
        let queries = queries.unwrap_or_default();
        if queries.is_empty() { "no query".to_owned() } else { queries.join(" and ") }
    }
}

/// Each user has an entry of its own. The body gets only the ids that are missing, each once, in
/// their order; an id that the map does not have is one without a user, which `none_ttl` keeps
/// from being asked for again.
#[cache_result(ttl = "5m", none_ttl = 30, name = "user", skip(db), batch = ids)]
async fn get_users(db: &Database, ids: &[u64]) -> anyhow::Result<HashMap<u64, User>> {
    Ok(db.select(ids).into_iter().map(|user| (user.id, user)).collect())
}

/// Under the same `name`: the same entries, one at a time.
#[cache_result(ttl = "5m", none_ttl = 30, name = "user", skip(db))]
async fn get_user(db: &Database, id: u64) -> anyhow::Result<Option<User>> {
    Ok(db.select(&[id]).pop())
}

/// Writes several, and removes their entries in one command.
#[cache_invalidate(get_users(ids))]
async fn rename(db: &Database, ids: &[u64]) {
    db.renames.fetch_add(1, Ordering::Relaxed);
    println!("rename({ids:?})");
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    println!("Values live in {:?}\n", cached_runtime::global());
    get_users::invalidate_all().await?; // what an earlier run may have left in Redis

    let db = Database::default();
    many(&db, &[1, 2, 3]).await?;
    many(&db, &[4, 3, 2, 5, 4]).await?;
    one(&db, 5).await?;
    one(&db, 6).await?;
    many(&db, &[6, 7]).await?;
    rename(&db, &[2, 6]).await;
    many(&db, &[1, 2, 5, 6]).await?;
    many(&db, &[42, 1]).await?;
    one(&db, 42).await?;

    println!("\n{}", cached_runtime::global().stats());
    Ok(())
}

async fn many(db: &Database, ids: &[u64]) -> anyhow::Result<()> {
    let users = get_users(db, ids).await?;
    println!("get_users({ids:?}) found {} <- {}", users.len(), db.queries());
    Ok(())
}

async fn one(db: &Database, id: u64) -> anyhow::Result<()> {
    let user = get_user(db, id).await?;
    println!("get_user({id}) found {} <- {}", u8::from(user.is_some()), db.queries());
    Ok(())
}
