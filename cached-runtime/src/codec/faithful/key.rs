//! Map keys in formats whose keys are texts.

use std::fmt::Display;

use serde::ser::{Impossible, Serialize, Serializer};

use super::{Loss, Unfaithful, Walker};

/// Accepts what such a format writes as a text and reads back as what it was.
pub(super) struct KeyWalker {
    pub(super) walker: Walker,
}

macro_rules! texts {
    ($($method:ident($type:ty))+) => {$(
        fn $method(self, _: $type) -> Result<(), Unfaithful> {
            Ok(())
        }
    )+};
}

macro_rules! no_texts {
    ($($method:ident($($type:ty),*) -> $ok:ty;)+) => {$(
        fn $method(self, $(_: $type),*) -> Result<$ok, Unfaithful> {
            Err(Loss::MapKey.into())
        }
    )+};
}

type Never = Impossible<(), Unfaithful>;

impl Serializer for KeyWalker {
    type Ok = ();
    type Error = Unfaithful;
    type SerializeSeq = Never;
    type SerializeTuple = Never;
    type SerializeTupleStruct = Never;
    type SerializeTupleVariant = Never;
    type SerializeMap = Never;
    type SerializeStruct = Never;
    type SerializeStructVariant = Never;

    texts! {
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
    }

    no_texts! {
        serialize_f32(f32) -> ();
        serialize_f64(f64) -> ();
        serialize_bytes(&[u8]) -> ();
        serialize_none() -> ();
        serialize_unit() -> ();
        serialize_unit_struct(&'static str) -> ();
        serialize_seq(Option<usize>) -> Never;
        serialize_tuple(usize) -> Never;
        serialize_tuple_struct(&'static str, usize) -> Never;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Never;
        serialize_map(Option<usize>) -> Never;
        serialize_struct(&'static str, usize) -> Never;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Never;
    }

    fn serialize_i128(self, v: i128) -> Result<(), Unfaithful> {
        self.walker.serialize_i128(v).map(drop)
    }

    fn serialize_u128(self, v: u128) -> Result<(), Unfaithful> {
        self.walker.serialize_u128(v).map(drop)
    }

    fn collect_str<T: Display + ?Sized>(self, _: &T) -> Result<(), Unfaithful> {
        Ok(())
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
    ) -> Result<(), Unfaithful> {
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Unfaithful> {
        value.serialize(self)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<(), Unfaithful> {
        Err(Loss::MapKey.into())
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Unfaithful> {
        Err(Loss::MapKey.into())
    }

    fn is_human_readable(&self) -> bool {
        self.walker.is_human_readable()
    }
}
