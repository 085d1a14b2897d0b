//! The arguments of a call as a few words, without text: what a thread that was just asked for the
//! same tells it by.
//!
//! A trace holds every serde call that a key would be made of, with its values, in order, so that
//! calls of one function with the same trace have the same key. The reverse need not hold (a set
//! has no order, two names of one text stand in two places): then the key itself decides. What
//! does not fit is no trace.

use std::fmt;

use serde::Serialize;
use serde::ser::{
    self, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

/// Room for a text of 40 bytes, or for three numbers. Two words more made a hit a fifth slower.
const WORDS: usize = FIRST + REST;
/// Room for a number, or for a text of 8 bytes.
pub(crate) const FIRST: usize = 2;
pub(crate) const REST: usize = 4;
/// An odd number without a pattern (the golden ratio in 64 bits).
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// One kind of serde call, finer than in a key's own trace: bits alike need not be values alike.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Tag {
    Bool = 1,
    Int,
    Unsigned,
    WideInt,
    WideUnsigned,
    SingleFloat,
    Float,
    Char,
    Str,
    Bytes,
    None,
    Some,
    Unit,
    UnitStruct,
    UnitVariant,
    NewtypeStruct,
    NewtypeVariant,
    Seq,
    Tuple,
    TupleStruct,
    TupleVariant,
    Map,
    Struct,
    StructVariant,
    End,
}

#[derive(Clone, Copy)]
pub struct Trace {
    words: [u64; WORDS],
    len: usize,
    hash: u64,
}

impl Trace {
    #[inline]
    pub(crate) const fn new() -> Self {
        Self { words: [0; WORDS], len: 0, hash: 0 }
    }

    /// Whether everything fit.
    #[inline]
    pub(crate) fn is_whole(&self) -> bool {
        self.len <= WORDS
    }

    #[inline]
    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    /// As it is kept; `None` where not everything fit.
    pub(crate) fn parts(&self) -> Option<Parts> {
        let [a, b, rest @ ..] = self.words;
        let len = u8::try_from(self.len).ok()?;
        self.is_whole().then_some(Parts { first: [a, b], rest, len })
    }

    /// A trace as it was.
    pub(crate) fn of(first: &[u64; FIRST], rest: &[u64; REST], len: u8) -> Self {
        let mut trace = Self::new();
        for word in first.iter().chain(rest).take(len.into()) {
            // There is room for as many as there were.
            let _ = trace.push(*word);
        }
        trace
    }

    /// Whether it is of so many words, and begins with these. One that was cut short has more than
    /// any that is kept.
    #[inline]
    pub(crate) fn begins_with(&self, [a, b]: &[u64; FIRST], len: u8) -> bool {
        // Without branches, which a comparison of arrays has.
        usize::from(len) == self.len && (self.words[0] ^ a) | (self.words[1] ^ b) == 0
    }

    /// Whether there are no more words.
    #[inline]
    pub(crate) fn is_short(&self) -> bool {
        self.len <= FIRST
    }

    /// Whether these are its other words.
    #[inline]
    pub(crate) fn goes_on_with(&self, rest: &[u64; REST]) -> bool {
        let differ = |at: usize| self.words[FIRST + at] ^ rest[at];
        (0..REST).fold(0, |all, at| all | differ(at)) == 0
    }

    /// Adds an argument.
    #[inline]
    pub(crate) fn add<T: Serialize + ?Sized>(&mut self, value: &T) {
        if value.serialize(&mut *self).is_err() {
            self.cut_short();
        }
    }

    /// Makes it none: something did not fit, or cannot be told.
    #[inline]
    pub(crate) fn cut_short(&mut self) {
        self.len = WORDS + 1;
    }

    /// Adds the name of a type, a field or a variant: where it stands is enough.
    #[inline]
    pub(crate) fn name(&mut self, name: &'static str) {
        // Cut short where it does not fit; the length tells.
        let _ = self.push(name.as_ptr().addr() as u64).and_then(|()| self.push(name.len() as u64));
    }

    #[inline]
    fn push(&mut self, word: u64) -> Result<(), Full> {
        let place = self.words.get_mut(self.len);
        self.len += 1;
        *place.ok_or(Full)? = word;
        self.hash = (self.hash.rotate_left(5) ^ word).wrapping_mul(SPREAD);
        Ok(())
    }

    #[inline]
    fn tagged(&mut self, tag: Tag, word: u64) -> Result<(), Full> {
        self.push(u64::from(tag as u8))?;
        self.push(word)
    }

