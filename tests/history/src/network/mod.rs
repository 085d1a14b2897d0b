//! The servers, what is between them and the processes, and how both fail.

use cached_tests::RedisServer;

use crate::disturbances::{Disturbances, Least};

mod cluster;
mod pair;
mod wire;

use cluster::Cluster;
use pair::Pair;

/// The kinds of networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One server, reached directly, of which only connections are closed.
    Plain,
    /// Two servers, of which one may take the other's place, and wires that fail.
    Pair,
    /// Primaries with replicas that take their places, and slots that move.
    Cluster,
    /// Primaries, slots that move, and wires that fail.
    ProxiedCluster,
}

pub(crate) enum Network {
    Plain(RedisServer),
    Pair(Box<Pair>),
    Cluster(Box<Cluster>),
}

impl Kind {
    /// What must have happened in a run that shows anything.
    pub(crate) fn least(self) -> Vec<Least> {
        let always: &[Least] = &[("stops", 20), ("evictions of entries", 20)];
        let own: &[&[Least]] = match self {
            Self::Plain => return Vec::new(),
            Self::Pair => &[always, &wire::LEAST, &pair::LEAST],
            Self::Cluster => &[always, &cluster::LEAST, &cluster::LEAST_WITH_REPLICAS],
            Self::ProxiedCluster => &[always, &wire::LEAST, &cluster::LEAST],
        };
        own.concat()
    }

    /// Whether anything is to be disturbed beyond connections.
    pub(crate) fn fails(self) -> bool {
        self != Self::Plain
    }
}

impl Network {
    pub(crate) fn start(kind: Kind, processes: usize) -> Self {
        match kind {
            Kind::Plain => Self::Plain(RedisServer::start()),
            Kind::Pair => Self::Pair(Box::new(Pair::start(processes))),
            Kind::Cluster => Self::Cluster(Box::new(Cluster::with_replicas())),
            Kind::ProxiedCluster => Self::Cluster(Box::new(Cluster::behind_proxies())),
        }
    }

    /// Where the process of this number reaches the servers.
    pub(crate) fn url(&self, process: usize) -> String {
        match self {
            Self::Plain(server) => server.url(),
            Self::Pair(pair) => pair.url(process),
            Self::Cluster(cluster) => cluster.url(),
        }
    }

    /// One that has entries.
    pub(crate) fn primary(&self, random: &mut fastrand::Rng) -> &RedisServer {
        match self {
            Self::Plain(server) => server,
            Self::Pair(pair) => pair.primary(),
            Self::Cluster(cluster) => cluster.primary(random),
        }
    }

    /// Until the time is over; then all is well again.
    pub(crate) fn disturb(&self, random: &mut fastrand::Rng, until: u64) -> Disturbances {
        match self {
            Self::Plain(_) => Disturbances::default(),
            Self::Pair(pair) => pair.disturb(random, until),
            Self::Cluster(cluster) => cluster.disturb(random, until),
        }
    }
}
