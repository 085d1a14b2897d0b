//! The control: a cache as it is written by hand, GET and SETEX on the redis crate's connection
//! that reconnects by itself. The matrix must find its faults.

use redis::aio::ConnectionManager;
use redis::{RedisResult, cmd};

use crate::world::{Read, World};

#[derive(Clone)]
pub(crate) struct ByHand(ConnectionManager);

impl ByHand {
    pub(crate) async fn connect(url: &str) -> Self {
        Self(ConnectionManager::new(redis::Client::open(url).unwrap()).await.unwrap())
    }

    pub(crate) async fn read(&self, world: &World, n: u64) -> RedisResult<Read> {
        let mut connection = self.0.clone();
        let found: Option<Vec<u8>> = cmd("GET").arg(key(n)).query_async(&mut connection).await?;
        if let Some(read) = found.and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
            return Ok(read);
        }
        let read = world.read(n).await;
        let bytes = serde_json::to_vec(&read).unwrap();
        cmd("SETEX").arg(key(n)).arg(60).arg(bytes).exec_async(&mut connection).await?;
        Ok(read)
    }

    pub(crate) async fn invalidate(&self, n: u64) -> RedisResult<()> {
        cmd("DEL").arg(key(n)).exec_async(&mut self.0.clone()).await
    }
}

fn key(n: u64) -> String {
    format!("by hand:{n}")
}
