//! A real Redis Cluster of `redis-server` processes.

mod failover;
mod migration;
mod view;

use std::collections::BTreeMap;
use std::time::Duration;

use redis::Value;

use crate::certs::Authority;
use crate::ports::free_port;
use crate::program::{Ability, knows};
use crate::wait::poll;
use crate::{Proxy, RedisServer};
use view::View;

/// After this long without a word from it the others doubt a node, and soon
/// after that a primary's replica takes its place.
const NODE_TIMEOUT: Duration = Duration::from_secs(1);
/// How long the nodes get to agree on something.
const PATIENCE: Duration = Duration::from_secs(20);
const SLOTS: usize = 16_384;

/// A cluster of its own, each node a [`RedisServer`] with loopback ports that
/// were free; all end when it is dropped.
///
/// The first nodes start as primaries with equal shares of the slots, the
/// others as their replicas; which are what may change, so the methods that
/// name a node by its index among [`nodes`](Self::nodes) ask them. All of that
/// goes around the clients' ports, and is in no node's counts of calls.
///
/// Nodes that were killed or halted are not asked.
///
/// ```
/// let cluster = cached_tests::RedisCluster::start(3, 0);
/// let slot = cluster.slot_of("greeting");
/// cluster.cmd_at("greeting", &["SET", "greeting", "hello"]);
/// let to = (cluster.owner_of(slot) + 1) % 3;
/// cluster.migrate(slot, to);
/// assert_eq!(cluster.nodes()[to].text(&["GET", "greeting"]).as_deref(), Some("hello"));
/// ```
pub struct RedisCluster {
    nodes: Vec<RedisServer>,
    /// The nodes' names for each other.
    ids: Vec<String>,
    /// Empty, or one for each node.
    proxies: Vec<Proxy>,
}

impl RedisCluster {
    /// Starts a cluster and waits until its nodes agree on everything. It takes
    /// 2 s: a primary refuses to serve before.
    ///
    /// # Panics
    ///
    /// As [`RedisServer::start`], and when the nodes don't agree within 20 s.
    #[must_use]
    pub fn start(primaries: usize, replicas_per_primary: usize) -> Self {
        Self::start_with(primaries, replicas_per_primary, &[])
    }

    /// [`start`](Self::start), with these command-line arguments for each node
    /// after the harness's own.
    #[must_use]
    pub fn start_with(primaries: usize, replicas_per_primary: usize, args: &[&str]) -> Self {
        let count = primaries * (1 + replicas_per_primary);
        let nodes = (0..count).map(|_| node(args)).collect();
        Self::join(nodes, Vec::new(), primaries, 0)
    }

    /// Starts a cluster of primaries that speak TLS as well, among each other alone, with certificates
    /// by this authority for these hosts; with these arguments after the harness's own.
    #[must_use]
    pub fn start_tls(
        primaries: usize,
        authority: &Authority,
        hosts: &[&str],
        args: &[&str],
    ) -> Self {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let nodes = (0..primaries).map(|_| {
            let certs = authority.server(hosts).arguments();
            let secure = ["--tls-cluster", "yes", "--tls-replication", "yes"].map(str::to_owned);
            let all = [&certs[..], &secure, &args].concat();
            let all: Vec<&str> = all.iter().map(String::as_str).collect();
            node_by(&all, true)
        });
        Self::join(nodes.collect(), Vec::new(), primaries, 0)
    }

    /// `rediss+cluster://HOST:PORT` of the first node of a cluster that speaks TLS.
    ///
    /// # Panics
    ///
    /// When it speaks none.
    #[must_use]
    pub fn tls_url(&self, host: &str) -> String {
        let reply = self.nodes[0].ask("config|get", &["CONFIG", "GET", "tls-port"]);
        match reply {
            Ok(Value::Array(pair)) if pair.len() == 2 => {
                format!("rediss+cluster://{host}:{}", text(pair[1].clone()))
            }
            other => panic!("no port for TLS: {other:?}"),
        }
    }

    /// [`start`](Self::start), without replicas, and with one more primary, the
    /// last node, that has no slots yet.
    #[must_use]
    pub fn start_with_spare(primaries: usize) -> Self {
        let nodes = (0..=primaries).map(|_| node(&[])).collect();
        Self::join(nodes, Vec::new(), primaries, 1)
    }

    /// Starts a cluster of primaries each of which tells clients the port of a
    /// [`Proxy`] in front of it instead of its own: a client that goes where the
    /// cluster leads it goes through the proxies.
    #[must_use]
    pub fn start_behind_proxies(primaries: usize) -> Self {
        let (mut nodes, mut proxies) = (Vec::new(), Vec::new());
        for _ in 0..primaries {
            // The node's port is known only when it runs.
            let proxy = Proxy::to(0);
            let port = proxy.port().to_string();
            let announced = ["--cluster-announce-ip", "127.0.0.1", "--cluster-announce-port"];
            let node = node(&[&announced[..], &[&port]].concat());
            proxy.redirect(node.port());
            nodes.push(node);
            proxies.push(proxy);
        }
        Self::join(nodes, proxies, primaries, 0)
    }

