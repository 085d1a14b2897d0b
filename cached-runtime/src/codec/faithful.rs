//! Would this value come back the same?
//!
//! A format can lose what it is given without a word: JSON writes `NaN`,
//! `None`, `Some(None)` and `()` all as `null`. A cached call must not answer
//! otherwise than the call it stands for, so a value is walked over before it
//! is encoded, by a serializer that writes nothing and stops at the first
//! thing that the format is known to lose ([`Rules`]).
//!
//! # What cannot be seen from here
//! - A type whose `Serialize` and `Deserialize` do not agree: `#[serde(skip)]`
//!   on a field that is not at its default, an untagged enum two of whose
//!   variants look alike, two flattened maps. Nothing of it is announced here;
//!   see [`equality`](crate::equality).
//! - Values that encode well and then refuse to be decoded (an untagged enum
//!   in a format that does not describe itself, a 128-bit integer behind
//!   `#[serde(flatten)]`). These are misses, never wrong values.

use std::fmt::Display;

use serde::ser::{Serialize, Serializer};

mod key;
mod parts;
mod report;

use self::parts::Parts;
pub(crate) use self::report::Unfaithful;
use self::report::{Loss, Step};

/// What a format is able to carry. Each flag says that something *is* carried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// NaN and the infinities.
    pub(crate) non_finite_floats: bool,
    /// `Some(None)` and `Some(())` as something else than `None`.
    pub(crate) nested_options: bool,
    /// A struct without the fields that `skip_serializing_if` leaves out.
    pub(crate) skipped_fields: bool,
    /// Sequences and maps whose length is not said beforehand (flattened
    /// structs are such maps).
    pub(crate) unknown_lengths: bool,
    /// Integers of 128 bits that do not fit into 64.
    pub(crate) wide_integers: bool,
    /// Map keys must be texts: strings, chars, integers, bools, variants
    /// without contents, or newtypes of these.
    pub(crate) text_map_keys: bool,
    /// Levels of nesting that the decoder follows.
    pub(crate) max_depth: u16,
    /// What the format answers to `is_human_readable`, on which a type's form
    /// may depend.
    pub(crate) human_readable: bool,
}

impl Rules {
    /// `serde_json`, with its feature `float_roundtrip`.
    pub(crate) const JSON: Self = Self {
        non_finite_floats: false,
        nested_options: false,
        skipped_fields: true,
        unknown_lengths: true,
        wide_integers: true,
        text_map_keys: true,
        max_depth: 127,
        human_readable: true,
    };

    /// `rmp-serde`, structs written with the names of their fields.
    #[cfg(any(feature = "msgpack", test))]
    pub(crate) const MESSAGE_PACK: Self = Self {
        non_finite_floats: true,
        nested_options: false,
        skipped_fields: true,
        unknown_lengths: true,
        wide_integers: true,
        text_map_keys: false,
        max_depth: 1023,
        human_readable: false,
    };

    /// `postcard`. Its decoder has no limit of depth; ours is for the stack.
    #[cfg(any(feature = "postcard", test))]
    pub(crate) const POSTCARD: Self = Self {
        non_finite_floats: true,
        nested_options: true,
        skipped_fields: false,
        unknown_lengths: false,
        wide_integers: true,
        text_map_keys: false,
        max_depth: 1023,
        human_readable: false,
    };
}

/// Whether `value` comes back as it was from a format of these rules.
///
/// # Errors
/// What is lost first, and where.
pub(crate) fn check<T: Serialize + ?Sized>(value: &T, rules: Rules) -> Result<(), Unfaithful> {
    value.serialize(Walker { rules, depth: 0 }).map(drop)
}

/// How a value is written, as far as it matters to an `Option` around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Like `None`.
    Null,
    /// In any other way.
    Other,
}

/// The serializer that writes nothing.
#[derive(Clone, Copy)]
struct Walker {
    rules: Rules,
    depth: u16,
}

impl Walker {
    /// The walker for what is inside.
    fn deeper(self) -> Result<Self, Unfaithful> {
        if self.depth >= self.rules.max_depth {
            return Err(Loss::TooDeep.into());
        }
        let depth = self.depth + 1;
        Ok(Self { depth, ..self })
    }

