//! The walk over what is inside a value: elements, entries, fields.

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use super::key::KeyWalker;
use super::{Form, Loss, Step, Unfaithful, Walker};

/// The parts of one value, all walked over alike.
pub(super) struct Parts {
    walker: Walker,
    /// How many there are to be, where that was said and matters.
    announced: Option<usize>,
    seen: usize,
    variant: Option<&'static str>,
}

impl Parts {
    pub(super) fn new(walker: Walker, announced: Option<usize>) -> Self {
        Self { walker, announced, seen: 0, variant: None }
    }

    pub(super) fn of_variant(walker: Walker, variant: &'static str) -> Self {
        Self { variant: Some(variant), ..Self::new(walker, None) }
    }

    fn part<T: Serialize + ?Sized>(&mut self, value: &T, step: Step) -> Result<(), Unfaithful> {
        self.seen += 1;
        match value.serialize(self.walker) {
            Ok(_) => Ok(()),
            Err(error) => Err(self.outside(error.at(step))),
        }
    }

    fn numbered<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unfaithful> {
        self.part(value, Step::Index(self.seen))
    }

    fn skipped(&self, field: &'static str) -> Result<(), Unfaithful> {
        if self.walker.rules.skipped_fields {
            return Ok(());
        }
        let error = Unfaithful::from(Loss::SkippedField);
        Err(self.outside(error.at(Step::Field(field))))
    }

    fn outside(&self, error: Unfaithful) -> Unfaithful {
        match self.variant {
            Some(variant) => error.at(Step::Variant(variant)),
            None => error,
        }
    }

    /// A length that is not true shifts everything after it in the formats
    /// that write it first.
    fn finish(self) -> Result<Form, Unfaithful> {
        match self.announced {
            Some(announced) if announced != self.seen => Err(Loss::WrongLength.into()),
            _ => Ok(Form::Other),
        }
    }
}

impl SerializeSeq for Parts {
    type Ok = Form;
    type Error = Unfaithful;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unfaithful> {
        self.part(value, Step::Element)
    }

    fn end(self) -> Result<Form, Unfaithful> {
        self.finish()
    }
}

impl SerializeTuple for Parts {
    type Ok = Form;
    type Error = Unfaithful;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unfaithful> {
        self.numbered(value)
    }

    fn end(self) -> Result<Form, Unfaithful> {
        self.finish()
    }
}

impl SerializeTupleStruct for Parts {
    type Ok = Form;
    type Error = Unfaithful;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unfaithful> {
        self.numbered(value)
    }

    fn end(self) -> Result<Form, Unfaithful> {
        self.finish()
    }
}

impl SerializeTupleVariant for Parts {
    type Ok = Form;
    type Error = Unfaithful;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unfaithful> {
        self.numbered(value)
    }

    fn end(self) -> Result<Form, Unfaithful> {
        self.finish()
    }
}

impl SerializeMap for Parts {
    type Ok = Form;
    type Error = Unfaithful;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Unfaithful> {
        let result = if self.walker.rules.text_map_keys {
            key.serialize(KeyWalker { walker: self.walker })
        } else {
            key.serialize(self.walker).map(drop)
        };
        result.map_err(|error| error.at(Step::Key))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unfaithful> {
        self.part(value, Step::Value)
    }

    fn end(self) -> Result<Form, Unfaithful> {
        self.finish()
    }
}

impl SerializeStruct for Parts {
    type Ok = Form;
    type Error = Unfaithful;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        field: &'static str,
        value: &T,
    ) -> Result<(), Unfaithful> {
        self.part(value, Step::Field(field))
    }

    fn skip_field(&mut self, field: &'static str) -> Result<(), Unfaithful> {
        self.skipped(field)
    }

    fn end(self) -> Result<Form, Unfaithful> {
        self.finish()
    }
}

impl SerializeStructVariant for Parts {
    type Ok = Form;
    type Error = Unfaithful;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        field: &'static str,
        value: &T,
    ) -> Result<(), Unfaithful> {
        self.part(value, Step::Field(field))
    }

    fn skip_field(&mut self, field: &'static str) -> Result<(), Unfaithful> {
        self.skipped(field)
    }

    fn end(self) -> Result<Form, Unfaithful> {
        self.finish()
    }
}
