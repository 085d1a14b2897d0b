//! The serde serializer that writes one value into a key.
//!
//! The grammar is in the documentation of the parent module. Everything goes
//! straight into the text of the key: scalars, strings and sequences of them
//! allocate nothing else. Only what must be sorted is copied once.

use std::fmt::Write as _;

use serde::ser::{Error as _, Serialize, Serializer};

use super::KeyError;
use super::escape::{escape_text, hex, reads_as_other_token};
use super::form::Written;
use super::group::Group;
use super::shape::Shape;
use super::tape::{Tag, Tape};

/// Values nested deeper than this are refused: a key is no place for them, and
/// the stack is finite.
const MAX_DEPTH: u8 = 128;

/// What a key is written to: its text, and the trace of the calls behind it.
pub(super) struct Writer {
    pub(super) text: String,
    pub(super) tape: Tape,
    /// Where it is a [`Form`](super::Form) that is written.
    pub(super) written: Option<Box<Written>>,
}

/// Writes an argument. If its type is a string it needs no quotes.
#[inline]
pub(super) fn write_argument<T>(writer: &mut Writer, value: &T) -> Result<(), KeyError>
where
    T: Serialize + ?Sized,
{
    value.serialize(Segment { writer, shape: Shape::of::<T>(), depth: 0 })
}

/// Writes an argument whose type is its value's alone (`impl Trait`). Two types that serde sees alike
/// read alike; what it sees otherwise has a mark, to be written at its end.
pub(super) fn write_typed_argument<T>(
    writer: &mut Writer,
    value: &T,
) -> Result<Option<u32>, KeyError>
where
    T: Serialize + ?Sized,
{
    let outer = std::mem::replace(&mut writer.tape, Tape::exact());
    // No type says by its position that it is a string.
    let written = write_nested(writer, 0, value);
    let seen = std::mem::replace(&mut writer.tape, outer);
    writer.tape.absorb_part(seen);
    written.map(|()| seen.mark())
}

/// Writes a value that is part of another one, `depth` levels down.
#[inline]
pub(super) fn write_nested<T>(writer: &mut Writer, depth: u8, value: &T) -> Result<(), KeyError>
where
    T: Serialize + ?Sized,
{
    if depth > MAX_DEPTH {
        return Err(KeyError::custom("the value is nested too deeply for a key"));
    }
    let shape = match Shape::of::<T>() {
        // Only an argument is known by its position to be a string.
        Shape::Text => Shape::Other,
        shape => shape,
    };
    value.serialize(Segment { writer, shape, depth })
}

/// Writes the name of a type, a variant or a field.
pub(super) fn write_name(name: &str, out: &mut String) {
    if name.is_empty() {
        out.push_str("''");
    } else {
        escape_text(name, out);
    }
}

/// Serializes one value. Used once, so that what is known of the value's type
/// cannot be taken for knowledge about its parts.
pub(super) struct Segment<'w> {
    writer: &'w mut Writer,
    shape: Shape,
    depth: u8,
}

impl<'w> Segment<'w> {
    /// Writes a value whose `Display` form needs no escaping.
    fn plain(self, tag: Tag, value: std::fmt::Arguments<'_>) -> Result<(), KeyError> {
        self.writer.tape.record(tag);
        self.writer
            .text
            .write_fmt(value)
            .map_err(|_| KeyError::custom("a number could not be written"))
    }

    fn word(self, tag: Tag, word: &str) {
        self.writer.tape.record(tag);
        self.writer.text.push_str(word);
    }

    fn group(self, tag: Tag, name: &str) -> Group<'w> {
        self.writer.tape.record(tag);
        if tag.is_variant() {
            write_name(name, &mut self.writer.text);
        }
        Group::open(self.writer, self.depth.saturating_add(1))
    }
}

impl<'w> Serializer for Segment<'w> {
    type Ok = ();
    type Error = KeyError;
    type SerializeSeq = Group<'w>;
    type SerializeTuple = Group<'w>;
    type SerializeTupleStruct = Group<'w>;
    type SerializeTupleVariant = Group<'w>;
    type SerializeMap = Group<'w>;
    type SerializeStruct = Group<'w>;
    type SerializeStructVariant = Group<'w>;

    fn is_human_readable(&self) -> bool {
        true
    }

    fn serialize_bool(self, v: bool) -> Result<(), KeyError> {
        self.word(Tag::Bool, if v { "true" } else { "false" });
        Ok(())
    }

    fn serialize_i8(self, v: i8) -> Result<(), KeyError> {
        self.writer.tape.note("i8");
        self.plain(Tag::Int, format_args!("{v}"))
    }

    fn serialize_i16(self, v: i16) -> Result<(), KeyError> {
        self.writer.tape.note("i16");
        self.plain(Tag::Int, format_args!("{v}"))
    }

    fn serialize_i32(self, v: i32) -> Result<(), KeyError> {
        self.plain(Tag::Int, format_args!("{v}"))
    }

    fn serialize_i64(self, v: i64) -> Result<(), KeyError> {
        self.writer.tape.note("i64");
        self.plain(Tag::Int, format_args!("{v}"))
    }

    fn serialize_i128(self, v: i128) -> Result<(), KeyError> {
        self.writer.tape.note("i128");
        self.plain(Tag::Int, format_args!("{v}"))
    }

    fn serialize_u8(self, v: u8) -> Result<(), KeyError> {
        self.writer.tape.note("u8");
        self.plain(Tag::Int, format_args!("{v}"))
    }