    fn join(nodes: Vec<RedisServer>, proxies: Vec<Proxy>, primaries: usize, spare: usize) -> Self {
        let ids = nodes.iter().map(|node| ask_text(node, "myid", &[])).collect();
        let cluster = Self { nodes, ids, proxies };
        let nodes = &cluster.nodes;
        for (at, node) in nodes.iter().enumerate() {
            // Else they have to settle first whose epoch is which.
            ask_text(node, "set-config-epoch", &[&(at + 1).to_string()]);
        }
        for (at, node) in nodes.iter().enumerate() {
            // Each meets each: word of mouth takes longer.
            for other in &nodes[at + 1..] {
                let (port, bus) = (other.port().to_string(), bus_port(other));
                ask_text(node, "meet", &["127.0.0.1", &port, &bus]);
            }
        }
        for (at, node) in nodes[..primaries].iter().enumerate() {
            let (first, next) = (SLOTS * at / primaries, SLOTS * (at + 1) / primaries);
            if knows(Ability::ClusterPort) {
                ask_text(node, "addslotsrange", &[&first.to_string(), &(next - 1).to_string()]);
            } else {
                let slots: Vec<String> = (first..next).map(|slot| slot.to_string()).collect();
                let slots: Vec<&str> = slots.iter().map(String::as_str).collect();
                ask_text(node, "addslots", &slots);
            }
        }
        for (at, replica) in nodes.iter().enumerate().skip(primaries + spare) {
            let primary = &cluster.ids[at % primaries];
            let known = || ask(replica, "replicate", &[primary]).ok();
            assert!(poll(PATIENCE, known).is_some(), "node {at} has not met its primary");
        }
        cluster.settle();
        cluster.reset_stats();
        cluster
    }

    /// `redis+cluster://127.0.0.1:PORT,127.0.0.1:PORT…` of all nodes, or of the
    /// proxies in front of them.
    #[must_use]
    pub fn url(&self) -> String {
        let addresses: Vec<String> =
            (0..self.nodes.len()).map(|at| format!("127.0.0.1:{}", self.port(at))).collect();
        format!("redis+cluster://{}", addresses.join(","))
    }

    /// The port that this node tells to clients.
    #[must_use]
    pub fn port(&self, at: usize) -> u16 {
        self.proxies.get(at).map_or_else(|| self.nodes[at].port(), Proxy::port)
    }

    /// All nodes: first those that started as primaries, then one replica of
    /// each, then a second of each.
    #[must_use]
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    /// The proxy in front of this node.
    ///
    /// # Panics
    ///
    /// When the cluster is none of [`start_behind_proxies`](Self::start_behind_proxies).
    #[must_use]
    pub fn proxy(&self, at: usize) -> &Proxy {
        self.proxies.get(at).expect("a cluster started behind proxies")
    }

    /// The slot of this key.
    #[must_use]
    pub fn slot_of(&self, key: &str) -> u16 {
        let (_, node) = self.running().next().expect("a running node");
        ask_text(node, "keyslot", &[key]).parse().expect("a slot")
    }

    /// The primary that serves this slot.
    ///
    /// # Panics
    ///
    /// When there is none.
    #[must_use]
    pub fn owner_of(&self, slot: u16) -> usize {
        let views = self.views();
        let owners = views.iter().filter(|(_, view)| view.serves(slot));
        // One that has not heard that it lost the slot has an older epoch.
        let owner = owners.max_by_key(|(_, view)| view.epoch());
        owner.unwrap_or_else(|| panic!("nobody serves slot {slot}")).0
    }

    /// The node that serves this key's slot.
    ///
    /// # Panics
    ///
    /// As [`owner_of`](Self::owner_of).
    #[must_use]
    pub fn at(&self, key: &str) -> &RedisServer {
        &self.nodes[self.owner_of(self.slot_of(key))]
    }

    /// [`RedisServer::cmd`] at the node that serves this key's slot.
    ///
    /// # Panics
    ///
    /// As it, and as [`owner_of`](Self::owner_of).
    pub fn cmd_at<A: AsRef<[u8]>>(&self, key: &str, args: &[A]) -> Value {
        self.at(key).cmd(args)
    }

    /// The running nodes that are primaries.
    #[must_use]
    pub fn primaries(&self) -> Vec<usize> {
        let views = self.views().into_iter();
        views.filter(|(_, view)| view.is_primary()).map(|(at, _)| at).collect()
    }

    /// A running replica of this node, which need not run itself.
    #[must_use]
    pub fn replica_of(&self, primary: usize) -> Option<usize> {
        let id = &self.ids[primary];
        let views = self.views().into_iter();
        views.filter(|(_, view)| view.is_replica_of(id)).map(|(at, _)| at).next()
    }

