//! The envelope: what stands in the one string key of an entry.
//!
//! The first byte says what it is. `V` is a value, `L` a lease (a fill under way); anything else
//! is foreign. All numbers are little-endian.
//!
//! ```text
//! lease    0 'L'   1 version (1)   2..18 token   18 zero
//! value    0 'V'   1 version (2) in the high half, the variant's flags in the low one
//!          2..18 write id   18..26 xxh3-64 of everything from 26 on, seeded with byte 1
//!          26.. a variant
//! values   0 'V'   1 version (3) in the high half   2..26 as above
//!          26.. up to three variants, the newest first: each behind its length (4), how much longer
//!          it would live than the entry does, in ms (4), and its flags (1)
//! variant  owner (8): xxh3-64 of function and type, arguments, codec, number of tags
//!          load time (1)   ttl (3)   then, each where there is one: stale window (2),
//!          length before compression (4), versions of the tags (16 each); and the payload
//! ```
//!
//! At most 40 bytes beside tags and payload of one: who has a million small entries pays for each a
//! million times. How many tags there are is the owner's, and how long the payload is follows from the
//! whole; of times see [`length`]. Of several see [`variants`].
//!
//! There is no time of day in it: how old a value is follows from how long the store says it has
//! still to live, of the ttl and the stale window it was stored with.
//!
//! The write id stands in front of the checksum, where a script can compare it without knowing
//! the rest; a damaged write id does no harm, since a fence is whatever stands there. Nothing in
//! here does I/O or reads a clock.

use std::time::Duration;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::fault::Fault;
use crate::token::Token;

mod length;
mod variants;

pub(crate) use self::variants::{Other, others};
use self::variants::{Variant, variants};

const VALUE: u8 = b'V';
/// In the high half of their byte.
const ONE: u8 = 0x20;
const SEVERAL: u8 = 0x30;
const VERSION: u8 = 0xF0;
const LEASE: u8 = b'L';
const LEASE_VERSION: u8 = 1;
const LEASE_LEN: usize = 19;
const PREFIX_LEN: usize = 18;
const CHECKED_FROM: usize = 26;
/// What each value has.
const HEADER_LEN: usize = CHECKED_FROM + FIXED_LEN;
/// What each variant has.
const FIXED_LEN: usize = 12;
const STALE_LEN: usize = 2;
const RAW_LEN: usize = 4;
/// As much of a foreign value as a fence remembers; its length is compared as well.
const FOREIGN_PREFIX: usize = 64;

const NONE: u8 = 1;
const FAILURE: u8 = 2;
const CONTENT: u8 = 3;
const COMPRESSED: u8 = 4;
const STALE: u8 = 8;

/// What must still stand in a key, byte for byte, for a write to be allowed (invariant I2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fence {
    /// The key's value begins with these bytes …
    pub(crate) prefix: Vec<u8>,
    /// … and, where given, is exactly this long.
    pub(crate) len: Option<usize>,
}

impl Fence {
    pub(crate) fn lease(token: &Token) -> Self {
        Self { prefix: lease(token).to_vec(), len: Some(LEASE_LEN) }
    }

    /// Whether `present`, a key's value, is what the fence remembers.
    pub(crate) fn holds(&self, present: &[u8]) -> bool {
        present.starts_with(&self.prefix) && self.len.is_none_or(|len| len == present.len())
    }
}

/// The bytes of a lease.
pub(crate) fn lease(token: &Token) -> [u8; LEASE_LEN] {
    let mut bytes = [0; LEASE_LEN];
    bytes[0] = LEASE;
    bytes[1] = LEASE_VERSION;
    bytes[2..18].copy_from_slice(token);
    bytes
}

/// What a key's bytes are, before any decoding.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Present {
    /// A fill under way, here or elsewhere.
    Lease,
    /// A value of this version.
    Value,
    /// Bytes that this version did not write.
    Foreign,
}

pub(crate) fn classify(bytes: &[u8]) -> Present {
    match bytes {
        [LEASE, LEASE_VERSION, ..] if bytes.len() == LEASE_LEN => Present::Lease,
        [VALUE, version, ..]
            if matches!(version & VERSION, ONE | SEVERAL) && bytes.len() >= HEADER_LEN =>
        {
            Present::Value
        }
        _ => Present::Foreign,
    }
}