    fn serialize_u16(self, v: u16) -> Result<(), KeyError> {
        self.writer.tape.note("u16");
        self.plain(Tag::Int, format_args!("{v}"))
    }

    fn serialize_u32(self, v: u32) -> Result<(), KeyError> {
        self.writer.tape.note("u32");
        self.plain(Tag::Int, format_args!("{v}"))
    }

    fn serialize_u64(self, v: u64) -> Result<(), KeyError> {
        self.writer.tape.note("u64");
        self.plain(Tag::Int, format_args!("{v}"))
    }

    fn serialize_u128(self, v: u128) -> Result<(), KeyError> {
        self.writer.tape.note("u128");
        self.plain(Tag::Int, format_args!("{v}"))
    }

    // `Debug` is the shortest text that reads back as the same float, keeps the
    // `.0` and the sign of zero, and writes every NaN alike.
    fn serialize_f32(self, v: f32) -> Result<(), KeyError> {
        self.writer.tape.note("f32");
        self.plain(Tag::Float, format_args!("{v:?}"))
    }

    fn serialize_f64(self, v: f64) -> Result<(), KeyError> {
        self.plain(Tag::Float, format_args!("{v:?}"))
    }

    fn serialize_char(self, v: char) -> Result<(), KeyError> {
        self.writer.tape.note("char");
        self.serialize_str(v.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, v: &str) -> Result<(), KeyError> {
        let Writer { text, tape, .. } = self.writer;
        tape.record(Tag::Str);
        if v.is_empty() {
            text.push_str("''");
        } else if self.shape != Shape::Text && reads_as_other_token(v) {
            // None of these tokens holds a character to escape.
            text.push('\'');
            text.push_str(v);
            text.push('\'');
        } else {
            escape_text(v, text);
        }
        Ok(())
    }

    fn serialize_bytes(self, v: &[u8]) -> Result<(), KeyError> {
        self.writer.tape.record(Tag::Bytes);
        self.writer.text.push_str("0x");
        hex(v, &mut self.writer.text);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), KeyError> {
        self.word(Tag::None, "None");
        Ok(())
    }

    fn serialize_some<T>(self, value: &T) -> Result<(), KeyError>
    where
        T: Serialize + ?Sized,
    {
        self.writer.tape.record(Tag::Some);
        let start = self.writer.text.len();
        write_nested(self.writer, self.depth.saturating_add(1), value)?;
        // `Some` is left out unless the content could then be taken for
        // another option.
        let text = &mut self.writer.text;
        let content = text.get(start..).unwrap_or_default();
        if content == "None" || content.starts_with("Some(") {
            text.insert_str(start, "Some(");
            text.push(')');
        }
        Ok(())
    }

    fn serialize_unit(self) -> Result<(), KeyError> {
        self.word(Tag::Unit, "(,)");
        Ok(())
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<(), KeyError> {
        self.writer.tape.record(Tag::UnitStruct);
        write_name(name, &mut self.writer.text);
        Ok(())
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<(), KeyError> {
        self.writer.tape.note(name);
        self.writer.tape.record(Tag::UnitVariant);
        write_name(variant, &mut self.writer.text);
        Ok(())
    }

    fn serialize_newtype_struct<T>(self, name: &'static str, value: &T) -> Result<(), KeyError>
    where
        T: Serialize + ?Sized,
    {
        self.writer.tape.note(name);
        self.writer.tape.record(Tag::NewtypeStruct);
        write_nested(self.writer, self.depth.saturating_add(1), value)
    }

    fn serialize_newtype_variant<T>(
        self,
        name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), KeyError>
    where
        T: Serialize + ?Sized,
    {
        self.writer.tape.note(name);
        let mut group = self.group(Tag::NewtypeVariant, variant);
        group.item(value)?;
        group.close();
        Ok(())
    }

    fn serialize_seq(self, _len: Option<usize>) -> Result<Group<'w>, KeyError> {
        let unordered = self.shape == Shape::Set || self.writer.written.is_some();
        let group = self.group(Tag::Seq, "");
        Ok(if unordered { group.sorted() } else { group })
    }

    fn serialize_tuple(self, _len: usize) -> Result<Group<'w>, KeyError> {
        Ok(self.group(Tag::Tuple, ""))
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        _len: usize,
    ) -> Result<Group<'w>, KeyError> {
        self.writer.tape.note(name);
        Ok(self.group(Tag::TupleStruct, ""))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Group<'w>, KeyError> {
        self.writer.tape.note(name);
        Ok(self.group(Tag::TupleVariant, variant))
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<Group<'w>, KeyError> {
        Ok(self.group(Tag::Map, "").sorted())
    }

    fn serialize_struct(self, name: &'static str, _len: usize) -> Result<Group<'w>, KeyError> {
        self.writer.tape.note(name);
        let named = self.writer.written.is_some().then(|| name.to_owned());
        Ok(self.group(Tag::Struct, "").of(named))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Group<'w>, KeyError> {
        self.writer.tape.note(name);
        let named = self.writer.written.is_some().then(|| format!("{name}::{variant}"));
        Ok(self.group(Tag::StructVariant, variant).of(named))
    }

    fn collect_str<T>(self, value: &T) -> Result<(), KeyError>
    where
        T: std::fmt::Display + ?Sized,
    {
        // Serde's own version panics when `Display` fails.
        let mut text = String::new();
        write!(text, "{value}").map_err(|_| KeyError::custom("a value could not be displayed"))?;
        self.serialize_str(&text)
    }
}
