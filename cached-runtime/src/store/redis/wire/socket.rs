//! The connection under a lane: a plain socket, logged in as the redis crate's is.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::future::select_ok;
use redis::io::tcp::socket2::SockRef;
use redis::{Cmd, ConnectionAddr, ConnectionInfo, RedisError};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::net::{TcpStream, lookup_host};

use super::parser::{Replies, Stop, nonsense};
use crate::store::redis::fault;
use crate::store::redis::login::auth;

/// Answers to a login are short.
const LOGIN_REPLIES: usize = 4096;

pub(in crate::store::redis) enum Socket {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

/// A socket to the server, and where that is now: a name may stand for several. `None` where the
/// address is none that a plain socket reaches.
pub(in crate::store::redis) async fn connect(
    info: &ConnectionInfo,
) -> Result<Option<(Socket, ConnectionAddr)>, RedisError> {
    let connected = match info.addr() {
        ConnectionAddr::Tcp(host, port) => {
            // All at once, as the redis crate does: one address may be a black hole.
            let addresses = lookup_host((host.as_str(), *port)).await?;
            let attempts = addresses.map(|address| Box::pin(TcpStream::connect(address)));
            let attempts: Vec<_> = attempts.collect();
            if attempts.is_empty() {
                return Err(io::Error::from(io::ErrorKind::NotFound).into());
            }
            let (stream, _) = select_ok(attempts).await?;
            stream.set_nodelay(info.tcp_settings().nodelay())?;
            if let Some(keepalive) = info.tcp_settings().keepalive() {
                SockRef::from(&stream).set_tcp_keepalive(keepalive)?;
            }
            let peer = stream.peer_addr()?;
            (Socket::Tcp(stream), ConnectionAddr::Tcp(peer.ip().to_string(), peer.port()))
        }
        #[cfg(unix)]
        ConnectionAddr::Unix(path) => {
            let stream = UnixStream::connect(path).await?;
            (Socket::Unix(stream), ConnectionAddr::Unix(path.clone()))
        }
        _ => return Ok(None),
    };
    Ok(Some(connected))
}

impl Socket {
    /// User, password and database; RESP2, which is what a connection begins with.
    pub(in crate::store::redis) async fn log_in(
        &mut self,
        info: &ConnectionInfo,
    ) -> Result<(), RedisError> {
        let redis = info.redis_settings();
        let (mut commands, mut count) = (Vec::new(), 0);
        if let Some(auth) = auth(redis) {
            commands.extend(auth.get_packed_command());
            count += 1;
        }
        // Without a password also where there is nothing to select: a server that wants one says so
        // here, before the next connection is made.
        if redis.db() != 0 || redis.password().is_none() {
            let mut select = Cmd::new();
            select.arg("SELECT").arg(redis.db());
            commands.extend(select.get_packed_command());
            count += 1;
        }
        let mut written = 0;
        while written < commands.len() {
            written += poll_fn(|context| self.poll_write(context, &commands[written..])).await?;
        }
        let (mut input, mut end) = ([0; LOGIN_REPLIES], 0);
        while count > 0 {
            let mut replies = Replies::new(&input[..end]);
            match replies.next() {
                Ok(reply) => {
                    match reply.extract_error() {
                        // The database that it is in already.
                        Err(error) if redis.db() == 0 && fault::is_forbidden(&error) => {}
                        reply => drop(reply?),
                    }
                    let read = replies.read();
                    input.copy_within(read..end, 0);
                    end -= read;
                    count -= 1;
                }
                Err(Stop::Incomplete) if end < input.len() => {
                    end += poll_fn(|context| self.poll_read(context, &mut input[end..])).await?;
                }
                Err(_) => return Err(nonsense()),
            }
        }
        Ok(())
    }

    /// At least one byte; the end of the stream is an error.
    pub(super) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut into = ReadBuf::new(into);
        ready!(match self {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, &mut into),
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream).poll_read(context, &mut into),
        })?;
        Poll::Ready(match into.filled().len() {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => Ok(read),
        })
    }

    pub(super) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }
}
