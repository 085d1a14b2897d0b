//! What the type under trace complains of, as far as that tells something.

use std::fmt::{self, Display};

use serde::de;

/// What serde's derived code tells in the errors it makes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fact {
    Missing(&'static str),
    Duplicate,
    Variants(&'static [&'static str]),
    Fields(&'static [&'static str]),
}

impl Fact {
    /// As it stands in the description.
    pub(super) fn to_note(self) -> String {
        match self {
            Self::Missing(field) => format!("missing:{field}"),
            Self::Duplicate => "duplicate".to_owned(),
            Self::Variants(names) => format!("variants[{}]", names.join(",")),
            Self::Fields(names) => format!("fields[{}]", names.join(",")),
        }
    }
}

/// The error of a trace. Its text is of no use to anyone and is dropped.
#[derive(Debug, Default)]
pub(super) struct Error {
    pub(super) fact: Option<Fact>,
}

impl Error {
    fn of(fact: Fact) -> Self {
        Self { fact: Some(fact) }
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the type cannot be traced")
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: Display>(_: T) -> Self {
        Self::default()
    }

    fn missing_field(field: &'static str) -> Self {
        Self::of(Fact::Missing(field))
    }

    fn duplicate_field(_: &'static str) -> Self {
        Self::of(Fact::Duplicate)
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::of(Fact::Variants(expected))
    }

    fn unknown_field(_: &str, expected: &'static [&'static str]) -> Self {
        Self::of(Fact::Fields(expected))
    }
}
