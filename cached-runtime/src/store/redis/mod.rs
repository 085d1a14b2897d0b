//! The remote store: Redis or Valkey, one server, wherever its sentinels say that it is, or a cluster
//! of them. The only place that names the redis crate.
//!
//! Each operation runs on the connection of the runtime it is polled on, under one deadline that
//! covers everything, connecting included.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use redis::RedisError;

pub(crate) use self::bell::Listening;
use self::bound::InFlight;
use self::endpoint::Endpoint;
use self::idle::Check;
use self::layout::Layout;
use self::line::Line;
use self::link::Live;
use self::login::Login;
use self::origin::{Access, Origin};
use self::removal::Deletions;
use self::rights::{Right, Rights};
use self::scripts::Scripts;
use self::url::Servers;
use self::wire::Encoder;
use self::writes::Writes;
use super::{Failure, Store};
use crate::config::Config;
use crate::error::Error;
use crate::fault::Fault;
use crate::io;

mod bell;
mod bound;
mod breaker;
mod cluster;
mod connect;
mod endpoint;
mod fault;
mod fill;
mod gate;
mod health;
mod idle;
mod lane;
mod layout;
mod leases;
mod line;
mod link;
mod login;
mod lookup;
mod origin;
mod probe;
mod promise;
mod removal;
mod replicas;
mod rights;
mod scripts;
#[cfg(feature = "tls")]
mod secure;
#[cfg(not(feature = "tls"))]
#[path = "secure_not.rs"]
mod secure;
mod taken;
mod url;
mod watch;
mod wire;
mod writes;

pub(crate) use self::cluster::ClusterStore;
pub(crate) use self::fault::Redirect;
pub(crate) use self::health::Condition;
pub(crate) use self::probe::Errands;
use self::secure::Secure;
pub(crate) use self::watch::Watch;
use self::watch::Watcher;

/// The store that a URL names.
pub(super) fn open(url: &str, config: &Config) -> Result<Store, Error> {
    let servers = Servers::parse(url)?;
    let (named, tell) = servers.named();
    let access = Access {
        login: config.credentials.clone().map(|provider| Arc::new(Login::new(provider))),
        secure: Secure::new(config, &named, tell)?,
    };
    let one = |origin| Store::Redis(RedisStore::new(origin, 1, config));
    Ok(match servers {
        Servers::One(info) => one(Origin::fixed(info, access)?),
        Servers::Sentinels(watch) => one(Origin::watched(watch, access)?),
        Servers::Cluster(seeds) => Store::Cluster(ClusterStore::open(seeds, access, config)?),
    })
}

#[derive(Clone)]
pub(crate) struct RedisStore {
    inner: Arc<Inner>,
    /// See [`Line`].
    asking: bool,
    /// For what is large, on connections of its own.
    bulk: bool,
    /// For deletions that replicas must have, on connections of their own.
    confirming: bool,
}

struct Inner {
    endpoint: Endpoint,
    /// The same server's, for what is large. Its breaker has nobody to guard, and never opens: that
    /// large values are late says nothing of the others.
    bulk: Endpoint,
    /// The same server's, for deletions that replicas must have.
    confirming: Option<Endpoint>,
    /// How many must have what is deleted before it counts as deleted.
    replicas: usize,
    layout: Arc<Layout>,
    /// Of lookups on a lane of their own.
    encoder: Encoder,
    lookup_deadline: Duration,
    commit_deadline: Duration,
    invalidate_deadline: Duration,
    lease_millis: u64,
    scripts: Scripts,
    writes: Writes,
    rights: Rights,
    deletions: Deletions,
    in_flight: InFlight,
    /// What is to be done before the circuit closes.
    errands: OnceLock<Arc<dyn Errands>>,
    /// Tells of changes, where somebody keeps values elsewhere.
    watcher: Arc<Watcher>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.watcher.end();
    }
}

/// So many times its deadline may an operation take while bytes arrive, where they may be many.
const SLACK: u32 = 10;

/// So many operations of one caller are answered well within one deadline; more are sent in parts.
const CHUNK: usize = 500;

/// Whether an operation waits for a connection that is down.
#[derive(Clone, Copy)]
enum Patience {
    /// No: a cached call goes on with its body.
    None,
    /// Yes, until the deadline: it keeps a promise.
    Waits,
}

impl RedisStore {
    /// One server, whose tagged keys are spread over so many stripes.
    fn new(origin: Origin, stripes: u8, config: &Config) -> Self {
        let lease_millis = u64::try_from(config.lease.as_millis()).unwrap_or(u64::MAX);
        let layout = Layout::new(&config.namespace, stripes);
        let check = Check::new(config.idle_check, &layout);
        let endpoint = Endpoint::new(origin, check);
        let bulk = endpoint.beside();
        let confirming = (config.replicas > 0).then(|| endpoint.beside());
        let store = Self {
            asking: false,
            bulk: false,
            confirming: false,
            inner: Arc::new(Inner {
                endpoint,
                bulk,
                confirming,
                replicas: config.replicas,
                layout: Arc::new(layout),
                encoder: Encoder::new(lease_millis),
                lookup_deadline: config.lookup_deadline,
                commit_deadline: config.commit_deadline,
                invalidate_deadline: config.invalidate_deadline,
                lease_millis,
                scripts: Scripts::new(),
                writes: Writes::new(),
                rights: Rights::default(),
                deletions: Deletions::default(),
                in_flight: InFlight::new(config.in_flight),
                errands: OnceLock::new(),
                watcher: Arc::default(),
            }),
        };
        store.inner.endpoint.health.breaker.guard(Arc::downgrade(&store.inner));
        store
    }

