//! The store on a cluster: each key's operation goes to the primary that has its slot, over the same
//! connections, lanes and circuits as a single server has.
//!
//! The redis crate has a client for clusters, which is not used: it sends a command again that may
//! have been carried out (invariant I3), waits for answers without a limit, and tells nothing of
//! which connection a command takes, so that no lane and no link could be had for a primary. What is
//! left to do here is to know who has which slot ([`map`]), to find it out anew ([`survey`]), and to
//! go where a server sends ([`route`]).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use redis::ConnectionInfo;
use tokio::sync::{Notify, watch};

use self::gathering::Gathering;
use self::map::{Map, Node, Place};
use super::gate::Gate;
use super::layout::{CLUSTER_STRIPES, Layout};
use super::origin::{Access, Origin};
use super::url::moved;
use super::watch::Watch;
use super::{Condition, RedisStore};
use crate::config::Config;
use crate::error::Error;
use crate::fault::Fault;
use crate::io;
use crate::store::{Failure, Watched};

mod gathering;
mod map;
mod operations;
mod promise;
mod route;
mod survey;
mod topology;

pub(in crate::store::redis) use self::topology::{Standing, State};

#[derive(Clone)]
pub(crate) struct ClusterStore {
    inner: Arc<Inner>,
}

struct Inner {
    /// Whom to ask while nobody else is known.
    seeds: Vec<Seed>,
    /// How to log in, at any of them.
    template: ConnectionInfo,
    access: Access,
    config: Config,
    layout: Layout,
    /// For people.
    name: String,
    map: ArcSwap<Map>,
    /// Held while the map is changed.
    changing: Mutex<()>,
    known: watch::Sender<Known>,
    /// The map is to be looked after.
    news: Arc<Notify>,
    gathering: OnceLock<Arc<Gathering>>,
    /// One at a time asks for the map: an older answer must not come after a newer.
    surveying: ArcSwap<tokio::sync::Mutex<()>>,
    /// How often circuits opened of servers that are gone.
    opened_before: AtomicU64,
}

/// A server that the URL names.
struct Seed {
    place: Place,
    origin: Origin,
    gate: Gate,
}

/// What is known of the cluster.
#[derive(Debug, Clone)]
enum Known {
    /// Nothing yet; callers wait, within their deadline.
    Starting,
    /// The map, which has changed.
    Map,
    /// Nobody could be asked, for this reason; what was known before is still used.
    Nothing(Failure, Instant),
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Whoever looks after the map ends.
        self.news.notify_one();
    }
}

impl ClusterStore {
    pub(super) fn open(
        seeds: Vec<ConnectionInfo>,
        access: Access,
        config: &Config,
    ) -> Result<Self, Error> {
        let template =
            seeds.first().cloned().ok_or_else(|| Error::config("the URL names no server"))?;
        let names: Vec<_> = seeds.iter().map(|info| info.addr().to_string()).collect();
        let seed = |info: ConnectionInfo| {
            let place = place_of(&info);
            let origin = Origin::fixed(info, access.clone())?;
            Ok(Seed { place, origin, gate: Gate::default() })
        };
        let seeds = seeds.into_iter().map(seed).collect::<Result<_, Error>>()?;
        let store = Self {
            inner: Arc::new(Inner {
                seeds,
                template,
                access,
                config: config.clone(),
                layout: Layout::new(&config.namespace, CLUSTER_STRIPES),
                name: format!("cluster of {}", names.join(", ")),
                map: ArcSwap::default(),
                changing: Mutex::new(()),
                known: watch::Sender::new(Known::Starting),
                news: Arc::default(),
                gathering: OnceLock::new(),
                surveying: ArcSwap::default(),
                opened_before: AtomicU64::new(0),
            }),
        };
        store.look_after();
        Ok(store)
    }

    fn look_after(&self) {
        if let Ok(io) = io::handle() {
            io.spawn(survey::keep(Arc::downgrade(&self.inner), Arc::clone(&self.inner.news)));
        }
    }

    /// In a child process: the servers are found anew, and with them their links.
    pub(in crate::store) fn in_child(&self) {
        // The parent's tasks, which are not here, must not be the ones to hear of what follows.
        self.inner.news.notify_waiters();
        self.inner.surveying.store(Arc::default());
        if let Some(login) = &self.inner.access.login {
            login.in_child();
        }
        for node in self.inner.map.swap(Arc::default()).nodes() {
            if let Some(member) = node.member.get() {
                member.leaves();
            }
        }
        self.inner.known.send_replace(Known::Starting);
        self.look_after();
    }

