//! What serde is shown of a value, whole and whatever its type says of strings: to be compared with
//! what it is shown of another value of that type.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::segment::{Writer, write_nested};
use super::tape::Tape;

/// By a struct's name, or `Enum::Variant`: the fields that were written, or skipped with a word.
pub(crate) type Written = BTreeMap<String, BTreeSet<&'static str>>;

/// Text and exact trace of a value. Maps and sequences are sorted: the order of a set is not its
/// value's, and no format loses the order of a list.
pub(crate) struct Form {
    text: String,
    tape: Tape,
    pub(crate) written: Written,
}

impl Form {
    /// `None` where `Serialize` fails, or the value is nested too deeply.
    pub(crate) fn of<T: Serialize>(value: &T) -> Option<Self> {
        let written = Some(Box::default());
        let mut writer = Writer { text: String::new(), tape: Tape::exact(), written };
        write_nested(&mut writer, 0, value).ok()?;
        let Writer { text, tape, written } = writer;
        Some(Self { text, tape, written: *written? })
    }

    /// `Err` where the two are not alike, with the field in which they first differ.
    pub(crate) fn compare(&self, other: &Self) -> Result<(), Option<&str>> {
        if (&self.text, self.tape) == (&other.text, other.tape) {
            return Ok(());
        }
        let pairs = self.text.bytes().zip(other.text.bytes());
        let same = pairs.take_while(|(one, other)| one == other).count();
        Err(field_at(&self.text, same))
    }
}

/// The name of the innermost field in which a position is, be it of the name itself.
fn field_at(text: &str, position: usize) -> Option<&str> {
    // Of each group around: where the item begins, and its name where that has ended.
    let mut items: Vec<(usize, Option<&str>)> = Vec::new();
    for (at, byte) in text.bytes().enumerate().take(position) {
        match (byte, items.last_mut()) {
            (b'(', _) => items.push((at + 1, None)),
            (b')', _) => drop(items.pop()),
            (b',', Some(item)) => *item = (at + 1, None),
            (b'=', Some(item)) => item.1 = text.get(item.0..at),
            _ => {}
        }
    }
    // Where the one goes on with another item, or the names differ, that is the next name.
    if let Some((begin, name)) = items.last_mut() {
        let next = text.as_bytes().get(position) == Some(&b',');
        if next || name.is_none() {
            let rest = text.get(if next { position + 1 } else { *begin }..)?;
            let end = rest.find(['(', ')', ',', '='])?;
            *name = rest.get(..end).filter(|_| rest[end..].starts_with('=')).or(*name);
        }
    }
    items.into_iter().rev().find_map(|(_, name)| name).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    #[derive(Serialize)]
    struct User {
        id: u32,
        names: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        age: Option<f64>,
    }

    fn user(id: u32, names: &[&str], age: Option<f64>) -> Form {
        let names = names.iter().map(|&name| name.to_owned()).collect();
        Form::of(&User { id, names, age }).unwrap()
    }

    #[test]
    fn the_field_that_differs_is_named() {
        let one = user(7, &["a", "b"], Some(1.0));
        assert_eq!(one.compare(&user(7, &["a", "b"], Some(1.0))), Ok(()));
        assert_eq!(one.compare(&user(8, &["a", "b"], Some(1.0))), Err(Some("id")));
        assert_eq!(one.compare(&user(7, &["a", "c"], Some(1.0))), Err(Some("names")));
        assert_eq!(user(7, &[], None).compare(&one), Err(Some("names")));
        assert_eq!(one.compare(&user(7, &["a", "b"], Some(f64::NAN))), Err(Some("age")));
        assert_eq!(one.compare(&user(7, &["a", "b"], None)), Err(Some("age")));
        let nan = || user(7, &[], Some(f64::NAN));
        assert_eq!(nan().compare(&nan()), Ok(()));
    }

    #[test]
    fn no_order_is_a_difference_where_it_may_be_chance() {
        let numbers: Vec<u32> = (0..100).collect();
        let set = || Form::of(&numbers.iter().copied().collect::<HashSet<_>>()).unwrap();
        assert_eq!(set().compare(&set()), Ok(()));
        let map = || {
            let pairs = numbers.iter().map(|n| (n.to_string(), vec![*n; 3]));
            Form::of(&pairs.collect::<HashMap<_, _>>()).unwrap()
        };
        assert_eq!(map().compare(&map()), Ok(()));
    }

    #[test]
    fn fields_are_written_or_skipped_with_a_word() {
        let fields = ["id", "names", "age"].into();
        assert_eq!(user(7, &[], None).written, Written::from([("User".to_owned(), fields)]));
    }
}
