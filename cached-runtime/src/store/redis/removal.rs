//! The commands that delete: `DEL`, where the answer is waited for, and `UNLINK` for what is many;
//! each in the other's place where the server's rules allow that alone.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use redis::{Cmd, Pipeline, RedisError, ToRedisArgs, Value};

use super::line::Line;
use super::scripts::unexpected;
use super::{RedisStore, fault};
use crate::fault::Fault;
use crate::store::Failure;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deletion {
    Del = 1,
    Unlink = 2,
}

impl Deletion {
    fn command(self) -> &'static str {
        match self {
            Self::Del => "DEL",
            Self::Unlink => "UNLINK",
        }
    }

    fn other(self) -> Self {
        match self {
            Self::Del => Self::Unlink,
            Self::Unlink => Self::Del,
        }
    }
}

/// Which of them was refused, so that the other is tried first.
#[derive(Default)]
pub(super) struct Deletions(AtomicU8);

impl Deletions {
    fn instead_of(&self, wanted: Deletion) -> Deletion {
        let refused = self.0.load(Ordering::Relaxed);
        if refused == wanted as u8 { wanted.other() } else { wanted }
    }

    fn refused(&self, refused: Deletion) {
        self.0.store(refused as u8, Ordering::Relaxed);
    }
}

impl RedisStore {
    /// One command for all.
    pub(super) async fn remove(
        &self,
        wanted: Deletion,
        names: &[impl ToRedisArgs + Sync],
    ) -> Result<u64, Failure> {
        let tried = self.inner.deletions.instead_of(wanted);
        let outcome = self.promise(&deletion(tried, names), |reply| count(&reply)).await;
        if !outcome.as_ref().is_err_and(|failure| failure.fault == Fault::Forbidden) {
            return outcome;
        }
        self.inner.deletions.refused(tried);
        self.promise(&deletion(tried.other(), names), |reply| count(&reply)).await
    }

    /// Commands of their own, which leave together: each outcome by itself, where it is not the
    /// server's state that is wrong.
    pub(super) async fn remove_each(
        &self,
        wanted: Deletion,
        names: &[&[u8]],
        deadline: Duration,
    ) -> Result<Vec<Result<u64, Failure>>, Failure> {
        let tried = self.inner.deletions.instead_of(wanted);
        self.confirmed(deadline, async |line| {
            let outcomes = counts(line, tried, names).await?;
            let forbidden = |outcome: &Result<u64, Failure>| {
                outcome.as_ref().is_err_and(|failure| failure.fault == Fault::Forbidden)
            };
            if !outcomes.iter().any(forbidden) {
                return Ok(outcomes);
            }
            self.inner.deletions.refused(tried);
            counts(line, tried.other(), names).await
        })
        .await
    }
}

fn deletion(by: Deletion, names: &[impl ToRedisArgs]) -> Cmd {
    let mut cmd = Cmd::new();
    cmd.arg(by.command()).arg(names);
    cmd
}

async fn counts(
    line: &mut Line,
    by: Deletion,
    names: &[&[u8]],
) -> Result<Vec<Result<u64, Failure>>, RedisError> {
    let mut pipeline = Pipeline::with_capacity(names.len());
    for name in names {
        pipeline.add_command(deletion(by, std::slice::from_ref(name)));
    }
    let mut counts = Vec::with_capacity(names.len());
    for reply in line.send_all(&pipeline).await? {
        match reply.extract_error() {
            Err(error) if fault::trips(&error) => return Err(error),
            Err(error) => counts.push(Err(fault::failure(&error))),
            Ok(reply) => counts.push(Ok(count(&reply).ok_or_else(|| unexpected("DEL"))?)),
        }
    }
    Ok(counts)
}

fn count(reply: &Value) -> Option<u64> {
    match reply {
        Value::Int(count) => Some(u64::try_from(*count).unwrap_or(0)),
        _ => None,
    }
}
