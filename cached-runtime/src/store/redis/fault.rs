//! From the redis crate's errors to reasons that can be counted.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::error::floor_boundary;
use crate::fault::Fault;
use crate::store::Failure;

/// Who carries a command out that the asked server of a cluster does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Redirect {
    /// The server at this address has the slot.
    Moved(Address),
    /// The server at this address is about to get the slot, and may have the key already.
    Ask(Address),
    /// Nobody has all of the keys just now.
    Again,
    /// Nobody has the slot just now.
    Nobody,
}

/// Host, where it is another one, and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) host: Option<String>,
    pub(crate) port: u16,
}

/// Whether the server's rules do not allow what was sent.
pub(super) fn is_forbidden(error: &RedisError) -> bool {
    classify(error) == Fault::Forbidden
}

pub(super) fn classify(error: &RedisError) -> Fault {
    if let Some((code, detail)) = said(error) {
        match code {
            "OOM" => return Fault::OutOfMemory,
            "READONLY" | "MISCONF" | "NOREPLICAS" => return Fault::ReadOnly,
            "LOADING" => return Fault::Loading,
            "NOAUTH" | "WRONGPASS" => return Fault::Auth,
            "NOPERM" => return Fault::Forbidden,
            "ERR" if forbidden_within(detail) => return Fault::Forbidden,
            "WRONGTYPE" => return Fault::WrongType,
            _ => {}
        }
    }
    match error.kind() {
        ErrorKind::AuthenticationFailed => Fault::Auth,
        ErrorKind::Parse | ErrorKind::UnexpectedReturnType => Fault::Protocol,
        ErrorKind::Io if error.is_timeout() => Fault::Timeout,
        ErrorKind::Io => Fault::Unavailable,
        ErrorKind::Server(ServerErrorKind::NoPerm) => Fault::Forbidden,
        _ => Fault::Server,
    }
}

/// What a script's command meets: code `ERR`, and the reason in the text alone. It is the second in
/// Redis 7.2 and later and in Valkey.
fn forbidden_within(detail: &str) -> bool {
    const REASONS: [&str; 2] = ["The user executing the script can't", "ACL failure in script"];
    REASONS.iter().any(|reason| detail.starts_with(reason))
}

/// Code and text of what the server answered. Before version 7 what a script's command met stands in
/// the text alone: `ERR Error running script (call to f_…): @user_script:1: @user_script: 1: -OOM …`.
fn said(error: &RedisError) -> Option<(&str, &str)> {
    let (code, detail) = (error.code()?, error.detail().unwrap_or_default());
    if code != "ERR" || !detail.starts_with("Error running script") {
        return Some((code, detail));
    }
    let within = detail.rsplit_once("@user_script:").and_then(|(_, at)| at.split_once(": "));
    let within = within.map_or(detail, |(_, within)| within.trim_start_matches('-'));
    let (word, rest) = within.split_once(' ').unwrap_or((within, ""));
    let is_code = word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_uppercase());
    Some(if is_code { (word, rest) } else { (code, within) })
}

fn has_code(error: &RedisError, code: &str) -> bool {
    said(error).is_some_and(|(said, _)| said == code)
}

/// Whether it is scripts that the rules do not allow. Nothing was executed then.
pub(super) fn forbids_scripts(error: &RedisError) -> bool {
    forbids_command(error, "evalsha") || forbids_command(error, "eval")
}

/// Whether the rules do not allow a command, in whose place nothing was executed.
pub(super) fn forbids_command(error: &RedisError, command: &str) -> bool {
    let named = |detail: &str| detail.contains(&format!("'{command}'"));
    error.code() == Some("NOPERM")
        && error
            .detail()
            .is_some_and(|detail| !detail.contains("ACL failure in script") && named(detail))
}

/// A sentence without data: where a server quotes a command's arguments back, which hold keys,
/// its text ends before them.
pub(super) fn failure(error: &RedisError) -> Failure {
    let fault = classify(error);
    let mut text = error.to_string();
    if let Some(quoted) = text.find(", with args") {
        text.truncate(quoted);
    }
    text.truncate(floor_boundary(&text, 200));
    let what = match fault {
        Fault::Unavailable | Fault::Timeout => "the connection failed",
        Fault::Protocol => "the answer makes no sense",
        _ => "the server refused",
    };
    // While nobody has the slot, since its primary is gone and none has taken its place yet.
    let nobody = || (error.code() == Some("CLUSTERDOWN")).then_some(Redirect::Nobody);
    let redirect = redirect(error).or_else(nobody).map(Box::new);
    Failure { redirect, ..Failure::new(fault, format!("{what}: {text}")) }
}

/// Where a server of a cluster sends whoever asked it.
pub(super) fn redirect(error: &RedisError) -> Option<Redirect> {
    let to = || error.redirect_node().and_then(|(address, _)| Address::parse(address));
    match error.code()? {
        "MOVED" => to().map(Redirect::Moved),
        "ASK" => to().map(Redirect::Ask),
        "TRYAGAIN" => Some(Redirect::Again),
        _ => None,
    }
}

