//! How a value becomes an envelope, or is refused.

use std::time::Duration;

use super::Cache;
use crate::codec::zip;
use crate::coder::Coder;
use crate::entry::{self, Content, Encoded, Fresh, Other, Owner};
use crate::fault::Fault;
use crate::function::Function;
use crate::key::Key;
use crate::size;
use crate::store::{Failure, Value};
use crate::token::{self, Token};

/// A value that is to be written, before it is encoded.
pub(crate) struct Unwritten<'a> {
    pub(crate) content: Content,
    /// Of the function and what the payload is.
    pub(crate) fingerprint: u64,
    pub(crate) ttl: Duration,
    /// How long it is kept beyond that.
    pub(crate) stale: Duration,
    pub(crate) versions: Vec<Token>,
    pub(crate) compress: Option<usize>,
    pub(crate) load_time: Duration,
    pub(crate) key: &'a Key,
    /// What is to stand beside it.
    pub(crate) others: Vec<Other>,
}

impl Cache {
    pub(crate) fn owner(function: &Function, key: &Key, codec: u32) -> Owner {
        Owner { function: function.fingerprint, arguments: key.fingerprint(), codec }
    }

    /// The envelope of a value, or of its absence.
    ///
    /// # Errors
    /// Where it cannot be stored, or would not come back as it is.
    pub(crate) fn write<D>(
        &self,
        function: &Function,
        unwritten: &Unwritten<'_>,
        coder: &Coder<D>,
        value: Option<&D>,
    ) -> Result<Value, Failure> {
        let payload = match value {
            Some(value) => (coder.encode)(value).map_err(|error| {
                Failure::new(
                    Fault::Unencodable,
                    format!("the codec `{}` cannot carry the value: {error}", coder.name),
                )
            })?,
            None => Vec::new(),
        };
        let limit = self.config().max_value_bytes;
        let too_large = || {
            Failure::new(
                Fault::TooLarge,
                format!("the encoded value is larger than `max_value_bytes` ({limit})"),
            )
        };
        if payload.len() > limit {
            return Err(too_large());
        }
        if let Some(value) = value {
            let checks = function.checks(unwritten.content);
            let checked = checks.check(coder, value, &payload);
            checked.map_err(|reason| Failure::new(Fault::Unequal, reason))?;
        }
        let (payload, uncompressed) = zip::pack(payload, unwritten.compress);
        let fresh = Fresh {
            owner: Owner {
                function: unwritten.fingerprint,
                arguments: unwritten.key.fingerprint(),
                codec: coder.id,
            },
            content: unwritten.content,
            ttl: unwritten.ttl,
            stale: unwritten.stale,
            versions: &unwritten.versions,
            load_time: unwritten.load_time,
            uncompressed,
            payload: &payload,
            others: &unwritten.others,
        };
        if value.is_some() {
            function.bears(true);
        }
        let Encoded { bytes, life } =
            entry::encode(&token::fresh(), &fresh).ok_or_else(too_large)?;
        Ok(Value { bytes, life })
    }

    /// Of a trip for what is large, to the store or from it: where that took too long, the function is
    /// left alone for a while, which is said once.
    pub(crate) fn were_late<T>(&self, function: &'static Function, trip: &[Result<T, Failure>]) {
        let late = |one: &Result<T, Failure>| matches!(one, Err(it) if it.fault == Fault::Timeout);
        if !trip.iter().any(late) {
            return;
        }
        let (rest, say) = function.sizes.was_late(size::now());
        if say {
            tracing::warn!(
                function = function.segment,
                ?rest,
                "values of this function are too large to come from, or go to, the cache's server within \
                 ten times the deadline; it runs its body, and the server is asked again after this \
                 time, and then more and more seldom (`compress`, a longer `lookup_deadline` or \
                 `commit_deadline`, or values in parts will help)"
            );
        }
    }

    /// Counts why a value was not stored, and says it once.
    pub(crate) fn not_written(&self, function: &'static Function, failure: &Failure) {
        if matches!(failure.fault, Fault::Unencodable | Fault::Unequal) {
            function.bears(false);
        }
        let first = self.counters(function, |counters| counters.fault(failure.fault));
        if !first {
            return;
        }
        let (function, reason) = (&function.segment, &failure.message);
        match failure.fault {
            Fault::Unencodable => tracing::warn!(
                function,
                reason,
                "a value is not cached: it would not come back as it is (`codec = Postcard` \
                 carries floats that are not finite, nested options and any map keys)"
            ),
            _ => tracing::warn!(function, reason, "a value is not cached"),
        }
    }
}
