//! Cached queries on a real database, and three ways to tell the cache of a change.
//!
//! ```text
//! cargo run -p cached-examples --example users
//! REDIS_URL=redis://127.0.0.1:6379 cargo run -p cached-examples --example users
//! ```
//!
//! The database is an SQLite file in the directory for temporary files, made and removed here.
//! Each line of the output says whether SQLite was asked or the cache had the answer.

#![allow(clippy::print_stdout, reason = "an example speaks to its reader")]

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};

use cached_runtime::{Cache, cache_invalidate, cache_result};
use serde::{Deserialize, Serialize};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

/// A pool that counts its SELECTs, so that the output can say who answered.
struct Database {
    pool: SqlitePool,
    selects: AtomicU64,
}

#[derive(Debug, Serialize, Deserialize)]
struct User {
    id: i64,
    name: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Order {
    id: i64,
    product: String,
}

/// `skip(db)`: the connection says nothing about the result and is no part of the key.
#[cache_result(ttl = "5m", skip(db))]
async fn get_user(db: &Database, id: i64) -> Result<User, sqlx::Error> {
    db.selects.fetch_add(1, Ordering::Relaxed);
    let row = sqlx::query_as("SELECT id, name FROM users WHERE id = ?");
    let (id, name) = row.bind(id).fetch_one(&db.pool).await?;
    Ok(User { id, name })
}

#[cache_result(ttl = "5m", skip(db))]
async fn get_user_orders(db: &Database, id: i64) -> Result<Vec<Order>, sqlx::Error> {
    db.selects.fetch_add(1, Ordering::Relaxed);
    let rows = sqlx::query_as("SELECT id, product FROM orders WHERE user_id = ? ORDER BY id");
    let rows: Vec<(i64, String)> = rows.bind(id).fetch_all(&db.pool).await?;
    Ok(rows.into_iter().map(|(id, product)| Order { id, product }).collect())
}

/// Once this has returned `Ok`, nobody is served the old name any more.
#[cache_invalidate(get_user(id))]
async fn update_user(db: &Database, id: i64, name: &str) -> Result<(), sqlx::Error> {
    let update = sqlx::query("UPDATE users SET name = ? WHERE id = ?");
    update.bind(name).bind(id).execute(&db.pool).await?;
    Ok(())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // A namespace of its own keeps these keys apart from all others on the same server.
    let cache = Cache::builder().namespace("example-users").build().await?;
    cache.install()?;
    cache.clear().await?; // what an earlier run may have left in Redis

    let path = std::env::temp_dir().join(format!("cached-users-{}.sqlite", std::process::id()));
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let db =
        Database { pool: SqlitePool::connect_with(options).await?, selects: AtomicU64::new(0) };
    println!("Values live in {cache:?}\nThe database is {}\n", path.display());
    let shown = show(&db, &cache).await;
    db.pool.close().await;
    std::fs::remove_file(&path)?;
    shown
}

async fn show(db: &Database, cache: &Cache) -> anyhow::Result<()> {
    fill(db).await?;

    println!("Two reads each:");
    for _ in 0..2 {
        who_answers(db, "get_user(42)", get_user(db, 42)).await?;
        who_answers(db, "get_user_orders(42)", get_user_orders(db, 42)).await?;
        who_answers(db, "get_user(7)", get_user(db, 7)).await?;
    }

    println!("\nupdate_user(42, \"Grace Hopper\"), under #[cache_invalidate(get_user(id))]:");
    update_user(db, 42, "Grace Hopper").await?;
    who_answers(db, "get_user(42)", get_user(db, 42)).await?;
    who_answers(db, "get_user(42)", get_user(db, 42)).await?;
    who_answers(db, "get_user_orders(42)", get_user_orders(db, 42)).await?;

    println!("\nAn order is inserted; get_user_orders::invalidate(42) by hand:");
    sqlx::query("INSERT INTO orders VALUES (3, 42, 'compiler')").execute(&db.pool).await?;
    get_user_orders::invalidate(42).await?;
    who_answers(db, "get_user_orders(42)", get_user_orders(db, 42)).await?;

    println!("\nEverything of user 42, by a pattern over the keys:");
    let removed = cache.invalidate_pattern("*get_user*:42").await?;
    println!("  invalidate_pattern(\"*get_user*:42\") removed {removed} entries");
    who_answers(db, "get_user(42)", get_user(db, 42)).await?;
    who_answers(db, "get_user_orders(42)", get_user_orders(db, 42)).await?;
    who_answers(db, "get_user(7)", get_user(db, 7)).await?;

    let (calls, selects) = (cache.stats().total.calls(), db.selects.load(Ordering::Relaxed));
    println!("\n{calls} calls, {selects} queries reached SQLite.\n\n{}", cache.stats());
    Ok(())
}

/// Awaits a call and prints its result, and whether a query was sent for it.
async fn who_answers<T: std::fmt::Debug>(
    db: &Database,
    call: &str,
    result: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<(), sqlx::Error> {
    let before = db.selects.load(Ordering::Relaxed);
    let value = result.await?;
    let asked = db.selects.load(Ordering::Relaxed) > before;
    let who = if asked { "SQLite" } else { "cache" };
    println!("  {call:<20} <- {who:<6}  {value:?}");
    Ok(())
}

async fn fill(db: &Database) -> Result<(), sqlx::Error> {
    for statement in [
        "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL)",
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER, product TEXT NOT NULL)",
        "INSERT INTO users VALUES (7, 'Alan'), (42, 'Grace')",
        "INSERT INTO orders VALUES (1, 42, 'keyboard'), (2, 42, 'moth')",
    ] {
        sqlx::query(statement).execute(&db.pool).await?;
    }
    Ok(())
}
