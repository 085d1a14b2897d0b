//! What a URL says: where the servers are, and how to log in.

use std::time::Duration;

use redis::io::tcp::{TcpSettings, socket2::TcpKeepalive};
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion};

use crate::error::Error;

const SERVER_PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

/// What the store is made of.
pub(super) enum Servers {
    /// One server, always at this address.
    One(ConnectionInfo),
    /// The primary of this name, wherever the sentinels say that it is.
    Sentinels(Watch),
    /// A cluster, of which these are some.
    Cluster(Vec<ConnectionInfo>),
}

/// What sentinels watch over.
pub(super) struct Watch {
    pub(super) sentinels: Vec<ConnectionInfo>,
    /// What they call it.
    pub(super) name: String,
    /// How to log in; its address is one of the sentinels'.
    pub(super) server: ConnectionInfo,
}

/// A URL with several hosts, taken apart.
struct Several<'a> {
    /// `redis` or `rediss`.
    scheme: &'static str,
    /// `user:password`.
    login: Option<&'a str>,
    hosts: Vec<&'a str>,
    path: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
    /// `#insecure`
    fragment: &'a str,
}

impl Servers {
    pub(super) fn parse(url: &str) -> Result<Self, Error> {
        let (scheme, rest) = url.split_once(':').unwrap_or((url, ""));
        let base = if scheme.starts_with("rediss") { "rediss" } else { "redis" };
        match scheme {
            "redis+cluster" | "rediss+cluster" => cluster(&Several::parse(base, rest, url)?, url),
            "redis+sentinel" | "rediss+sentinel" => watch(&Several::parse(base, rest, url)?, url),
            _ => Ok(Self::One(parse(url)?.ok_or_else(|| not_usable(url))?)),
        }
    }

    /// What the URL names, and whether these tell of others.
    pub(super) fn named(&self) -> (Vec<&ConnectionInfo>, bool) {
        match self {
            Self::One(info) => (vec![info], false),
            Self::Sentinels(watch) => (watch.sentinels.iter().collect(), true),
            Self::Cluster(seeds) => (seeds.iter().collect(), true),
        }
    }
}

impl<'a> Several<'a> {
    fn parse(scheme: &'static str, rest: &'a str, url: &str) -> Result<Self, Error> {
        let rest = rest.strip_prefix("//").ok_or_else(|| not_usable(url))?;
        if is_login_cut(rest) {
            return Err(Error::config(format!(
                "the URL `{}` has an `@` behind a `/`, a `?` or a `#`: in a login these are written \
                 `%40`, `%2F`, `%3F` and `%23`",
                without_secrets(url)
            )));
        }
        let at = rest.find('#').unwrap_or(rest.len());
        let (rest, fragment) = rest.split_at(at);
        let (rest, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, hosts) = match authority.rsplit_once('@') {
            Some((login, hosts)) => (Some(login), hosts),
            None => (None, authority),
        };
        let hosts: Vec<_> = hosts.split(',').map(str::trim).collect();
        if hosts.iter().any(|host| host.is_empty()) {
            return Err(not_usable(url));
        }
        let parameters = parameters.split('&').filter(|parameter| !parameter.is_empty());
        let parameters =
            parameters.map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")));
        let parameters = parameters.collect();
        Ok(Self { scheme, login, hosts, path, parameters, fragment })
    }

    /// Each host as a server of its own.
    fn each(
        &self,
        login: Option<&str>,
        port: u16,
        database: &str,
    ) -> Result<Option<Vec<ConnectionInfo>>, Error> {
        let Self { scheme, fragment, .. } = self;
        let login = login.map(|login| format!("{login}@")).unwrap_or_default();
        let one = |host: &&str| {
            // The colons of an IPv6 address are in brackets.
            let named = host.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
            let port = if named { String::new() } else { format!(":{port}") };
            parse(&format!("{scheme}://{login}{host}{port}/{database}{fragment}"))
        };
        self.hosts.iter().map(one).collect()
    }

    /// Errors name parameters that are none, since a misspelt password would be left out.
    fn known_parameters(&self, known: &[&str]) -> Result<(), Error> {
        match self.parameters.iter().find(|(name, _)| !known.contains(name)) {
            None => Ok(()),
            Some((name, _)) if known.is_empty() => {
                Err(Error::config(format!("the URL's `?{name}=` is unknown; it takes none")))
            }
            Some((name, _)) => Err(Error::config(format!(
                "the URL's `?{name}=` is unknown; it takes `{}`",
                known.join("` and `")
            ))),
        }
    }

