//! Several calls that go together: one trip for all lookups, one for all commits. Between the two
//! nobody waits for what others load: a caller that holds leases while it waits could be what
//! those others wait for.

use futures_util::future::join_all;

use super::Cache;
use super::call::{Call, Entered, Unserved};
use super::loading::{Committing, Fill, Loading};
use crate::function::Function;
use crate::size::LARGE;
use crate::store::{Asked, Failure, Looked, Sight, Value};
use crate::token::Token;

/// What a call came to that does not wait.
pub(crate) enum Glance {
    /// It looked.
    Seen(Result<Sight, Failure>),
    /// It may load.
    Load(Box<Loading>),
    /// Another call of this process is at it.
    Later,
}

impl Cache {
    /// Looks for all calls at once. A lease that was taken is to be seen to before anything else is
    /// awaited.
    pub(crate) async fn glance_all(
        &self,
        function: &'static Function,
        calls: &mut [Call<'_>],
    ) -> Vec<Glance> {
        let mut asked = Vec::with_capacity(calls.len());
        let mut tokens = Vec::with_capacity(calls.len());
        let mut entered = Vec::with_capacity(calls.len());
        for call in calls {
            entered.push(match call.enter_now() {
                Some(Entered::Load(loading)) => Some(Glance::Load(loading)),
                None | Some(Entered::Shared(_) | Entered::TimedOut) => Some(Glance::Later),
                Some(Entered::Look) => match call.ask() {
                    Ok((ask, token)) => {
                        asked.push(ask);
                        tokens.push(token);
                        None
                    }
                    Err(failure) => Some(Glance::Seen(Err(failure))),
                },
            });
        }
        let seen = self.look_all(function, &asked, &tokens).await;
        let mut seen = seen.into_iter();
        let glance = |known: Option<Glance>| {
            known.or_else(|| seen.next().map(Glance::Seen)).unwrap_or(Glance::Later)
        };
        entered.into_iter().map(glance).collect()
    }

    /// Looks, for calls that are to load whatever is there.
    pub(crate) async fn over_all(
        &self,
        function: &'static Function,
        mut calls: Vec<Call<'_>>,
    ) -> Vec<Box<Loading>> {
        let mut asked = Vec::with_capacity(calls.len());
        let mut tokens = Vec::with_capacity(calls.len());
        let mut failed = Vec::with_capacity(calls.len());
        for call in &mut calls {
            failed.push(match call.ask() {
                Ok((ask, token)) => {
                    asked.push(ask);
                    tokens.push(token);
                    None
                }
                Err(failure) => Some(failure),
            });
        }
        let mut seen = self.look_all(function, &asked, &tokens).await.into_iter();
        let loads = calls.into_iter().zip(failed).map(|(mut call, failed)| {
            let seen = match failed {
                Some(failure) => Some(Err(failure)),
                None => seen.next(),
            };
            // What joins futures need not have polled each of them when it is dropped.
            let leased = matches!(&seen, Some(Ok(sight)) if sight.looked == Looked::Leased);
            let guard = leased.then(|| call.guard());
            async move {
                let loading = match seen {
                    Some(Ok(sight)) => call.over(&sight).await,
                    Some(Err(failure)) => call.unasked(&failure),
                    None => call.alone(Fill::Bypass),
                };
                if let Some(guard) = guard {
                    guard.settled();
                }
                loading
            }
        });
        join_all(loads.collect::<Vec<_>>()).await
    }

    /// The right to load what was seen to be of no use; `None` where somebody else loads it.
    pub(crate) async fn next_all(
        &self,
        unserved: Vec<(Call<'_>, Sight, Unserved)>,
    ) -> Vec<Option<Box<Loading>>> {
        let next = unserved.into_iter().map(|(call, sight, unserved)| {
            // As above; without tags there is nothing to wait for.
            let leased = matches!(unserved, Unserved::Leased) && call.is_tagged();
            let guard = leased.then(|| call.guard());
            async move {
                let loading = call.next_now(&sight, unserved).await;
                if let Some(guard) = guard {
                    guard.settled();
                }
                loading
            }
        });
        join_all(next.collect::<Vec<_>>()).await
    }

    /// Stores the values in one trip, each under the fence of its own load; whether each was stored.
    pub(crate) async fn commit_all(
        &self,
        function: &'static Function,
        loads: Vec<(Box<Loading>, Value)>,
    ) -> Vec<bool> {
        let mut commits = Vec::with_capacity(loads.len());
        let mut under_way = Vec::with_capacity(loads.len());
        for (loading, value) in loads {
            under_way.push(loading.committing(function, &value).map(|(hold, commit)| {
                commits.push((hold, value));
                commit
            }));
        }
        let count = commits.len();
        let large = commits.iter().map(|(_, value)| value.bytes.len()).sum::<usize>() >= LARGE;
        let committed = match count {
            0 => Vec::new(),
            _ => self
                .store()
                .commits(commits)
                .wait()
                .await
                .unwrap_or_else(|failure| vec![Err(failure); count]),
        };
        if large {
            self.were_late(function, &committed);
        }
        let mut committed = committed.into_iter();
        let done = |commit: Option<Committing>| {
            let Some(commit) = commit else { return false };
            committed.next().is_some_and(|outcome| commit.done(self, function, outcome))
        };
        under_way.into_iter().map(done).collect()
    }

    /// Looks for all that is asked, by calls of one function.
    async fn look_all(
        &self,
        function: &'static Function,
        asked: &[Asked<'_>],
        tokens: &[Token],
    ) -> Vec<Result<Sight, Failure>> {
        if asked.is_empty() {
            return Vec::new();
        }
        let seen = self.store().lookups(asked, tokens).await;
        if asked.iter().any(|asked| asked.large) {
            self.were_late(function, &seen);
        }
        seen
    }
}