/// The fence of what stands in a key now: a lease's token, a value's write id, or for foreign
/// bytes a prefix and the length.
pub(crate) fn fence_of(bytes: &[u8]) -> Fence {
    match classify(bytes) {
        Present::Lease => Fence { prefix: bytes.to_vec(), len: Some(LEASE_LEN) },
        Present::Value => Fence { prefix: bytes[..PREFIX_LEN].to_vec(), len: None },
        Present::Foreign => Fence {
            prefix: bytes[..bytes.len().min(FOREIGN_PREFIX)].to_vec(),
            len: Some(bytes.len()),
        },
    }
}

/// What a payload stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// An encoded value.
    Value,
    /// "There is none": an empty payload (`none_ttl`).
    None,
    /// An encoded error (`err_ttl`).
    Failure,
}

/// Whose entry it is: checked on every read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) function: u64,
    pub(crate) arguments: u64,
    pub(crate) codec: u32,
}

impl Owner {
    /// What the envelope says of it.
    fn mark(&self, tags: usize) -> u64 {
        let mut bytes = [0; 28];
        bytes[..8].copy_from_slice(&self.function.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.arguments.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.codec.to_le_bytes());
        bytes[20..].copy_from_slice(&(tags as u64).to_le_bytes());
        xxh3_64(&bytes)
    }
}

/// A value to be written, its payload encoded already.
#[derive(Debug)]
pub(crate) struct Fresh<'a> {
    pub(crate) owner: Owner,
    pub(crate) content: Content,
    pub(crate) ttl: Duration,
    /// How long it is kept beyond its ttl.
    pub(crate) stale: Duration,
    pub(crate) load_time: Duration,
    /// Of its tags, as they were before its body started.
    pub(crate) versions: &'a [Token],
    /// The length before compression, where the payload is compressed.
    pub(crate) uncompressed: Option<usize>,
    pub(crate) payload: &'a [u8],
    /// What is to stand beside it.
    pub(crate) others: &'a [Other],
}

/// An entry as it is to be stored.
#[derive(Debug)]
pub(crate) struct Encoded {
    pub(crate) bytes: Vec<u8>,
    /// For how long.
    pub(crate) life: Duration,
}

impl Fresh<'_> {
    /// How long it may be kept, of which the envelope says how much is ttl.
    fn life(&self) -> Duration {
        let ttl = length::whole(self.ttl, length::TTL_BITS);
        ttl.saturating_add(length::whole(self.stale, length::STALE_BITS))
    }

    fn flags(&self) -> u8 {
        let content = match self.content {
            Content::Value => 0,
            Content::None => NONE,
            Content::Failure => FAILURE,
        };
        let stale = if length::pack(self.stale, length::STALE_BITS) == 0 { 0 } else { STALE };
        content | stale | if self.uncompressed.is_some() { COMPRESSED } else { 0 }
    }

    /// What stands behind its flags, or `None` where it is longer than the format can say.
    fn write(&self, bytes: &mut Vec<u8>) -> Option<()> {
        u32::try_from(self.payload.len()).ok()?;
        let raw = self.uncompressed.map(u32::try_from).transpose().ok()?;
        bytes.extend_from_slice(&self.owner.mark(self.versions.len()).to_le_bytes());
        bytes.push(length::pack_load_time(self.load_time));
        bytes.extend_from_slice(&length::pack(self.ttl, length::TTL_BITS).to_le_bytes()[..3]);
        if self.flags() & STALE != 0 {
            let stale = length::pack(self.stale, length::STALE_BITS);
            bytes.extend_from_slice(&stale.to_le_bytes()[..STALE_LEN]);
        }
        if let Some(raw) = raw {
            bytes.extend_from_slice(&raw.to_le_bytes());
        }
        bytes.extend_from_slice(self.versions.as_flattened());
        bytes.extend_from_slice(self.payload);
        Some(())
    }
}

/// A value, with those that are to stand beside it, or `None` where it is longer than the format can say
/// (4 GiB).
pub(crate) fn encode(write_id: &Token, fresh: &Fresh<'_>) -> Option<Encoded> {
    let own = fresh.versions.as_flattened().len() + fresh.payload.len();
    let mut bytes = Vec::with_capacity(HEADER_LEN + STALE_LEN + RAW_LEN + own);
    let life = fresh.life();
    let beside = variants::beside(fresh.owner.mark(fresh.versions.len()), life, fresh.others);
    bytes.extend_from_slice(&[VALUE, ONE | fresh.flags()]);
    bytes.extend_from_slice(write_id);
    bytes.extend_from_slice(&[0; 8]);
    let life = if beside.is_empty() {
        fresh.write(&mut bytes)?;
        life
    } else {
        bytes[1] = SEVERAL;
        variants::write(&mut bytes, fresh, life, &beside)?
    };
    check(&mut bytes);
    Some(Encoded { bytes, life })
}

