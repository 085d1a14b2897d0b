//! The fenced writes, as scripts: each compares before it changes anything.
//!
//! `GET` yields `false` for a key that is gone, so that a fence never holds after a deletion,
//! whatever its bytes.

use redis::aio::MultiplexedConnection;
use redis::{Cmd, ErrorKind, RedisError, ServerErrorKind, ToRedisArgs, Value};

/// KEYS: entry. ARGV: fence, its exact length or '', value, ttl in ms. 1 when stored.
const COMMIT: &str = "\
local present = redis.call('GET', KEYS[1])
if not present or string.sub(present, 1, #ARGV[1]) ~= ARGV[1] then return 0 end
if ARGV[2] ~= '' and #present ~= tonumber(ARGV[2]) then return 0 end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
return 1";

/// KEYS: entry. ARGV: fence, its exact length or ''. 1 when deleted.
const RELEASE: &str = "\
local present = redis.call('GET', KEYS[1])
if not present or string.sub(present, 1, #ARGV[1]) ~= ARGV[1] then return 0 end
if ARGV[2] ~= '' and #present ~= tonumber(ARGV[2]) then return 0 end
return redis.call('DEL', KEYS[1])";

/// KEYS: entry. ARGV: the lease, ttl in ms. 1 when it still stood.
const RENEW: &str = "\
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])";

/// KEYS: entry. ARGV: the lease, ttl in ms. 1 when the key held no string, and now the lease.
const CLAIM: &str = "\
if redis.call('TYPE', KEYS[1]).ok == 'string' then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1";

pub(super) struct Script {
    code: &'static str,
    sha: String,
}

pub(super) struct Scripts {
    pub(super) commit: Script,
    pub(super) release: Script,
    pub(super) renew: Script,
    pub(super) claim: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        let script = |code| Script { code, sha: redis::Script::new(code).get_hash().to_owned() };
        Self {
            commit: script(COMMIT),
            release: script(RELEASE),
            renew: script(RENEW),
            claim: script(CLAIM),
        }
    }
}

impl Script {
    /// Runs by hash, and by text where the server has forgotten it (a restart, `SCRIPT FLUSH`):
    /// nothing was executed then, so that no token is sent twice (invariant I3).
    pub(super) async fn run(
        &self,
        connection: &mut MultiplexedConnection,
        key: &(impl ToRedisArgs + Sync),
        arguments: &[&[u8]],
    ) -> Result<bool, RedisError> {
        let by_hash = invocation("EVALSHA", &self.sha, key, arguments);
        let reply = match send(connection, &by_hash).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                send(connection, &invocation("EVAL", self.code, key, arguments)).await?
            }
            other => other?,
        };
        match reply {
            Value::Int(count) => Ok(count > 0),
            _ => Err(unexpected("a script's answer")),
        }
    }
}

fn invocation(command: &str, script: &str, key: &impl ToRedisArgs, arguments: &[&[u8]]) -> Cmd {
    let mut cmd = Cmd::new();
    cmd.arg(command).arg(script).arg(1).arg(key);
    for argument in arguments {
        cmd.arg(*argument);
    }
    cmd
}

/// One command, one answer; an error that the server answered is an `Err`.
pub(super) async fn send(
    connection: &mut MultiplexedConnection,
    cmd: &Cmd,
) -> Result<Value, RedisError> {
    connection.send_packed_command(cmd).await?.extract_error()
}

pub(super) fn unexpected(what: &'static str) -> RedisError {
    RedisError::from((
        ErrorKind::UnexpectedReturnType,
        "an answer of an unexpected shape",
        what.to_owned(),
    ))
}
