//! Finding out which primary has which slot: one task on the I/O thread, whenever somebody met what
//! does not fit the map, and for as long as a primary cannot be asked.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use redis::{Cmd, Pipeline, PushInfo, RedisError, Value};
use tokio::sync::Notify;

use super::super::connect::connect;
use super::super::line::Line;
use super::super::link::{FIRST_PAUSE, LONGEST_PAUSE};
use super::super::scripts::unexpected;
use super::super::{Patience, fault};
use super::map::{Map, Node, Place};
use super::topology::Topology;
use super::{ClusterStore, Inner, Known, Seed};
use crate::fault::Fault;
use crate::io;
use crate::store::Failure;

/// So many servers are asked at a time: one alone may be cut off from the others.
const ASKED: usize = 5;
/// What takes longer is not waited for.
const PATIENCE: Duration = Duration::from_millis(500);

/// Keeps the map; ends with the store. The less its surveys find, the longer it waits before the next:
/// whoever goes where a server sends needs none.
pub(super) async fn keep(store: Weak<Inner>, news: Arc<Notify>) {
    let mut in_vain = 0;
    loop {
        let Some(inner) = store.upgrade() else { return };
        let store_now = ClusterStore { inner };
        let surveyed = store_now.survey().await;
        let settled = surveyed.is_ok() && store_now.is_settled();
        drop(store_now);
        in_vain = if matches!(surveyed, Ok(true)) { 0 } else { in_vain + 1 };
        let pause = FIRST_PAUSE.saturating_mul(1 << in_vain.min(5)).min(LONGEST_PAUSE) / 2;
        let next = Instant::now() + pause;
        if settled {
            news.notified().await;
        } else {
            // Others than those who ask may have news as well: that a server is back.
            let _ = io::timeout(pause, news.notified()).await;
        }
        io::sleep(next.saturating_duration_since(Instant::now())).await;
    }
}

impl ClusterStore {
    /// Asks several servers for the map, and takes the newest; says whether it is another.
    pub(super) async fn survey(&self) -> Result<bool, Failure> {
        let surveying = self.inner.surveying.load_full();
        let _alone = surveying.lock().await;
        let (answers, failure) = self.ask_some().await;
        let newest = answers.into_iter().max_by_key(|(_, topology)| topology.rank());
        match newest.filter(|(_, topology)| topology.covered() > 0) {
            Some((asked, topology)) => Ok(self.take(&asked, &topology)),
            None => {
                let failure = failure.unwrap_or_else(|| {
                    Failure::new(Fault::Unavailable, "no server of the cluster has any slots")
                });
                self.nobody(&failure);
                Err(failure)
            }
        }
    }

    /// Whether there is nothing to look after: each slot has a primary, and each can be asked.
    fn is_settled(&self) -> bool {
        let map = self.inner.map.load();
        map.is_whole() && map.primaries().iter().all(|node| node.store.is_well())
    }

    /// Some of those that are known; where none of them answers, those that the URL names.
    async fn ask_some(&self) -> (Vec<(Place, Topology)>, Option<Failure>) {
        let mut nodes = self.inner.map.load().nodes().to_vec();
        fastrand::shuffle(&mut nodes);
        nodes.truncate(ASKED);
        let known = join_all(nodes.iter().map(|node| ask_node(node))).await;
        let (mut answers, mut failure) = parted(known);
        if answers.is_empty() {
            let seeds = self.inner.seeds.iter().map(ask_seed);
            let (more, cause) = parted(join_all(seeds).await);
            answers = more;
            failure = cause.or(failure);
        }
        (answers, failure)
    }

    fn take(&self, asked: &Place, topology: &Topology) -> bool {
        let _changing = self.inner.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.inner.map.load_full();
        let map = Map::of(topology, asked, &known, |place| self.inner.node(place));
        if map.is_as(&known) && matches!(*self.inner.known.borrow(), Known::Map) {
            return false;
        }
        let gone: Vec<_> =
            known.nodes().iter().filter(|node| map.find(&node.place).is_none()).collect();
        for node in gone {
            let opened = node.store.condition().circuit_opened;
            self.inner.opened_before.fetch_add(opened, Ordering::Relaxed);
            if let Some(member) = node.member.get() {
                member.leaves();
            }
        }
        if !map.owns_as(&known) {
            tracing::debug!(epoch = map.epoch, nodes = map.nodes().len(), "the cluster's slots");
        }
        self.becomes(map);
        true
    }

    fn nobody(&self, failure: &Failure) {
        let since = match &*self.inner.known.borrow() {
            Known::Nothing(_, since) => *since,
            Known::Starting | Known::Map => {
                tracing::warn!(
                    server = self.server(),
                    cause = failure.fault.label(),
                    detail = failure.message,
                    "no server of the cluster tells who has which slot; what was known is used"
                );
                Instant::now()
            }
        };
        self.inner.known.send_replace(Known::Nothing(failure.clone(), since));
    }
}

type Told = Result<(Place, Topology), Failure>;

fn parted(answers: Vec<Told>) -> (Vec<(Place, Topology)>, Option<Failure>) {
    let mut failure = None;
    let told =
        answers.into_iter().filter_map(|answer| answer.map_err(|it| failure = Some(it)).ok());
    let told = told.collect();
    (told, failure)
}

async fn ask_node(node: &Node) -> Told {
    let told = node.store.within(PATIENCE, Patience::None, async |line| topology(line).await).await;
    Ok((node.place.clone(), told?))
}

async fn ask_seed(Seed { place, origin, gate }: &Seed) -> Told {
    let deaf = |_: PushInfo| Ok::<_, RedisError>(());
    let mut line = Line::new(connect(origin, gate, deaf).await?.connection, false);
    let told = io::timeout(PATIENCE, topology(&mut line)).await;
    let told = told.ok_or_else(|| Failure::new(Fault::Timeout, "no answer"))?;
    Ok((place.clone(), told.map_err(|error| fault::failure(&error))?))
}

async fn topology(line: &mut Line) -> Result<Topology, RedisError> {
    let mut commands = Pipeline::with_capacity(2);
    for about in ["INFO", "SLOTS"] {
        let mut cmd = Cmd::new();
        cmd.arg("CLUSTER").arg(about);
        commands.add_command(cmd);
    }
    let answers = line.send_all(&commands).await?.into_iter().map(Value::extract_error);
    let answers = answers.collect::<Result<Vec<_>, _>>()?;
    match &answers[..] {
        [info, slots] => Topology::read(info, slots).ok_or_else(|| unexpected("CLUSTER SLOTS")),
        _ => Err(unexpected("a pipeline")),
    }
}
