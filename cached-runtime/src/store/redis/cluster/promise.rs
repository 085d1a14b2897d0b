//! Deletions in a cluster: each name at the primary that has its slot, all at once, and again
//! wherever one of them was sent elsewhere, until the deadline.

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::join_all;

use super::super::layout::{FullKey, SLOTS};
use super::super::removal::Deletion;
use super::ClusterStore;
use super::map::Node;
use super::route::{Aim, PAUSE, Way};
use crate::fault::Fault;
use crate::store::Failure;

/// So often a walk over the whole cluster begins anew because the slots moved under it.
const WALKS: usize = 8;

/// A name to be deleted.
struct Name {
    bytes: Vec<u8>,
    slot: u16,
    /// Where an answer sent it.
    way: Option<Way>,
}

/// Names at one primary.
struct Part {
    way: Way,
    names: Vec<Name>,
}

impl Name {
    fn of(name: FullKey<'_>) -> Self {
        Self { bytes: name.to_bytes(), slot: name.slot(), way: None }
    }
}

impl ClusterStore {
    /// The entries and the tags' versions, on all stripes; says how many there were.
    pub(crate) async fn delete(&self, keys: &[String], tags: &[String]) -> Result<u64, Failure> {
        let layout = &self.inner.layout;
        let entries = keys.iter().flat_map(|key| layout.entries(key));
        let versions = tags.iter().flat_map(|tag| layout.tags(tag));
        let mut left: Vec<Name> = entries.chain(versions).map(Name::of).collect();
        let end = Instant::now() + self.inner.config.invalidate_deadline;
        let mut removed = 0;
        while !left.is_empty() {
            let (parts, mut failed) = self.parts(left);
            let told = join_all(parts.into_iter().map(|part| self.delete_part(part, end))).await;
            for (count, more) in told {
                removed += count;
                failed.extend(more);
            }
            let hopeless = failed.iter().find(|(_, failure)| !may_pass(failure));
            let over = Instant::now() + PAUSE >= end;
            if let Some((_, failure)) = hopeless.or_else(|| failed.first().filter(|_| over)) {
                return Err(failure.clone());
            }
            if failed.iter().any(|(name, _)| name.way.is_none()) {
                crate::io::sleep(PAUSE).await;
            }
            left = failed.into_iter().map(|(name, _)| name).collect();
        }
        Ok(removed)
    }

    /// The names by who is to be asked, and those of which nobody has the slot.
    fn parts(&self, names: Vec<Name>) -> (Vec<Part>, Vec<(Name, Failure)>) {
        let (mut parts, mut nobodys) = (Vec::<Part>::new(), Vec::new());
        let map = self.inner.map.load();
        for mut name in names {
            let owner =
                || map.owner(name.slot).map(|node| Way { node: node.clone(), asking: false });
            let Some(way) = name.way.take().or_else(owner) else {
                let failure = self.unowned(name.slot);
                self.notice(&failure);
                nobodys.push((name, failure));
                continue;
            };
            let same = |part: &&mut Part| {
                Arc::ptr_eq(&part.way.node, &way.node) && part.way.asking == way.asking
            };
            match parts.iter_mut().find(same) {
                Some(part) => part.names.push(name),
                None => parts.push(Part { way, names: vec![name] }),
            }
        }
        (parts, nobodys)
    }

    /// How many there were, and what was not deleted, with where that leads.
    async fn delete_part(&self, part: Part, end: Instant) -> (u64, Vec<(Name, Failure)>) {
        let Part { way, names } = part;
        let bytes: Vec<_> = names.iter().map(|name| &name.bytes[..]).collect();
        let slot = names.first().map_or(0, |name| name.slot);
        let left = end.saturating_duration_since(Instant::now());
        let store = way.store().confirming();
        let outcomes = tokio::select! {
            outcomes = store.remove_each(Deletion::Del, &bytes, left) => outcomes,
            () = self.loses(&way.node, slot), if !way.asking => {
                Err(Failure::new(Fault::Unavailable, "another server has the slot now"))
            }
        };
        let outcomes = outcomes.unwrap_or_else(|failure| failure.of_each(names.len()));
        let mut removed = 0;
        let mut failed = Vec::new();
        for (mut name, outcome) in names.into_iter().zip(outcomes) {
            match outcome {
                Ok(count) => removed += count,
                Err(failure) => {
                    self.notice(&failure);
                    let aim = Aim { slot: name.slot, parted: false };
                    name.way = self.redirected(aim, &way.node, &failure);
                    failed.push((name, failure));
                }
            }
        }
        (removed, failed)
    }

    /// Walks over every primary. What is on its way from one to another while both are walked may be
    /// missed; a second walk, after the first has removed what had not gone yet, finds it where it
    /// came to, which may be a primary that gets its first slot. So one walk is enough only while no
    /// slot moves, and nothing is said of a walk in which a server did not have the same slots at its
    /// end as at its beginning, or in which not all slots were walked: each server is asked for its
    /// own, since what others know of them comes late.
    pub(crate) async fn sweep(&self, pattern: &str) -> Result<u64, Failure> {
        let patterns = self.inner.layout.patterns(pattern);
        let (mut removed, mut whole, mut moving) = (0, 0, false);
        let mut spare: Vec<Arc<Node>> = Vec::new();
        for _ in 0..WALKS {
            self.survey().await?;
            let map = self.inner.map.load_full();
            if !map.is_whole() {
                let message = "some of the cluster's slots have no server";
                return Err(Failure::new(Fault::Unavailable, message));
            }
            let mut nodes = map.primaries();
            spare.retain(|node| nodes.iter().all(|it| !Arc::ptr_eq(it, node)));
            nodes.extend(spare.iter().map(Arc::clone));
            let walks = nodes.iter().map(|node| {
                let (store, patterns) = (node.store.clone(), &patterns);
                async move { store.walk_in_cluster(patterns).await }
            });
            let (mut still, mut slots) = (true, 0);
            for (node, stood) in nodes.iter().zip(join_all(walks).await) {
                let stood = stood.inspect_err(|failure| self.notice(failure))?;
                removed += stood.walked.removed;
                moving |= stood.walked.moving;
                still &= stood.still;
                slots += stood.after.count;
                for address in stood.after.spare.iter().filter(|_| stood.walked.moving) {
                    let Some(other) = self.learn(node, address, None) else { continue };
                    if nodes.iter().chain(&spare).all(|it| !Arc::ptr_eq(it, &other)) {
                        spare.push(other);
                        still = false;
                    }
                }
            }
            whole = if still && slots == usize::from(SLOTS) { whole + 1 } else { 0 };
            if whole > usize::from(moving) {
                return Ok(removed);
            }
            if whole == 0 {
                // Word of who has what is still going round.
                crate::io::sleep(PAUSE).await;
            }
        }
        Err(Failure::new(Fault::Unavailable, "the cluster's slots do not come to rest"))
    }
}

/// Whether another try may fare better.
fn may_pass(failure: &Failure) -> bool {
    failure.redirect.is_some() || failure.fault == Fault::Unavailable
}
