//! What stands between parentheses in a key: sequences, tuples, structs, maps.

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use super::KeyError;
use super::segment::{Writer, write_name, write_nested};
use super::tape::{Tag, Tape};

/// A list of items between parentheses, being written.
pub(super) struct Group<'w> {
    writer: &'w mut Writer,
    depth: u8,
    empty: bool,
    sorting: Option<Sorting>,
    /// The struct, where its fields are noted.
    of: Option<String>,
}

/// Where the items of a group to be sorted are.
struct Sorting {
    /// The trace up to the group; each item is traced on its own, because
    /// their order means nothing.
    outer: Tape,
    /// Where the first item begins, and where the current one does.
    first: usize,
    current: usize,
    items: Vec<(usize, usize, Tape)>,
}

impl<'w> Group<'w> {
    /// Opens the parenthesis. `depth` is that of the items.
    pub(super) fn open(writer: &'w mut Writer, depth: u8) -> Self {
        writer.text.push('(');
        Self { writer, depth, empty: true, sorting: None, of: None }
    }

    /// Has the names of the fields noted, as this struct's.
    pub(super) fn of(mut self, name: Option<String>) -> Self {
        self.of = name;
        self
    }

    /// Has the items written in the order of their encodings.
    pub(super) fn sorted(mut self) -> Self {
        let first = self.writer.text.len();
        self.sorting =
            Some(Sorting { outer: self.writer.tape, first, current: first, items: Vec::new() });
        self
    }

    /// Writes one whole item.
    pub(super) fn item<T>(&mut self, value: &T) -> Result<(), KeyError>
    where
        T: Serialize + ?Sized,
    {
        self.begin();
        self.part(value)?;
        self.end();
        Ok(())
    }

    /// Writes the closing parenthesis, and before it the items in their order
    /// if there is one to be made.
    pub(super) fn close(mut self) {
        self.sort();
        self.writer.text.push(')');
        self.writer.tape.record(Tag::End);
    }

    fn sort(&mut self) {
        if let Some(sorting) = self.sorting.take() {
            sorting.finish(self.writer);
        }
    }

    fn field<T>(&mut self, name: &'static str, value: &T) -> Result<(), KeyError>
    where
        T: Serialize + ?Sized,
    {
        self.note(name);
        self.begin();
        write_name(name, &mut self.writer.text);
        self.writer.text.push('=');
        self.part(value)?;
        self.end();
        Ok(())
    }

    #[inline]
    fn note(&mut self, field: &'static str) {
        if let (Some(of), Some(written)) = (&self.of, &mut self.writer.written) {
            written.entry(of.clone()).or_default().insert(field);
        }
    }

    fn begin(&mut self) {
        match &mut self.sorting {
            Some(sorting) => {
                sorting.current = self.writer.text.len();
                self.writer.tape = sorting.outer.part();
            }
            None if !self.empty => self.writer.text.push(','),
            None => {}
        }
        self.empty = false;
    }

    fn part<T>(&mut self, value: &T) -> Result<(), KeyError>
    where
        T: Serialize + ?Sized,
    {
        write_nested(self.writer, self.depth, value)
    }

    fn end(&mut self) {
        if let Some(sorting) = &mut self.sorting {
            let item = (sorting.current, self.writer.text.len(), self.writer.tape);
            sorting.items.push(item);
        }
    }
}

impl Sorting {
    /// Replaces the items as they came by the items in order.
    fn finish(self, writer: &mut Writer) {
        let Self { outer, first, items, .. } = self;
        let unsorted = writer.text.split_off(first);
        let mut items: Vec<(&str, Tape)> = items
            .into_iter()
            .map(|(start, end, tape)| {
                let range = start.saturating_sub(first)..end.saturating_sub(first);
                (unsorted.get(range).unwrap_or_default(), tape)
            })
            .collect();
        items.sort_unstable();

        writer.tape = outer;
        for (at, (item, tape)) in items.into_iter().enumerate() {
            if at > 0 {
                writer.text.push(',');
            }
            writer.text.push_str(item);
            writer.tape.absorb_part(tape);
        }
    }
}

impl SerializeSeq for Group<'_> {
    type Ok = ();
    type Error = KeyError;

    fn serialize_element<T>(&mut self, value: &T) -> Result<(), KeyError>
    where
        T: Serialize + ?Sized,
    {
        self.item(value)
    }

    fn end(self) -> Result<(), KeyError> {
        self.close();
        Ok(())
    }
}

impl SerializeTuple for Group<'_> {
    type Ok = ();
    type Error = KeyError;

    fn serialize_element<T>(&mut self, value: &T) -> Result<(), KeyError>
    where
        T: Serialize + ?Sized,
    {
        self.item(value)
    }

    fn end(self) -> Result<(), KeyError> {
        self.close();
        Ok(())
    }
}

impl SerializeTupleStruct for Group<'_> {
    type Ok = ();
    type Error = KeyError;

    fn serialize_field<T>(&mut self, value: &T) -> Result<(), KeyError>
    where
        T: Serialize + ?Sized,
    {
        self.item(value)
    }

    fn end(self) -> Result<(), KeyError> {
        self.close();
        Ok(())
    }
}

impl SerializeTupleVariant for Group<'_> {
    type Ok = ();
    type Error = KeyError;

    fn serialize_field<T>(&mut self, value: &T) -> Result<(), KeyError>
    where
        T: Serialize + ?Sized,
    {
        self.item(value)
    }

    fn end(self) -> Result<(), KeyError> {
        self.close();
        Ok(())
    }
}

impl SerializeMap for Group<'_> {
    type Ok = ();
    type Error = KeyError;

    fn serialize_key<T>(&mut self, key: &T) -> Result<(), KeyError>
    where
        T: Serialize + ?Sized,
    {
        self.begin();
        self.part(key)
    }

    fn serialize_value<T>(&mut self, value: &T) -> Result<(), KeyError>
    where
        T: Serialize + ?Sized,
    {
        self.writer.text.push('=');
        self.part(value)?;
        Group::end(self);
        Ok(())
    }

    fn end(mut self) -> Result<(), KeyError> {
        if self.empty {
            // Tells `{}` from `[]` where a type allows both. A map of one empty
            // string to another reads `(''='')`.
            self.sort();
            self.writer.text.push('=');
        }
        self.close();
        Ok(())
    }
}

impl SerializeStruct for Group<'_> {
    type Ok = ();
    type Error = KeyError;

    fn serialize_field<T>(&mut self, name: &'static str, value: &T) -> Result<(), KeyError>
    where
        T: Serialize + ?Sized,
    {
        self.field(name, value)
    }

    fn skip_field(&mut self, name: &'static str) -> Result<(), KeyError> {
        self.note(name);
        Ok(())
    }

    fn end(self) -> Result<(), KeyError> {
        self.close();
        Ok(())
    }
}

impl SerializeStructVariant for Group<'_> {
    type Ok = ();
    type Error = KeyError;

    fn serialize_field<T>(&mut self, name: &'static str, value: &T) -> Result<(), KeyError>
    where
        T: Serialize + ?Sized,
    {
        self.field(name, value)
    }

    fn skip_field(&mut self, name: &'static str) -> Result<(), KeyError> {
        self.note(name);
        Ok(())
    }

    fn end(self) -> Result<(), KeyError> {
        self.close();
        Ok(())
    }
}
