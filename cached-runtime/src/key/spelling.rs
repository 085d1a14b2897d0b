//! Whether a text can be a function's key, for those who write one by hand.

use super::escape::escape_text;

/// An encoded argument is shorter, and so is what a template writes around it.
const LONGEST: usize = 256;

/// Whether what follows a function's name could come out of its arguments: letters, digits, the
/// signs of the grammar, and `%` with two upper-case hex digits after it.
pub(crate) fn is_spelled_rightly(arguments: &str) -> bool {
    let mut rest = arguments;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        if c == '%' {
            let hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'A'..=b'F');
            match rest.as_bytes() {
                [a, b, ..] if hex(a) && hex(b) => rest = &rest[2..],
                _ => return false,
            }
        } else if !stands_in_a_key(c) {
            return false;
        }
    }
    arguments.split(':').all(|segment| segment.len() <= LONGEST)
}

/// The arguments as they should have been written, if every `:` was meant to be between two. Cut
/// short where it is long.
pub(crate) fn spelled(arguments: &str) -> String {
    let mut spelled = String::new();
    for (at, argument) in arguments.split(':').enumerate() {
        if at > 0 {
            spelled.push(':');
        }
        if argument.is_empty() {
            spelled.push_str("''");
        }
        escape_text(argument, &mut spelled);
        if spelled.len() > LONGEST {
            return "…".to_owned();
        }
    }
    spelled
}

fn stands_in_a_key(c: char) -> bool {
    c.is_alphanumeric() || "-_.@+/:'(),=~".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keys_display_is_spelled_rightly_and_what_people_write_is_not() {
        for right in ["42", "alice%3Abob:''", "(1,2):(a=1,b=2):(=)", "0x00ff", "Red(x)", "", "a:b"]
        {
            assert!(is_spelled_rightly(right), "{right}");
        }
        for wrong in ["a b", "R&D", "*", "%", "%3", "%3a", "a%", "[ab]", "{x}", "\0", "🦀", "a\n"]
        {
            assert!(!is_spelled_rightly(wrong), "{wrong}");
            assert!(is_spelled_rightly(&spelled(wrong)), "{wrong}");
        }
        assert!(!is_spelled_rightly(&"x".repeat(10_000)));
        assert_eq!(spelled("R&D / West:1"), "R%26D%20/%20West:1");
        assert_eq!(spelled(&"x".repeat(10_000)), "…");
    }
}
