//! The store's operations, each led to its primary.

use std::sync::Arc;

use futures_util::future::join_all;

use super::super::bell::Listening;
use super::super::{Patience, RedisStore};
use super::ClusterStore;
use super::map::Node;
use super::route::Aim;
use crate::io::{self, Task};
use crate::store::{Asked, Captured, Failure, Hold, Preparation, Prepared, Sight, Spot, Value};
use crate::token::Token;

impl ClusterStore {
    /// Until it is known who has which slot.
    pub(crate) async fn connect(&self) -> Result<(), Failure> {
        let node = self.owner(0, self.inner.config.invalidate_deadline, Patience::None).await?;
        node.store.connect().await
    }

    pub(crate) async fn lookup(&self, asked: Asked<'_>, token: &Token) -> Result<Sight, Failure> {
        let aim = self.aim(asked);
        let lookup = move |store: RedisStore| async move {
            let told = self.is_told(aim.slot, &store);
            let sight = store.lookup_anywhere(asked, token).await?;
            Ok(Sight { told, ..sight })
        };
        self.asked(aim, self.inner.config.lookup_deadline, lookup).await
    }

    /// In any thread and any runtime.
    pub(in crate::store) async fn lookup_anywhere(
        &self,
        asked: Asked<'_>,
        token: &Token,
    ) -> Result<Sight, Failure> {
        if io::here().is_some() {
            return self.lookup(asked, token).await;
        }
        let (store, token) = (self.clone(), *token);
        let asked = asked.kept();
        let lookup = async move { store.lookup(asked.as_asked(), &token).await };
        Task::pending(lookup).wait().await
    }