    /// The keys of all primaries, sorted.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        let primaries = self.primaries().into_iter();
        let mut keys: Vec<String> = primaries.flat_map(|at| self.nodes[at].keys()).collect();
        keys.sort();
        keys
    }

    /// [`RedisServer::lookups`] of all that are primaries now, added up.
    #[must_use]
    pub fn lookups(&self) -> u64 {
        self.primaries().into_iter().map(|at| self.nodes[at].lookups()).sum()
    }

    /// [`RedisServer::command_calls`] of all that are primaries now, added up,
    /// without what nodes send each other.
    #[must_use]
    pub fn command_calls(&self) -> BTreeMap<String, u64> {
        let mut sum = BTreeMap::new();
        for at in self.primaries() {
            for (name, calls) in self.nodes[at].command_calls() {
                *sum.entry(name).or_default() += calls;
            }
        }
        for name in ["psync", "replconf", "restore-asking", "select"] {
            sum.remove(name);
        }
        sum
    }

    /// Sets all counts of all running nodes to zero.
    pub fn reset_stats(&self) {
        self.running().for_each(|(_, node)| node.reset_stats());
    }

    /// Waits until all running nodes agree on who is what and serves which slots,
    /// say that the cluster is well, and each replica has all that was written to
    /// its primary before this call.
    ///
    /// # Panics
    ///
    /// When they don't within 20 s.
    pub fn settle(&self) {
        if poll(PATIENCE, || self.is_settled().then_some(())).is_none() {
            panic!("the nodes don't agree within {PATIENCE:?}: {:#?}", self.views());
        }
    }

    fn is_settled(&self) -> bool {
        let views = self.views();
        let (_, first) = views.first().expect("a running node");
        views.iter().all(|(at, view)| {
            let node = &self.nodes[*at];
            view.len() == self.nodes.len()
                && view.common() == first.common()
                && ask_text(node, "info", &[]).contains("cluster_state:ok")
                && (view.is_primary() || self.replicates(node, view))
        })
    }

    fn replicates(&self, replica: &RedisServer, view: &View) -> bool {
        let primary = self.running().find(|(at, _)| view.is_replica_of(&self.ids[*at]));
        primary.is_some_and(|(_, primary)| replica.replicates(primary))
    }

    fn running(&self) -> impl Iterator<Item = (usize, &RedisServer)> {
        self.nodes.iter().enumerate().filter(|(_, node)| node.is_running())
    }

    /// What each running node says.
    fn views(&self) -> Vec<(usize, View)> {
        self.running().map(|(at, _)| (at, self.view(at))).collect()
    }

    fn view(&self, at: usize) -> View {
        View::parse(&ask_text(&self.nodes[at], "nodes", &[]))
    }
}

fn node(args: &[&str]) -> RedisServer {
    node_by(args, false)
}

fn node_by(args: &[&str], tls: bool) -> RedisServer {
    RedisServer::start_by(|| {
        let timeout = NODE_TIMEOUT.as_millis().to_string();
        // The default is 10000 more than the port, from where outgoing
        // connections take theirs.
        let bus = free_port().to_string();
        let own = [
            ["--cluster-enabled", "yes"],
            ["--cluster-node-timeout", &timeout],
            // A replica stands for election however old its data are.
            ["--cluster-replica-validity-factor", "0"],
            ["--cluster-require-full-coverage", "no"],
            // Replicas stay with the primary that they were given.
            ["--cluster-allow-replica-migration", "no"],
            ["--repl-diskless-sync-delay", "0"],
        ];
        let bus = knows(Ability::ClusterPort).then_some(["--cluster-port", &bus]);
        let secure = free_port().to_string();
        let secure = tls.then_some(["--tls-port", &secure]);
        let ports = bus.as_slice().as_flattened().iter().chain(secure.as_slice().as_flattened());
        let own = own.as_flattened().iter().chain(ports).chain(args);
        own.map(|arg| (*arg).to_owned()).collect()
    })
}

fn bus_port(node: &RedisServer) -> String {
    if !knows(Ability::ClusterPort) {
        return (node.port() + 10_000).to_string();
    }
    let reply = node.ask("config|get", &["CONFIG", "GET", "cluster-port"]);
    match reply {
        Ok(Value::Array(pair)) if pair.len() == 2 => text(pair[1].clone()),
        other => panic!("no port of the bus: {other:?}"),
    }
}

/// Sends `CLUSTER COMMAND`, which is then in no count of calls.
fn ask(node: &RedisServer, command: &str, args: &[&str]) -> Result<Value, String> {
    node.ask(&format!("cluster|{command}"), &[&["CLUSTER", command], args].concat())
}

fn ask_text(node: &RedisServer, command: &str, args: &[&str]) -> String {
    let reply = ask(node, command, args);
    text(reply.unwrap_or_else(|error| panic!("CLUSTER {command} {}: {error}", args.join(" "))))
}

fn text(reply: Value) -> String {
    match reply {
        Value::Okay => "OK".to_owned(),
        Value::Int(number) => number.to_string(),
        Value::SimpleString(text) => text,
        Value::BulkString(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        other => panic!("no text: {other:?}"),
    }
}

#[cfg(test)]
mod tests;