    fn bytes(&mut self, tag: Tag, bytes: &[u8]) -> Result<(), Full> {
        self.push(u64::from(tag as u8) | (bytes.len() as u64) << 8)?;
        bytes.chunks(8).try_for_each(|chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.push(u64::from_le_bytes(word))
        })
    }

    fn begin(&mut self, tag: Tag, name: &'static str) -> Result<&mut Self, Full> {
        self.push(u64::from(tag as u8))?;
        self.name(name);
        if self.is_whole() { Ok(self) } else { Err(Full) }
    }

    fn end(&mut self) -> Result<(), Full> {
        self.push(u64::from(Tag::End as u8))
    }
}

/// A trace to which everything fit.
pub(crate) struct Parts {
    pub(crate) first: [u64; FIRST],
    pub(crate) rest: [u64; REST],
    pub(crate) len: u8,
}

/// There is no more room, or the value cannot be serialised: nothing to say about it here.
#[derive(Debug)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the arguments are no short trace")
    }
}

impl std::error::Error for Full {}

impl ser::Error for Full {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

macro_rules! numbers {
    ($($method:ident: $ty:ty => $tag:ident, |$v:ident| $word:expr;)*) => {$(
        #[inline]
        fn $method(self, $v: $ty) -> Result<(), Full> {
            self.tagged(Tag::$tag, $word)
        }
    )*};
}

impl Serializer for &mut Trace {
    type Ok = ();
    type Error = Full;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    numbers! {
        serialize_bool: bool => Bool, |v| v.into();
        serialize_i8: i8 => Int, |v| v as u64;
        serialize_i16: i16 => Int, |v| v as u64;
        serialize_i32: i32 => Int, |v| v as u64;
        serialize_i64: i64 => Int, |v| v as u64;
        serialize_u8: u8 => Unsigned, |v| v.into();
        serialize_u16: u16 => Unsigned, |v| v.into();
        serialize_u32: u32 => Unsigned, |v| v.into();
        serialize_u64: u64 => Unsigned, |v| v;
        serialize_f32: f32 => SingleFloat, |v| v.to_bits().into();
        serialize_f64: f64 => Float, |v| v.to_bits();
        serialize_char: char => Char, |v| u64::from(u32::from(v));
    }

    fn serialize_i128(self, v: i128) -> Result<(), Full> {
        self.bytes(Tag::WideInt, &v.to_le_bytes())
    }

    fn serialize_u128(self, v: u128) -> Result<(), Full> {
        self.bytes(Tag::WideUnsigned, &v.to_le_bytes())
    }

    fn serialize_str(self, v: &str) -> Result<(), Full> {
        self.bytes(Tag::Str, v.as_bytes())
    }

    fn serialize_bytes(self, v: &[u8]) -> Result<(), Full> {
        self.bytes(Tag::Bytes, v)
    }

    /// Serde's own version allocates, and panics where `Display` fails.
    fn collect_str<T: fmt::Display + ?Sized>(self, _: &T) -> Result<(), Full> {
        Err(Full)
    }

