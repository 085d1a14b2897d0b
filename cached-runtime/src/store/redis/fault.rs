//! From the redis crate's errors to reasons that can be counted.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::error::floor_boundary;
use crate::fault::Fault;
use crate::store::Failure;

pub(super) fn classify(error: &RedisError) -> Fault {
    if let Some(code) = error.code() {
        match code {
            "OOM" => return Fault::OutOfMemory,
            "READONLY" | "MISCONF" | "NOREPLICAS" => return Fault::ReadOnly,
            "LOADING" => return Fault::Loading,
            "NOAUTH" | "WRONGPASS" => return Fault::Auth,
            "NOPERM" => return Fault::Forbidden,
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
    Failure::new(fault, format!("{what}: {text}"))
}

/// Whether the connection cannot be trusted any longer: it broke, what came is no protocol, or
/// the peer turned out to be a replica, so that its address must be resolved again.
pub(super) fn ends_connection(error: &RedisError) -> bool {
    error.is_unrecoverable_error()
        || matches!(classify(error), Fault::Protocol | Fault::Unavailable)
        || error.code() == Some("READONLY")
}

/// Whether the error says that the server is not usable, whatever it is asked: the breaker counts
/// it. The others refuse a command or a write, while reads still hold.
pub(super) fn trips(error: &RedisError) -> bool {
    match classify(error) {
        Fault::Unavailable | Fault::Timeout | Fault::Auth | Fault::Loading | Fault::Protocol => {
            true
        }
        Fault::ReadOnly => error.code() == Some("READONLY"),
        // BUSY, CLUSTERDOWN, MASTERDOWN … are states of the server; ERR is about the command.
        Fault::Server => error.code() != Some("ERR"),
        _ => false,
    }
}

/// Whether a refused `SET … NX GET` may be tried as a plain `GET`: the data is whole and current,
/// only the write was refused. A replica's data may be old, hence not READONLY.
pub(super) fn reads_still_hold(error: &RedisError) -> bool {
    match classify(error) {
        Fault::OutOfMemory | Fault::Forbidden => true,
        Fault::ReadOnly => error.code() != Some("READONLY"),
        _ => is_syntax_error(error),
    }
}

/// Servers before version 7 refuse `NX` together with `GET`.
pub(super) fn is_syntax_error(error: &RedisError) -> bool {
    error.code() == Some("ERR")
        && error.detail().is_some_and(|detail| detail.contains("syntax error"))
}
