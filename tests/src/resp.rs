//! The little of the Redis protocol that the harness speaks itself.
//!
//! Going around the client library keeps the harness's own commands free of a
//! handshake, which would show up in the command counts that tests assert on.

use std::io::{self, BufRead, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use redis::{Parser, Value};

/// How long a server gets to answer the harness: some tests let it write a million keys.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends one command over a connection of its own and returns the reply, an
/// error reply included; `Err` says why there was none.
///
/// Returns only when the server has let go of the connection, so that it is in
/// no later count of clients.
pub(crate) fn call<A: AsRef<[u8]>>(
    socket: &Path,
    password: Option<&str>,
    args: &[A],
) -> io::Result<Value> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut parser = Parser::new();
    let mut reply = |stream: &UnixStream| parser.parse_value(stream).map_err(io::Error::other);
    if let Some(password) = password {
        stream.write_all(&encode(&["AUTH", password]))?;
        reply(&stream)?;
    }
    stream.write_all(&encode(args))?;
    let value = reply(&stream)?;
    stream.shutdown(Shutdown::Write)?;
    // Whatever comes now is of no interest, only that the stream ends.
    let _ = io::copy(&mut stream, &mut io::sink());
    Ok(value)
}

/// A command as an array of bulk strings.
pub(crate) fn encode<A: AsRef<[u8]>>(args: &[A]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        let arg = arg.as_ref();
        bytes.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        bytes.extend_from_slice(arg);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// Reads one command, `None` at the end of the stream. A line that is no array
/// header is a command of its own, as with Redis's inline commands.
pub(crate) fn read_command(from: &mut impl BufRead) -> io::Result<Option<Vec<String>>> {
    let Some(line) = read_line(from)? else {
        return Ok(None);
    };
    let Some(count) = line.strip_prefix('*').and_then(|n| n.parse::<usize>().ok()) else {
        return Ok(Some(line.split_whitespace().map(str::to_owned).collect()));
    };
    let mut args = Vec::new();
    for _ in 0..count {
        let header = read_line(from)?.unwrap_or_default();
        let length: u64 = header
            .strip_prefix('$')
            .and_then(|n| n.parse().ok())
            .ok_or(io::ErrorKind::InvalidData)?;
        let mut arg = Vec::new();
        from.take(length + 2).read_to_end(&mut arg)?;
        if arg.len() as u64 != length + 2 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        arg.truncate(arg.len() - 2);
        args.push(String::from_utf8_lossy(&arg).into_owned());
    }
    Ok(Some(args))
}

fn read_line(from: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    if from.read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    Ok(Some(String::from_utf8_lossy(&line).trim_end().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_encodes() {
        let mut bytes = encode(&["SET", "a\r\nb", ""]);
        bytes.extend(b"PING  x\r\n");
        let mut from = bytes.as_slice();
        let mut next = || read_command(&mut from).unwrap();
        assert_eq!(next().unwrap(), ["SET", "a\r\nb", ""]);
        assert_eq!(next().unwrap(), ["PING", "x"]);
        assert_eq!(next(), None);
    }

    #[test]
    fn a_command_cut_short_is_an_error() {
        let bytes = encode(&["GET", "key"]);
        for end in 1..bytes.len() {
            let read = read_command(&mut &bytes[..end]);
            assert!(
                read.as_ref().map_or(true, |args| args.as_ref().is_some_and(|args| args.len() < 2)),
                "{end}: {read:?}"
            );
        }
    }
}
