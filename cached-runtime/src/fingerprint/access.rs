//! What the tracing deserializer hands out for things with contents: the
//! elements of a sequence, the entries of a map or struct, a variant.

use std::any::type_name;

use serde::de::{DeserializeSeed, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};

use super::error::{Error, Fact};
use super::plan::{Plan, Tag};
use super::trace::{KEY, Tracer, name};

/// The elements of a sequence (one, or none if that one cannot be built), or
/// of a tuple.
pub(super) struct Elements<'p> {
    plan: &'p mut Plan,
    path: &'p str,
    next: usize,
    len: usize,
    tuple: bool,
}

impl<'p> Elements<'p> {
    pub(super) fn none(plan: &'p mut Plan, path: &'p str) -> Self {
        Self::new(plan, path, 0, false)
    }

    pub(super) fn one(plan: &'p mut Plan, path: &'p str) -> Self {
        let len = usize::from(!plan.is_avoided(&format!("{path}[]")));
        Self::new(plan, path, len, false)
    }

    pub(super) fn exactly(plan: &'p mut Plan, path: &'p str, len: usize) -> Self {
        Self::new(plan, path, len, true)
    }

    fn new(plan: &'p mut Plan, path: &'p str, len: usize, tuple: bool) -> Self {
        Self { plan, path, next: 0, len, tuple }
    }
}

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        if self.next == self.len {
            return Ok(None);
        }
        let path = if self.tuple {
            format!("{}.{}", self.path, self.next)
        } else {
            format!("{}[]", self.path)
        };
        self.next += 1;
        part(self.plan, path, !self.tuple, seed).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.len - self.next)
    }
}

/// The fields of a struct, or the entries of a map.
pub(super) struct Entries<'p> {
    plan: &'p mut Plan,
    path: &'p str,
    /// Name of the struct, if it is one.
    of: &'static str,
    keys: Keys,
    /// The visitor has asked for a key at all.
    asked: bool,
    /// Place of the entry under way.
    current: Option<String>,
    /// The variant that says what the entries after it hold.
    tag: Option<Tag>,
    /// The plan's count of enums with variants to do when the tag was read.
    pending: usize,
}

enum Keys {
    /// These, in this order.
    Known(std::vec::IntoIter<&'static str>),
    /// One of whatever type the keys are, if that is still to come.
    Unknown(bool),
}

impl<'p> Entries<'p> {
    /// Lets `visitor` visit entries of these keys.
    pub(super) fn visit<'de, V: Visitor<'de>>(
        plan: &'p mut Plan,
        path: &'p str,
        of: &'static str,
        keys: Vec<&'static str>,
        visitor: V,
    ) -> Result<V::Value, Error> {
        Self::run(plan, path, of, Keys::Known(keys.into_iter()), visitor)
    }

    /// Lets `visitor` visit one entry, of which nothing is known.
    pub(super) fn visit_unknown<'de, V: Visitor<'de>>(
        plan: &'p mut Plan,
        path: &'p str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let avoided = [KEY, "{value}"].iter().any(|part| plan.is_avoided(&format!("{path}{part}")));
        Self::run(plan, path, "", Keys::Unknown(!avoided), visitor)
    }

    fn run<'de, V: Visitor<'de>>(
        plan: &'p mut Plan,
        path: &'p str,
        of: &'static str,
        keys: Keys,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let mut entries =
            Self { plan, path, of, keys, asked: false, current: None, tag: None, pending: 0 };
        let result = visitor.visit_map(&mut entries);
        let Self { plan, asked, current, tag, pending, .. } = entries;
        if let Err(error) = &result
            && !plan.is_handled()
        {
            match (error.fact, &current) {
                (Some(Fact::Missing(key)), _) if of.is_empty() => plan.want(path, &[key]),
                // The entry's name is a second one of a field already given.
                (Some(Fact::Duplicate), Some(entry)) => plan.is_alias(entry),
                _ if !of.is_empty() && !asked && plan.sequences.insert(path.to_owned()) => {
                    plan.set_handled();
                }
                _ => {}
            }
        }
        if of.is_empty() {
            if result.is_ok() {
                plan.buffered(path, tag.map(|tag| tag.key));
            }
        } else if let Some(tag) = tag
            && (plan.is_handled() || (result.is_ok() && plan.pending > pending))
        {
            // An adjacent tag: not done before what comes with it is.
            plan.done.remove(&tag.key);
        }
        result
    }

    fn place(&self, key: &str) -> String {
        match &self.tag {
            Some(tag) => format!("{}.{key}::{}", self.path, tag.variant),
            None => format!("{}.{key}", self.path),
        }
    }
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        self.asked = true;
        match &mut self.keys {
            Keys::Unknown(false) => Ok(None),
            Keys::Unknown(more) => {
                *more = false;
                self.current = Some(format!("{}{{value}}", self.path));
                part(self.plan, format!("{}{KEY}", self.path), true, seed).map(Some)
            }
            Keys::Known(_) => {
                while let Some(key) = self.next_known() {
                    let place = self.place(key);
                    if self.plan.is_avoided(&place) {
                        continue;
                    }
                    let result = seed.deserialize(name(key));
                    if result.is_err() && !self.plan.is_handled() {
                        self.plan.untraced(&place, type_name::<S::Value>());
                        self.plan.leave_out(&place);
                    }
                    self.current = Some(place);
                    return result.map(Some);
                }
                Ok(None)
            }
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        let Some(place) = self.current.clone() else {
            return Err(self.plan.impossible());
        };
        self.plan.tag = None;
        let result = part(self.plan, place, true, seed);
        // Adjacent tags are enums of the struct's own name.
        if let Some(tag) = self.plan.tag.take()
            && self.tag.is_none()
            && tag.of == self.of
        {
            self.tag = Some(tag);
            self.pending = self.plan.pending;
        }
        result
    }
}

impl Entries<'_> {
    fn next_known(&mut self) -> Option<&'static str> {
        match &mut self.keys {
            Keys::Known(keys) => keys.next(),
            Keys::Unknown(_) => None,
        }
    }
}

/// A variant, and then what it holds.
pub(super) struct Choice<'p> {
    pub(super) plan: &'p mut Plan,
    /// Name of the enum.
    pub(super) of: &'static str,
    pub(super) variant: &'static str,
    /// Place of the variant's contents.
    pub(super) path: &'p str,
}

impl<'de> EnumAccess<'de> for Choice<'_> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Error> {
        let variant = seed.deserialize(name(self.variant))?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Choice<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        self.plan.note(self.path, "unit variant");
        self.plan.tag = Some(Tag { of: self.of, key: self.path.to_owned(), variant: self.variant });
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Error> {
        self.plan.note(self.path, "newtype variant");
        part(self.plan, format!("{}.0", self.path), false, seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        self.plan.note(self.path, format!("tuple variant({len})"));
        visitor.visit_seq(Elements::exactly(self.plan, self.path, len))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let announced = format!("struct variant{{{}}}", fields.join(","));
        self.plan.note(self.path, announced);
        self.plan.structure(self.path, format!("{}::{}", self.of, self.variant), fields);
        Entries::visit(self.plan, self.path, self.of, fields.to_vec(), visitor)
    }
}

/// Traces what the seed asks for as the part of this path.
fn part<'de, S: DeserializeSeed<'de>>(
    plan: &mut Plan,
    path: String,
    may_be_left_out: bool,
    seed: S,
) -> Result<S::Value, Error> {
    plan.frame(&path.clone(), may_be_left_out, type_name::<S::Value>(), |plan| {
        seed.deserialize(Tracer { plan, path })
    })
}
