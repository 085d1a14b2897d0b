//! Two servers, of which one follows the other and may take its place, and each process reaches them
//! through a proxy of its own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use cached_tests::{Proxy, RedisServer, eventually_blocking};
use redis::Value;

use super::wire;
use crate::clock;
use crate::coordinator::wait;
use crate::disturbances::{Disturbances, Least};

pub(super) const LEAST: [Least; 3] =
    [("server halted", 1), ("server restarted", 1), ("failovers", 1)];

/// How long a failover may take, its giving up included.
const PATIENCE: Duration = Duration::from_secs(10);
/// After this the primary gives a failover up, in milliseconds.
const FAILOVER: &str = "1000";

/// What happens to the server.
#[derive(Clone, Copy)]
enum Outage {
    Halt,
    Restart,
    Failover,
}

pub(crate) struct Pair {
    servers: [RedisServer; 2],
    /// Which of them is the primary.
    primary: AtomicUsize,
    /// One for each process.
    proxies: Vec<Proxy>,
}

impl Pair {
    pub(super) fn start(processes: usize) -> Self {
        let start = || RedisServer::start_with(&["--repl-diskless-sync-delay", "0"]);
        let servers = [start(), start()];
        let port = servers[0].port();
        servers[1].cmd(&["REPLICAOF", "127.0.0.1", &port.to_string()]);
        let proxies = (0..processes).map(|_| Proxy::to(port)).collect();
        Self { servers, primary: AtomicUsize::new(0), proxies }
    }

    pub(super) fn url(&self, process: usize) -> String {
        self.proxies[process].url()
    }

    pub(super) fn primary(&self) -> &RedisServer {
        &self.servers[self.primary.load(Ordering::SeqCst)]
    }

    /// Until the time is over; then all is well again.
    pub(super) fn disturb(&self, random: &mut fastrand::Rng, until: u64) -> Disturbances {
        thread::scope(|scope| {
            let wires = wire::disturb_each(scope, random, &self.proxies, until);
            let mut disturbances = self.disturb_servers(random, until);
            for wire in wires {
                disturbances.merge(wire.join().unwrap());
            }
            disturbances
        })
    }

    fn disturb_servers(&self, random: &mut fastrand::Rng, until: u64) -> Disturbances {
        let mut done = Disturbances::default();
        // In turn, so that a short run has each of them.
        let mut turns =
            [Outage::Failover, Outage::Halt, Outage::Failover, Outage::Restart].into_iter().cycle();
        while wait(until, random.u64(300..1_500)) {
            match turns.next() {
                Some(Outage::Halt) => {
                    let began = clock::now();
                    let server = self.primary();
                    server.stop();
                    wait(until, random.u64(50..700));
                    server.cont();
                    done.add("server halted", 1);
                    done.note(began, "server halted");
                }
                Some(Outage::Restart) => {
                    // What it had is lost, at its follower as well.
                    let began = clock::now();
                    self.primary().restart();
                    done.add("server restarted", 1);
                    done.note(began, "server restarted");
                }
                Some(Outage::Failover) | None => {
                    let began = clock::now();
                    done.add("failovers", u64::from(self.fail_over(random)));
                    done.note(began, "failover");
                }
            }
        }
        done
    }

    /// The follower takes the server's place, with all that this has acknowledged, and the server
    /// follows. The processes are led there some time later. `false` where the follower is not ready.
    fn fail_over(&self, random: &mut fastrand::Rng) -> bool {
        let at = self.primary.load(Ordering::SeqCst);
        let (old, new) = (&self.servers[at], &self.servers[1 - at]);
        let port = new.port().to_string();
        let begun = old.try_cmd(&["FAILOVER", "TO", "127.0.0.1", &port, "TIMEOUT", FAILOVER]);
        if begun.is_err() {
            return false;
        }
        eventually_blocking(PATIENCE, || is_primary(new) || (!fails_over(old) && is_primary(old)));
        if !is_primary(new) {
            return false;
        }
        self.primary.store(1 - at, Ordering::SeqCst);
        // The time in which the new address is not known yet.
        thread::sleep(Duration::from_millis(random.u64(..300)));
        for proxy in &self.proxies {
            proxy.redirect(new.port());
        }
        true
    }
}

fn is_primary(server: &RedisServer) -> bool {
    let Ok(Value::Array(role)) = server.try_cmd(&["ROLE"]) else { return false };
    matches!(role.first(), Some(Value::BulkString(role)) if role == b"master")
}

fn fails_over(server: &RedisServer) -> bool {
    let info = server.text(&["INFO", "replication"]).unwrap_or_default();
    !info.contains("master_failover_state:no-failover")
}