impl Address {
    /// `host:port`; the host may be empty, or be an IPv6 address without brackets.
    fn parse(address: &str) -> Option<Self> {
        let (host, port) = address.rsplit_once(':')?;
        let host = (!matches!(host, "" | "?")).then(|| host.to_owned());
        Some(Self { host, port: port.parse().ok()? })
    }
}

/// Whether the connection cannot be trusted any longer: it broke, what came is no protocol, or
/// the peer turned out to be a replica, so that its address must be resolved again.
pub(super) fn ends_connection(error: &RedisError) -> bool {
    error.is_unrecoverable_error()
        || matches!(classify(error), Fault::Protocol | Fault::Unavailable)
        || has_code(error, "READONLY")
}

/// Whether the error says that the server is not usable, whatever it is asked: the breaker counts
/// it. The others refuse a command or a write, while reads still hold.
pub(super) fn trips(error: &RedisError) -> bool {
    match classify(error) {
        Fault::Unavailable | Fault::Timeout | Fault::Auth | Fault::Loading | Fault::Protocol => {
            true
        }
        Fault::ReadOnly => has_code(error, "READONLY"),
        // BUSY, CLUSTERDOWN, MASTERDOWN … are states of the server; ERR is about the command, and
        // so is a word of whom else to ask.
        Fault::Server => !has_code(error, "ERR") && redirect(error).is_none(),
        _ => false,
    }
}

/// Whether a refused `SET … NX GET` may be tried as a plain `GET`: the data is whole and current,
/// only the write was refused. A replica's data may be old, hence not READONLY.
pub(super) fn reads_still_hold(error: &RedisError) -> bool {
    match classify(error) {
        Fault::OutOfMemory | Fault::Forbidden => true,
        Fault::ReadOnly => !has_code(error, "READONLY"),
        _ => is_syntax_error(error),
    }
}

/// Whether what stands under the key is no string.
pub(super) fn is_wrong_type(error: &RedisError) -> bool {
    has_code(error, "WRONGTYPE")
}

/// Servers before version 7 refuse `NX` together with `GET`.
pub(super) fn is_syntax_error(error: &RedisError) -> bool {
    error.code() == Some("ERR")
        && error.detail().is_some_and(|detail| detail.contains("syntax error"))
}

#[cfg(test)]
mod tests {
    use redis::Value;

    use super::*;

    fn error(line: &str) -> RedisError {
        let reply = redis::parse_redis_value(format!("-{line}\r\n").as_bytes());
        reply.and_then(Value::extract_error).unwrap_err()
    }

    #[test]
    fn what_a_script_met_is_told_alike_by_old_servers_and_new_ones() {
        let old = "ERR Error running script (call to f_e00a5c445abc78c278ca12e830e046e1462b53a0): ";
        let refused = "The user executing the script can't run this command or subcommand";
        for (before_7, since, fault, ends, reads) in [
            (
                "@user_script:1: @user_script: 1: -OOM command not allowed when used memory",
                "OOM command not allowed when used memory > 'maxmemory'. script: e00a, on @user_script:1.",
                Fault::OutOfMemory,
                false,
                true,
            ),
            (
                "@user_script:3: @user_script: 3: -READONLY You can't write against a replica",
                "READONLY You can't write against a replica script: e00a, on @user_script:1.",
                Fault::ReadOnly,
                true,
                false,
            ),
            (
                "@user_script:1: WRONGTYPE Operation against a key holding the wrong kind",
                "WRONGTYPE Operation against a key holding the wrong kind script: e00a",
                Fault::WrongType,
                false,
                false,
            ),
            (
                &format!("@user_script:1: @user_script: 1: {refused}"),
                &format!("ERR {refused}"),
                Fault::Forbidden,
                false,
                true,
            ),
            ("@user_script:1: I am odd", "ERR I am odd", Fault::Server, false, false),
        ] {
            for line in [format!("{old}{before_7}"), since.to_owned()] {
                let error = error(&line);
                assert_eq!(classify(&error), fault, "{line}");
                assert_eq!(ends_connection(&error), ends, "{line}");
                assert_eq!(reads_still_hold(&error), reads, "{line}");
                assert_eq!(is_wrong_type(&error), fault == Fault::WrongType, "{line}");
            }
        }
    }

    #[test]
    fn a_word_of_whom_else_to_ask_is_no_failure_of_the_server() {
        let at = |host: Option<&str>, port| Address { host: host.map(str::to_owned), port };
        for (line, expected) in [
            ("MOVED 3999 127.0.0.1:6381", Redirect::Moved(at(Some("127.0.0.1"), 6381))),
            ("MOVED 3999 ::1:6381", Redirect::Moved(at(Some("::1"), 6381))),
            ("MOVED 3999 :6381", Redirect::Moved(at(None, 6381))),
            ("ASK 3999 cache-2.local:6381", Redirect::Ask(at(Some("cache-2.local"), 6381))),
            ("TRYAGAIN Multiple keys request during rehashing of slot", Redirect::Again),
        ] {
            let error = error(line);
            assert_eq!(redirect(&error), Some(expected), "{line}");
            assert!(!trips(&error) && !ends_connection(&error), "{line}");
        }
        for line in ["CLUSTERDOWN Hash slot not served", "ERR unknown", "MOVED", "ASK 1 x"] {
            assert_eq!(redirect(&error(line)), None, "{line}");
        }
    }
}
