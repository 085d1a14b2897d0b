//! The control: the cache as it is mostly written, on the same server, with the same bodies. It
//! breaks the promise, and the check must see that, or the run was too gentle to show anything.

use std::collections::HashMap;

use redis::aio::MultiplexedConnection;
use redis::{Client, Cmd, FromRedisValue, RedisError, RedisResult, cmd};

use crate::database::{self, Row};
use crate::history::Source;

const TTL_MILLIS: u64 = 300;

/// Looks, loads, stores; invalidates by deleting. Nothing else.
pub(crate) struct Naive {
    /// Addresses to begin with.
    seeds: Vec<String>,
    /// Where a cluster said that a row's entry is.
    homes: HashMap<u8, String>,
    connections: HashMap<String, MultiplexedConnection>,
}

/// So often it goes where a cluster sends it.
const HOPS: usize = 4;

impl Naive {
    pub(crate) fn new(url: &str) -> Self {
        let seeds = match url.strip_prefix("redis+cluster://") {
            Some(hosts) => hosts.split(',').map(|host| format!("redis://{host}")).collect(),
            None => vec![url.to_owned()],
        };
        Self { seeds, homes: HashMap::new(), connections: HashMap::new() }
    }

    pub(crate) async fn read(&mut self, row: u8) -> (Row, Source) {
        match self.ask::<Option<String>>(row, cmd("GET").arg(key(row))).await {
            Ok(Some(text)) => match parse(row, &text) {
                Some(row) => (row, Source::Store),
                None => panic!("{text:?} is no row"),
            },
            Ok(None) => {
                let row = database::load(row).await;
                let text = format!("{} {}", row.version, row.started);
                let mut store = cmd("SET");
                store.arg(key(row.row)).arg(text).arg("PX").arg(TTL_MILLIS);
                // Where that fails it is the next reader's to load.
                let _ = self.ask::<()>(row.row, &store).await;
                (row, Source::Loaded)
            }
            Err(_) => (database::load(row).await, Source::Bypass),
        }
    }

    pub(crate) async fn invalidate(&mut self, row: u8) -> Result<(), RedisError> {
        self.ask(row, cmd("DEL").arg(key(row))).await
    }

    /// Goes to another server where it is sent there.
    async fn ask<T: FromRedisValue>(&mut self, row: u8, command: &Cmd) -> RedisResult<T> {
        for _ in 1..HOPS {
            match self.ask_once(row, command).await {
                Err(error) => match error.redirect_node() {
                    Some((address, _)) => {
                        self.homes.insert(row, format!("redis://{address}"));
                    }
                    None => {
                        self.homes.remove(&row);
                        return Err(error);
                    }
                },
                answer => return answer,
            }
        }
        self.ask_once(row, command).await
    }

    /// Connects where there is no connection, and forgets one that fails.
    async fn ask_once<T: FromRedisValue>(&mut self, row: u8, command: &Cmd) -> RedisResult<T> {
        let url = self.homes.get(&row).or_else(|| fastrand::choice(&self.seeds));
        let url = url.expect("an address").clone();
        let mut connection = match self.connections.remove(&url) {
            Some(connection) => connection,
            None => Client::open(&url[..])?.get_multiplexed_async_connection().await?,
        };
        let answer = command.query_async(&mut connection).await?;
        self.connections.insert(url, connection);
        Ok(answer)
    }
}

fn key(row: u8) -> String {
    format!("naive:{row}")
}

fn parse(row: u8, text: &str) -> Option<Row> {
    let (version, started) = text.split_once(' ')?;
    Some(Row { row, version: version.parse().ok()?, started: started.parse().ok()? })
}
