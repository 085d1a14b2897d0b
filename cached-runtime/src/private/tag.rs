//! A tag being rendered: text, as `format!` makes it of a template.

use std::fmt::{self, Display, Write as _};

use serde::Serialize;

use super::presumed::never;
use crate::key::{KeyBuilder, KeyError, Trace};

/// A tag that grows.
pub struct Tag {
    text: String,
    error: Option<KeyError>,
}

/// What a template captures. How it is shown, its type decides, by autoref dispatch over
/// [`Plain`], [`Shown`], [`Written`] and [`Unwritten`], in this order
/// (<https://github.com/dtolnay/case-studies/tree/master/autoref-specialization>).
pub struct Captured<'a, T: ?Sized>(pub &'a T);

/// How a captured value is shown.
pub trait Part {
    /// Adds its text.
    ///
    /// # Errors
    /// Where it has none.
    fn write(&self, out: &mut String) -> Result<(), KeyError>;

    /// Adds what tells it from others, to the arguments of a call that is looked for in memory.
    fn trace(&self, trace: &mut Trace);
}

impl Tag {
    pub(super) fn rendered(fill_in: impl FnOnce(&mut Self)) -> Result<String, KeyError> {
        let mut tag = Self { text: String::new(), error: None };
        fill_in(&mut tag);
        match tag.error {
            None => Ok(tag.text),
            Some(error) => Err(error),
        }
    }

    /// The template's text.
    pub fn text(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// What it captures.
    pub fn part(&mut self, part: &impl Part) {
        if self.error.is_none() {
            self.error = part.write(&mut self.text).err();
        }
    }
}

/// A value whose text and whose serde form tell it from others alike.
pub struct AsIs<'a, T: ?Sized>(&'a T);

/// A value that shows itself.
pub struct ByDisplay<'a, T: ?Sized>(&'a T);

/// A value that has a serde form alone. What is asked of serde is asked once, where this is made,
/// so that a missing derive is one error.
pub struct BySerde<'a, T: ?Sized> {
    value: &'a T,
    write: fn(&T, &mut String) -> Result<(), KeyError>,
    trace: fn(&T, &mut Trace),
}

/// Texts and whole numbers.
pub trait Simple: Display + Serialize {}

macro_rules! simple {
    ($($simple:ty),*) => {
        $(impl Simple for $simple {})*
    };
}

simple!(bool, char, str, String, u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize);

impl<T: Simple + ?Sized> Simple for &T {}

/// Asked first.
pub trait Plain<'a, T: ?Sized> {
    /// The part.
    fn part(&self) -> AsIs<'a, T>;
}

/// Asked second.
pub trait Shown<'a, T: ?Sized> {
    /// The part.
    fn part(&self) -> ByDisplay<'a, T>;
}

/// Asked third.
pub trait Written<'a, T: ?Sized> {
    /// The part.
    fn part(&self) -> BySerde<'a, T>;
}

/// Asked last: says what to do.
pub trait Unwritten<'a, T: ?Sized> {
    /// The part.
    fn part(&self) -> BySerde<'a, T>
    where
        T: InTag;
}

/// Asked last where the function has seen to it.
pub trait Unasked<'a, T: ?Sized> {
    /// Never called.
    fn part(&self) -> BySerde<'a, T>;
}

/// What can stand in a tag.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be part of a tag: it is neither `Display` nor `Serialize`",
    label = "has no text",
    note = "name a field that has one (`{{user.id}}`), or derive `serde::Serialize` for its type"
)]
pub trait InTag: Serialize {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + ?Sized> InTag for T {}

impl<'a, T: Simple + ?Sized> Plain<'a, T> for &&&Captured<'a, T> {
    #[inline]
    fn part(&self) -> AsIs<'a, T> {
        AsIs(self.0)
    }
}

impl<'a, T: Display + ?Sized> Shown<'a, T> for &&Captured<'a, T> {
    fn part(&self) -> ByDisplay<'a, T> {
        ByDisplay(self.0)
    }
}

impl<'a, T: Serialize + ?Sized> Written<'a, T> for &Captured<'a, T> {
    fn part(&self) -> BySerde<'a, T> {
        BySerde { value: self.0, write: written::<T>, trace: traced::<T> }
    }
}

impl<'a, T: ?Sized> Unwritten<'a, T> for Captured<'a, T> {
    fn part(&self) -> BySerde<'a, T>
    where
        T: InTag,
    {
        BySerde { value: self.0, write: written::<T>, trace: traced::<T> }
    }
}

impl<'a, T: ?Sized> Unasked<'a, T> for Captured<'a, T> {
    fn part(&self) -> BySerde<'a, T> {
        never()
    }
}

impl<T: Simple + ?Sized> Part for AsIs<'_, T> {
    fn write(&self, out: &mut String) -> Result<(), KeyError> {
        ByDisplay(self.0).write(out)
    }

    #[inline]
    fn trace(&self, trace: &mut Trace) {
        trace.add(self.0);
    }
}

