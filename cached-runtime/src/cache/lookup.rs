//! What a lookup's answer means, and how a value goes back: the part of a cached call that is
//! the same for every function, async or sync.

use std::borrow::Cow;
use std::time::Duration;

use super::Cache;
use super::background::Lease;
use crate::codec::zip;
use crate::coder::Coder;
use crate::entry::{self, Content, Entry, Fence, Fresh, Owner, Present};
use crate::fault::Fault;
use crate::function::Function;
use crate::io::Task;
use crate::key::Key;
use crate::policy::effective_ttl;
use crate::stats::Counters;
use crate::store::{Failure, Looked};
use crate::token::{self, Token};

/// What a caller that was not served may do with the value its body yields.
pub(crate) enum Fill {
    /// Store it where the fence still holds. A lease is given up when this is dropped.
    Fenced { fence: Fence, lease: Option<Lease> },
    /// Not store it: another call is filling the entry, or the store refuses writes.
    Unfenced,
    /// Not store it: the store was not asked, or not usable.
    Bypass,
}

/// A lookup's answer, judged.
pub(crate) enum Judged<R> {
    /// Served: the return value that was stored.
    Hit(R),
    /// To be loaded.
    Load(Fill),
    /// Something that is no string is in the way: try to claim the key with this token.
    Claim(Token),
}

/// What is written back: an envelope and its ttl.
pub(crate) struct Write {
    pub(crate) bytes: Vec<u8>,
    pub(crate) ttl: Duration,
}

/// A value that is to be written, before it is encoded.
pub(crate) struct Unwritten<'a> {
    pub(crate) content: Content,
    pub(crate) fingerprint: u64,
    pub(crate) ttl: Duration,
    pub(crate) jitter: f64,
    pub(crate) compress: Option<usize>,
    pub(crate) load_time: Duration,
    pub(crate) key: &'a Key,
}

impl Cache {
    pub(crate) fn owner(function: &Function, key: &Key, codec: u32) -> Owner {
        Owner { function: function.fingerprint, arguments: key.fingerprint(), codec }
    }

    /// Judges what a lookup with `token` found, with `read` to make a return value of bytes.
    pub(crate) fn judge<R>(
        &self,
        counters: &Counters,
        key: &Key,
        token: Token,
        looked: Result<Looked, Failure>,
        read: impl FnOnce(&[u8]) -> Result<R, Fault>,
    ) -> Judged<R> {
        let bytes = match looked {
            Ok(Looked::Leased) => return Judged::Load(self.leased(key, &token)),
            Ok(Looked::Unleased(refused)) => {
                if let Some(fault) = refused {
                    counters.fault(fault);
                }
                return Judged::Load(Fill::Unfenced);
            }
            Ok(Looked::WrongType) => {
                counters.fault(Fault::WrongType);
                return Judged::Claim(token);
            }
            Ok(Looked::Present(bytes)) => bytes,
            Err(failure) => {
                counters.fault(failure.fault);
                return Judged::Load(Fill::Bypass);
            }
        };
        if entry::classify(&bytes) == Present::Lease {
            return Judged::Load(Fill::Unfenced);
        }
        match read(&bytes) {
            Ok(found) => Judged::Hit(found),
            Err(fault) => {
                counters.fault(fault);
                Judged::Load(Self::over(&bytes))
            }
        }
    }

    /// The content and payload of an entry's bytes.
    pub(crate) fn read_entry<'a>(
        &self,
        bytes: &'a [u8],
        owner: &Owner,
        failure: Option<u64>,
    ) -> Result<(Content, Cow<'a, [u8]>), Fault> {
        let limit = self.config().max_value_bytes;
        let Entry { content, uncompressed, payload } = entry::decode(bytes, owner, failure, limit)?;
        Ok((content, zip::unpack(payload, uncompressed)?))
    }

    /// The right to fill a key under the lease just taken with `token`.
    pub(crate) fn leased(&self, key: &Key, token: &Token) -> Fill {
        let fence = Fence::lease(token);
        let lease = Lease::hold(self, key.as_str(), fence.clone());
        Fill::Fenced { fence, lease: Some(lease) }
    }

    /// The right to replace exactly these bytes.
    pub(crate) fn over(bytes: &[u8]) -> Fill {
        Fill::Fenced { fence: entry::fence_of(bytes), lease: None }
    }

    /// The envelope of `value`, unless it is not to be stored or cannot be, which is counted
    /// (and, for a value that the codec cannot carry, logged once per function).
    pub(crate) fn write<D>(
        &self,
        function: &'static Function,
        unwritten: &Unwritten<'_>,
        coder: &Coder<D>,
        value: Option<&D>,
    ) -> Result<Option<Write>, Failure> {
        let chance = if unwritten.jitter > 0.0 { fastrand::f64() } else { 0.0 };
        let Some(ttl) = effective_ttl(unwritten.ttl, unwritten.jitter, chance) else {
            return Ok(None);
        };
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
        let (payload, uncompressed) = zip::pack(payload, unwritten.compress);
        let fresh = Fresh {
            owner: Owner {
                function: unwritten.fingerprint,
                ..Self::owner(function, unwritten.key, coder.id)
            },
            content: unwritten.content,
            ttl,
            load_time: unwritten.load_time,
            uncompressed,
            payload: &payload,
        };
        let bytes = entry::encode(&token::fresh(), &fresh).ok_or_else(too_large)?;
        Ok(Some(Write { bytes, ttl }))
    }

    /// Counts why a value was not stored, and says it once.
    pub(crate) fn not_written(&self, function: &'static Function, failure: &Failure) {
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

    /// Sends a write, where the fill allows one.
    pub(crate) fn commit(&self, key: &Key, fill: Fill, write: Write) -> Option<Committing> {
        let Fill::Fenced { fence, lease } = fill else { return None };
        let task = self.store().commit(key.as_str(), &fence, write.bytes, write.ttl);
        Some(Committing { task, lease })
    }

    /// Counts a commit's outcome, and says whether the value is stored. Where that is not known,
    /// the lease is given up behind it.
    pub(crate) fn committed(
        &self,
        function: &'static Function,
        outcome: Result<bool, Failure>,
        lease: Option<Lease>,
    ) -> bool {
        match outcome {
            Ok(stored) => {
                if let Some(lease) = lease {
                    lease.settled();
                }
                if !stored {
                    self.counters(function, Counters::write_refused);
                }
                stored
            }
            Err(failure) => {
                self.counters(function, |counters| counters.fault(failure.fault));
                false
            }
        }
    }
}

/// A commit to be run, and the lease that it settles.
pub(crate) struct Committing {
    pub(crate) task: Task<bool>,
    pub(crate) lease: Option<Lease>,
}