    fn parameter(&self, name: &str) -> Option<&'a str> {
        self.parameters.iter().find(|(it, _)| *it == name).map(|(_, value)| *value)
    }
}

fn cluster(several: &Several<'_>, url: &str) -> Result<Servers, Error> {
    several.known_parameters(&[])?;
    if !matches!(several.path, "" | "0") {
        return Err(Error::config(format!(
            "the URL `{}` names the database `{}`; a cluster has only 0, which need not be named",
            without_secrets(url),
            several.path
        )));
    }
    let seeds = several.each(several.login, SERVER_PORT, "")?;
    Ok(Servers::Cluster(seeds.ok_or_else(|| not_usable(url))?))
}

fn watch(several: &Several<'_>, url: &str) -> Result<Servers, Error> {
    several.known_parameters(&["sentinel_username", "sentinel_password"])?;
    let (name, database) = several.path.split_once('/').unwrap_or((several.path, ""));
    if name.is_empty() {
        return Err(Error::config(format!(
            "the URL `{}` lacks the name of the primary that the sentinels watch over: \
             `redis+sentinel://host1,host2/mymaster`",
            without_secrets(url)
        )));
    }
    let server = several.each(several.login, SERVER_PORT, database)?;
    let login = several.parameter("sentinel_password").map(|password| {
        format!("{}:{password}", several.parameter("sentinel_username").unwrap_or_default())
    });
    let sentinels = several.each(login.as_deref(), SENTINEL_PORT, "")?;
    let (Some(server), Some(sentinels)) = (server, sentinels) else { return Err(not_usable(url)) };
    let server = server.into_iter().next().ok_or_else(|| not_usable(url))?;
    // A sentinel is asked one thing, which older ones answer in RESP2 only.
    let plain = |info: ConnectionInfo| {
        let redis = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP2);
        info.set_redis_settings(redis)
    };
    let sentinels = sentinels.into_iter().map(plain).collect();
    Ok(Servers::Sentinels(Watch { sentinels, name: name.to_owned(), server }))
}

/// Parses the URL of one server and adds what redis-rs leaves off: RESP3, no delay, keepalive.
/// `None` for what is no URL of a server.
fn parse(url: &str) -> Result<Option<ConnectionInfo>, Error> {
    let scheme = url.split_once(':').map_or(url, |(scheme, _)| scheme);
    if cfg!(not(feature = "tls")) && matches!(scheme, "rediss" | "valkeys") {
        return Err(Error::config(format!(
            "`{scheme}://` needs the feature `tls` of cached-runtime: in Cargo.toml, \
             `cached-runtime = {{ version = \"…\", features = [\"tls\"] }}`"
        )));
    }
    // The redis crate's own message can hold the URL, and the URL a password.
    let Ok(info) = url.into_connection_info() else { return Ok(None) };
    if matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
        ready_tls();
    }
    let redis = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(15))
        .with_interval(Duration::from_secs(5));
    let tcp = TcpSettings::default().set_nodelay(true).set_keepalive(keepalive);
    Ok(Some(info.set_redis_settings(redis).set_tcp_settings(tcp)))
}

fn not_usable(url: &str) -> Error {
    Error::config(format!(
        "the URL `{}` is not usable; it should look like `redis://user:password@host:6379/0`, \
         `rediss://host:6380`, `unix:///run/redis.sock`, `redis+sentinel://host1,host2/mymaster`, \
         `redis+cluster://host1,host2` or `memory:`",
        without_secrets(url)
    ))
}

/// Whether a login seems to have been cut by what ends it in a URL: what follows is part of a secret.
fn is_login_cut(rest: &str) -> bool {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    rest[end..].contains('@')
}

/// The URL with what stands before the `@`, and whatever follows a `?`, left out.
pub(super) fn without_secrets(url: &str) -> String {
    if let Some((scheme, rest)) = url.split_once("://")
        && is_login_cut(rest)
    {
        return format!("{scheme}://…");
    }
    let url = url.split('?').next().unwrap_or_default();
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        (None, Some((_, host))) => format!("…@{host}"),
        (_, None) => url.to_owned(),
    }
}

