//! Where a server is now: always at one address, or wherever its sentinels say. It is found anew for
//! each connection, so that every link follows a failover by itself.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind, RedisError,
    Value,
};
use tokio::sync::watch;

use super::fault;
use super::line::{Line, text};
use super::login::{Given, Login};
use super::scripts::unexpected;
use super::secure::Secure;
use super::url::{Watch, moved};
use crate::error::Error;
use crate::fault::Fault;
use crate::store::Failure;

/// A sentinel that has not answered by then is not waited for: the others know as much.
const PATIENCE: Duration = Duration::from_millis(400);

#[derive(Clone)]
pub(super) struct Origin {
    at: At,
    access: Access,
}

/// What servers ask of who connects to them.
#[derive(Clone, Default)]
pub(super) struct Access {
    /// Where the login is not the URL's.
    pub(super) login: Option<Arc<Login>>,
    pub(super) secure: Secure,
}

#[derive(Clone)]
enum At {
    Fixed(Arc<Client>),
    Watched(Arc<Watched>),
}

/// A primary that sentinels watch over.
struct Watched {
    watch: Watch,
    /// Where it was last found.
    last: watch::Sender<(Option<ConnectionAddr>, Found)>,
}

/// Tells the primaries that were found one after the other apart. A link to an earlier one may be
/// open and answer, as that of a server that was replaced while it stood still and has not heard of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Found(u64);

/// The address that one sentinel tells.
type Address = (String, u16);

impl Origin {
    pub(super) fn fixed(info: ConnectionInfo, access: Access) -> Result<Self, Error> {
        Ok(Self { at: At::Fixed(Arc::new(usable(info)?)), access })
    }

    pub(super) fn watched(watch: Watch, access: Access) -> Result<Self, Error> {
        for sentinel in &watch.sentinels {
            usable(sentinel.clone())?;
        }
        let last = watch::Sender::default();
        Ok(Self { at: At::Watched(Arc::new(Watched { watch, last })), access })
    }

    /// For people.
    pub(super) fn name(&self) -> String {
        match &self.at {
            At::Fixed(client) => client.get_connection_info().addr().to_string(),
            At::Watched(watched) => {
                let sentinels = watched.watch.sentinels.iter();
                let sentinels: Vec<_> = sentinels.map(|info| info.addr().to_string()).collect();
                format!("{} of sentinels {}", watched.watch.name, sentinels.join(", "))
            }
        }
    }

    /// Who gives what to log in with, where that changes.
    pub(super) fn login(&self) -> Option<&Login> {
        self.access.login.as_deref()
    }

    /// What to log in with now, where that changes.
    pub(super) async fn given(&self) -> Result<Option<Given>, Failure> {
        match &self.access.login {
            Some(login) => login.ask().await.map(Some),
            None => Ok(None),
        }
    }

    /// To connect by, now, and to log in with what was given.
    pub(super) async fn client(&self, given: Option<&Given>) -> Result<Client, RedisError> {
        let secure = &self.access.secure;
        let info = match &self.at {
            At::Fixed(client) if given.is_none() && !secure.is_renewed() => {
                return Ok(Client::clone(client));
            }
            At::Fixed(client) => client.get_connection_info().clone(),
            At::Watched(watched) => {
                let (host, port) = watched.address(secure).await?;
                moved(&watched.watch.server, &host, port)
            }
        };
        match given {
            Some(given) => secure.open(given.over(&info)),
            None => secure.open(info),
        }
    }

    /// A connection by a client from here.
    pub(super) async fn connect(
        &self,
        client: &Client,
        config: AsyncConnectionConfig,
    ) -> Result<MultiplexedConnection, RedisError> {
        self.access.secure.connect(client, config).await
    }

    /// Logs a connection in anew before what it logged in with ends. Never ends.
    pub(super) async fn keep_logged_in<F>(&self, given: Option<Given>, log_in: impl Fn(Cmd) -> F)
    where
        F: Future<Output = Result<(), RedisError>>,
    {
        let info = match &self.at {
            At::Fixed(client) => client.get_connection_info(),
            At::Watched(watched) => &watched.watch.server,
        };
        match (&self.access.login, given) {
            (Some(login), Some(given)) => login.keep(given, info, log_in).await,
            _ => std::future::pending().await,
        }
    }

    /// A connection was made by this client, and [checked](Self::check).
    pub(super) fn found(&self, client: &Client) -> Found {
        let At::Watched(watched) = &self.at else { return Found::default() };
        let address = client.get_connection_info().addr();
        let mut found = Found::default();
        watched.last.send_if_modified(|(last, number)| {
            let is_other = last.as_ref() != Some(address);
            if is_other {
                *last = Some(address.clone());
                number.0 += 1;
            }
            found = *number;
            is_other
        });
        found
    }

    /// Whether no other was found since.
    pub(super) fn is_last(&self, found: Found) -> bool {
        match &self.at {
            At::Fixed(_) => true,
            At::Watched(watched) => watched.last.borrow().1 == found,
        }
    }

    /// Until another was found.
    pub(super) async fn replaced(&self, found: Found) {
        match &self.at {
            At::Fixed(_) => std::future::pending().await,
            At::Watched(watched) => {
                // The channel is as long-lived as what it is borrowed from.
                let _ = watched.last.subscribe().wait_for(|(_, last)| *last != found).await;
            }
        }
    }

