//! What follows from a look that was not served: the right to load, another look after a wait, or
//! what was seen after all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::background::{Lease, Refreshing};
use super::super::capture::{Marked, absent, with_versions};
use super::super::loading::{Fill, Loading};
use super::super::waiting::Waiting;
use super::{Call, Shared, Unserved};
use crate::entry::{self, Fence};
use crate::flight::inside;
use crate::policy::SingleFlight;
use crate::store::{Captured, Hold, Looked, Preparation, Prepared, Sight};
use crate::token::Token;

/// What is to be done where nothing was served at once.
pub(crate) enum Next {
    /// Load in the caller's time what could be served, if no other process does.
    Renew(Renewal),
    Resolve(Unserved),
}

/// The right to load, in this process, in place of a value that is still served.
pub(crate) struct Renewal {
    pub(crate) hold: Hold,
    /// Whether others keep something there.
    pub(in crate::cache) shared: bool,
    pub(in crate::cache) renewing: Refreshing,
}

/// What follows from a look that was not served.
pub(crate) enum Resolved {
    /// Look again.
    Again,
    /// Load.
    Load(Box<Loading>),
    /// What was seen is old, and somebody else loads: serve it.
    Spare(Arc<Sight>),
    /// Those who load take longer than a load may.
    TimedOut,
}

/// What follows from a look that could not be served.
enum Outcome {
    Again,
    Load(Box<Loading>),
    /// What was seen is old, and somebody else loads.
    Spare,
    TimedOut,
}

/// How a wait for another's load ended.
enum Waited {
    LookAgain,
    /// Whoever loads shows no sign of life.
    TooLong,
    /// Longer than a load may take.
    TimedOut,
}