/// The same server's settings at another address, as it is told by servers: `host` and `port`.
pub(super) fn moved(info: &ConnectionInfo, host: &str, port: u16) -> ConnectionInfo {
    let host = host.to_owned();
    let addr = match info.addr() {
        ConnectionAddr::TcpTls { insecure, tls_params, .. } => ConnectionAddr::TcpTls {
            host,
            port,
            insecure: *insecure,
            tls_params: tls_params.clone(),
        },
        _ => ConnectionAddr::Tcp(host, port),
    };
    info.clone().set_addr(addr)
}

/// rustls wants one process-wide provider; the program's own choice, where it made one, stands.
#[cfg(feature = "tls")]
fn ready_tls() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // An error means that somebody else was faster, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

#[cfg(not(feature = "tls"))]
fn ready_tls() {}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(infos: &[ConnectionInfo]) -> Vec<String> {
        infos.iter().map(|info| info.addr().to_string()).collect()
    }

    fn login(info: &ConnectionInfo) -> (Option<&str>, Option<&str>, i64) {
        let redis = info.redis_settings();
        (redis.username(), redis.password(), redis.db())
    }

    fn refusal(url: &str) -> String {
        match Servers::parse(url) {
            Err(error) => error.to_string(),
            Ok(_) => panic!("{url} is accepted"),
        }
    }

    #[test]
    fn sentinels_have_a_login_of_their_own() {
        let url = "redis+sentinel://app:s%40fe@one,two:26380,[::1]/shop/3\
                   ?sentinel_username=eye&sentinel_password=p%2Fw";
        let Ok(Servers::Sentinels(watch)) = Servers::parse(url) else { panic!() };
        assert_eq!(watch.name, "shop");
        assert_eq!(login(&watch.server), (Some("app"), Some("s@fe"), 3));
        assert_eq!(addresses(&watch.sentinels), ["one:26379", "two:26380", "::1:26379"]);
        for sentinel in &watch.sentinels {
            assert_eq!(login(sentinel), (Some("eye"), Some("p/w"), 0));
        }
        let Ok(Servers::Sentinels(watch)) = Servers::parse("redis+sentinel://:pw@one/m") else {
            panic!()
        };
        assert_eq!(login(&watch.server), (None, Some("pw"), 0));
        assert_eq!(login(&watch.sentinels[0]), (None, None, 0));
    }

    #[test]
    fn a_cluster_has_a_login_for_all() {
        for url in ["redis+cluster://app:pw@one:7000,two", "redis+cluster://app:pw@one:7000,two/0"]
        {
            let Ok(Servers::Cluster(seeds)) = Servers::parse(url) else { panic!() };
            assert_eq!(addresses(&seeds), ["one:7000", "two:6379"]);
            assert!(seeds.iter().all(|seed| login(seed) == (Some("app"), Some("pw"), 0)));
        }
    }

    #[test]
    fn a_server_that_moved_keeps_the_rest() {
        let Ok(Servers::One(info)) = Servers::parse("redis://app:pw@one/2") else { panic!() };
        let there = moved(&info, "other", 7001);
        assert_eq!(there.addr().to_string(), "other:7001");
        assert_eq!(login(&there), login(&info));
    }

    #[test]
    fn what_is_wrong_is_named_and_no_secret_is() {
        for (url, said) in [
            ("redis+sentinel://one,two", "lacks the name of the primary"),
            ("redis+sentinel://:secret@one/", "lacks the name of the primary"),
            ("redis+sentinel://one/m?sentinel_pasword=secret", "`?sentinel_pasword=` is unknown"),
            ("redis+cluster://:secret@one/1", "names the database `1`"),
            ("redis+cluster://one?db=1", "`?db=` is unknown; it takes none"),
            ("redis+cluster://:secret@one,,two", "is not usable"),
            ("redis+cluster:one", "is not usable"),
            ("redis+cluster://", "is not usable"),
            ("redis+cluster://one:port", "is not usable"),
            ("redis+other://one", "is not usable"),
            ("redis+cluster://:abc/secret@one", "written `%40`, `%2F`"),
            ("redis+cluster://:abc?secret@one", "written `%40`, `%2F`"),
            ("redis+sentinel://:abc#secret@one/m", "written `%40`, `%2F`"),
            ("redis://:abc?secret@one:x", "is not usable"),
            ("redis://:secret?x@one:x", "is not usable"),
        ] {
            let text = refusal(url);
            assert!(text.contains(said) && !text.contains("secret"), "{url}: {text}");
        }
    }
}
