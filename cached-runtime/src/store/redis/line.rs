//! A connection as operations use it: commands in, answers out, errors of the server as errors.

use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, RedisError, Value};

use super::origin::Found;

pub(super) struct Line {
    connection: MultiplexedConnection,
    /// The peer is only about to get the slot that the commands are about, and answers those that say
    /// so (`ASKING`) for the keys that it has already.
    asking: bool,
    found: Found,
    /// Whether the server knows `SET … NX GET`, as far as is known.
    fuses: bool,
}

impl Line {
    pub(super) fn new(connection: MultiplexedConnection, asking: bool) -> Self {
        Self { connection, asking, found: Found::default(), fuses: true }
    }

    /// To this one of the primaries that were found, of which this is known.
    pub(super) fn to(self, found: Found, fuses: bool) -> Self {
        Self { found, fuses, ..self }
    }

    pub(super) fn fuses(&self) -> bool {
        self.fuses
    }

    pub(super) fn found(&self) -> Found {
        self.found
    }

    /// One command, one answer; an error that the server answered is an `Err`.
    pub(super) async fn send(&mut self, cmd: &Cmd) -> Result<Value, RedisError> {
        if !self.asking {
            return self.connection.send_packed_command(cmd).await?.extract_error();
        }
        let mut pipeline = Pipeline::with_capacity(2);
        pipeline.add_command(asking()).add_command(cmd.clone());
        let answers = self.connection.send_packed_commands(&pipeline, 1, 1).await?;
        answers.into_iter().next().unwrap_or(Value::Nil).extract_error()
    }

    /// Commands that leave together, with their answers in their order; each may be an error.
    pub(super) async fn send_all(&mut self, commands: &Pipeline) -> Result<Vec<Value>, RedisError> {
        let count = commands.len();
        if !self.asking {
            return self.connection.send_packed_commands(commands, 0, count).await;
        }
        let mut pipeline = Pipeline::with_capacity(2 * count);
        for cmd in commands.cmd_iter() {
            pipeline.add_command(asking()).add_command(cmd.clone());
        }
        let answers = self.connection.send_packed_commands(&pipeline, 0, 2 * count).await?;
        Ok(answers.into_iter().skip(1).step_by(2).collect())
    }
}

fn asking() -> Cmd {
    let mut asking = Cmd::new();
    asking.arg("ASKING");
    asking
}

/// An answer that is a text, of whichever kind.
pub(super) fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::VerbatimString { text, .. } | Value::SimpleString(text) => Some(text),
        _ => None,
    }
}