impl Call<'_> {
    /// The right to load, or another look after a wait, or what was seen after all.
    pub(crate) async fn next(&mut self, sight: Sight, next: Next) -> Resolved {
        let unserved = match next {
            Next::Renew(renewal) => {
                let sight = Arc::new(sight);
                if let Some(leader) = self.leader.take() {
                    leader.finish(Shared::Sight(Arc::clone(&sight)));
                }
                return match self.cache.renew(renewal).await {
                    Ok(mut loading) => {
                        loading.spare = Some(sight);
                        Resolved::Load(loading)
                    }
                    Err(_) => Resolved::Spare(sight),
                };
            }
            Next::Resolve(unserved) => unserved,
        };
        let spare = matches!(unserved, Unserved::Spare { .. });
        match self.resolve(&sight, unserved).await {
            Outcome::Again => Resolved::Again,
            Outcome::Load(mut loading) => {
                loading.spare = spare.then(|| Arc::new(sight));
                Resolved::Load(loading)
            }
            Outcome::Spare => {
                // Those who joined came after this look: each looks for itself.
                if let Some(leader) = self.leader.take() {
                    leader.finish(Shared::Spare);
                }
                Resolved::Spare(Arc::new(sight))
            }
            Outcome::TimedOut => Resolved::TimedOut,
        }
    }

    /// The right to load, where that need not be waited for. Else the flight is left: it must not
    /// wait for a caller that does something else meanwhile.
    pub(in crate::cache) async fn next_now(
        mut self,
        sight: &Sight,
        unserved: Unserved,
    ) -> Option<Box<Loading>> {
        let busy = matches!(unserved, Unserved::Busy(_) | Unserved::Spare { .. });
        if busy && self.wants.flight == SingleFlight::Fleet {
            return None;
        }
        let unserved = match unserved {
            // The lease beside it may have to be waited for.
            Unserved::Other(fence) => Unserved::Useless(fence),
            unserved => unserved,
        };
        match self.resolve(sight, unserved).await {
            Outcome::Load(loading) => Some(loading),
            Outcome::Again | Outcome::Spare | Outcome::TimedOut => None,
        }
    }

    /// The right to fill the entry over what was seen, whatever it is.
    pub(crate) async fn over(&mut self, sight: &Sight) -> Box<Loading> {
        let fence = match &sight.looked {
            Looked::Leased => Fence::lease(&self.token),
            Looked::Present(bytes) => entry::fence_of(bytes),
            Looked::Unleased(_) | Looked::WrongType => return self.alone(Fill::Unfenced),
        };
        // Given up where what follows fails or is dropped.
        let lease = (sight.looked == Looked::Leased).then(|| self.guard());
        match self.cache.captured(self.wants.key, self.wants.tags, &sight.versions).await {
            Ok(tags) => match lease {
                Some(lease) => {
                    lease.settled();
                    self.alone(self.leased(tags))
                }
                None => self.alone(Fill::Fenced { hold: self.hold(fence, tags), lease: None }),
            },
            Err(failure) => self.unasked(&failure),
        }
    }

    async fn resolve(&mut self, sight: &Sight, unserved: Unserved) -> Outcome {
        let versions = &sight.versions[..];
        match unserved {
            Unserved::Leased => self.prepared(None, versions).await,
            Unserved::Useless(fence) => {
                self.next_token();
                self.prepared(Some(fence), versions).await
            }
            Unserved::Unreadable => Outcome::Load(self.on_its_own(false)),
            Unserved::WrongType => {
                self.next_token();
                let claim = self.cache.store().claim(
                    self.wants.key.as_str(),
                    self.is_tagged(),
                    &self.token,
                );
                match claim.wait().await {
                    Ok(true) => self.prepared(None, versions).await,
                    Ok(false) => Outcome::Load(self.load(Fill::Unfenced)),
                    Err(failure) => Outcome::Load(self.unasked(&failure)),
                }
            }
            Unserved::Spare { fence, shared } => {
                let tags = with_versions(self.wants.tags, versions, Vec::new());
                self.beside(fence, tags, shared).await
            }
            Unserved::Other(fence) => {
                match self.cache.captured(self.wants.key, self.wants.tags, versions).await {
                    Ok(tags) => match self.beside(fence, tags, true).await {
                        Outcome::Load(mut loading) => {
                            loading.others_alone = true;
                            Outcome::Load(loading)
                        }
                        // Nothing was seen that could be served.
                        Outcome::Spare => Outcome::Load(self.load(Fill::Unfenced)),
                        outcome => outcome,
                    },
                    Err(failure) => Outcome::Load(self.unasked(&failure)),
                }
            }
            // Whoever loads it elsewhere will store nothing either.
            Unserved::Busy(_) if self.wants.function.is_barren() => {
                Outcome::Load(self.load(Fill::Unfenced))
            }
            Unserved::Busy(lease) if self.wants.flight == SingleFlight::Fleet => {
                match self.wait(lease, sight.remaining).await {
                    Waited::LookAgain => Outcome::Again,
                    Waited::TooLong => Outcome::Load(self.load(Fill::Unfenced)),
                    Waited::TimedOut => Outcome::TimedOut,
                }
            }
            Unserved::Busy(_) | Unserved::Unleased => Outcome::Load(self.load(Fill::Unfenced)),
        }
    }

    /// Captures what must be known before a body starts (invariant I1), and seizes the entry where
    /// what is there is of no use. The lease is taken already, or will be by the seizure, with this
    /// call's token.
    async fn prepared(&mut self, seize: Option<Fence>, versions: &[Option<Token>]) -> Outcome {
        let absent = absent(self.wants.tags, versions);
        if seize.is_none() && absent.is_empty() {
            let fill = self.leased(with_versions(self.wants.tags, versions, Vec::new()));
            return Outcome::Load(self.load(fill));
        }
        // Given up where what follows fails or is dropped; after a failed seizure in case it was
        // carried out all the same.
        let lease = self.guard();
        let taken = seize.is_none();
        let seize = seize.map(|fence| (fence, self.token));
        let preparation = Preparation { key: self.text(), tagged: self.is_tagged(), seize, absent };
        match self.cache.store().prepare(preparation).wait().await {
            Ok(Prepared { seized, versions: given }) => {
                lease.settled();
                if !(taken || seized) {
                    // Another was faster.
                    return Outcome::Again;
                }
                let fill = self.leased(with_versions(self.wants.tags, versions, given));
                Outcome::Load(self.load(fill))
            }
            Err(failure) => Outcome::Load(self.unasked(&failure)),
        }
    }

    /// A load that leaves what is there in its place until there is a new value, and what others keep
    /// there beside that.
    async fn beside(&mut self, fence: Fence, tags: Arc<[Captured]>, shared: bool) -> Outcome {
        let seen = fence.prefix.clone();
        let hold = self.hold(fence, tags);
        match self.cache.mark(&hold, shared).await {
            Ok(Marked::Taken(lease, others)) => {
                let mut loading = self.load(Fill::Fenced { hold, lease: Some(lease) });
                loading.others = others;
                Outcome::Load(loading)
            }
            Ok(Marked::Changed) => Outcome::Again,
            Ok(Marked::Busy) if self.wants.flight == SingleFlight::Fleet => {
                let waited = self.waiting.as_ref().map_or(Duration::ZERO, |w| w.waited());
                if self.wants.ageing.soft_timeout.is_some_and(|soft| waited >= soft) {
                    return Outcome::Spare;
                }
                match self.wait(seen, None).await {
                    Waited::LookAgain => Outcome::Again,
                    // It is somebody else's to load, who takes too long.
                    Waited::TooLong | Waited::TimedOut => Outcome::Spare,
                }
            }
            Ok(Marked::Busy) => Outcome::Load(self.load(Fill::Unfenced)),
            Err(failure) => Outcome::Load(self.unasked(&failure)),
        }
    }

    /// The right to load in place of a value that is still served; `None` where this process
    /// does already.
    pub(crate) fn renewing(&self, bytes: &[u8], versions: &[Option<Token>]) -> Option<Renewal> {
        let renewing = self.cache.background().refresh(self.id)?;
        let tags = with_versions(self.wants.tags, versions, Vec::new());
        let (hold, shared) = (self.hold(entry::fence_of(bytes), tags), entry::is_several(bytes));
        Some(Renewal { hold, shared, renewing })
    }

    /// Waits until whoever loads is done, or has given up, or may have.
    async fn wait(&mut self, seen: Vec<u8>, remaining: Option<Duration>) -> Waited {
        if let Some(leader) = &self.leader {
            leader.open();
        }
        let (since, now, wait_max) = (self.since(), Instant::now(), self.cache.config().wait_max());
        let waiting = self.waiting.get_or_insert_with(|| Box::new(Waiting::new(since, wait_max)));
        waiting.saw(seen, remaining, now);
        // Whoever waits inside a body may be what the other waits for.
        if waiting.is_stalled() || (inside() && waiting.waited() > wait_max) {
            return Waited::TooLong;
        }
        let (load, soft) = (self.wants.ageing.load_timeout, self.wants.ageing.soft_timeout);
        if load.is_some_and(|limit| waiting.waited() >= limit) {
            return Waited::TimedOut;
        }
        let left =
            load.into_iter().chain(soft).filter_map(|limit| limit.checked_sub(waiting.waited()));
        let at_most = left.filter(|left| !left.is_zero()).min();
        waiting.pause(self.cache.store(), self.wants.key.as_str(), at_most).await;
        Waited::LookAgain
    }

    /// The lease that was taken with this call's token.
    fn leased(&self, tags: Arc<[Captured]>) -> Fill {
        let hold = self.hold(Fence::lease(&self.token), tags);
        let lease = Lease::hold(self.cache, hold.clone());
        Fill::Fenced { hold, lease: Some(lease) }
    }
}
