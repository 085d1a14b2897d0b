//! The names of tags.
//!
//! A user's tag is text, whatever is in it, and its name is that text. Names that begin with a `!`
//! are the library's own: a user's text that begins with one has a second one before it, so that no
//! text reaches what is not meant by it, and none is refused.
//!
//! | name | of |
//! |---|---|
//! | `user:42` | the tag `user:42` |
//! | `!!text` | the tag `!text` |
//! | `!~` and 48 hex digits of BLAKE3 | a tag of more than 256 bytes |
//! | `!shop.users.get_user` | all entries of a function with `invalidate_all` |

use super::digest_of;

/// A longer tag stands as a digest: its name is sent with each lookup.
const LONGEST: usize = 256;

/// The name of a user's tag.
pub(crate) fn tag_name(text: String) -> String {
    if text.len() > LONGEST {
        format!("!~{}", digest_of(&text))
    } else if text.starts_with('!') {
        format!("!{text}")
    } else {
        text
    }
}

/// The name of the tag that all entries of a function carry. A function's segment begins with a
/// letter, an `_` or a `<`.
pub(crate) fn tag_of_function(segment: &str) -> String {
    format!("!{segment}")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_tags_have_one_name() {
        let long = |last: char| "x".repeat(LONGEST) + &last.to_string();
        let mut texts = vec![long('a'), long('b'), "!~".to_owned(), String::new()];
        for text in ["shop.f", "!", "~", "a b", "\0", "{x}", "*", "%3A", ":", "::", "é"] {
            texts.extend([text.to_owned(), format!("!{text}"), format!("!!{text}")]);
        }
        texts.push(tag_name(long('a')));
        texts.push(tag_of_function("shop.f"));
        let texts: HashSet<String> = texts.into_iter().collect();
        let mut names: HashSet<String> = texts.iter().cloned().map(tag_name).collect();
        names.insert(tag_of_function("shop.f"));
        assert_eq!(names.len(), texts.len() + 1);
        assert_eq!(tag_name("R&D / West:1".to_owned()), "R&D / West:1");
        assert!(names.iter().all(|name| name.len() <= LONGEST + 1));
    }
}
