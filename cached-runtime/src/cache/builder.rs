//! Building a cache: from settings, or from the environment.

use std::fmt;
use std::time::Duration;

use super::Cache;
use crate::clock::Clock;
use crate::codec::Codec;
use crate::config::{Config, DefaultCodec};
use crate::credentials::{Credentials, Provider};
use crate::error::Error;
use crate::fault::Fault;
use crate::store::{Failure, Store};

/// Settings of a [`Cache`], each with a default that fits most programs.
///
/// ```
/// use cached_runtime::Cache;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), cached_runtime::Error> {
/// let cache = Cache::builder()
///     .url("memory:")
///     .namespace("shop")
///     .lookup_deadline(Duration::from_millis(50))
///     .build()
///     .await?;
/// # assert_eq!(cache.namespace(), "shop");
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
#[must_use = "a builder builds nothing before `build`"]
pub struct CacheBuilder {
    url: Option<String>,
    namespace: Option<String>,
    config: Config,
}

impl CacheBuilder {
    /// Where the entries live. Default: `CACHE_URL`, else `REDIS_URL`, else `memory:`.
    ///
    /// | URL | what it names |
    /// |---|---|
    /// | `redis://[[user]:password@]host[:port][/db]` | one server |
    /// | `unix:///path/to.sock[?db=1&user=…&pass=…]` | the same by its socket |
    /// | `redis+sentinel://[[user]:password@]host[:port],…/name[/db]` | the primary of this name, wherever its sentinels say that it is; port 26379 where none is given; `?sentinel_password=…`, with `&sentinel_username=…`, is the sentinels' own login |
    /// | `redis+cluster://[[user]:password@]host[:port],…` | a cluster: any of its servers, the others are found; a login is for all |
    /// | `rediss://…`, `rediss+sentinel://…`, `rediss+cluster://…` | the same over TLS (feature `tls`) |
    /// | `memory:` | the embedded store |
    ///
    /// In a login and a path, what has a meaning in URLs is percent-encoded. Servers are Redis 6 or
    /// later, or Valkey.
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// What stands in front of every key, so that programs can share a server. Letters, digits,
    /// `_`, `-`, `.`. Default: `CACHE_NAMESPACE`, else `cache`.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// The longest that a call waits for the store before it runs its body. Default 100 ms.
    pub fn lookup_deadline(mut self, deadline: Duration) -> Self {
        self.config.lookup_deadline = deadline;
        self
    }

    /// The longest that a call waits, once its body has run, for the value to be stored.
    /// Default 250 ms.
    pub fn commit_deadline(mut self, deadline: Duration) -> Self {
        self.config.commit_deadline = deadline;
        self
    }

    /// The longest that an invalidation (and a `put`) tries before it returns an error.
    /// Default 1 s.
    pub fn invalidate_deadline(mut self, deadline: Duration) -> Self {
        self.config.invalidate_deadline = deadline;
        self
    }

