//! The fenced writes, as scripts: each compares before it changes anything.
//!
//! `GET` yields `false` for a key that is gone, so that a fence never holds after a deletion,
//! whatever its bytes; and so does `read` for what is no string. Whoever waits for an entry is woken
//! when it was filled or given up: `PUBLISH` is tried with `pcall`, since a server may not allow it,
//! and sends no message where nobody listens. Where `DEL` alone is not allowed, an empty string for a
//! millisecond is as good: no fence holds over it.
//!
//! A tag's life is lengthened by a quarter more than is needed, so that the next entries of its kind
//! need not do it again: whoever keeps entries in memory takes each such change for one of the
//! version. Tags come first, since what comes after a command that the server refuses is not done.

use std::sync::atomic::{AtomicBool, Ordering};

use redis::{Cmd, ErrorKind, RedisError, ServerErrorKind, ToRedisArgs, Value};

use super::fault;
use super::line::Line;

/// What the scripts begin with. An error of `GET` that is not about the type is the script's.
macro_rules! with_functions {
    ($code:literal) => {
        concat!(
            "\
local function read(key)
  local present = redis.pcall('GET', key)
  if type(present) ~= 'table' then return present end
  if string.find(present.err, 'WRONGTYPE', 1, true) then return false end
  return redis.call('GET', key)
end
local function holds(key)
  local present = read(key)
  return present and string.sub(present, 1, #ARGV[1]) == ARGV[1]
    and (ARGV[2] == '' or #present == tonumber(ARGV[2]))
end
local function remove(key)
  if type(redis.pcall('DEL', key)) == 'table' then redis.call('SET', key, '', 'PX', 1) end
end
",
            $code
        )
    };
}

/// KEYS: entry, its tags. ARGV: fence, its exact length or '', value, its life in ms, the tags'
/// life in ms, channel, the tags' captured versions. 1 when stored, 0 when the fence was lost, -1
/// when a tag's version is another, whereupon the entry is of no use (invariant I5).
const COMMIT: &str = with_functions!(
    "\
local answer = 1
if not holds(KEYS[1]) then
  answer = 0
else
  for i = 2, #KEYS do
    if read(KEYS[i]) ~= ARGV[5 + i] then answer = -1 end
  end
end
if answer == 1 then
  for i = 2, #KEYS do
    if redis.call('PTTL', KEYS[i]) < tonumber(ARGV[5]) then
      redis.call('PEXPIRE', KEYS[i], math.floor(1.25 * ARGV[5]))
    end
  end
  redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
elseif answer == -1 then
  remove(KEYS[1])
end
redis.pcall('PUBLISH', ARGV[6], '')
return answer"
);

/// KEYS: entry, its tags. ARGV: value, its life in ms, the tags' life in ms. 1.
const PUT: &str = "\
for i = 2, #KEYS do
  if redis.call('PTTL', KEYS[i]) < tonumber(ARGV[3]) then
    redis.call('PEXPIRE', KEYS[i], math.floor(1.25 * ARGV[3]))
  end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1";

/// KEYS: where the lease stands, the tags. ARGV: fence, its exact length or '', channel, the tags'
/// captured versions. 1 when it was deleted and no tag has changed, -1 when one has, 0 when the
/// fence was lost.
const RELEASE: &str = with_functions!(
    "\
local answer = 1
if not holds(KEYS[1]) then
  answer = 0
else
  remove(KEYS[1])
  for i = 2, #KEYS do
    if read(KEYS[i]) ~= ARGV[2 + i] then answer = -1 end
  end
end
redis.pcall('PUBLISH', ARGV[3], '')
return answer"
);

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
const SEIZE: &str = with_functions!(
    "\
if not holds(KEYS[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
return 1"
);

/// `SET … NX GET PX`, for servers that do not know it. KEYS: the key. ARGV: what to set, its life in
/// ms. What was there, or nothing.
pub(super) const SET_IF_ABSENT: &str = "\
local present = redis.call('GET', KEYS[1])
if present then return present end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return false";

pub(super) struct Script {
    code: &'static str,
    sha: String,
    /// The server's rules allow `EVAL`, and not `EVALSHA`.
    by_text_only: AtomicBool,
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
        let script = |code| Script {
            code,
            sha: redis::Script::new(code).get_hash().to_owned(),
            by_text_only: AtomicBool::new(false),
        };
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
    /// Runs by hash, and by text where the server has forgotten it (a restart, `SCRIPT FLUSH`) or its
    /// rules allow that alone: nothing was executed then, so that no token is sent twice (invariant
    /// I3).
    pub(super) async fn run(
        &self,
        line: &mut Line,
        keys: &[impl ToRedisArgs + Sync],
        arguments: &[&[u8]],
    ) -> Result<i64, RedisError> {
        match line.send(&self.first(keys, arguments)).await {
            Err(error) if self.was_not_run(&error) => self.run_by_text(line, keys, arguments).await,
            reply => answer(&reply?),
        }
    }

    /// Where [`first`](Self::first) was not run. A server whose rules do not allow `EVAL` may still be
    /// told the script.
    pub(super) async fn run_by_text(
        &self,
        line: &mut Line,
        keys: &[impl ToRedisArgs + Sync],
        arguments: &[&[u8]],
    ) -> Result<i64, RedisError> {
        let refused = match line.send(&self.by_text(keys, arguments)).await {
            Err(error) if fault::forbids_command(&error, "eval") => error,
            reply => return answer(&reply?),
        };
        let mut load = Cmd::new();
        load.arg("SCRIPT").arg("LOAD").arg(self.code);
        if line.send(&load).await.is_err() {
            return Err(refused);
        }
        answer(&line.send(&self.by_hash(keys, arguments)).await?)
    }

    /// How it is tried first.
    pub(super) fn first(&self, keys: &[impl ToRedisArgs], arguments: &[&[u8]]) -> Cmd {
        if self.by_text_only.load(Ordering::Relaxed) {
            self.by_text(keys, arguments)
        } else {
            self.by_hash(keys, arguments)
        }
    }

    fn by_hash(&self, keys: &[impl ToRedisArgs], arguments: &[&[u8]]) -> Cmd {
        invocation("EVALSHA", &self.sha, keys, arguments)
    }

    pub(super) fn by_text(&self, keys: &[impl ToRedisArgs], arguments: &[&[u8]]) -> Cmd {
        invocation("EVAL", self.code, keys, arguments)
    }

    /// Whether an answer to [`first`](Self::first) says that nothing was done, and that it is worth
    /// trying by text.
    pub(super) fn was_not_run(&self, error: &RedisError) -> bool {
        if fault::forbids_command(error, "evalsha") {
            self.by_text_only.store(true, Ordering::Relaxed);
            return true;
        }
        error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
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
