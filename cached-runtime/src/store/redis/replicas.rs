//! Deletions that replicas have, too: `WAIT` behind each, on a connection of their own, since a server
//! answers nothing else on a connection that waits
//! (<https://redis.io/docs/latest/commands/wait/>).

use std::time::{Duration, Instant};

use redis::{Cmd, RedisError, Value};

use super::line::Line;
use super::scripts::unexpected;
use super::{Patience, RedisStore};
use crate::fault::Fault;
use crate::store::Failure;

/// So long does one `WAIT` hold its connection, on which other deletions wait as well.
const TURN: Duration = Duration::from_millis(5);
/// The answer to the last `WAIT` may be so late, be the deadline over: a server that has nothing to do
/// looks at its clock ten times a second.
const GRACE: Duration = Duration::from_millis(250);

impl RedisStore {
    /// This server, on the connection of deletions that are waited for, if they are.
    pub(super) fn confirming(&self) -> Self {
        match &self.inner.confirming {
            Some(_) => Self { confirming: true, ..self.clone() },
            None => self.clone(),
        }
    }

    /// As [`within`](Self::within), waiting for the connection; what was sent counts once enough replicas
    /// have it.
    pub(super) async fn confirmed<T>(
        &self,
        deadline: Duration,
        operation: impl AsyncFnOnce(&mut Line) -> Result<T, RedisError>,
    ) -> Result<T, Failure> {
        let wanted = self.inner.replicas;
        if !self.confirming {
            return self.within(deadline, Patience::Waits, operation).await;
        }
        let end = Instant::now() + deadline;
        let (outcome, have) = self
            .within(deadline + GRACE, Patience::Waits, async |line| {
                let outcome = operation(line).await?;
                Ok((outcome, confirm(line, wanted, end).await?))
            })
            .await?;
        if have >= wanted {
            return Ok(outcome);
        }
        let message = format!(
            "the server has removed it, and {have} of the {wanted} replicas that `replicas` asks for \
             did so within {deadline:?}"
        );
        Err(Failure::new(Fault::Timeout, message))
    }
}

/// How many replicas have all that this connection has written, as soon as these are enough.
async fn confirm(line: &mut Line, wanted: usize, end: Instant) -> Result<usize, RedisError> {
    loop {
        let left = end.saturating_duration_since(Instant::now());
        // Zero would be for ever.
        let turn = left.clamp(Duration::from_millis(1), TURN);
        let mut wait = Cmd::new();
        wait.arg("WAIT").arg(wanted).arg(u64::try_from(turn.as_millis()).unwrap_or(1));
        let Value::Int(have) = line.send(&wait).await? else { return Err(unexpected("WAIT")) };
        let have = usize::try_from(have).unwrap_or(0);
        if have >= wanted || left.is_zero() {
            return Ok(have);
        }
    }
}
