//! Which server has which slot, as far as is known.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::super::RedisStore;
use super::super::layout::SLOTS;
use super::gathering::Member;
use super::topology::Topology;

/// A server that was named by another, but has no slot yet, is kept for this long: it may be about to
/// get its first.
const GUESTS: Duration = Duration::from_secs(30);
const NOBODY: u16 = u16::MAX;

/// Host and port, as a connection needs them.
pub(super) type Place = (String, u16);

/// One primary.
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) store: RedisStore,
    /// Where its changes are told, if they are wanted.
    pub(super) member: OnceLock<Arc<Member>>,
    since: Instant,
}

impl Node {
    pub(super) fn new(place: Place, store: RedisStore) -> Self {
        Self { place, store, member: OnceLock::new(), since: Instant::now() }
    }

    /// Whether each change there is told now.
    pub(super) fn is_told(&self) -> bool {
        self.member.get().is_some_and(|member| member.is_told())
    }
}

#[derive(Default)]
pub(super) struct Map {
    pub(super) epoch: u64,
    /// By slot: which of the nodes. Empty where nothing is known.
    owners: Box<[u16]>,
    nodes: Vec<Arc<Node>>,
}

impl Map {
    /// What a server said, with the nodes that are known already.
    pub(super) fn of(
        topology: &Topology,
        asked: &Place,
        known: &Self,
        mut make: impl FnMut(&Place) -> Option<Arc<Node>>,
    ) -> Self {
        let mut map = Self {
            epoch: topology.state.epoch,
            owners: vec![NOBODY; usize::from(SLOTS)].into(),
            nodes: Vec::new(),
        };
        for range in &topology.ranges {
            let host = range.primary.host.clone().unwrap_or_else(|| asked.0.clone());
            let place = (host, range.primary.port);
            let node = map.find(&place).or_else(|| known.find(&place)).or_else(|| make(&place));
            let Some(at) = node.and_then(|node| map.place_of(node)) else { continue };
            for slot in range.first..=range.last.min(SLOTS - 1) {
                map.owners[usize::from(slot)] = at;
            }
        }
        for guest in known.nodes.iter().filter(|node| node.since.elapsed() < GUESTS) {
            if map.find(&guest.place).is_none() {
                map.nodes.push(Arc::clone(guest));
            }
        }
        map
    }

    /// The same, but that `node` has the slot, if one is named.
    pub(super) fn with(&self, node: Arc<Node>, slot: Option<u16>) -> Self {
        let mut owners = self.owners.clone();
        if owners.is_empty() {
            owners = vec![NOBODY; usize::from(SLOTS)].into();
        }
        let mut map = Self { epoch: self.epoch, owners, nodes: self.nodes.clone() };
        if let (Some(at), Some(slot)) = (map.place_of(node), slot) {
            map.owners[usize::from(slot)] = at;
        }
        map
    }

    pub(super) fn owner(&self, slot: u16) -> Option<&Arc<Node>> {
        self.nodes.get(usize::from(*self.owners.get(usize::from(slot))?))
    }

    pub(super) fn find(&self, place: &Place) -> Option<Arc<Node>> {
        self.nodes.iter().find(|node| node.place == *place).map(Arc::clone)
    }

    /// All that are known.
    pub(super) fn nodes(&self) -> &[Arc<Node>] {
        &self.nodes
    }

    /// Those that have slots.
    pub(super) fn primaries(&self) -> Vec<Arc<Node>> {
        let mut has = vec![false; self.nodes.len()];
        for owner in &self.owners {
            if let Some(has) = has.get_mut(usize::from(*owner)) {
                *has = true;
            }
        }
        let primaries = self.nodes.iter().zip(has).filter(|(_, has)| *has);
        primaries.map(|(node, _)| Arc::clone(node)).collect()
    }

    /// Whether each slot has an owner.
    pub(super) fn is_whole(&self) -> bool {
        !self.owners.is_empty() && !self.owners.contains(&NOBODY)
    }

    /// Whether both say the same.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        self.epoch == other.epoch
            && self.owners == other.owners
            && self.nodes.len() == other.nodes.len()
            && self.nodes.iter().zip(&other.nodes).all(|(one, other)| Arc::ptr_eq(one, other))
    }

    /// Whether both say the same of who has which slot.
    pub(super) fn owns_as(&self, other: &Self) -> bool {
        self.epoch == other.epoch
            && (0..SLOTS).all(|slot| match (self.owner(slot), other.owner(slot)) {
                (Some(one), Some(other)) => Arc::ptr_eq(one, other),
                (None, None) => true,
                _ => false,
            })
    }

    /// Where a node stands among the others; added where it is new.
    fn place_of(&mut self, node: Arc<Node>) -> Option<u16> {
        let known = self.nodes.iter().position(|it| Arc::ptr_eq(it, &node));
        let at = known.unwrap_or_else(|| {
            self.nodes.push(node);
            self.nodes.len() - 1
        });
        u16::try_from(at).ok().filter(|at| *at != NOBODY)
    }
}
