//! What is cached: rows with a version, on a server of their own that is never disturbed.

use std::sync::OnceLock;
use std::time::Duration;

use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use crate::clock;

static DATABASE: OnceLock<(MultiplexedConnection, Handle)> = OnceLock::new();

/// A row, as it was at some time between `started` and the end of the body that read it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) row: u8,
    pub(crate) version: u64,
    /// When the body started.
    pub(crate) started: u64,
}

/// Connects this process.
pub(crate) async fn connect(url: &str) {
    // A halted process must not take its own pause for the database's failure.
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let client = redis::Client::open(url).expect("the database's address");
    let connection = client.get_multiplexed_async_connection_with_config(&config).await;
    let database = (connection.expect("the database"), Handle::current());
    assert!(DATABASE.set(database).is_ok(), "connected twice");
}

/// The body of every function: it takes up to 30 ms, some of them before the row is read and some
/// after, so that it overlaps invalidations, and outlives leases.
pub(crate) async fn load(row: u8) -> Row {
    let started = clock::now();
    pause(15).await;
    let version = ask("GET", row).await.unwrap_or(0);
    pause(15).await;
    Row { row, version, started }
}

/// [`load`] on a thread that may be blocked.
pub(crate) fn load_blocking(row: u8) -> Row {
    DATABASE.get().expect("a connection").1.block_on(load(row))
}

/// Gives the row its next version.
pub(crate) async fn write(row: u8) -> u64 {
    ask("INCR", row).await.expect("a number")
}

async fn ask(command: &str, row: u8) -> Option<u64> {
    let mut connection = DATABASE.get().expect("a connection").0.clone();
    let mut command = redis::cmd(command);
    command.arg(format!("db:{row}"));
    command.query_async(&mut connection).await.expect("the database to answer")
}

/// Work: a pause of random length, shorter ones more often.
async fn pause(most_millis: u64) {
    let micros = fastrand::f64().powi(2) * 1e3;
    tokio::time::sleep(Duration::from_micros(micros as u64 * most_millis)).await;
}
