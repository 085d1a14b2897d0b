//! The control: the cache as it is mostly written, on the same server, with the same bodies. It
//! breaks the promise, and the check must see that, or the run was too gentle to show anything.

use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue, RedisError, RedisResult, cmd};

use crate::database::{self, Row};
use crate::history::Source;

const TTL_MILLIS: u64 = 300;

/// Looks, loads, stores; invalidates by deleting. Nothing else.
pub(crate) struct Naive {
    client: redis::Client,
    connection: Option<MultiplexedConnection>,
}

impl Naive {
    pub(crate) fn new(url: &str) -> Self {
        Self { client: redis::Client::open(url).expect("the server's address"), connection: None }
    }

    pub(crate) async fn read(&mut self, row: u8) -> (Row, Source) {
        match self.ask::<Option<String>>(cmd("GET").arg(key(row))).await {
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
                let _ = self.ask::<()>(&store).await;
                (row, Source::Loaded)
            }
            Err(_) => (database::load(row).await, Source::Bypass),
        }
    }

    pub(crate) async fn invalidate(&mut self, row: u8) -> Result<(), RedisError> {
        self.ask(cmd("DEL").arg(key(row))).await
    }

    /// Connects where there is no connection, and forgets one that fails.
    async fn ask<T: FromRedisValue>(&mut self, command: &Cmd) -> RedisResult<T> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.client.get_multiplexed_async_connection().await?,
        };
        let answer = command.query_async(&mut connection).await?;
        self.connection = Some(connection);
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