    /// Several lookups; those at one primary leave together.
    pub(crate) async fn lookups(
        &self,
        asked: &[Asked<'_>],
        tokens: &[Token],
    ) -> Vec<Result<Sight, Failure>> {
        let aims: Vec<_> = asked.iter().map(|asked| self.aim(*asked)).collect();
        let together = self.by_node(&aims, move |node, places| async move {
            let asked: Vec<_> = places.iter().map(|at| asked[*at]).collect();
            let tokens: Vec<_> = places.iter().map(|at| tokens[*at]).collect();
            let told = node.is_told();
            let seen = node.store.lookups(&asked, &tokens).await.into_iter();
            seen.map(|outcome| outcome.map(|sight| Sight { told, ..sight })).collect()
        });
        let first = together.await;
        let seen = first.into_iter().zip(asked.iter().zip(tokens));
        let seen = seen.map(|(outcome, (asked, token))| async move {
            match outcome {
                Some(outcome) => outcome,
                None => self.lookup(*asked, token).await,
            }
        });
        join_all(seen).await
    }

    pub(crate) async fn read(&self, asked: Asked<'_>) -> Result<Sight, Failure> {
        let aim = self.aim(asked);
        let read = move |store: RedisStore| async move { store.read(asked).await };
        let sight = self.promised(aim, self.inner.config.lookup_deadline, read).await?;
        Ok(Sight { told: false, ..sight })
    }

    pub(crate) async fn claim(
        &self,
        key: &str,
        tagged: bool,
        token: &Token,
    ) -> Result<bool, Failure> {
        let aim = Aim::whole(self.inner.layout.entry(key, tagged));
        let claim = move |store: RedisStore| async move { store.claim(key, tagged, token).await };
        self.asked(aim, self.inner.config.commit_deadline, claim).await
    }

    pub(crate) async fn mark(&self, key: &str, token: &Token) -> Result<bool, Failure> {
        let aim = Aim::whole(self.inner.layout.beside(key));
        let mark = move |store: RedisStore| async move { store.mark(key, token).await };
        self.asked(aim, self.inner.config.lookup_deadline, mark).await
    }

    pub(crate) async fn prepare(&self, preparation: &Preparation) -> Result<Prepared, Failure> {
        let entry = self.inner.layout.entry(&preparation.key, preparation.tagged);
        let aim = Aim { slot: entry.slot(), parted: !preparation.absent.is_empty() };
        let prepare = move |store: RedisStore| async move { store.prepare(preparation).await };
        self.asked(aim, self.inner.config.commit_deadline, prepare).await
    }

    pub(crate) async fn commit(&self, hold: &Hold, value: &Value) -> Result<bool, Failure> {
        let commit = move |store: RedisStore| async move { store.commit(hold, value).await };
        self.asked(self.aim_of(hold), self.inner.config.commit_deadline, commit).await
    }

    /// Several commits; those at one primary leave together.
    pub(crate) async fn commits(&self, commits: &[(Hold, Value)]) -> Vec<Result<bool, Failure>> {
        let aims: Vec<_> = commits.iter().map(|(hold, _)| self.aim_of(hold)).collect();
        let together = self.by_node(&aims, move |node, places| async move {
            let commits: Vec<_> = places.iter().map(|at| commits[*at].clone()).collect();
            node.store.commits(&commits).await
        });
        let first = together.await;
        let stored = first.into_iter().zip(commits);
        let stored = stored.map(|(outcome, (hold, value))| async move {
            match outcome {
                Some(outcome) => outcome,
                None => self.commit(hold, value).await,
            }
        });
        join_all(stored).await
    }

    pub(crate) async fn put(
        &self,
        key: &str,
        tags: &[Captured],
        value: &Value,
    ) -> Result<(), Failure> {
        let aim = Aim::whole(self.inner.layout.entry(key, !tags.is_empty()));
        let put = move |store: RedisStore| async move { store.put(key, tags, value).await };
        self.promised(aim, self.inner.config.invalidate_deadline, put).await
    }

    pub(crate) async fn release(&self, hold: &Hold) -> Result<bool, Failure> {
        let release = move |store: RedisStore| async move { store.release(hold).await };
        self.asked(self.aim_of(hold), self.inner.config.lease, release).await
    }

    pub(crate) async fn renew(&self, hold: &Hold) -> Result<bool, Failure> {
        let renew = move |store: RedisStore| async move { store.renew(hold).await };
        self.asked(self.aim_of(hold), self.inner.config.commit_deadline, renew).await
    }

    /// On any primary, since what is published is told by all; on the key's own, so that not all
    /// processes listen to one.
    pub(crate) async fn listen(&self, key: &str) -> Option<Listening> {
        let slot = self.inner.layout.waiters(key).slot();
        let node = self.inner.map.load().owner(slot).map(Arc::clone)?;
        node.store.listen(key).await
    }

    /// A lookup of what has tags is several commands.
    fn aim(&self, asked: Asked<'_>) -> Aim {
        let tagged = !asked.tags.is_empty();
        Aim { slot: self.inner.layout.entry(asked.key, tagged).slot(), parted: tagged }
    }

    fn aim_of(&self, hold: &Hold) -> Aim {
        Aim::whole(match hold.spot {
            Spot::Entry { tagged } => self.inner.layout.entry(&hold.key, tagged),
            Spot::Beside => self.inner.layout.beside(&hold.key),
        })
    }

    /// Whether what is read there from this slot, from now on, may be kept elsewhere.
    fn is_told(&self, slot: u16, store: &RedisStore) -> bool {
        let map = self.inner.map.load();
        map.owner(slot).is_some_and(|node| node.store.is_same(store) && node.is_told())
    }

    /// Each primary's part, all at once, with the outcomes in their order; `None` for what is to be
    /// tried by itself: it was sent elsewhere, or it is not known who has the slot, or the primary's
    /// circuit is open.
    async fn by_node<T, F: Future<Output = Vec<Result<T, Failure>>>>(
        &self,
        aims: &[Aim],
        part: impl Fn(Arc<Node>, Vec<usize>) -> F,
    ) -> Vec<Option<Result<T, Failure>>> {
        let map = self.inner.map.load_full();
        let mut parts: Vec<(Arc<Node>, Vec<usize>)> = Vec::new();
        for (at, aim) in aims.iter().enumerate() {
            let Some(node) = map.owner(aim.slot).filter(|node| node.store.refusal().is_none())
            else {
                continue;
            };
            match parts.iter_mut().find(|(known, _)| Arc::ptr_eq(known, node)) {
                Some((_, places)) => places.push(at),
                None => parts.push((Arc::clone(node), vec![at])),
            }
        }
        let mut outcomes: Vec<_> = aims.iter().map(|_| None).collect();
        let answers = parts.iter().map(|(node, places)| part(Arc::clone(node), places.clone()));
        for ((node, places), answers) in parts.iter().zip(join_all(answers).await) {
            for (at, answer) in places.iter().zip(answers) {
                // What is sent elsewhere is tried once more, by itself, wherever that leads.
                let elsewhere = answer.as_ref().is_err_and(|failure| {
                    self.notice(failure);
                    self.redirected(aims[*at], node, failure).is_some()
                });
                outcomes[*at] = (!elsewhere).then_some(answer);
            }
        }
        outcomes
    }
}
