//! What a server answers (RESP2), read off a buffer that may end anywhere: a reply is read once all
//! of it is there, from its beginning, so nothing is kept between two looks, and nothing is reserved
//! that a length announces.

use redis::{ErrorKind, RedisError, Value};

/// As long as the server's own limit for a string (`proto-max-bulk-len`).
const LONGEST_STRING: usize = 512 << 20;
/// A status, an error, or a number.
const LONGEST_LINE: usize = 64 << 10;
/// Of an `MGET`: its tags.
const LONGEST_ARRAY: usize = 64 << 10;
/// Decimal digits of an `i64`, and its sign.
const LONGEST_NUMBER: usize = 20;

/// Why there is no reply.
#[derive(Debug)]
pub(super) enum Stop {
    /// The rest is still to come.
    Incomplete,
    /// What came is not the protocol's.
    Nonsense,
}

/// Replies, one after the other.
pub(super) struct Replies<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Replies<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How much was read so far.
    pub(super) fn read(&self) -> usize {
        self.at
    }

    /// The next reply, an error of the server's included.
    pub(super) fn next(&mut self) -> Result<Value, Stop> {
        match self.byte()? {
            b'*' => self.array(),
            kind => self.flat(kind),
        }
    }

    /// What is asked here is answered with arrays of strings at most.
    fn array(&mut self) -> Result<Value, Stop> {
        let Some(len) = self.length(LONGEST_ARRAY)? else { return Ok(Value::Nil) };
        let mut values = Vec::new();
        for _ in 0..len {
            let kind = self.byte()?;
            values.push(self.flat(kind)?);
        }
        Ok(Value::Array(values))
    }

    fn flat(&mut self, kind: u8) -> Result<Value, Stop> {
        match kind {
            b'$' => self.string(),
            b':' => {
                let line = self.line(LONGEST_NUMBER)?;
                number(line).map(Value::Int).ok_or(Stop::Nonsense)
            }
            b'+' => {
                let line = self.line(LONGEST_LINE)?;
                Ok(Value::SimpleString(String::from_utf8_lossy(line).into_owned()))
            }
            b'-' => error(self.line(LONGEST_LINE)?),
            _ => Err(Stop::Nonsense),
        }
    }

    fn string(&mut self) -> Result<Value, Stop> {
        let Some(len) = self.length(LONGEST_STRING)? else { return Ok(Value::Nil) };
        let rest = &self.bytes[self.at..];
        let Some((string, end)) = rest.split_at_checked(len) else { return Err(Stop::Incomplete) };
        match end {
            [b'\r', b'\n', ..] => {
                self.at += len + 2;
                Ok(Value::BulkString(string.to_vec()))
            }
            [] | [b'\r'] => Err(Stop::Incomplete),
            _ => Err(Stop::Nonsense),
        }
    }

    /// A length up to `limit`; `None` for that of what is not there.
    fn length(&mut self, limit: usize) -> Result<Option<usize>, Stop> {
        match number(self.line(LONGEST_NUMBER)?) {
            Some(-1) => Ok(None),
            Some(len) => match usize::try_from(len) {
                Ok(len) if len <= limit => Ok(Some(len)),
                _ => Err(Stop::Nonsense),
            },
            None => Err(Stop::Nonsense),
        }
    }

    /// Up to the end of the line, which is read as well.
    fn line(&mut self, limit: usize) -> Result<&'a [u8], Stop> {
        let rest = &self.bytes[self.at..];
        let seen = &rest[..rest.len().min(limit + 1)];
        match seen.iter().position(|&byte| byte == b'\r') {
            Some(len) => match rest.get(len + 1) {
                Some(b'\n') => {
                    self.at += len + 2;
                    Ok(&rest[..len])
                }
                Some(_) => Err(Stop::Nonsense),
                None => Err(Stop::Incomplete),
            },
            None if seen.len() > limit => Err(Stop::Nonsense),
            None => Err(Stop::Incomplete),
        }
    }

    fn byte(&mut self) -> Result<u8, Stop> {
        let byte = *self.bytes.get(self.at).ok_or(Stop::Incomplete)?;
        self.at += 1;
        Ok(byte)
    }
}

/// Digits, with a sign or without.
fn number(line: &[u8]) -> Option<i64> {
    let (negative, digits) = match line {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_i64, |number, digit| {
        let digit = i64::from(digit.checked_sub(b'0').filter(|digit| *digit < 10)?);
        let number = number.checked_mul(10)?;
        if negative { number.checked_sub(digit) } else { number.checked_add(digit) }
    })
}

/// An error as the redis crate knows it: with its kind, its code and its words.
#[cold]
fn error(line: &[u8]) -> Result<Value, Stop> {
    let text = String::from_utf8_lossy(line);
    redis::parse_redis_value(format!("-{text}\r\n").as_bytes()).map_err(|_| Stop::Nonsense)
}