/// Puts versions in the place of as many others, in what has one variant.
pub(crate) fn set_versions(value: &mut [u8], versions: &[Token]) {
    let Some(Some(Variant { rest, .. })) = variants(value).next() else { return };
    let (at, versions) = (value.len() - rest.len(), versions.as_flattened());
    if let Some(place) = value.get_mut(at..at + versions.len()) {
        place.copy_from_slice(versions);
        check(value);
    }
}

/// Writes the checksum of what stands behind it.
fn check(value: &mut [u8]) {
    let sum = checksum(value);
    value[PREFIX_LEN..CHECKED_FROM].copy_from_slice(&sum.to_le_bytes());
}

fn checksum(value: &[u8]) -> u64 {
    xxh3_64_with_seed(&value[CHECKED_FROM..], u64::from(value[1]))
}

/// Whether it is a value that nothing has happened to.
fn is_whole(bytes: &[u8]) -> bool {
    classify(bytes) == Present::Value && u64_at(bytes, PREFIX_LEN) == checksum(bytes)
}

/// Whether there are several variants.
pub(crate) fn is_several(bytes: &[u8]) -> bool {
    classify(bytes) == Present::Value && bytes[1] & VERSION == SEVERAL
}

/// A whole, undamaged entry of the expected owner.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    pub(crate) content: Content,
    pub(crate) ttl: Duration,
    pub(crate) stale: Duration,
    pub(crate) load_time: Duration,
    /// How much longer it would live than the entry does, for the sake of another variant.
    pub(crate) cut: Duration,
    /// Of its tags, one after the other.
    pub(crate) versions: &'a [u8],
    /// The length before compression, where the payload is compressed.
    pub(crate) uncompressed: Option<usize>,
    pub(crate) payload: &'a [u8],
}

impl Entry<'_> {
    /// Whether the tags still have the versions that this value was loaded under. A tag without a
    /// version was invalidated, or evicted, which means the same.
    pub(crate) fn is_valid(&self, current: &[Option<Token>]) -> bool {
        self.versions.len() == current.len() * size_of::<Token>()
            && self
                .versions
                .chunks_exact(size_of::<Token>())
                .zip(current)
                .all(|(stored, current)| current.is_some_and(|current| current == stored))
    }
}

/// Reads a value, which must be whole, undamaged, of this owner with so many tags, and no larger than
/// `limit` (also once decompressed). Anything else is a miss for the reason returned.
///
/// An entry of a failure belongs to the function and its error type: `failure` is its owner.
pub(crate) fn decode<'a>(
    bytes: &'a [u8],
    owner: &Owner,
    failure: Option<u64>,
    tags: usize,
    limit: usize,
) -> Result<Entry<'a>, Fault> {
    let versions_len = tags * size_of::<Token>();
    let several = if is_several(bytes) { variants::MOST } else { 1 };
    let most = limit.saturating_add(HEADER_LEN + STALE_LEN + RAW_LEN + versions_len);
    if bytes.len() > most.saturating_mul(several) {
        return Err(Fault::TooLarge);
    }
    if !is_whole(bytes) {
        return Err(Fault::Corrupt);
    }
    let value = owner.mark(tags);
    let failure = failure.map(|function| (Owner { function, ..*owner }).mark(tags));
    for variant in variants(bytes) {
        let variant = variant.ok_or(Fault::Corrupt)?;
        let (content, mark) = match variant.flags & CONTENT {
            0 => (Content::Value, Some(value)),
            NONE => (Content::None, Some(value)),
            FAILURE => (Content::Failure, failure),
            _ => return Err(Fault::Corrupt),
        };
        if mark != Some(variant.owner) {
            continue;
        }
        let Variant { load_time, ttl, stale, cut, uncompressed, rest, .. } = variant;
        let (versions, payload) = rest.split_at_checked(versions_len).ok_or(Fault::Corrupt)?;
        if payload.len().max(uncompressed.unwrap_or(0)) > limit {
            return Err(Fault::TooLarge);
        }
        return Ok(Entry { content, ttl, stale, load_time, cut, versions, uncompressed, payload });
    }
    Err(Fault::OtherOwner)
}

/// How long a value is that was read, its payload decompressed.
pub(crate) fn decoded_len(bytes: &[u8]) -> usize {
    let raw = variants(bytes).next().flatten().and_then(|variant| variant.uncompressed);
    bytes.len().max(raw.unwrap_or(0).saturating_add(HEADER_LEN))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}

#[cfg(test)]
mod tests;
