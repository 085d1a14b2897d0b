//! What a type announces to serde, as a number to compare.
//!
//! An entry written by an older build of a program must not be read as the
//! type of today: a field that has got a `#[serde(default)]` since would be
//! filled in silently. So every entry carries a fingerprint of the return
//! type: the hash of a description of the type, written down by a
//! deserializer that has no input. It asks the type to build itself out of
//! dummy values and notes what it asks for on the way: the names of structs
//! and their fields, the names of enums and their variants, numbers of what
//! width, and so on into everything they contain. The idea of tracing formats
//! this way is that of the `serde-reflection` crate.
//!
//! # What is seen
//! - All that `#[derive(Deserialize)]` announces: names, fields (aliases are
//!   names too), variants and what they hold, in nested and recursive types.
//! - Leaves that accept only some text or numbers (an address, a date, a
//!   non-zero number), for which a short list of values is tried.
//!
//! # What is seen in part
//! Untagged enums, `#[serde(flatten)]` and types such as `serde_json::Value`
//! ask for "anything" and announce nothing. Of internally tagged enums, of
//! structs in adjacently tagged ones and of structs with flattened parts, the
//! variants and the required fields are found, by what the errors ask for,
//! the fields with a default are not. A type whose `Deserialize` accepts none
//! of the dummies stops the trace there; the fields beside it are still seen,
//! the elements of a tuple after it are not. In these places stands the
//! `type_name` of that part, and the one of the whole type is added at the
//! end, so that the fingerprint still tells different types apart, though not
//! always two versions of the same one.
//!
//! # Stability
//! The description is the same in every process that was built of the same
//! types: it holds no addresses and depends on no random order. It may change
//! with the version of a crate whose type is described, or of this one: that
//! costs misses, never a wrong value.

mod access;
mod error;
mod plan;
mod trace;

use std::any::type_name;

use serde::de::DeserializeOwned;
use xxhash_rust::xxh3::xxh3_64;

pub(crate) use self::plan::Announced;
use self::plan::{Outcome, Plan};
use self::trace::Tracer;

/// Upper limit of the number of times a type is asked to build itself. The
/// usual type needs as many as its largest enum has variants, and a few more.
const MAX_RUNS: usize = 1024;

/// The fingerprint of `T`: the xxh3-64 of [`describe`].
///
/// Runs the `Deserialize` of `T` up to [`MAX_RUNS`] times, typically in some
/// tens of microseconds: to be computed once per function and kept.
pub(crate) fn of_type<T: DeserializeOwned>() -> u64 {
    xxh3_64(describe::<T>().as_bytes())
}

/// What `T` announces to serde, one line per place in the type, in the order
/// of the places' names.
///
/// Never panics: a panic inside a `Deserialize` makes that part an untraceable
/// one (the panic hook still sees it; with `panic = "abort"` it ends the
/// process, as it would have done at the first use of the type).
pub(crate) fn describe<T: DeserializeOwned>() -> String {
    let (plan, outcome) = trace::<T>();
    plan.into_description(type_name::<T>(), outcome)
}

/// The structs in `T` and the fields that they announce; none where `T` cannot be traced.
pub(crate) fn fields_of<T: DeserializeOwned>() -> Announced {
    let (plan, outcome) = trace::<T>();
    plan.into_fields(outcome)
}

fn trace<T: DeserializeOwned>() -> (Plan, Outcome) {
    let mut plan = Plan::default();
    let mut outcome = Outcome::Again;
    for _ in 0..MAX_RUNS {
        outcome = plan.run(type_name::<T>(), |plan| T::deserialize(Tracer::root(plan)).map(drop));
        if outcome != Outcome::Again {
            break;
        }
    }
    (plan, outcome)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