    /// How long the right to fill an entry outlives a process that died with it. While the body
    /// runs the lease is renewed, so a body may take longer. Default 5 s.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.config.lease = lease;
        self
    }

    /// How long a call waits for a load in another process that shows no sign of life (its lease is
    /// neither renewed nor given up) before it runs its own body, without storing the value.
    /// Default: twice the [lease](Self::lease).
    pub fn wait_max(mut self, wait_max: Duration) -> Self {
        self.config.wait_max = Some(wait_max);
        self
    }

    /// How many operations may wait for the server at once, before a call does without the cache
    /// and runs its body: what a server that became slow can hold up. At least 1. No effect on the
    /// embedded store. Default 8192.
    pub fn in_flight(mut self, operations: usize) -> Self {
        self.config.in_flight = operations;
        self
    }

    /// Larger values, counted in bytes as encoded, are neither stored nor read. Default 16 MiB.
    pub fn max_value_bytes(mut self, bytes: usize) -> Self {
        self.config.max_value_bytes = bytes;
        self
    }

    /// What the embedded store may hold, in bytes, keys and bookkeeping included; the least
    /// recently used goes first. No effect on Redis. Default 256 MiB.
    pub fn memory_capacity(mut self, bytes: usize) -> Self {
        self.config.memory_capacity = bytes;
        self
    }

    /// What functions with `local` may keep in this process's own memory, all together, in bytes:
    /// values as encoded, keys and bookkeeping included; what is used least goes first. A value
    /// that is larger than a shard (an eighth to a thirty-second of this, by the number of
    /// processors) is not kept there. 0 turns `local` off. Default 64 MiB.
    pub fn local_capacity(mut self, bytes: usize) -> Self {
        self.config.local_capacity = bytes;
        self
    }

    /// How long a value that another process invalidated may still be served from this process's
    /// memory, whatever happens to the network: Δ. The link that tells of changes is asked four
    /// times in this span whether it stands, so a shorter bound costs more of such messages and
    /// is missed more easily. No effect on functions without `local`, nor on the embedded store,
    /// where it is zero. From 100 ms; default 1 s.
    pub fn coherence_bound(mut self, bound: Duration) -> Self {
        self.config.coherence_bound = bound;
        self
    }

    /// How often connections are asked whether they still stand, by one small read each, so that one
    /// that something in between has forgotten is replaced before a call meets it: from 100 ms to an
    /// hour, or zero for never. Default 5 s. A call that meets one first waits for its deadline once.
    pub fn idle_check(mut self, every: Duration) -> Self {
        self.config.idle_check = every;
        self
    }

    /// How many replicas must have an invalidation before it is `Ok`: then a failover to one of these
    /// brings no invalidated entry back. Where fewer have it within the
    /// [deadline](Self::invalidate_deadline), it is an error that says how many, and is queued as
    /// every invalidation that failed. In a cluster it is so many of each primary. It costs a round trip
    /// to the replicas, on a connection of its own (`WAIT`, which the server's rules must allow). Redis
    /// itself promises no more by it than that: who promotes another replica than one of these loses
    /// the invalidation. Nor does it wait with `put`. No effect on the embedded store. Default 0: it is
    /// `Ok` once the server has it.
    pub fn replicas(mut self, replicas: usize) -> Self {
        self.config.replicas = replicas;
        self
    }

    /// Root certificates and a client certificate of one's own, for `rediss://` and its like. Default: the
    /// system's root certificates, and no client certificate. Servers of a cluster, and those that
    /// sentinels name, may show a certificate for their own address or for a host of the URL. Needs the
    /// feature `tls`.
    ///
    /// ```no_run
    /// use cached_runtime::{Cache, Tls};
    ///
    /// let tls = Tls::new().roots_file("/etc/cache/ca.pem").client_files("app.pem", "app.key");
    /// let builder = Cache::builder().url("rediss+cluster://cache.example.com").tls(tls);
    /// ```
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: crate::tls::Tls) -> Self {
        self.config.tls = Some(tls);
        self
    }

    /// Who gives the login to the servers, instead of the URL: passwords that are rotated, tokens that
    /// end (IAM, Entra ID). The function is asked before each login, again before what it
    /// gave [ends](Credentials::valid_for), and twice a second while a server refuses what it gave.
    /// Connections log in anew without being dropped. It is called on the cache's own thread, so
    /// it must not block; it has 10 s to answer, and logins at the same time share its answer. An
    /// error, whose text is logged, is a refused login ([`Fault::Auth`]). Sentinels are logged in to by
    /// the URL's parameters. No effect on the embedded store.
    ///
    /// ```
    /// use cached_runtime::{Cache, Credentials};
    /// use std::time::Duration;
    ///
    /// # async fn fetch_token() -> Result<String, std::io::Error> { Ok("…".into()) }
    /// let builder = Cache::builder().url("rediss://cache.example.com").credentials(|| async {
    ///     let token = fetch_token().await?;
    ///     Ok::<_, std::io::Error>(Credentials::new("app", token).valid_for(Duration::from_secs(900)))
    /// });
    /// ```
    pub fn credentials<P, F, E>(mut self, provider: P) -> Self
    where
        P: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<Credentials, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.config.credentials = Some(Provider::new(provider));
        self
    }

    /// The codec of functions that name none: `Json` (the default), `MessagePack` or `Postcard`.
    pub fn codec<C: BuiltIn>(mut self, _codec: C) -> Self {
        self.config.codec = C::default_codec();
        self
    }

    /// The clock of the embedded store, for tests of expiry. No effect on Redis.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.config.clock = clock;
        self
    }

    /// Builds the cache. For Redis it tries to connect first; where that fails within the
    /// deadlines the cache is built all the same, and connects by itself as soon as it can.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for settings that are not usable.
    pub async fn build(self) -> Result<Cache, Error> {
        let cache = self.build_unconnected()?;
        // Being away is no error: it is logged, and looked after.
        let _ = cache.store().connect().wait().await;
        Ok(cache)
    }

    /// As [`build`](Self::build), for programs without async: it may block this thread until the
    /// first attempt to connect is over.
    ///
    /// # Errors
    /// As there.
    pub fn build_blocking(self) -> Result<Cache, Error> {
        let cache = self.build_unconnected()?;
        let _ = cache.store().connect().block();
        Ok(cache)
    }

    fn build_unconnected(self) -> Result<Cache, Error> {
        let mut config = self.config;
        if let Some(namespace) = self.namespace.or_else(|| variable("CACHE_NAMESPACE")) {
            config.namespace = namespace;
        }
        config.check()?;
        let url = self.url.or_else(|| variable("CACHE_URL")).or_else(|| variable("REDIS_URL"));
        match url.as_deref() {
            None | Some("memory:" | "memory://" | "memory") => Ok(Cache::on_memory(config)),
            Some(url) => Cache::on_redis(url, config),
        }
    }
}

