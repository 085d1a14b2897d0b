//! Primaries that are replaced.

use super::{PATIENCE, RedisCluster, ask_text};
use crate::RedisServer;
use crate::wait::poll;

impl RedisCluster {
    /// Has a replica of this primary change places with it, both being well, and
    /// waits until all nodes know. Returns the new primary.
    ///
    /// # Panics
    ///
    /// When it has no replica, and when the nodes don't agree within 20 s.
    pub fn fail_over(&self, primary: usize) -> usize {
        let replica = self.replica_of(primary).expect("a replica");
        self.replace(primary, || {
            ask_text(&self.nodes[replica], "failover", &[]);
        })
    }

    /// Kills this primary, and waits until a replica of it has taken its place
    /// and all other nodes know. Returns the new primary.
    ///
    /// # Panics
    ///
    /// When fewer than two primaries are left to vote, when it has no replica,
    /// and when the nodes don't agree within 20 s.
    pub fn fail_over_by_death(&self, primary: usize) -> usize {
        self.replace_lost(primary, RedisServer::kill)
    }

    /// [`fail_over_by_death`](Self::fail_over_by_death) of a primary that is
    /// halted instead: when it [goes on](RedisServer::cont) it takes itself for
    /// the primary, until the others correct it.
    ///
    /// # Panics
    ///
    /// As it.
    pub fn fail_over_by_halt(&self, primary: usize) -> usize {
        self.replace_lost(primary, RedisServer::stop)
    }

    fn replace_lost(&self, primary: usize, lose: impl FnOnce(&RedisServer)) -> usize {
        assert!(self.primaries().len() >= 3, "the primaries that are left are no majority");
        assert!(self.replica_of(primary).is_some(), "node {primary} has no replica");
        self.replace(primary, || lose(&self.nodes[primary]))
    }

    fn replace(&self, primary: usize, begin: impl FnOnce()) -> usize {
        let slot = self.view(primary).first_slot().expect("a primary that serves a slot");
        begin();
        let successor = poll(PATIENCE, || {
            let mut views = self.views().into_iter();
            views.find(|(at, view)| *at != primary && view.serves(slot)).map(|(at, _)| at)
        });
        let successor = successor.unwrap_or_else(|| panic!("nobody took over from {primary}"));
        self.settle();
        successor
    }
}