    /// Asks the peer whether it is a primary, where it was told to be one: who told may not know yet
    /// that it is no more (https://redis.io/docs/latest/develop/reference/sentinel-clients/).
    pub(super) async fn check(&self, connection: &MultiplexedConnection) -> Result<(), RedisError> {
        if matches!(self.at, At::Fixed(_)) {
            return Ok(());
        }
        let mut role = Cmd::new();
        role.arg("ROLE");
        match Line::new(connection.clone(), false).send(&role).await {
            Ok(answer) if is_primary(&answer) => Ok(()),
            Ok(_) => Err(absent("what the sentinels name is no primary", String::new())),
            // Its first write tells as well.
            Err(error) if fault::is_forbidden(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Watched {
    /// What most sentinels say that answer: as soon as it is the word of more than half, or else of
    /// those that answered in time. One that was cut off from the others may know an old address,
    /// and be the first to answer.
    async fn address(&self, secure: &Secure) -> Result<Address, RedisError> {
        let sentinels = &self.watch.sentinels;
        let asking = sentinels.iter().map(|sentinel| self.ask(secure, sentinel));
        let mut answers: FuturesUnordered<_> = asking.collect();
        let mut votes = Votes::default();
        let mut others = Others::default();
        let collecting = async {
            while let Some(answer) = answers.next().await {
                match answer {
                    Ok(Some(address)) => {
                        if votes.count(address) * 2 > sentinels.len() {
                            return;
                        }
                    }
                    Ok(None) => others.unknowing = true,
                    Err(error) => others.failure = Some(error),
                }
            }
        };
        // What is known by then is used.
        let _ = crate::io::timeout(PATIENCE, collecting).await;
        votes.most().ok_or_else(|| others.cause(&self.watch.name))
    }

    /// `None` where it knows no primary of that name.
    async fn ask(
        &self,
        secure: &Secure,
        sentinel: &ConnectionInfo,
    ) -> Result<Option<Address>, RedisError> {
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let client = secure.open(sentinel.clone())?;
        let connection = secure.connect(&client, config).await?;
        let mut cmd = Cmd::new();
        cmd.arg("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(&self.watch.name);
        match Line::new(connection, false).send(&cmd).await? {
            Value::Nil => Ok(None),
            Value::Array(parts) => match &parts[..] {
                [Value::BulkString(host), Value::BulkString(port)] => {
                    let host = String::from_utf8(host.clone());
                    let port = std::str::from_utf8(port).ok().and_then(|port| port.parse().ok());
                    host.ok().zip(port).map(Some).ok_or_else(|| unexpected("a sentinel's answer"))
                }
                _ => Err(unexpected("a sentinel's answer")),
            },
            _ => Err(unexpected("a sentinel's answer")),
        }
    }
}

/// What there was instead of addresses.
#[derive(Default)]
struct Others {
    /// One does not know the name.
    unknowing: bool,
    /// The last.
    failure: Option<RedisError>,
}

impl Others {
    /// Why there is no address, where nobody told one.
    fn cause(self, name: &str) -> RedisError {
        // Whoever else is away: this one was asked, and answered.
        if self.unknowing {
            return absent("no sentinel names a primary", format!("that is called `{name}`"));
        }
        match self.failure {
            Some(error) => match fault::classify(&error) {
                // The two logins of the URL are to be told apart.
                Fault::Auth => {
                    let what = "the sentinel refuses the login";
                    RedisError::from((ErrorKind::AuthenticationFailed, what, error.to_string()))
                }
                Fault::Unavailable | Fault::Timeout => {
                    absent("no sentinel answers", error.to_string())
                }
                _ => error,
            },
            None => absent("no sentinel answers", format!("within {PATIENCE:?}")),
        }
    }
}

/// How often each address was told.
#[derive(Default)]
struct Votes(Vec<(Address, usize)>);

impl Votes {
    /// How often this address was told by now.
    fn count(&mut self, address: Address) -> usize {
        match self.0.iter_mut().find(|(known, _)| *known == address) {
            Some((_, count)) => {
                *count += 1;
                *count
            }
            None => {
                self.0.push((address, 1));
                1
            }
        }
    }

    fn most(self) -> Option<Address> {
        self.0.into_iter().max_by_key(|(_, count)| *count).map(|(address, _)| address)
    }
}

/// Whether `ROLE` was answered by a primary.
pub(super) fn is_primary(role: &Value) -> bool {
    let Value::Array(parts) = role else { return false };
    parts.first().and_then(text) == Some("master")
}

fn usable(info: ConnectionInfo) -> Result<Client, Error> {
    Client::open(info)
        .map_err(|error| Error::config(format!("the URL is not usable: {}", error.category())))
}

/// There is nobody to connect to now.
fn absent(what: &'static str, detail: String) -> RedisError {
    RedisError::from((ErrorKind::Io, what, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_of_most_counts_whoever_was_first() {
        let mut votes = Votes::default();
        let (old, new) = (("a".to_owned(), 1), ("b".to_owned(), 2));
        assert_eq!(votes.count(old), 1);
        assert_eq!(votes.count(new.clone()), 1);
        assert_eq!(votes.count(new.clone()), 2);
        assert_eq!(votes.most(), Some(new));
        assert_eq!(Votes::default().most(), None);
    }
}