/// Without the URL, which may hold a password.
impl fmt::Debug for CacheBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheBuilder")
            .field("url", &self.url.as_ref().map(|_| "…"))
            .field("namespace", &self.namespace)
            .field("config", &self.config)
            .finish()
    }
}

/// The codecs that [`CacheBuilder::codec`] takes: the built-in ones.
pub trait BuiltIn: Codec + sealed::Sealed {}

mod sealed {
    pub trait Sealed {
        #[allow(private_interfaces, reason = "sealed: nobody outside can name it")]
        fn default_codec() -> crate::config::DefaultCodec;
    }
}

macro_rules! built_in {
    ($($(#[$feature:meta])* $codec:ident),*) => {$(
        $(#[$feature])*
        impl BuiltIn for crate::codec::$codec {}
        $(#[$feature])*
        impl sealed::Sealed for crate::codec::$codec {
            #[allow(private_interfaces, reason = "see the trait")]
            fn default_codec() -> DefaultCodec {
                DefaultCodec::$codec
            }
        }
    )*};
}

built_in!(
    Json,
    #[cfg(feature = "msgpack")]
    MessagePack,
    #[cfg(feature = "postcard")]
    Postcard
);

/// An environment variable that says something.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The cache that the environment asks for; said once in the log. What it asks for and cannot
/// have is not replaced in silence: such a cache caches nothing.
pub(super) fn from_environment() -> Cache {
    match CacheBuilder::default().build_unconnected() {
        Ok(cache) => {
            tracing::info!(cache = ?cache, "no cache was installed; this one is used");
            cache
        }
        Err(error) => {
            tracing::error!(
                %error,
                "the environment's CACHE_URL, REDIS_URL or CACHE_NAMESPACE is not usable; \
                 nothing is cached"
            );
            let failure = Failure::new(Fault::Off, error.to_string());
            Cache::of(Store::Off(failure), Config::default())
        }
    }
}
