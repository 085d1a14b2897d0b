//! A network that fails: each process reaches the server through a proxy of its own, and the server
//! is one of two, of which the other follows it and may take its place.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use cached_tests::{Proxy, RedisServer, Wire, eventually_blocking};
use redis::Value;

use crate::coordinator::wait;
use crate::disturbances::Disturbances;

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

/// What happens to the connections of one process.
#[derive(Clone, Copy)]
enum Harm {
    Cut,
    HalfClose,
    BlackHole,
    BlackHoleOfLink,
    Delay,
    DelayOfLink,
    DelayOfRest,
}

impl Harm {
    /// Those are worst of which only the link that tells of changes does not hear.
    const ALL: [Self; 10] = [
        Self::BlackHoleOfLink,
        Self::Cut,
        Self::DelayOfRest,
        Self::BlackHoleOfLink,
        Self::BlackHole,
        Self::DelayOfLink,
        Self::BlackHoleOfLink,
        Self::HalfClose,
        Self::DelayOfRest,
        Self::Delay,
    ];
}

pub(crate) struct Network {
    servers: Vec<RedisServer>,
    /// Which of them is the primary.
    primary: AtomicUsize,
    /// One for each process.
    proxies: Vec<Proxy>,
}

impl Network {
    /// One server, reached directly.
    pub(crate) fn plain() -> Self {
        let servers = vec![RedisServer::start()];
        Self { servers, primary: AtomicUsize::new(0), proxies: Vec::new() }
    }

    pub(crate) fn proxied(processes: usize) -> Self {
        let start = || RedisServer::start_with(&["--repl-diskless-sync-delay", "0"]);
        let servers = vec![start(), start()];
        let port = servers[0].port();
        servers[1].cmd(&["REPLICAOF", "127.0.0.1", &port.to_string()]);
        let proxies = (0..processes).map(|_| Proxy::to(port)).collect();
        Self { servers, primary: AtomicUsize::new(0), proxies }
    }

    /// Where the process of this number reaches the server.
    pub(crate) fn url(&self, process: usize) -> String {
        self.proxies.get(process).map_or_else(|| self.primary().url(), Proxy::url)
    }

    pub(crate) fn primary(&self) -> &RedisServer {
        &self.servers[self.primary.load(Ordering::SeqCst)]
    }

    /// Until the time is over; then all is well again.
    pub(crate) fn disturb(&self, random: &mut fastrand::Rng, until: u64) -> Disturbances {
        thread::scope(|scope| {
            let disturb = |proxy| {
                let random = random.fork();
                scope.spawn(move || disturb_wire(random, proxy, until))
            };
            let wires: Vec<_> = self.proxies.iter().map(disturb).collect();
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
                    let server = self.primary();
                    server.stop();
                    wait(until, random.u64(50..700));
                    server.cont();
                    done.add("server halted", 1);
                }
                Some(Outage::Restart) => {
                    // What it had is lost, at its follower as well.
                    self.primary().restart();
                    done.add("server restarted", 1);
                }
                Some(Outage::Failover) | None => {
                    done.add("failovers", u64::from(self.fail_over(random)));
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

/// Harms one process's connections: all of them, the link that tells of changes alone, or all but
/// that one.
fn disturb_wire(mut random: fastrand::Rng, proxy: &Proxy, until: u64) -> Disturbances {
    let mut done = Disturbances::default();
    // In turn, beginning anywhere, so that a short run has each of them.
    let mut turns = Harm::ALL.into_iter().cycle().skip(random.usize(..Harm::ALL.len()));
    while wait(until, random.u64(200..1_500)) {
        let delay = Wire::Delay(Duration::from_millis(random.u64(20..400)));
        let Some(harm) = turns.next() else { break };
        let what = match harm {
            Harm::Cut => {
                proxy.cut();
                "cuts"
            }
            Harm::HalfClose => {
                proxy.half_close();
                "half-closes"
            }
            Harm::BlackHole => {
                proxy.set(Wire::BlackHole);
                "black holes"
            }
            Harm::BlackHoleOfLink => {
                // What was last heard may have been old by then.
                if random.bool() {
                    proxy.set_tracking(Wire::Delay(Duration::from_millis(random.u64(50..250))));
                    wait(until, random.u64(300..600));
                }
                proxy.set_tracking(Wire::BlackHole);
                "black holes of links"
            }
            Harm::Delay => {
                proxy.set(delay);
                "delays"
            }
            Harm::DelayOfLink => {
                proxy.set_tracking(delay);
                "delays of links"
            }
            Harm::DelayOfRest => {
                proxy.set_others(delay);
                "delays of all but links"
            }
        };
        done.add(what, 1);
        if !matches!(harm, Harm::Cut | Harm::HalfClose) {
            wait(until, random.u64(200..2_000));
            if matches!(harm, Harm::BlackHole | Harm::BlackHoleOfLink) {
                // No connection goes on without a part of what was sent on it, as no TCP stream does:
                // an answer would be taken for another's, a change never be told.
                proxy.cut();
            }
            proxy.set(Wire::Pass);
        }
    }
    done
}
