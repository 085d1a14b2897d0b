//! The deserializer without input: notes what is asked for, answers with
//! dummies.

use std::any::type_name;

use serde::de::value::StrDeserializer;
use serde::de::{Deserializer, IntoDeserializer, Visitor};

use super::access::{Choice, Elements, Entries};
use super::error::{Error, Fact};
use super::plan::{Plan, Tag};

/// Texts for leaves that parse what they are given.
const TEXTS: [&str; 18] = [
    "",
    "0",
    "a",
    "1970-01-01T00:00:00Z",
    "1970-01-01T00:00:00",
    "1970-01-01",
    "00:00:00",
    "00000000-0000-0000-0000-000000000000",
    "127.0.0.1",
    "::1",
    "127.0.0.1:80",
    "[::1]:80",
    "127.0.0.0/8",
    "http://a/",
    "a@b.c",
    "UTC",
    "0.0.0",
    "en",
];

/// What is answered to a type that takes anything.
const ANYTHING: usize = 7;

/// Suffix of the place of a map's key.
pub(super) const KEY: &str = "{key}";

/// The deserializer of one place in the type.
pub(super) struct Tracer<'p> {
    pub(super) plan: &'p mut Plan,
    pub(super) path: String,
}

impl<'p> Tracer<'p> {
    pub(super) fn root(plan: &'p mut Plan) -> Self {
        Self { plan, path: super::plan::ROOT.to_owned() }
    }

    /// A part without parts: `feed` gives the visitor the numbered dummy.
    fn leaf<'de, V: Visitor<'de>>(
        self,
        kind: &'static str,
        count: usize,
        visitor: V,
        feed: impl FnOnce(&mut Plan, &str, V, usize) -> Result<V::Value, Error>,
    ) -> Result<V::Value, Error> {
        let Self { plan, path } = self;
        plan.step()?;
        plan.note(&path, kind);
        let candidate = plan.candidate(&path, type_name::<V>(), kind).min(count - 1);
        let result = feed(plan, &path, visitor, candidate);
        match &result {
            Ok(_) => plan.accepted(&path, kind, candidate, count),
            Err(_) => plan.refused(type_name::<V>(), kind, candidate, count),
        }
        result
    }
}

/// Leaves: the method, the visitor's, and the dummies to be tried in turn.
macro_rules! leaves {
    ($($method:ident $visit:ident $kind:literal [$($dummy:expr),+];)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let dummies = [$($dummy),+];
            self.leaf($kind, dummies.len(), visitor, |_, _, visitor, n| {
                visitor.$visit(dummies[n])
            })
        }
    )+};
}