/// What ends a connection whose peer does not speak the protocol.
#[cold]
pub(super) fn nonsense() -> RedisError {
    RedisError::from((ErrorKind::Parse, "an answer that is not the protocol's"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::input::{Input, READ};
    use super::*;

    /// What was read, and whether nonsense ended it.
    #[derive(Debug, PartialEq)]
    struct Read {
        values: Vec<Value>,
        nonsense: bool,
    }

    /// Reads bytes as they come in pieces of these lengths, over and over.
    fn read(bytes: &[u8], pieces: &[usize]) -> Read {
        let (mut input, mut values) = (Input::new(), Vec::new());
        let (mut rest, mut pieces) = (bytes, pieces.iter().cycle());
        while !rest.is_empty() {
            let space = input.space();
            let len = (*pieces.next().unwrap()).min(rest.len()).min(space.len());
            space[..len].copy_from_slice(&rest[..len]);
            input.filled(len);
            rest = &rest[len..];
            let (mut replies, mut done) = (Replies::new(input.bytes()), 0);
            loop {
                match replies.next() {
                    Ok(value) => {
                        assert!(replies.read() > done, "each reply has a length");
                        done = replies.read();
                        values.push(value);
                    }
                    Err(Stop::Incomplete) => break,
                    Err(Stop::Nonsense) => return Read { values, nonsense: true },
                }
            }
            input.consume(done);
        }
        Read { values, nonsense: false }
    }

    fn encoded(value: &Value, out: &mut Vec<u8>) {
        match value {
            Value::Nil => out.extend(b"$-1\r\n"),
            Value::Int(number) => out.extend(format!(":{number}\r\n").bytes()),
            Value::BulkString(bytes) => {
                out.extend(format!("${}\r\n", bytes.len()).bytes());
                out.extend(bytes);
                out.extend(b"\r\n");
            }
            Value::SimpleString(text) => out.extend(format!("+{text}\r\n").bytes()),
            Value::Array(values) => {
                out.extend(format!("*{}\r\n", values.len()).bytes());
                values.iter().for_each(|value| encoded(value, out));
            }
            other => panic!("{other:?} is no answer"),
        }
    }

    fn flat() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Nil),
            any::<i64>().prop_map(Value::Int),
            prop::collection::vec(any::<u8>(), 0..300).prop_map(Value::BulkString),
            "[^\r]{0,20}".prop_map(Value::SimpleString),
        ]
    }

    fn values() -> impl Strategy<Value = Vec<Value>> {
        let array = prop::collection::vec(flat(), 0..5).prop_map(Value::Array);
        prop::collection::vec(prop_oneof![3 => flat(), 1 => array], 0..20)
    }

    /// Bytes that often look like the protocol's.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let part = prop_oneof![
            prop::collection::vec(any::<u8>(), 0..20),
            "[*$:+-]-?[0-9]{0,3}\r\n".prop_map(String::into_bytes),
            "[*$:+-]?[0-9\r\n]{0,25}".prop_map(String::into_bytes),
            "-[A-Z]{0,5} .{0,10}\r\n".prop_map(String::into_bytes),
        ];
        prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
    }

    fn pieces() -> impl Strategy<Value = Vec<usize>> {
        prop::collection::vec(1..400_usize, 1..8)
    }

    proptest! {
        #[test]
        fn what_was_sent_is_read_however_it_comes(values in values(), pieces in pieces()) {
            let mut bytes = Vec::new();
            values.iter().for_each(|value| encoded(value, &mut bytes));
            prop_assert_eq!(read(&bytes, &pieces), Read { values, nonsense: false });
        }

        #[test]
        fn any_bytes_are_read_alike_in_one_piece_and_in_many(bytes in bytes(), pieces in pieces()) {
            prop_assert_eq!(read(&bytes, &pieces), read(&bytes, &[bytes.len().max(1)]));
        }

        #[test]
        fn any_bytes_are_read_alike_byte_by_byte(bytes in bytes()) {
            prop_assert_eq!(read(&bytes, &[1]), read(&bytes, &[bytes.len().max(1)]));
        }
    }

    #[test]
    fn errors_keep_their_code_and_words() {
        let read = read(b"-WRONGTYPE Operation against a key\r\n:1\r\n", &[3]);
        let [error, Value::Int(1)] = &read.values[..] else { panic!("{read:?}") };
        let error = error.clone().extract_error().unwrap_err();
        assert_eq!(error.code(), Some("WRONGTYPE"));
        assert_eq!(error.detail(), Some("Operation against a key"));
    }

    #[test]
    fn what_is_announced_takes_no_room_and_too_much_is_nonsense() {
        let mut input = Input::new();
        let announced = format!("*{LONGEST_ARRAY}\r\n${LONGEST_STRING}\r\n");
        input.space()[..announced.len()].copy_from_slice(announced.as_bytes());
        input.filled(announced.len());
        assert!(matches!(Replies::new(input.bytes()).next(), Err(Stop::Incomplete)));
        assert!(input.space().len() < READ);
        for nonsense in [
            format!("${}\r\n", LONGEST_STRING + 1),
            format!("*{}\r\n", LONGEST_ARRAY + 1),
            "$-2\r\n".to_owned(),
            "$\r\n".to_owned(),
            ":1a\r\n".to_owned(),
            ":9223372036854775808\r\n".to_owned(),
            "$1\r\nab\r\n".to_owned(),
            "+a\rb\r\n".to_owned(),
            // Of another version, or within what is asked nowhere.
            "_\r\n".to_owned(),
            "*1\r\n*0\r\n".to_owned(),
            // A line without an end.
            format!("+{}", "a".repeat(LONGEST_LINE + 1)),
            format!(":{}", "1".repeat(LONGEST_NUMBER + 1)),
        ] {
            let read = read(nonsense.as_bytes(), &[7]);
            assert_eq!(read, Read { values: Vec::new(), nonsense: true }, "{nonsense:.20}");
        }
    }
}
