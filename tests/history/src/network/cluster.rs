//! A cluster: primaries whose replicas change places with them, or wires that fail before them, and
//! slots that move with what is in them.
//!
//! No replica takes over unasked, since it may lack what its primary had acknowledged, and the promise
//! then: a primary is halted for much less than the time after which the others doubt it.

use std::sync::{Mutex, PoisonError};
use std::thread;

use cached_tests::{Proxy, RedisCluster, RedisServer};
use redis::Value;

use super::wire;
use crate::clock;
use crate::coordinator::wait;
use crate::disturbances::{Disturbances, Least};

const PRIMARIES: usize = 3;
/// After this long without a word from it the others doubt a node: long beside a halt, also on a
/// machine that is busy. For twice this they elect no other successor of the same primary.
const NODE_TIMEOUT: [&str; 2] = ["--cluster-node-timeout", "2000"];
/// The longest halt of a primary, in milliseconds.
const HALT: u64 = 500;

pub(super) const LEAST: [Least; 3] =
    [("slots moved", 2), ("keys moved", 1), ("primaries halted", 1)];
pub(super) const LEAST_WITH_REPLICAS: [Least; 1] = [("failovers", 1)];

/// What happens to a primary.
#[derive(Clone, Copy)]
enum Event {
    Migration,
    Halt,
    Failover,
}

pub(crate) struct Cluster {
    cluster: RedisCluster,
    has_replicas: bool,
    /// As they should be now, without any failover that nobody asked for; last those that took another's
    /// place last.
    primaries: Mutex<Vec<usize>>,
}

impl Cluster {
    pub(super) fn with_replicas() -> Self {
        Self::new(RedisCluster::start_with(PRIMARIES, 1, &NODE_TIMEOUT), true)
    }

    pub(super) fn behind_proxies() -> Self {
        Self::new(RedisCluster::start_behind_proxies(PRIMARIES), false)
    }

    fn new(cluster: RedisCluster, has_replicas: bool) -> Self {
        let primaries = Mutex::new(cluster.primaries());
        Self { cluster, has_replicas, primaries }
    }

    pub(super) fn url(&self) -> String {
        self.cluster.url()
    }

    pub(super) fn primary(&self, random: &mut fastrand::Rng) -> &RedisServer {
        let at = random.choice(self.primaries()).expect("a primary");
        &self.cluster.nodes()[at]
    }

    fn primaries(&self) -> Vec<usize> {
        self.primaries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn disturb(&self, random: &mut fastrand::Rng, until: u64) -> Disturbances {
        thread::scope(|scope| {
            let proxies: Vec<&Proxy> = if self.has_replicas {
                Vec::new()
            } else {
                self.primaries().into_iter().map(|at| self.cluster.proxy(at)).collect()
            };
            let wires = wire::disturb_each(scope, random, proxies, until);
            let mut disturbances = self.disturb_nodes(random, until);
            for wire in wires {
                disturbances.merge(wire.join().unwrap());
            }
            disturbances
        })
    }

    fn disturb_nodes(&self, random: &mut fastrand::Rng, until: u64) -> Disturbances {
        let mut done = Disturbances::default();
        let events = if self.has_replicas {
            &[Event::Migration, Event::Failover, Event::Migration, Event::Halt][..]
        } else {
            &[Event::Migration, Event::Halt][..]
        };
        // In turn, so that a short run has each of them.
        for event in events.iter().cycle() {
            if !wait(until, random.u64(100..700)) {
                break;
            }
            let primary = random.choice(self.primaries()).expect("a primary");
            let began = clock::now();
            let what = match event {
                Event::Migration => self.migrate(random, primary, &mut done),
                Event::Halt => {
                    let node = &self.cluster.nodes()[primary];
                    node.stop();
                    wait(until, random.u64(50..HALT));
                    node.cont();
                    done.add("primaries halted", 1);
                    format!("primary {primary} halted")
                }
                Event::Failover => {
                    // The one that did so longest ago.
                    let primary = self.primaries()[0];
                    let successor = self.cluster.fail_over(primary);
                    let mut primaries =
                        self.primaries.lock().unwrap_or_else(PoisonError::into_inner);
                    primaries.retain(|at| *at != primary);
                    primaries.push(successor);
                    done.add("failovers", 1);
                    format!("{successor} takes the place of {primary}")
                }
            };
            done.note(began, what);
            self.expect_primaries(began, &mut done);
        }
        done
    }

    /// A slot with entries, and all that is in it, becomes another primary's.
    fn migrate(&self, random: &mut fastrand::Rng, from: usize, done: &mut Disturbances) -> String {
        let Ok(Value::BulkString(key)) = self.cluster.nodes()[from].try_cmd(&["RANDOMKEY"]) else {
            return format!("nothing to move at {from}");
        };
        let key = String::from_utf8_lossy(&key);
        let slot = self.cluster.slot_of(&key);
        let others = self.primaries().into_iter().filter(|at| *at != from);
        let to = random.choice(others.collect::<Vec<_>>()).expect("another primary");
        self.cluster.begin_migration(slot, to);
        // The time in which keys are here or there.
        wait(u64::MAX, random.u64(..300));
        let keys = self.cluster.try_move_keys(slot, to).unwrap_or_else(|error| {
            // Then an invalidation may reach the one and not the other.
            let began = clock::now();
            done.add(TWICE, 1);
            done.warn(began, format!("{TWICE}: slot {slot} with {key}: {error}"));
            self.cluster.move_keys_over(slot, to)
        });
        wait(u64::MAX, random.u64(..300));
        self.cluster.end_migration(slot, to);
        done.add("slots moved", 1);
        done.add("keys moved", keys as u64);
        format!("slot {slot} with {key} moves from {from} to {to}")
    }

    /// Whatever else a run shows is worth nothing once a replica has taken over unasked.
    fn expect_primaries(&self, began: u64, done: &mut Disturbances) {
        let (mut expected, mut found) = (self.primaries(), self.cluster.primaries());
        expected.sort_unstable();
        found.sort_unstable();
        if found != expected {
            done.add(UNASKED, 1);
            done.warn(began, format!("{UNASKED}: {expected:?} became {found:?}"));
            *self.primaries.lock().unwrap_or_else(PoisonError::into_inner) = found;
        }
    }
}

/// A key that was made at the new owner of a slot while the old one still had it.
const TWICE: &str = "slots with a key at both";
/// What loses acknowledged writes.
const UNASKED: &str = "failovers that nobody asked for";
