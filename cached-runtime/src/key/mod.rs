//! Keys: `{function}:{segment}:{segment}…`, without the namespace.
//!
//! A key is meant to be read: `shop.users.get_user:42`. The function comes
//! first (see [`function_segment`]), then a segment for each argument, written
//! by a serde serializer made for the purpose. For the arguments of one
//! function, different values give different keys.
//!
//! # The grammar of segments
//!
//! Frozen: the golden tests pin it, and a change is a decision to be announced,
//! for it makes every stored entry a miss.
//!
//! | value | encoded |
//! |---|---|
//! | `bool` | `true`, `false` |
//! | integer, up to 128 bits | decimal: `42`, `-7` |
//! | float | shortest form with its `.0` or exponent: `1.0`, `-0.0`, `1e16`; `NaN` for every NaN, `inf`, `-inf` |
//! | string, `char` | letters, digits and `-` `_` `.` `@` `+` `/` as they are, all else as `%` and two upper-case hex digits per UTF-8 byte: `alice%3Abob` |
//! | the empty string | `''` |
//! | a string that reads as a number or is `true`, `false`, `None`, `NaN`, `inf` or `-inf` | in quotes, `'42'`; but bare, `42`, where the argument's own type is a string |
//! | `None` | `None` |
//! | `Some(x)` | `x`; but `Some(x)` where `x` is `None` or begins with `Some(` |
//! | `()` | `(,)` |
//! | unit struct | its name |
//! | newtype struct | its content |
//! | unit variant | its name: `Red` |
//! | newtype, tuple, struct variant | `Name(x)`, `Name(1,2)`, `Name(a=1,b=2)` |
//! | struct | `(a=1,b=2)` |
//! | sequence, tuple, tuple struct | `(1,2)`, `(1)`, `()` |
//! | `HashSet` | as a sequence, its elements sorted by their encoding |
//! | map | `(k=v,k2=v2)`, sorted by the encoded entries; empty `(=)` |
//! | bytes | `0x` and lower-case hex: `0x00ff` |
//! | any of these, over 96 bytes | the first 32 bytes at most, `~`, and 48 hex digits of BLAKE3 |
//! | an `impl Trait` argument | as a part of another value: `'42'` for a string; where serde sees anything but a string, a `bool`, an `i32` or an `f64`, then `~` and 8 hex digits of what it sees: `5~14b06d02` for a `u64` |
//!
//! Variants, fields and unit structs are escaped like strings. Neither `:` nor
//! `~` nor any glob character, blank, brace or control is ever part of an
//! encoding.
//!
//! # Limits
//!
//! * An untagged enum can read alike where its serde types differ: a unit
//!   variant and the string of its name, a tuple and a sequence, a struct and a
//!   map. The [fingerprint](Key::fingerprint) differs, so that such values
//!   displace each other. No two values of `serde_json::Value` do.
//! * `impl Trait` arguments that serde sees alike share their entry, as `&str`
//!   and `String` should: of two `#[serde(transparent)]` types it sees the
//!   content alone.
//! * A `HashSet` is recognised by its type wherever serde hands it on: as an
//!   argument, field, element or `Option`, also behind a reference or smart
//!   pointer. It is not inside a `#[serde(transparent)]` type or a hand-written
//!   `Serialize`; such a set keeps its random order, at the price of misses.
//! * Values nested more than 128 levels deep are refused.

mod buffer;
mod escape;
mod form;
mod function;
mod group;
mod segment;
mod shape;
mod spelling;
mod tag;
mod tape;
#[cfg(test)]
mod tests;
mod trace;

use std::fmt;

use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

pub(crate) use self::form::{Form, Written};
pub(crate) use self::function::{function_segment, named_segment};
use self::segment::{Writer, write_argument, write_typed_argument};
pub(crate) use self::spelling::{is_spelled_rightly, spelled};
pub(crate) use self::tag::{tag_name, tag_of_function};
use self::tape::Tape;
pub(crate) use self::trace::{FIRST, Parts, REST, Trace};
use crate::error::floor_boundary;

/// Encoded values up to this many bytes are written out.
const MAX_SEGMENT: usize = 96;
/// Of longer ones this many bytes stay readable.
const READABLE: usize = 32;
/// 192 bits of digest: no two values will be found to share them.
const DIGEST: usize = 24;

/// The key of one entry, relative to the namespace of its cache.
///
/// It displays as its text, `{function}:{segment}:{segment}…`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Key {
    text: String,
    fingerprint: u64,
}

impl Key {
    /// The text of the key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// A hash of the text and of the serde types of the values in it, the same
    /// on every machine. Keys with one text and different fingerprints belong
    /// to different values.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    fn new(text: String, tape: Tape) -> Self {
        let fingerprint = fingerprint(&text, tape);
        Self { text, fingerprint }
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        buffer::give_back(std::mem::take(&mut self.text));
    }
}

fn fingerprint(text: &str, tape: Tape) -> u64 {
    tape.mix(xxh3_64(text.as_bytes()))
}

impl AsRef<str> for Key {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.text).finish()
    }
}