    /// Whether both are one server's.
    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// For commands about a slot that the server is about to get.
    fn asking(&self) -> Self {
        Self { asking: true, ..self.clone() }
    }

    fn of(inner: Arc<Inner>) -> Self {
        Self { inner, asking: false, bulk: false, confirming: false }
    }

    /// The same server on connections for what is large, where this is not it already.
    fn in_bulk(&self, large: bool) -> Option<Self> {
        let bulk = || Self { bulk: true, ..self.clone() };
        (large && !self.bulk).then(bulk)
    }

    /// How long an operation may take: nobody sees how much of a large one is on its way.
    fn patience(&self, deadline: Duration) -> Duration {
        if self.bulk { deadline * SLACK } else { deadline }
    }

    /// Whose connections are used.
    fn endpoint(&self) -> &Endpoint {
        match &self.inner.confirming {
            Some(confirming) if self.confirming => confirming,
            _ if self.bulk => &self.inner.bulk,
            _ => &self.inner.endpoint,
        }
    }

    /// Why not to ask the server now, where the circuit is open.
    pub(super) fn refusal(&self) -> Option<Failure> {
        self.inner.endpoint.health.breaker.refusal()
    }

    /// What is to be done before a circuit that opened closes again.
    pub(crate) fn before_closing(&self, errands: Arc<dyn Errands>) {
        // Set once, by the cache this store belongs to.
        let _ = self.inner.errands.set(errands);
    }

    pub(crate) fn server(&self) -> &str {
        self.inner.endpoint.health.server()
    }

    /// The connection of the runtime this is called on, where there is one that is up.
    pub(super) fn live_here(&self) -> Option<Arc<Live>> {
        self.endpoint().live_of(&io::here()?)
    }

    /// In a child process: what its parent's I/O thread kept is made anew.
    pub(in crate::store) fn in_child(&self) {
        self.inner.endpoint.in_child();
        self.inner.bulk.in_child();
        self.inner.confirming.iter().for_each(Endpoint::in_child);
        self.inner.rights.forget();
    }

    pub(crate) async fn connect(&self) -> Result<(), Failure> {
        self.within(self.inner.invalidate_deadline, Patience::None, async |_| Ok(())).await
    }

    /// One deadline around everything: the connection, where it must be waited for, and the
    /// operation. What fails is told to the link and to the log of state changes.
    async fn within<T>(
        &self,
        deadline: Duration,
        patience: Patience,
        operation: impl AsyncFnOnce(&mut Line) -> Result<T, RedisError>,
    ) -> Result<T, Failure> {
        let _place = match patience {
            Patience::None => Some(self.inner.in_flight.enter()?),
            Patience::Waits => None,
        };
        let deadline = self.patience(deadline);
        let link = self.endpoint().link();
        let mut used: Option<Arc<Live>> = None;
        let outcome = io::timeout(deadline, async {
            let live = match patience {
                Patience::None => link.live().await?,
                Patience::Waits => link.live_or_wait().await?,
            };
            let mut line = Line::new(live.connection(), self.asking).to(live.found(), live.fuses());
            let live = used.insert(live);
            let result = operation(&mut line).await;
            if let Err(error) = &result {
                self.failed(live, error);
            } else {
                live.answered();
            }
            result.map_err(|error| fault::failure(&error))
        })
        .await;
        outcome.unwrap_or_else(|| match used {
            Some(live) => {
                live.unanswered();
                Err(self.no_answer(deadline))
            }
            None => {
                let failure = self.no_connection(&link, deadline);
                self.endpoint().health.unanswered(&failure.message);
                Err(failure)
            }
        })
    }

    fn failed(&self, live: &Live, error: &RedisError) {
        if fault::redirect(error).is_some() {
            return live.answered();
        }
        let fault = fault::classify(error);
        if fault::ends_connection(error) {
            // The link's actor tells the breaker, once per connection.
            live.give_up(fault::failure(error));
        } else if fault::trips(error) {
            live.heard();
            self.endpoint().health.breaker.failed(fault);
        } else {
            live.answered();
        }
        match fault {
            Fault::WrongType | Fault::Timeout => {}
            Fault::Forbidden => self.inner.endpoint.health.forbidden(error),
            _ => self.endpoint().health.failed(fault, error.category()),
        }
    }

    /// The server refused a write whose reads still hold.
    fn pause_writes(&self, error: &RedisError) {
        let fault = fault::classify(error);
        if fault == Fault::Forbidden {
            return self.noting(Right::Store, error);
        }
        self.inner.writes.pause(fault);
        self.inner.endpoint.health.refused(fault, error.category());
    }
}
