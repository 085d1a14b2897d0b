//! What the static type of a value tells that serde does not.
//!
//! serde announces a `HashSet` as any other sequence, and a `String` argument
//! as it does a string deep inside an untyped value. Both matter to a key: the
//! first has no order of its own, the second needs no quotes. The name of the
//! type tells them apart wherever a value passes through with its type. It is
//! a constant in each instance, and its first byte settles most cases.

use std::any::type_name;

/// How the type of a value bears on its encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A string, perhaps behind references or smart pointers.
    Text,
    /// A hash set, whose elements come in no particular order.
    Set,
    /// Anything else.
    Other,
}

/// Pointers whose `Serialize` is that of what they point to.
const POINTERS: [&str; 4] =
    ["alloc::boxed::Box<", "alloc::sync::Arc<", "alloc::rc::Rc<", "alloc::borrow::Cow<"];

impl Shape {
    /// The shape of values of type `T`.
    #[inline]
    pub(super) fn of<T: ?Sized>() -> Self {
        Self::of_name(type_name::<T>())
    }

    /// Reads a shape off the name of a type.
    ///
    /// `type_name` promises no stable format; were it to change, strings would
    /// gain quotes and sets lose their order, which the tests would tell.
    #[inline]
    fn of_name(mut name: &str) -> Self {
        loop {
            match name.as_bytes().first() {
                Some(b'&') => {
                    name = name.get(1..).unwrap_or_default();
                    name = skip_lifetime(name);
                    name = name.strip_prefix("mut ").unwrap_or(name);
                }
                Some(b'a') => {
                    // A closing bracket is left over from a pointer.
                    if name.trim_end_matches('>') == "alloc::string::String" {
                        return Self::Text;
                    }
                    let target = POINTERS.iter().find_map(|p| name.strip_prefix(p));
                    let Some(target) = target else {
                        return Self::Other;
                    };
                    name = skip_lifetime(target);
                }
                Some(b's') if name.trim_end_matches('>') == "str" => return Self::Text,
                Some(b's') if name.starts_with("std::collections::hash::set::HashSet<") => {
                    return Self::Set;
                }
                Some(b'h') if name.starts_with("hashbrown::set::HashSet<") => return Self::Set,
                _ => return Self::Other,
            }
        }
    }
}

/// Newer compilers write the (erased) lifetime of a reference or a `Cow`.
fn skip_lifetime(name: &str) -> &str {
    match name.strip_prefix("'_") {
        Some(rest) => rest.trim_start_matches([',', ' ']),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::Shape;

    #[test]
    fn sees_through_references_and_pointers() {
        use std::borrow::Cow;
        use std::collections::{BTreeSet, HashSet};
        use std::rc::Rc;
        use std::sync::Arc;

        assert_eq!(Shape::of::<str>(), Shape::Text);
        assert_eq!(Shape::of::<&&mut String>(), Shape::Text);
        assert_eq!(Shape::of::<Cow<'_, str>>(), Shape::Text);
        assert_eq!(Shape::of::<Arc<Box<&Rc<str>>>>(), Shape::Text);
        assert_eq!(Shape::of_name("alloc::borrow::Cow<str>"), Shape::Text);
        assert_eq!(Shape::of_name("alloc::borrow::Cow<'_, str>"), Shape::Text);
        assert_eq!(Shape::of::<&Box<HashSet<u8>>>(), Shape::Set);
        assert_eq!(Shape::of_name("hashbrown::set::HashSet<u8>"), Shape::Set);
        assert_eq!(Shape::of::<Vec<String>>(), Shape::Other);
        assert_eq!(Shape::of::<Option<HashSet<u8>>>(), Shape::Other);
        assert_eq!(Shape::of::<BTreeSet<u8>>(), Shape::Other);
        assert_eq!(Shape::of::<u64>(), Shape::Other);
        assert_eq!(Shape::of_name(""), Shape::Other);
        assert_eq!(Shape::of_name("&"), Shape::Other);
    }
}