    fn float(self, finite: bool) -> Result<Form, Unfaithful> {
        if finite || self.rules.non_finite_floats {
            Ok(Form::Other)
        } else {
            Err(Loss::NonFiniteFloat.into())
        }
    }

    fn wide(self, narrow: bool) -> Result<Form, Unfaithful> {
        if narrow || self.rules.wide_integers {
            Ok(Form::Other)
        } else {
            Err(Loss::WideInteger.into())
        }
    }

    fn parts(self, len: Option<usize>) -> Result<Parts, Unfaithful> {
        if len.is_none() && !self.rules.unknown_lengths {
            return Err(Loss::UnknownLength.into());
        }
        Ok(Parts::new(self.deeper()?, len))
    }

    fn variant(self, variant: &'static str) -> Result<Parts, Unfaithful> {
        Ok(Parts::of_variant(self.deeper()?.deeper()?, variant))
    }
}

/// Scalars that every format carries.
macro_rules! carried {
    ($($method:ident($type:ty))+) => {$(
        fn $method(self, _: $type) -> Result<Form, Unfaithful> {
            Ok(Form::Other)
        }
    )+};
}

impl Serializer for Walker {
    type Ok = Form;
    type Error = Unfaithful;
    type SerializeSeq = Parts;
    type SerializeTuple = Parts;
    type SerializeTupleStruct = Parts;
    type SerializeTupleVariant = Parts;
    type SerializeMap = Parts;
    type SerializeStruct = Parts;
    type SerializeStructVariant = Parts;

    carried! {
        serialize_bool(bool)
        serialize_i8(i8)
        serialize_i16(i16)
        serialize_i32(i32)
        serialize_i64(i64)
        serialize_u8(u8)
        serialize_u16(u16)
        serialize_u32(u32)
        serialize_u64(u64)
        serialize_char(char)
        serialize_str(&str)
        serialize_bytes(&[u8])
    }

    fn serialize_i128(self, v: i128) -> Result<Form, Unfaithful> {
        self.wide(i64::try_from(v).is_ok() || u64::try_from(v).is_ok())
    }

    fn serialize_u128(self, v: u128) -> Result<Form, Unfaithful> {
        self.wide(u64::try_from(v).is_ok())
    }

    fn serialize_f32(self, v: f32) -> Result<Form, Unfaithful> {
        self.float(v.is_finite())
    }

    fn serialize_f64(self, v: f64) -> Result<Form, Unfaithful> {
        self.float(v.is_finite())
    }

    /// Does not format the value: what comes out is a string, whichever.
    fn collect_str<T: Display + ?Sized>(self, _: &T) -> Result<Form, Unfaithful> {
        Ok(Form::Other)
    }

    fn serialize_none(self) -> Result<Form, Unfaithful> {
        Ok(Form::Null)
    }

    fn serialize_unit(self) -> Result<Form, Unfaithful> {
        Ok(Form::Null)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Form, Unfaithful> {
        Ok(Form::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Form, Unfaithful> {
        match value.serialize(self)? {
            Form::Null if !self.rules.nested_options => Err(Loss::NestedOption.into()),
            _ => Ok(Form::Other),
        }
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Form, Unfaithful> {
        value.serialize(self)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
    ) -> Result<Form, Unfaithful> {
        Ok(Form::Other)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Form, Unfaithful> {
        match value.serialize(self.deeper()?) {
            Ok(_) => Ok(Form::Other),
            Err(error) => Err(error.at(Step::Variant(variant))),
        }
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Parts, Unfaithful> {
        self.parts(len)
    }

    fn serialize_tuple(self, len: usize) -> Result<Parts, Unfaithful> {
        self.parts(Some(len))
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Parts, Unfaithful> {
        self.parts(Some(len))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts, Unfaithful> {
        self.variant(variant)
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Parts, Unfaithful> {
        self.parts(len)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Parts, Unfaithful> {
        Ok(Parts::new(self.deeper()?, None))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts, Unfaithful> {
        self.variant(variant)
    }

    fn is_human_readable(&self) -> bool {
        self.rules.human_readable
    }
}

#[cfg(test)]
#[path = "faithful_tests.rs"]
mod tests;
