//! What would be lost and where, said without the value itself.

use std::fmt::{self, Display};

use serde::ser;

use crate::error::floor_boundary;

/// What a format would lose of a value, and where in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unfaithful {
    loss: Loss,
    /// The steps that lead there, the last one first: they are written down
    /// on the way out, so that a value without losses pays nothing for them.
    path: Vec<Step>,
}

/// What would be lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// A float that is NaN or infinite.
    NonFiniteFloat,
    /// `Some` of something that is written like `None`.
    NestedOption,
    /// A field left out.
    SkippedField,
    /// A sequence or map that does not say its length beforehand.
    UnknownLength,
    /// A sequence or map whose length is not the one it said.
    WrongLength,
    /// An integer too large for 64 bits.
    WideInteger,
    /// A map key that is no text.
    MapKey,
    /// More nesting than the decoder follows.
    TooDeep,
    /// The value's own `Serialize` failed, and said this.
    Failed(String),
}

/// One step of the way into a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Field(&'static str),
    Variant(&'static str),
    Index(usize),
    Element,
    Key,
    Value,
}

/// Longest text of a failed `Serialize` that is kept, in bytes. It is the
/// user's text and may quote the value.
const MAX_MESSAGE: usize = 200;

impl Unfaithful {
    /// The same, one step further outside.
    pub(super) fn at(mut self, step: Step) -> Self {
        self.path.push(step);
        self
    }
}

impl From<Loss> for Unfaithful {
    fn from(loss: Loss) -> Self {
        let path = Vec::new();
        Self { loss, path }
    }
}

impl Display for Unfaithful {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.loss {
            Loss::NonFiniteFloat => f.write_str("a float that is not finite")?,
            Loss::NestedOption => f.write_str("a `Some` that would come back as `None`")?,
            Loss::SkippedField => f.write_str("a field that is left out")?,
            Loss::UnknownLength => {
                f.write_str("a sequence or map that does not say its length beforehand")?;
            }
            Loss::WrongLength => {
                f.write_str("a sequence or map that is not as long as it says")?;
            }
            Loss::WideInteger => f.write_str("an integer too large for 64 bits")?,
            Loss::MapKey => f.write_str("a map key that is no string or integer")?,
            Loss::TooDeep => f.write_str("more levels of nesting than can be read back")?,
            Loss::Failed(text) => write!(f, "its Serialize failed: {text}")?,
        }
        if self.path.is_empty() {
            return Ok(());
        }
        f.write_str(" at `")?;
        for (n, step) in self.path.iter().rev().enumerate() {
            match step {
                Step::Field(name) | Step::Variant(name) => {
                    if n > 0 {
                        f.write_str(".")?;
                    }
                    f.write_str(name)?;
                }
                Step::Index(index) => {
                    if n > 0 {
                        f.write_str(".")?;
                    }
                    write!(f, "{index}")?;
                }
                Step::Element | Step::Value => f.write_str("[]")?,
                Step::Key => f.write_str("[key]")?,
            }
        }
        f.write_str("`")
    }
}

impl std::error::Error for Unfaithful {}

impl ser::Error for Unfaithful {
    fn custom<T: Display>(text: T) -> Self {
        let mut text = text.to_string();
        if text.len() > MAX_MESSAGE {
            text.truncate(floor_boundary(&text, MAX_MESSAGE));
            text.push('…');
        }
        Loss::Failed(text).into()
    }
}
