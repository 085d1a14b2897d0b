//! A key that was written by hand and reached nothing: whether it could have.

use crate::error::{Error, ErrorKind, shortened};
use crate::function::{of_key, some_are_by_hand};
use crate::key::{is_spelled_rightly, spelled};

/// Why no entry can stand under this text, and how it is written.
///
/// Keys by hand are spelled as anybody likes. So what does not begin with the name of a function
/// that was called in this process is only judged where nothing in it uses keys by hand, and it
/// reads like a function's path.
pub(super) fn checked(key: &str, namespace: &str) -> Result<(), Error> {
    let shown = shortened(key);
    let relative = key.strip_prefix(namespace).and_then(|rest| rest.strip_prefix(':'));
    if let Some(relative) = relative
        && function_of(relative).is_some()
        && function_of(key).is_none()
    {
        let relative = shortened(relative);
        return Err(Error::new(
            ErrorKind::Key,
            format!(
                "there is no entry under \"{shown}\": keys are relative to the namespace; write \
                 \"{relative}\""
            ),
        ));
    }
    let Some((function, arguments)) = function_of(key) else { return Ok(()) };
    if is_spelled_rightly(arguments) {
        return Ok(());
    }
    let name = function.rsplit('.').next().unwrap_or(function);
    let globs = if arguments.contains(['*', '?', '[']) {
        "; what takes globs is `invalidate_pattern`"
    } else {
        ""
    };
    Err(Error::new(
        ErrorKind::Key,
        format!(
            "there is no entry under \"{shown}\", and can be none: write what `{name}::key(…)` \
             displays, which is \"{function}:{}\" where each `:` parts two arguments (within one it \
             is `%3A`){globs}",
            spelled(arguments)
        ),
    ))
}

/// The function's segment, and what follows it.
fn function_of(key: &str) -> Option<(&str, &str)> {
    of_key(key).or_else(|| {
        let (first, arguments) = key.split_once(':')?;
        (!some_are_by_hand() && reads_as_path(first)).then_some((first, arguments))
    })
}

/// `shop.users.get_user`
fn reads_as_path(segment: &str) -> bool {
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_alphanumeric() || c == '_')
    };
    segment.contains('.') && segment.split('.').all(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_from_what_people_call_things() {
        for path in ["shop.get_user", "shop.users.get_user", "_a._b", "crate_.größe"] {
            assert!(reads_as_path(path), "{path}");
        }
        for other in ["user", "by hand", "10.0.0.1", "a..b", ".", "", "report.2024", "a.b c"] {
            assert!(!reads_as_path(other), "{other}");
        }
    }
}
