//! Whether a value that was encoded comes back equal to what it was: asked at the first store of a
//! function in a process, and at one of a thousand later ones.
//!
//! `PartialEq` says so where the type has it; the type decides, as it does of the shape (see there),
//! and nothing is asked of users. Else what serde sees of both is compared, with maps and sets in an
//! order of their own, and the fields that `Deserialize` announces with those that `Serialize` writes.

use std::any::type_name;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::coder::Coder;
use crate::fingerprint::{self, Announced};
use crate::key::{Form, Written};
use crate::shape::{Kind, Probe, ShapeOf};

/// One of so many stores is checked, unless a check failed lately.
const SELDOM: u32 = 1_000;
/// So many stores after a failed check are checked each.
const WARY: u32 = 1_000;

/// How two values of `D` are compared, where the type can say that.
pub struct Equality<D>(Option<fn(&D, &D) -> bool>);

impl<D> Equality<D> {
    /// It cannot.
    #[must_use]
    pub const fn unknown() -> Self {
        Self(None)
    }
}

impl<D: PartialEq> Equality<D> {
    const fn by_eq() -> Self {
        Self(Some(|one, other| one == other))
    }
}

impl<D> Clone for Equality<D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D> Copy for Equality<D> {}

/// How values of `D` are compared.
pub trait Compares<D> {
    /// As it is.
    fn equality(self) -> Equality<D>;
}

impl<D> Compares<D> for Equality<D> {
    fn equality(self) -> Self {
        self
    }
}

/// A return type of this shape, to be asked whether what is stored of it can be compared.
pub struct Asked<R, const N: u8>(Probe<R>);

/// Both come from the same return type.
#[must_use]
pub fn asked<R: ShapeOf<N>, const N: u8>(probe: Probe<R>, _: &Kind<N>) -> Asked<R, N> {
    Asked(probe)
}

/// Method lookup prefers the first that fits; generated code has these traits in scope.
pub mod by_equality {
    use super::{Asked, Equality, ShapeOf};

    /// Values that can be compared.
    pub trait Comparable {
        /// What is stored.
        type Data;
        /// How it is compared.
        fn equality(&self) -> Equality<Self::Data>;
    }

    impl<R: ShapeOf<N, Data: PartialEq>, const N: u8> Comparable for &Asked<R, N> {
        type Data = R::Data;
        fn equality(&self) -> Equality<R::Data> {
            Equality::by_eq()
        }
    }

    /// Other values.
    pub trait Incomparable {
        /// What is stored.
        type Data;
        /// That it is not compared.
        fn equality(&self) -> Equality<Self::Data>;
    }

    impl<R: ShapeOf<N>, const N: u8> Incomparable for Asked<R, N> {
        type Data = R::Data;
        fn equality(&self) -> Equality<R::Data> {
            Equality::unknown()
        }
    }
}

/// What serde sees of a type, as functions without bounds.
pub(crate) struct Seen<D> {
    type_name: &'static str,
    form: fn(&D) -> Option<Form>,
    announced: fn() -> Announced,
}

impl<D: Serialize + DeserializeOwned> Seen<D> {
    pub(crate) fn by_serde() -> Self {
        Self {
            type_name: type_name::<D>(),
            form: Form::of::<D>,
            announced: fingerprint::fields_of::<D>,
        }
    }
}

/// When the values of one function are checked.
#[derive(Default)]
pub(crate) struct Checks {
    /// How many stores there will be before the next check.
    left: AtomicU32,
    /// How many checks in a row there will be at least.
    wary: AtomicU32,
}

impl Checks {
    /// Whether this store is to be checked.
    fn is_due(&self) -> bool {
        let left = self.left.load(Ordering::Relaxed);
        // Two at once may both be checked, or both be counted as one.
        self.left.store(left.saturating_sub(1), Ordering::Relaxed);
        left == 0
    }

    fn passed(&self) {
        let wary = self.wary.load(Ordering::Relaxed);
        self.wary.store(wary.saturating_sub(1), Ordering::Relaxed);
        self.left.store(if wary == 0 { SELDOM - 1 } else { 0 }, Ordering::Relaxed);
    }

    fn failed(&self) {
        self.wary.store(WARY, Ordering::Relaxed);
        self.left.store(0, Ordering::Relaxed);
    }

    /// Where it is due: whether the payload decodes to a value that is equal to this one.
    ///
    /// # Errors
    /// What differs, and what to do; no value.
    pub(crate) fn check<D>(
        &self,
        coder: &Coder<D>,
        value: &D,
        payload: &[u8],
    ) -> Result<(), String> {
        if !self.is_due() {
            return Ok(());
        }
        let checked = comes_back(coder, value, payload);
        match &checked {
            Ok(()) => self.passed(),
            Err(_) => self.failed(),
        }
        checked
    }
}

fn comes_back<D>(coder: &Coder<D>, value: &D, payload: &[u8]) -> Result<(), String> {
    let Seen { type_name, form, announced } = (coder.seen)();
    let back = (coder.decode)(payload).map_err(|error| {
        format!(
            "`{type_name}` cannot be read back from what it is encoded to: {error}; let its \
             `Deserialize` take what its `Serialize` writes"
        )
    })?;
    // A value that is not equal to itself, as NaN is, is not compared by that.
    let by_eq = coder.equality.0.filter(|equal| equal(value, value));
    let by_eq = by_eq.map(|equal| equal(value, &back));
    if by_eq == Some(true) {
        return Ok(());
    }
    let forms = form(value).zip(form(&back));
    let place = match &forms {
        None => Place::Nowhere,
        Some((value, back)) => match value.compare(back) {
            Err(Some(field)) => Place::Field(field.to_owned()),
            Err(None) => Place::Somewhere,
            Ok(()) => unwritten(&value.written, &announced()).map_or(Place::Nowhere, Place::Field),
        },
    };
    let what = match (place, by_eq) {
        (Place::Nowhere, None) => return Ok(()),
        (Place::Field(field), _) => format!("the field `{field}` of `{type_name}`"),
        (Place::Somewhere | Place::Nowhere, _) => format!("a part of `{type_name}`"),
    };
    Err(format!(
        "{what} does not come back as it was: let `Serialize` and `Deserialize` agree about it (no \
         `skip` or `skip_serializing`, no rename in one direction, no default that is not what was \
         left out, no untagged variants that read alike), or return a type without it"
    ))
}

/// Where a value differs.
enum Place {
    Field(String),
    Somewhere,
    /// Serde sees no difference.
    Nowhere,
}

/// A field that `Deserialize` announces and `Serialize` neither wrote nor skipped. Two structs of one
/// name say nothing of each other.
fn unwritten(written: &Written, announced: &Announced) -> Option<String> {
    announced.iter().find_map(|(name, fields)| {
        let alone = announced.iter().all(|(other, others)| other != name || others == fields);
        let written = written.get(name).filter(|_| alone)?;
        let missing = fields.iter().find(|field| !written.contains(**field))?;
        Some((*missing).to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_checked_and_one_of_a_thousand_unless_one_failed() {
        let checks = Checks::default();
        let due = |checks: &Checks, stores: u32| {
            (0..stores)
                .filter(|_| {
                    let due = checks.is_due();
                    if due {
                        checks.passed();
                    }
                    due
                })
                .count()
        };
        assert_eq!(due(&checks, 1), 1);
        assert_eq!(due(&checks, 999), 0);
        assert_eq!(due(&checks, 1_001), 2);
        checks.failed();
        assert_eq!(due(&checks, 1_000), 1_000, "each, for a while");
        assert_eq!(due(&checks, 2_000), 2);
    }
}
