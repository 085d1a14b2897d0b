//! Making connections: to where a server is now, with the login that holds now, within one deadline.

use std::time::Duration;

use redis::aio::{AsyncPushSender, MultiplexedConnection};
use redis::{AsyncConnectionConfig, Client, Cmd, PushInfo, RedisError, Value};
use tokio::sync::mpsc;

use super::fault;
use super::gate::Gate;
use super::line::{Line, text};
use super::login::Given;
use super::origin::{Found, Origin};
use super::wire::{self, Socket};
use crate::fault::Fault;
use crate::store::Failure;

const CONNECT_DEADLINE: Duration = Duration::from_secs(1);

/// A connection alone.
pub(super) struct Connected {
    pub(super) connection: MultiplexedConnection,
    pub(super) found: Found,
    pub(super) given: Option<Given>,
    /// Whether the server knows `SET … NX GET`, where it was asked.
    pub(super) fuses: bool,
}

impl Connected {
    /// Asks the server which it is. One that does not say is taken for one that knows: a lookup
    /// that it refuses tells.
    async fn introduced(mut self) -> Result<Self, RedisError> {
        let mut hello = Cmd::new();
        hello.arg("HELLO");
        match Line::new(self.connection.clone(), false).send(&hello).await {
            Ok(answer) => self.fuses = fuses(&answer),
            Err(error) if fault::ends_connection(&error) => return Err(error),
            Err(_) => {}
        }
        Ok(self)
    }

    /// Logs it in anew before what it logged in with ends. Never ends.
    pub(super) fn kept_logged_in<'a>(
        &self,
        origin: &'a Origin,
    ) -> impl Future<Output = ()> + use<'a> {
        let (connection, given) = (self.connection.clone(), self.given.clone());
        let log_in = move |auth: Cmd| {
            let mut line = Line::new(connection.clone(), false);
            async move { line.send(&auth).await.map(drop) }
        };
        origin.keep_logged_in(given, log_in)
    }
}

/// Connects with the login that holds now. Which credentials that was about, and what came of it.
pub(super) async fn attempt<T, F>(
    origin: &Origin,
    connecting: impl FnOnce(Option<Given>) -> F,
) -> (Option<u64>, Result<T, Failure>)
where
    F: Future<Output = Result<T, Failure>>,
{
    match origin.given().await {
        Ok(given) => (given.as_ref().map(Given::number), connecting(given).await),
        Err(failure) => (None, Err(failure)),
    }
}

/// The redis crate's connection, and beside it a lane's, to the same server, where one can be had.
pub(super) async fn both(
    origin: &Origin,
    given: Option<Given>,
    pushes: mpsc::UnboundedSender<PushInfo>,
) -> Result<(Connected, Option<Socket>), Failure> {
    within_deadline(async {
        let client = origin.client(given.as_ref()).await?;
        let info = client.get_connection_info();
        let Some((mut socket, address)) = wire::connect(info).await? else {
            let one = checked(origin, &client, &client, given, pushes).await?;
            return Ok((one.introduced().await?, None));
        };
        // First, so that a refused login costs the server one connection.
        socket.log_in(info).await?;
        let there = Client::open(info.clone().set_addr(address))?;
        let one = checked(origin, &client, &there, given, pushes).await?;
        Ok((one.introduced().await?, Some(socket)))
    })
    .await
}

/// One connection alone, if the gate lets it through in time.
pub(super) async fn connect(
    origin: &Origin,
    gate: &Gate,
    pushes: impl AsyncPushSender,
) -> Result<Connected, Failure> {
    let mut why = None;
    let entered =
        crate::io::timeout(CONNECT_DEADLINE, gate.enter(origin.login(), |cause| why = Some(cause)))
            .await;
    if let (None, Some(why)) = (entered, why) {
        return Err(why);
    }
    let one = |given: Option<Given>| {
        within_deadline(async move {
            let client = origin.client(given.as_ref()).await?;
            checked(origin, &client, &client, given, pushes).await
        })
    };
    let (number, connected) = attempt(origin, one).await;
    match &connected {
        Ok(_) => gate.open(),
        Err(failure) => gate.close(failure, number),
    }
    connected
}

/// The redis crate's connection to `there`, which is where `client` was found to lead.
async fn checked(
    origin: &Origin,
    client: &Client,
    there: &Client,
    given: Option<Given>,
    pushes: impl AsyncPushSender,
) -> Result<Connected, RedisError> {
    // Deadlines are ours: one around everything, and none per command inside.
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None)
        .set_push_sender(pushes);
    let connection = origin.connect(there, config).await?;
    origin.check(&connection).await?;
    Ok(Connected { connection, found: origin.found(client), given, fuses: true })
}

/// Whether a server that answered `HELLO` so knows `NX` together with `GET`, as Redis does since
/// version 7 (https://redis.io/docs/latest/commands/set/#history).
fn fuses(hello: &Value) -> bool {
    let pairs: Vec<_> = match hello {
        Value::Map(pairs) => pairs.iter().map(|(name, value)| (name, value)).collect(),
        Value::Array(flat) => flat.chunks_exact(2).map(|pair| (&pair[0], &pair[1])).collect(),
        _ => return true,
    };
    let version = pairs.into_iter().find_map(|(name, value)| match (text(name)?, text(value)?) {
        ("version", version) => version.split('.').next()?.parse().ok(),
        _ => None,
    });
    version.is_none_or(|major: u64| major >= 7)
}

async fn within_deadline<T>(
    connecting: impl Future<Output = Result<T, RedisError>>,
) -> Result<T, Failure> {
    match crate::io::timeout(CONNECT_DEADLINE, connecting).await {
        Some(outcome) => outcome.map_err(|error| fault::failure(&error)),
        None => {
            Err(Failure::new(Fault::Timeout, format!("no connection within {CONNECT_DEADLINE:?}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_that_a_server_says_tells_what_it_knows() {
        let text = |text: &str| Value::BulkString(text.into());
        let hello = |version: &str| {
            let flat = ["server", "redis", "version", version].map(text).to_vec();
            let pairs = flat.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
            [Value::Array(flat), Value::Map(pairs)]
        };
        for (version, knows) in [
            ("6.0.16", false),
            ("6.2.5", false),
            ("7.0.15", true),
            ("9.1.2", true),
            ("255.255.255", true),
        ] {
            assert!(hello(version).iter().all(|hello| fuses(hello) == knows), "{version}");
        }
        // What says nothing of it is asked, and tells.
        for other in ["unknown", ""] {
            assert!(hello(other).iter().all(fuses), "{other}");
        }
        assert!(fuses(&Value::Nil) && fuses(&Value::Map(Vec::new())));
    }
}
