//! Whether a connection that nobody uses is still there: what stands between may have forgotten it
//! without a word to either side.

use std::time::Duration;

use redis::Cmd;

use super::layout::Layout;
use super::link::Live;
use super::probe;
use crate::fault::Fault;
use crate::io;
use crate::store::Failure;

/// A server that does not answer a read within this is as good as gone.
const ANSWER_DEADLINE: Duration = Duration::from_secs(1);

/// How idle connections of an endpoint are checked.
#[derive(Clone)]
pub(super) struct Check {
    /// Zero: not at all.
    every: Duration,
    /// What any user may do who is served at all.
    command: Cmd,
}

impl Check {
    pub(super) fn new(every: Duration, layout: &Layout) -> Self {
        let mut command = Cmd::new();
        command.arg("GET").arg(layout.entry(probe::KEY, false));
        Self { every, command }
    }
}

/// Until a check is not answered. Both of the link's connections are asked, whether they were used or
/// not: once in [`every`](Check::every) is nothing to a busy one.
pub(super) async fn until_silent(live: &Live, check: &Check) {
    if check.every.is_zero() {
        return std::future::pending().await;
    }
    loop {
        io::sleep(check.every).await;
        // Whatever is answered, an error too, is a sign of life; a connection that breaks is told of
        // otherwise.
        if io::timeout(ANSWER_DEADLINE, live.send_on_both(&check.command)).await.is_none() {
            let silent = "the connection was idle, and is not answered any more";
            return live.give_up(Failure::new(Fault::Timeout, silent));
        }
        live.rests();
    }
}