    pub(crate) fn server(&self) -> &str {
        &self.inner.name
    }

    /// Why not to ask anybody. A single primary's circuit is its own: see
    /// [`route`](self::route).
    pub(in crate::store) fn refusal(&self) -> Option<Failure> {
        let failure = match &*self.inner.known.borrow() {
            Known::Nothing(failure, _) if self.inner.map.load().nodes().is_empty() => {
                Some(failure.clone())
            }
            _ => return None,
        };
        // In a child process nobody looks after the map before its I/O thread is asked for.
        let _ = io::handle();
        failure
    }

    /// Tells `watched` of all changes at all primaries from now on, and that it did so at least four
    /// times in `bound`.
    pub(crate) fn watch(&self, watched: Arc<dyn Watched>, bound: Duration) {
        let gathering =
            self.inner.gathering.get_or_init(|| Arc::new(Gathering::new(watched, bound)));
        // A node that is made meanwhile finds it; one that was made before is found here.
        let _changing = self.inner.changing.lock().unwrap_or_else(PoisonError::into_inner);
        for node in self.inner.map.load().nodes() {
            self.inner.watch_node(node, gathering);
        }
    }

    /// Whether changes are told: the worst that holds of a primary.
    pub(crate) fn watching(&self) -> Watch {
        let primaries = self.inner.map.load().primaries();
        let watches = primaries.iter().map(|node| node.store.watching());
        let worst = |one: Watch, other: Watch| match (one, other) {
            (Watch::Denied(fault), _) | (_, Watch::Denied(fault)) => Watch::Denied(fault),
            (Watch::Lost(fault), _) | (_, Watch::Lost(fault)) => Watch::Lost(fault),
            (Watch::Told, Watch::Told) => Watch::Told,
        };
        watches.reduce(worst).unwrap_or(Watch::Lost(Fault::Unavailable))
    }

    /// Bypassed where no primary can be asked; where some cannot, what is about their slots is.
    pub(crate) fn condition(&self) -> Condition {
        let primaries = self.inner.map.load().primaries();
        let all: Vec<_> = primaries.iter().map(|node| node.store.condition()).collect();
        let mut whole = Condition {
            refused: all.iter().find_map(|it| it.bypassed.or(it.refused)),
            well_since: all.iter().filter_map(|it| it.well_since).max(),
            circuit_opened: all.iter().map(|it| it.circuit_opened).sum::<u64>()
                + self.inner.opened_before.load(Ordering::Relaxed),
            bypassed: None,
        };
        if all.iter().all(|it| it.bypassed.is_some()) {
            whole.bypassed = all.iter().find_map(|it| it.bypassed);
        }
        if let (Known::Nothing(failure, since), true) =
            (&*self.inner.known.borrow(), all.is_empty())
        {
            whole.bypassed = Some((failure.fault, *since));
        }
        whole
    }
}

impl Inner {
    /// A primary that was not known.
    fn node(&self, place: &Place) -> Option<Arc<Node>> {
        let info = moved(&self.template, &place.0, place.1);
        let origin = Origin::fixed(info, self.access.clone()).ok()?;
        let store = RedisStore::new(origin, CLUSTER_STRIPES, &self.config);
        let node = Arc::new(Node::new(place.clone(), store));
        if let Some(gathering) = self.gathering.get() {
            self.watch_node(&node, gathering);
        }
        Some(node)
    }

    fn watch_node(&self, node: &Node, gathering: &Arc<Gathering>) {
        node.member.get_or_init(|| {
            let member = Arc::new(gathering.member(Arc::clone(&self.news)));
            let watched = Arc::clone(&member) as Arc<dyn Watched>;
            node.store.watch_for(watched, gathering.bound, Some(Arc::clone(&self.news)));
            member
        });
    }
}

fn place_of(info: &ConnectionInfo) -> Place {
    match info.addr() {
        redis::ConnectionAddr::Tcp(host, port)
        | redis::ConnectionAddr::TcpTls { host, port, .. } => (host.clone(), *port),
        other => (other.to_string(), 0),
    }
}
