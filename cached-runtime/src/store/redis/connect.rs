//! Making connections: to where a server is now, with the login that holds now, within one deadline.

use std::time::Duration;

use redis::aio::{AsyncPushSender, MultiplexedConnection};
use redis::{AsyncConnectionConfig, Client, Cmd, PushInfo, RedisError};
use tokio::sync::mpsc;

use super::fault;
use super::gate::Gate;
use super::line::Line;
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
}

impl Connected {
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
            return Ok((checked(origin, &client, &client, given, pushes).await?, None));
        };
        // First, so that a refused login costs the server one connection.
        socket.log_in(info).await?;
        let there = Client::open(info.clone().set_addr(address))?;
        Ok((checked(origin, &client, &there, given, pushes).await?, Some(socket)))
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
    Ok(Connected { connection, found: origin.found(client), given })
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