impl<T: Display + ?Sized> Part for ByDisplay<'_, T> {
    fn write(&self, out: &mut String) -> Result<(), KeyError> {
        // Not `to_string`, which panics where `Display` fails.
        write!(out, "{}", self.0)
            .map_err(|_| serde::ser::Error::custom("its `Display` failed to show it"))
    }

    fn trace(&self, trace: &mut Trace) {
        let mut text = String::new();
        match self.write(&mut text) {
            Ok(()) => trace.add(&text),
            Err(_) => trace.cut_short(),
        }
    }
}

impl<T: ?Sized> Part for BySerde<'_, T> {
    fn write(&self, out: &mut String) -> Result<(), KeyError> {
        (self.write)(self.value, out)
    }

    fn trace(&self, trace: &mut Trace) {
        (self.trace)(self.value, trace);
    }
}

/// Texts, numbers and names of variants as `Display` would show them, all else as in a key.
fn written<T: Serialize + ?Sized>(value: &T, out: &mut String) -> Result<(), KeyError> {
    let start = out.len();
    if write!(out, "{}", Serialized(value)).is_ok() {
        return Ok(());
    }
    out.truncate(start);
    let mut key = KeyBuilder::new("");
    key.capture(value);
    out.push_str(key.finish()?.as_str());
    Ok(())
}

fn traced<T: Serialize + ?Sized>(value: &T, trace: &mut Trace) {
    trace.add(value);
}

/// Serde takes a formatter for a serializer of what one word shows.
struct Serialized<'a, T: ?Sized>(&'a T);

impl<T: Serialize + ?Sized> Display for Serialized<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.serialize(f)
    }
}

/// What a template captures, for a tag.
#[doc(hidden)]
#[macro_export]
macro_rules! __cached_tag_part {
    ($captured:expr) => {
        $crate::__private::tag_part!($captured, Unwritten)
    };
    // In a verb, see `presumed`.
    ($captured:expr, $last:ident) => {{
        #[allow(unused_imports)]
        use $crate::__private::{Plain as _, Shown as _, Written as _, $last as _};
        (&&&&$crate::__private::Captured(&$captured)).part()
    }};
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    #[derive(Serialize)]
    struct Named {
        id: u8,
    }

    #[derive(Serialize)]
    enum Plan {
        #[serde(rename = "free of charge")]
        Free,
    }

    #[derive(Serialize)]
    struct Loud(&'static str);

    impl Display for Loud {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{}!", self.0)
        }
    }

    struct Broken;

    impl Display for Broken {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            Err(fmt::Error)
        }
    }

    macro_rules! tag {
        ($captured:expr) => {
            Tag::rendered(|tag| tag.part(&__cached_tag_part!($captured)))
        };
    }

    #[test]
    fn what_shows_itself_is_shown_as_format_does() {
        macro_rules! same {
            ($($captured:expr),* $(,)?) => {
                $(assert_eq!(tag!($captured).unwrap(), format!("{}", $captured));)*
            };
        }
        let (boxed, shared) = (Box::<str>::from("a b"), std::sync::Arc::<str>::from("a b"));
        let (owned, cow) = (String::from("a b"), Cow::Borrowed("a b"));
        same!(
            1_u64,
            -7_i128,
            true,
            'ß',
            "R&D / West:1 {*} %2A \n",
            "",
            owned,
            &&"a:b",
            cow,
            boxed,
            shared,
            1.0_f64,
            1e16_f64,
            f32::NAN,
            std::net::Ipv4Addr::LOCALHOST,
            Loud("a b"),
        );
        assert!(tag!(Broken).is_err());
    }

    /// A function that is generic over what serde alone is asked of sees no `Display`.
    #[test]
    fn what_serde_alone_is_asked_of_is_shown_alike_where_it_is_one_word() {
        fn generic<T: Serialize>(value: T) -> String {
            tag!(value).unwrap()
        }
        assert_eq!(generic("R&D / West:1"), "R&D / West:1");
        assert_eq!(generic(7), "7");
        assert_eq!(generic(1.0), "1");
        assert_eq!(tag!(Plan::Free).unwrap(), "free of charge");
        assert_eq!(tag!(Named { id: 1 }).unwrap(), "(id=1)");
        assert_eq!(tag!(Some("a b")).unwrap(), "a%20b");
        assert_eq!(tag!((1, "a b")).unwrap(), "(1,a%20b)");
    }

    #[test]
    fn what_is_shown_otherwise_is_told_apart() {
        let trace = |fill_in: &dyn Fn(&mut Trace)| {
            let mut trace = Trace::new();
            fill_in(&mut trace);
            trace.hash()
        };
        let plain = trace(&|trace| __cached_tag_part!("a").trace(trace));
        let owned = String::from("a");
        assert_eq!(plain, trace(&|trace| __cached_tag_part!(owned).trace(trace)));
        // Serde sees `a`, people see `a!`.
        assert_ne!(plain, trace(&|trace| __cached_tag_part!(Loud("a")).trace(trace)));
    }
}
