//! The fenced writes, as scripts: each compares before it changes anything.
//!
//! `GET` yields `false` for a key that is gone, so that a fence never holds after a deletion,
//! whatever its bytes; and with `pcall` a table for what is no string, which is no fence either. Whoever waits for an entry is woken when it was filled or given up:
//! `PUBLISH` is tried with `pcall`, since a server may not allow it, and sends no message where
//! nobody listens.
//!
//! A tag's life is lengthened by a quarter more than is needed, so that the next entries of its kind
//! need not do it again: whoever keeps entries in memory takes each such change for one of the
//! version.

use redis::{Cmd, ErrorKind, RedisError, ServerErrorKind, ToRedisArgs, Value};

use super::line::Line;

/// KEYS: entry, its tags. ARGV: fence, its exact length or '', value, its life in ms, the tags'
/// life in ms, channel, the tags' captured versions. 1 when stored, 0 when the fence was lost, -1
/// when a tag's version is another, whereupon the entry is of no use (invariant I5).
const COMMIT: &str = "\
local present = redis.pcall('GET', KEYS[1])
local answer = 1
if type(present) ~= 'string' or string.sub(present, 1, #ARGV[1]) ~= ARGV[1]
  or (ARGV[2] ~= '' and #present ~= tonumber(ARGV[2])) then
  answer = 0
else
  for i = 2, #KEYS do
    if redis.pcall('GET', KEYS[i]) ~= ARGV[5 + i] then answer = -1 end
  end
end
if answer == 1 then
  redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
  for i = 2, #KEYS do
    if redis.call('PTTL', KEYS[i]) < tonumber(ARGV[5]) then
      redis.call('PEXPIRE', KEYS[i], math.floor(1.25 * ARGV[5]))
    end
  end
elseif answer == -1 then
  redis.call('DEL', KEYS[1])
end
redis.pcall('PUBLISH', ARGV[6], '')
return answer";

/// KEYS: entry, its tags. ARGV: value, its life in ms, the tags' life in ms. 1.
const PUT: &str = "\
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
for i = 2, #KEYS do
  if redis.call('PTTL', KEYS[i]) < tonumber(ARGV[3]) then
    redis.call('PEXPIRE', KEYS[i], math.floor(1.25 * ARGV[3]))
  end
end
return 1";

/// KEYS: where the lease stands, the tags. ARGV: fence, its exact length or '', channel, the tags'
/// captured versions. 1 when it was deleted and no tag has changed, -1 when one has, 0 when the
/// fence was lost.
const RELEASE: &str = "\
local present = redis.pcall('GET', KEYS[1])
local answer = 1
if type(present) ~= 'string' or string.sub(present, 1, #ARGV[1]) ~= ARGV[1]
  or (ARGV[2] ~= '' and #present ~= tonumber(ARGV[2])) then
  answer = 0
else
  redis.call('DEL', KEYS[1])
  for i = 2, #KEYS do
    if redis.pcall('GET', KEYS[i]) ~= ARGV[2 + i] then answer = -1 end
  end
end
redis.pcall('PUBLISH', ARGV[3], '')
return answer";

/// KEYS: where the lease stands, the tags. ARGV: the lease, its life in ms, the tags' life in ms.
/// 1 when it still stood.
const RENEW: &str = "\
if redis.pcall('GET', KEYS[1]) ~= ARGV[1] then return 0 end
for i = 2, #KEYS do
  local left = redis.call('PTTL', KEYS[i])
  if left >= 0 and left < tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[i], math.floor(1.25 * ARGV[3])) end
end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])";

/// KEYS: entry. ARGV: the lease, its life in ms. 1 when the key held no string, and now the lease.
const CLAIM: &str = "\
if redis.call('TYPE', KEYS[1]).ok == 'string' then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1";

/// KEYS: entry. ARGV: fence, its exact length or '', the lease, its life in ms. 1 when what the
/// fence remembers stood there, and now the lease.
const SEIZE: &str = "\
local present = redis.pcall('GET', KEYS[1])
if type(present) ~= 'string' or string.sub(present, 1, #ARGV[1]) ~= ARGV[1] then return 0 end
if ARGV[2] ~= '' and #present ~= tonumber(ARGV[2]) then return 0 end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
return 1";

pub(super) struct Script {
    code: &'static str,
    sha: String,
}

pub(super) struct Scripts {
    pub(super) commit: Script,
    pub(super) put: Script,
    pub(super) release: Script,
    pub(super) renew: Script,
    pub(super) claim: Script,
    pub(super) seize: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        let script = |code| Script { code, sha: redis::Script::new(code).get_hash().to_owned() };
        Self {
            commit: script(COMMIT),
            put: script(PUT),
            release: script(RELEASE),
            renew: script(RENEW),
            claim: script(CLAIM),
            seize: script(SEIZE),
        }
    }
}

impl Script {
    /// Runs by hash, and by text where the server has forgotten it (a restart, `SCRIPT FLUSH`):
    /// nothing was executed then, so that no token is sent twice (invariant I3).
    pub(super) async fn run(
        &self,
        line: &mut Line,
        keys: &[impl ToRedisArgs + Sync],
        arguments: &[&[u8]],
    ) -> Result<i64, RedisError> {
        let reply = match line.send(&self.by_hash(keys, arguments)).await {
            Err(error) if is_forgotten(&error) => line.send(&self.by_text(keys, arguments)).await?,
            other => other?,
        };
        answer(&reply)
    }

    pub(super) fn by_hash(&self, keys: &[impl ToRedisArgs], arguments: &[&[u8]]) -> Cmd {
        invocation("EVALSHA", &self.sha, keys, arguments)
    }

    pub(super) fn by_text(&self, keys: &[impl ToRedisArgs], arguments: &[&[u8]]) -> Cmd {
        invocation("EVAL", self.code, keys, arguments)
    }
}

fn invocation(command: &str, script: &str, keys: &[impl ToRedisArgs], arguments: &[&[u8]]) -> Cmd {
    let mut cmd = Cmd::new();
    cmd.arg(command).arg(script).arg(keys.len()).arg(keys);
    for argument in arguments {
        cmd.arg(*argument);
    }
    cmd
}

/// Whether the server does not know the script, and has thus done nothing.
pub(super) fn is_forgotten(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}

/// A script's answer.
pub(super) fn answer(reply: &Value) -> Result<i64, RedisError> {
    match reply {
        Value::Int(answer) => Ok(*answer),
        _ => Err(unexpected("a script's answer")),
    }
}

pub(super) fn unexpected(what: &'static str) -> RedisError {
    RedisError::from((
        ErrorKind::UnexpectedReturnType,
        "an answer of an unexpected shape",
        what.to_owned(),
    ))
}
