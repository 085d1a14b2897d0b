//! Connections over TLS: with certificates of one's own, and to servers whose address is in no
//! certificate.
//!
//! Servers of a cluster, and those that sentinels name, tell addresses of each other that are often in
//! no certificate, as those of managed clusters are. Whoever told them was verified by a name of the
//! URL, so a certificate for one of these names is as good there.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use redis::aio::MultiplexedConnection;
use redis::io::AsyncDNSResolver;
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, ErrorKind,
    RedisError, RedisFuture, TlsCertificates,
};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::url::moved;
use crate::config::Config;
use crate::error::Error;
use crate::tls::{Certificates, Tls};

/// How servers are reached, where that is over TLS.
#[derive(Clone, Default)]
pub(super) struct Secure {
    own: Option<Tls>,
    /// The hosts that the URL names, where these tell of others.
    names: Arc<[String]>,
    /// Which of them stood in the last certificate; 0 is the server's own address.
    last: Arc<AtomicUsize>,
}

impl Secure {
    /// For these servers, and those that they `tell` of.
    ///
    /// # Errors
    /// Certificates that are not usable, or that nobody asks for.
    pub(super) fn new(
        config: &Config,
        servers: &[&ConnectionInfo],
        tell: bool,
    ) -> Result<Self, Error> {
        let names = servers.iter().filter(|_| tell).filter_map(|info| host(info)).collect();
        let secure = Self { own: config.tls.clone(), names, last: Arc::default() };
        let Some(own) = &secure.own else { return Ok(secure) };
        let unusable = |error: String| {
            Error::config(format!("`tls`: the certificates are not usable: {error}"))
        };
        if servers.iter().any(|info| host(info).is_none()) {
            return Err(Error::config(
                "`tls` is given, and the URL is of no server that speaks it: write `rediss://…`",
            ));
        }
        check(&own.read()?).map_err(unusable)?;
        for info in servers {
            secure.open((*info).clone()).map_err(|error| unusable(error.to_string()))?;
        }
        Ok(secure)
    }

    /// Whether each connection needs a client of its own, since certificates may be renewed.
    pub(super) fn is_renewed(&self) -> bool {
        self.own.is_some()
    }

    /// What connects there.
    pub(super) fn open(&self, info: ConnectionInfo) -> Result<Client, RedisError> {
        let Some(own) = &self.own else { return Client::open(info) };
        let certificates = own.read().map_err(|error| {
            let what = "the certificates of `tls` cannot be had";
            RedisError::from((ErrorKind::InvalidClientConfig, what, error.to_string()))
        })?;
        Client::build_with_tls(info, as_redis_takes_them(certificates))
    }

    /// A connection to where the client leads.
    pub(super) async fn connect(
        &self,
        client: &Client,
        config: AsyncConnectionConfig,
    ) -> Result<MultiplexedConnection, RedisError> {
        match client.get_connection_info().addr() {
            ConnectionAddr::TcpTls { host, port, .. } if !self.names.is_empty() => {
                self.connect_by_any_name(client, (host, *port), config).await
            }
            _ => client.get_multiplexed_async_connection_with_config(&config).await,
        }
    }

    /// By the server's own address, and by the names of the URL: whichever stands in its
    /// certificate. First by what stood in another's.
    async fn connect_by_any_name(
        &self,
        client: &Client,
        (host, port): (&str, u16),
        config: AsyncConnectionConfig,
    ) -> Result<MultiplexedConnection, RedisError> {
        let first = self.last.load(Ordering::Relaxed);
        let mut ways: Vec<usize> = (0..=self.names.len()).collect();
        ways.rotate_left(first.min(self.names.len()));
        let mut refused = None;
        for way in ways {
            let connected = match way.checked_sub(1).map(|at| &self.names[at]) {
                None => client.get_multiplexed_async_connection_with_config(&config).await,
                Some(name) if name == host => continue,
                Some(name) => {
                    let there = Address { host: host.to_owned(), port };
                    let info = moved(client.get_connection_info(), name, port);
                    let config = config.clone().set_dns_resolver(there);
                    let named = Client::open(info)?;
                    named.get_multiplexed_async_connection_with_config(&config).await
                }
            };
            match connected {
                Err(error) if is_of_another_name(&error) => {
                    // That of its own address says most.
                    let own = way == 0;
                    refused = if own { Some(error) } else { refused.or(Some(error)) };
                }
                connected => {
                    self.last.store(way, Ordering::Relaxed);
                    return connected;
                }
            }
        }
        match refused {
            Some(error) => Err(error),
            None => client.get_multiplexed_async_connection_with_config(&config).await,
        }
    }
}

/// Where it is reached, where that is over TLS.
fn host(info: &ConnectionInfo) -> Option<String> {
    match info.addr() {
        ConnectionAddr::TcpTls { host, .. } => Some(host.clone()),
        _ => None,
    }
}

fn as_redis_takes_them(certificates: Certificates) -> TlsCertificates {
    let Certificates { roots, client } = certificates;
    let client_tls =
        client.map(|(client_cert, client_key)| ClientTlsConfig { client_cert, client_key });
    TlsCertificates { client_tls, root_cert: roots }
}

/// Whether the client's key can be used, and is that of its certificate. The redis crate does not
/// ask before it connects.
fn check(certificates: &Certificates) -> Result<(), String> {
    let Some((certificate, key)) = &certificates.client else { return Ok(()) };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate).collect();
    let chain = chain.map_err(|error| error.to_string())?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| error.to_string())?;
    let provider = CryptoProvider::get_default().ok_or("rustls has no provider")?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| error.to_string())?;
    Ok(())
}

/// Whether the server's certificate is for others than who was asked for. The redis crate hands
/// on rustls's words alone.
fn is_of_another_name(error: &RedisError) -> bool {
    error.to_string().contains("not valid for name")
}

/// Where the server is, whatever its name.
struct Address {
    host: String,
    port: u16,
}

impl AsyncDNSResolver for Address {
    fn resolve<'a, 'b: 'a>(
        &'a self,
        _: &'b str,
        _: u16,
    ) -> RedisFuture<'a, Box<dyn Iterator<Item = SocketAddr> + Send + 'a>> {
        Box::pin(async {
            let found = tokio::net::lookup_host((&self.host[..], self.port)).await?;
            Ok(Box::new(found) as Box<_>)
        })
    }
}
