//! Connections of a build without the feature `tls`.

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ConnectionInfo, RedisError};

use crate::config::Config;
use crate::error::Error;

/// As its namesake with the feature has it, for servers that are reached plainly.
#[derive(Clone, Default)]
pub(super) struct Secure;

impl Secure {
    #[allow(clippy::unnecessary_wraps, reason = "see its namesake")]
    pub(super) fn new(_: &Config, _: &[&ConnectionInfo], _: bool) -> Result<Self, Error> {
        Ok(Self)
    }

    pub(super) fn is_renewed(&self) -> bool {
        false
    }

    pub(super) fn open(&self, info: ConnectionInfo) -> Result<Client, RedisError> {
        Client::open(info)
    }

    pub(super) async fn connect(
        &self,
        client: &Client,
        config: AsyncConnectionConfig,
    ) -> Result<MultiplexedConnection, RedisError> {
        client.get_multiplexed_async_connection_with_config(&config).await
    }
}