impl<'de> Deserializer<'de> for Tracer<'_> {
    type Error = Error;

    leaves! {
        deserialize_bool visit_bool "bool" [false, true];
        deserialize_i8 visit_i8 "i8" [0, 1];
        deserialize_i16 visit_i16 "i16" [0, 1];
        deserialize_i32 visit_i32 "i32" [0, 1];
        deserialize_i64 visit_i64 "i64" [0, 1];
        deserialize_i128 visit_i128 "i128" [0, 1];
        deserialize_u8 visit_u8 "u8" [0, 1];
        deserialize_u16 visit_u16 "u16" [0, 1];
        deserialize_u32 visit_u32 "u32" [0, 1];
        deserialize_u64 visit_u64 "u64" [0, 1];
        deserialize_u128 visit_u128 "u128" [0, 1];
        deserialize_f32 visit_f32 "f32" [0.0, 1.0];
        deserialize_f64 visit_f64 "f64" [0.0, 1.0];
        deserialize_char visit_char "char" ['a', '0'];
        deserialize_bytes visit_bytes "bytes" [&[][..], &[0_u8; 16], &[0_u8; 32]];
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.leaf("byte_buf", 3, visitor, |_, _, visitor, n| {
            visitor.visit_byte_buf(vec![0; n * 16])
        })
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.leaf("str", TEXTS.len(), visitor, |_, _, visitor, n| visitor.visit_str(TEXTS[n]))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.leaf("string", TEXTS.len(), visitor, |_, _, visitor, n| {
            visitor.visit_string(TEXTS[n].to_owned())
        })
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.leaf("unit", 1, visitor, |_, _, visitor, _| visitor.visit_unit())
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let announced = format!("unit struct {name}");
        self.plan.container(&self.path, type_name::<V>(), name, &announced);
        self.deserialize_unit(visitor)
    }

    /// Nothing is announced by who takes anything.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.plan.untraced_here(&self.path);
        self.leaf("any", ANYTHING, visitor, |plan, path, visitor, n| match n {
            0 => visitor.visit_unit(),
            1 => {
                let keys = plan.wanted(path);
                Entries::visit(plan, path, "", keys, visitor)
            }
            2 => visitor.visit_str(""),
            3 => visitor.visit_u64(0),
            4 => visitor.visit_bool(false),
            5 => visitor.visit_str("a"),
            _ => visitor.visit_seq(Elements::none(plan, path)),
        })
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.leaf("ignored", 1, visitor, |_, _, visitor, _| visitor.visit_unit())
    }

    /// The names of a struct's fields and of an enum's variants are given
    /// out without coming here. This one is the key of a map that is read
    /// like a struct (as a struct with flattened fields is), or the tag of an
    /// internally tagged enum, which tells its variants when it is refused.
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Self { plan, path } = self;
        plan.step()?;
        plan.note(&path, "identifier");
        if let Some(variants) = plan.tag_variants(&path) {
            let key = |variant: &str| format!("{path}::{variant}");
            let undone = |variant: &&&'static str| !plan.done.contains(&key(variant));
            let sound = |variant: &&&'static str| !plan.is_avoided(&key(variant));
            let chosen = variants.iter().find(undone).or(variants.iter().find(sound));
            let Some(variant) = chosen.copied() else {
                return Err(plan.impossible());
            };
            plan.tag = Some(Tag { of: "", key: key(variant), variant });
            return visitor.visit_str(variant);
        }
        let result: Result<_, Error> = visitor.visit_str("");
        if let Err(error) = &result
            && !plan.is_handled()
        {
            match error.fact {
                Some(Fact::Variants(variants)) => plan.learn_tag(&path, variants),
                Some(Fact::Fields(fields)) => {
                    let map = path.strip_suffix(KEY).unwrap_or(&path).to_owned();
                    plan.want(&map, fields);
                }
                _ => drop(plan.impossible()),
            }
        }
        result
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Self { plan, path } = self;
        plan.step()?;
        plan.note(&path, "option");
        let inner = format!("{path}?");
        if plan.is_avoided(&inner) {
            return visitor.visit_none();
        }
        plan.frame(&inner, true, type_name::<V::Value>(), |plan| {
            visitor.visit_some(Tracer { plan, path: inner.clone() })
        })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let announced = format!("newtype {name}");
        self.named(name, &announced, visitor, |plan, id, visitor| {
            let path = format!("{id}.0");
            visitor.visit_newtype_struct(Tracer { plan, path })
        })
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.plan.step()?;
        self.plan.note(&self.path, "seq");
        visitor.visit_seq(Elements::one(self.plan, &self.path))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        self.plan.step()?;
        self.plan.note(&self.path, format!("tuple({len})"));
        visitor.visit_seq(Elements::exactly(self.plan, &self.path, len))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        let announced = format!("tuple struct {name}({len})");
        self.named(name, &announced, visitor, |plan, id, visitor| {
            visitor.visit_seq(Elements::exactly(plan, id, len))
        })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Self { plan, path } = self;
        plan.step()?;
        plan.note(&path, "map");
        let keys = plan.wanted(&path);
        if keys.is_empty() {
            Entries::visit_unknown(plan, &path, visitor)
        } else {
            plan.untraced_here(&path);
            Entries::visit(plan, &path, "", keys, visitor)
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let announced = format!("struct {name}{{{}}}", fields.join(","));
        self.named(name, &announced, visitor, |plan, id, visitor| {
            plan.structure(id, name, fields);
            if plan.sequences.contains(id) {
                return visitor.visit_seq(Elements::exactly(plan, id, fields.len()));
            }
            Entries::visit(plan, id, name, fields.to_vec(), visitor)
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let Self { plan, path } = self;
        plan.step()?;
        let announced = format!("enum {name}[{}]", variants.join(","));
        let (id, recursive) = plan.container(&path, type_name::<V>(), name, &announced);
        let open: Vec<(&'static str, String)> = variants
            .iter()
            .map(|variant| (*variant, format!("{id}::{variant}")))
            .filter(|(_, key)| !plan.is_avoided(key) && !plan.is_inside(key))
            .collect();
        // Inside itself an enum needs a variant that comes to an end: one
        // that is done has. Elsewhere, those that are not are to be seen.
        let preferred = open.iter().find(|(_, key)| plan.done.contains(key) == recursive);
        let Some((variant, key)) = preferred.or(open.first()) else {
            return Err(if recursive { plan.recursive() } else { plan.impossible() });
        };
        plan.enter(&id);
        plan.enter(key);
        let pending = plan.pending;
        let result = plan.frame(key, true, type_name::<V::Value>(), |plan| {
            visitor.visit_enum(Choice { plan, of: name, variant, path: key })
        });
        plan.leave();
        plan.leave();
        if result.is_ok() && plan.pending == pending && !plan.is_handled() {
            plan.set_done(key.clone());
        }
        if !recursive && open.iter().any(|(_, key)| !plan.done.contains(key)) {
            plan.pending += 1;
        }
        result
    }
}

impl Tracer<'_> {
    /// A type with a name and contents that are described under it.
    fn named<'de, V: Visitor<'de>>(
        self,
        name: &'static str,
        announced: &str,
        visitor: V,
        contents: impl FnOnce(&mut Plan, &str, V) -> Result<V::Value, Error>,
    ) -> Result<V::Value, Error> {
        let Self { plan, path } = self;
        plan.step()?;
        let (id, recursive) = plan.container(&path, type_name::<V>(), name, announced);
        if recursive {
            return Err(plan.recursive());
        }
        plan.enter(&id);
        let result = contents(plan, &id, visitor);
        plan.leave();
        result
    }
}

/// A name as its field or variant type reads it.
pub(super) fn name(name: &'static str) -> StrDeserializer<'static, Error> {
    name.into_deserializer()
}
