//! The escaping of free text inside a key.
//!
//! A key is read by people, split at `:` and matched by glob patterns, so a
//! string may only contribute characters that mean nothing to any of the
//! three. All others are written as the upper-case hexadecimal of their UTF-8
//! bytes, `%3A` for a colon. `%` is itself escaped, which makes the escaping
//! injective: no two texts share an escaped form.
//!
//! Letters and digits of every script are kept, as judged by the standard
//! library's Unicode tables. A toolchain with newer tables may therefore write
//! a freshly assigned letter differently: a miss, never a mix-up.

const HEX_UPPER: &[u8; 16] = b"0123456789ABCDEF";
const HEX_LOWER: &[u8; 16] = b"0123456789abcdef";

/// Appends `s` to `out`, percent-escaping all that is not a letter, a digit or
/// one of `-` `_` `.` `@` `+` `/`.
///
/// The empty text stays empty here; the segment grammar writes it as `''`.
pub(crate) fn escape_text(s: &str, out: &mut String) {
    // Identifiers, numbers and UUIDs, that is nearly every string, take this
    // exit.
    if s.bytes().all(is_plain_ascii) {
        out.push_str(s);
        return;
    }
    out.reserve(s.len());
    for c in s.chars() {
        if is_plain(c) {
            out.push(c);
        } else {
            percent(c, out);
        }
    }
}

/// Appends the percent-escaped UTF-8 bytes of one character.
pub(super) fn percent(c: char, out: &mut String) {
    for byte in c.encode_utf8(&mut [0; 4]).bytes() {
        out.push('%');
        push_hex(byte, HEX_UPPER, out);
    }
}

/// Appends bytes as lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8], out: &mut String) {
    out.reserve(bytes.len().saturating_mul(2));
    for &byte in bytes {
        push_hex(byte, HEX_LOWER, out);
    }
}

fn push_hex(byte: u8, digits: &[u8; 16], out: &mut String) {
    out.push(char::from(digits[usize::from(byte >> 4)]));
    out.push(char::from(digits[usize::from(byte & 15)]));
}

fn is_plain(c: char) -> bool {
    match u8::try_from(c) {
        Ok(byte) if byte.is_ascii() => is_plain_ascii(byte),
        _ => c.is_alphanumeric(),
    }
}

const fn is_plain_ascii(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'@' | b'+' | b'/')
}

/// Whether a string would be mistaken for the encoding of a number, a boolean
/// or `None`, and so needs quotes where the reader cannot know that it is a
/// string.
pub(super) fn reads_as_other_token(s: &str) -> bool {
    matches!(s, "true" | "false" | "None" | "NaN" | "inf" | "-inf") || reads_as_number(s)
}

/// `-?\d+(\.\d+)?([eE][+-]?\d+)?`, anchored at both ends: what integers and
/// floats can look like in a key.
fn reads_as_number(s: &str) -> bool {
    let unsigned = s.strip_prefix('-').unwrap_or(s);
    let Some(mut rest) = skip_digits(unsigned) else {
        return false;
    };
    if let Some(fraction) = rest.strip_prefix('.') {
        match skip_digits(fraction) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        return skip_digits(digits) == Some("");
    }
    rest.is_empty()
}

/// What follows one or more leading decimal digits, if there are any.
fn skip_digits(s: &str) -> Option<&str> {
    let rest = s.trim_start_matches(|c: char| c.is_ascii_digit());
    (rest.len() < s.len()).then_some(rest)
}