/// A key in the user's own words, taken verbatim.
///
/// Its fingerprint is that of a key built from literals alone.
pub(crate) fn user_key(text: &str) -> Key {
    Key::new(text.to_owned(), Tape::default())
}

/// Builds a key, part by part.
///
/// Nothing fails before [`finish`](Self::finish): after the first value that
/// cannot be serialized the rest is ignored.
pub(crate) struct KeyBuilder {
    writer: Writer,
    error: Option<KeyError>,
}

impl KeyBuilder {
    /// Begins with the function's segment, verbatim.
    pub(crate) fn new(function_segment: &str) -> Self {
        let mut text = buffer::take();
        // Room for a few short segments, so that most keys allocate once where they do.
        text.reserve(function_segment.len().saturating_add(48));
        text.push_str(function_segment);
        Self { writer: Writer { text, tape: Tape::default(), written: None }, error: None }
    }

    /// Adds `:` and the encoded value.
    #[inline]
    pub(crate) fn segment<T: Serialize + ?Sized>(&mut self, v: &T) {
        self.writer.text.push(':');
        self.capture(v);
    }

    /// The same for a value whose type is its own (`impl Trait`).
    pub(crate) fn typed_segment<T: Serialize + ?Sized>(&mut self, v: &T) {
        self.writer.text.push(':');
        self.typed_capture(v);
    }

    /// Adds text as it is. It must not contain what a key may not.
    pub(crate) fn literal(&mut self, text: &str) {
        self.writer.text.push_str(text);
    }

    /// Adds the encoded value alone, for a template that says what surrounds
    /// it. `literal(":")` and `capture` make what `segment` makes.
    #[inline]
    pub(crate) fn capture<T: Serialize + ?Sized>(&mut self, v: &T) {
        self.add(|writer| write_argument(writer, v));
    }

    /// The same for a value whose type is its own (`impl Trait`).
    pub(crate) fn typed_capture<T: Serialize + ?Sized>(&mut self, v: &T) {
        if let Some(Some(mark)) = self.add(|writer| write_typed_argument(writer, v)) {
            self.writer.text.push_str(&format!("~{mark:08x}"));
        }
    }

    /// What writing yields, where it and all before it went well.
    #[inline]
    fn add<T>(&mut self, write: impl FnOnce(&mut Writer) -> Result<T, KeyError>) -> Option<T> {
        if self.error.is_some() {
            return None;
        }
        let start = self.writer.text.len();
        match write(&mut self.writer) {
            Ok(written) => {
                shorten(&mut self.writer.text, start);
                Some(written)
            }
            Err(error) => {
                self.error = Some(error);
                None
            }
        }
    }

    /// The finished key.
    ///
    /// # Errors
    ///
    /// The first error among the values' `Serialize` implementations.
    pub(crate) fn finish(mut self) -> Result<Key, KeyError> {
        match self.error.take() {
            None => Ok(Key::new(std::mem::take(&mut self.writer.text), self.writer.tape)),
            Some(error) => Err(error),
        }
    }

    /// Text and fingerprint of the key as it is now, if it is one.
    pub(crate) fn view(&self) -> Option<(&str, u64)> {
        let text = &self.writer.text[..];
        self.error.is_none().then(|| (text, fingerprint(text, self.writer.tape)))
    }
}

impl Drop for KeyBuilder {
    fn drop(&mut self) {
        buffer::give_back(std::mem::take(&mut self.writer.text));
    }
}

/// Replaces what begins at `start` by its beginning and a digest, if it is too
/// long for a key.
#[inline]
fn shorten(text: &mut String, start: usize) {
    if text.len().saturating_sub(start) > MAX_SEGMENT {
        digest(text, start);
    }
}

#[cold]
fn digest(text: &mut String, start: usize) {
    let Some(encoded) = text.get(start..) else {
        return;
    };
    let hash = digest_of(encoded);
    let mut keep = floor_boundary(encoded, READABLE);
    // A `%` among the last two bytes has lost part of its two digits.
    let tail = encoded.get(..keep).unwrap_or_default().bytes().rev().take(2);
    if let Some(lost) = tail.into_iter().position(|byte| byte == b'%') {
        keep -= lost + 1;
    }
    text.truncate(start + keep);
    text.push('~');
    text.push_str(&hash);
}

/// 48 hex digits.
fn digest_of(text: &str) -> String {
    let mut digits = String::new();
    escape::hex(&blake3::hash(text.as_bytes()).as_bytes()[..DIGEST], &mut digits);
    digits
}

/// Why a value could not become part of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyError {
    message: String,
}

impl KeyError {
    /// Messages are cut to this many bytes: a `Serialize` may well quote the
    /// value it refuses.
    const MAX_MESSAGE: usize = 120;
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for KeyError {}

impl serde::ser::Error for KeyError {
    fn custom<T: fmt::Display>(msg: T) -> Self {
        // Not `to_string`, which panics when `Display` fails.
        let mut message = String::new();
        if fmt::write(&mut message, format_args!("{msg}")).is_err() {
            message.push_str(" (cut short)");
        }
        message.truncate(floor_boundary(&message, Self::MAX_MESSAGE));
        Self { message }
    }
}