    fn serialize_none(self) -> Result<(), Full> {
        self.push(u64::from(Tag::None as u8))
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Full> {
        self.push(u64::from(Tag::Some as u8))?;
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Full> {
        self.push(u64::from(Tag::Unit as u8))
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<(), Full> {
        self.begin(Tag::UnitStruct, name).map(|_| ())
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), Full> {
        self.begin(Tag::UnitVariant, variant).map(|_| ())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Full> {
        self.push(u64::from(Tag::NewtypeStruct as u8))?;
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Full> {
        value.serialize(self.begin(Tag::NewtypeVariant, variant)?)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self, Full> {
        self.push(u64::from(Tag::Seq as u8))?;
        Ok(self)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, Full> {
        self.push(u64::from(Tag::Tuple as u8))?;
        Ok(self)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, Full> {
        self.push(u64::from(Tag::TupleStruct as u8))?;
        Ok(self)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self, Full> {
        self.begin(Tag::TupleVariant, variant)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self, Full> {
        self.push(u64::from(Tag::Map as u8))?;
        Ok(self)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Full> {
        self.push(u64::from(Tag::Struct as u8))?;
        Ok(self)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self, Full> {
        self.begin(Tag::StructVariant, variant)
    }
}

macro_rules! elements {
    ($($of:ident: $($method:ident),+;)*) => {$(
        impl $of for &mut Trace {
            type Ok = ();
            type Error = Full;

            $(fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Full> {
                value.serialize(&mut **self)
            })+

            fn end(self) -> Result<(), Full> {
                Trace::end(self)
            }
        }
    )*};
}

elements! {
    SerializeSeq: serialize_element;
    SerializeTuple: serialize_element;
    SerializeTupleStruct: serialize_field;
    SerializeTupleVariant: serialize_field;
    SerializeMap: serialize_key, serialize_value;
}

macro_rules! fields {
    ($($of:ident),*) => {$(
        impl $of for &mut Trace {
            type Ok = ();
            type Error = Full;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Full> {
                self.name(name);
                value.serialize(&mut **self)
            }

            fn end(self) -> Result<(), Full> {
                Trace::end(self)
            }
        }
    )*};
}

fields!(SerializeStruct, SerializeStructVariant);

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde::Serialize;

    use super::{Parts, Trace};
    use crate::key::KeyBuilder;

    fn trace<T: Serialize>(value: &T) -> Trace {
        let mut trace = Trace::new();
        trace.add(value);
        trace
    }

    /// Whether both are told by traces to be the same call.
    fn same<T: Serialize, U: Serialize>(a: &T, b: &U) -> bool {
        let (a, b) = (trace(a), trace(b));
        told_alike(&a, &b)
    }

    /// As a front does with one that it keeps.
    fn told_alike(kept: &Trace, asked: &Trace) -> bool {
        kept.parts().is_some_and(|parts| {
            asked.begins_with(&parts.first, parts.len)
                && (asked.is_short() || asked.goes_on_with(&parts.rest))
        })
    }

    #[derive(Serialize)]
    enum Shape {
        Unit,
        Other,
        New(u8),
        Tuple(u8, u8),
        Struct { a: u8 },
    }

    #[test]
    fn what_differs_has_another_trace() {
        let differ: [bool; 14] = [
            same(&1_u8, &2_u8),
            same(&1_u8, &1_i8),
            same(&"1", &1_u8),
            same(&"a\0", &"a"),
            same(&"", &None::<u8>),
            same(&Some(1_u8), &1_u8),
            same(&Some(None::<u8>), &None::<Option<u8>>),
            same(&("a", "b"), &("ab", "")),
            same(&0.0_f64, &-0.0_f64),
            same(&1.0_f32, &1.0_f64),
            same(&Shape::Unit, &Shape::Other),
            same(&Shape::New(1), &Shape::Struct { a: 1 }),
            same(&Shape::Tuple(1, 2), &Shape::Tuple(2, 1)),
            same(&vec![1_u8, 2], &(1_u8, 2_u8)),
        ];
        assert_eq!(differ, [false; 14]);
    }

    #[test]
    fn what_is_the_same_has_the_same_trace_while_it_fits() {
        assert!(same(&("user", 7_u64), &("user", 7_u64)));
        assert!(same(&Shape::New(1), &Shape::New(1)));
        assert!(same(&BTreeMap::from([(1_u8, 2_u8)]), &BTreeMap::from([(1_u8, 2_u8)])));
        assert!(trace(&"x".repeat(40)).is_whole());
        assert!(!trace(&"x".repeat(41)).is_whole());
        assert!(!trace(&[[[0_u8; 3]; 3]; 3]).is_whole());
    }

    fn call((first, second): &Arguments) -> (Trace, (String, u64)) {
        let (mut trace, mut key) = (Trace::new(), KeyBuilder::new("f"));
        trace.add(first);
        trace.add(second);
        key.segment(first);
        key.segment(second);
        let key = key.finish().unwrap();
        (trace, (key.as_str().to_owned(), key.fingerprint()))
    }

    type Arguments = (Option<u8>, String);

    /// Few values, so that the same come together.
    fn arguments() -> impl Strategy<Value = Arguments> {
        (prop::option::of(0..2_u8), "[a\0]{0,2}")
    }

    proptest! {
        /// The rule that a thread's front rests on, and that it is of use.
        #[test]
        fn one_trace_is_one_key(a in arguments(), b in arguments()) {
            let ((one, key), (other, other_key)) = (call(&a), call(&b));
            prop_assert!(one.is_whole() && other.is_whole());
            prop_assert_eq!(told_alike(&one, &other), key == other_key);
            prop_assert_eq!(told_alike(&one, &other), a == b);
            let Parts { first, rest, len } = one.parts().unwrap();
            prop_assert_eq!(Trace::of(&first, &rest, len).hash(), one.hash());
        }
    }
}
