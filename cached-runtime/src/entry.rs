//! The envelope: what stands in the one string key of an entry.
//!
//! The first byte says what it is. `V` is a value, `L` a lease (a fill under way); anything else
//! is foreign. All numbers are little-endian.
//!
//! ```text
//! lease  0 'L'   1 version   2..18 token   18 zero
//! value  0 'V'   1 version   2..18 write id
//!        18..26 xxh3-64 of everything from 26 on
//!        26 flags   27 number of tags   28..32 codec
//!        32..40 fingerprint of function and type   40..48 fingerprint of the arguments
//!        48..56 ttl, ms   56..64 stale window, ms   64..72 load time, µs
//!        72..76 length before compression   76..80 length of the payload
//!        80.. versions of the tags (16 bytes each), then the payload
//! ```
//!
//! There is no time of day in it: how old a value is follows from how long the store says it has
//! still to live, of the ttl and the stale window it was stored with.
//!
//! The write id stands in front of the checksum, where a script can compare it without knowing
//! the rest; a damaged write id does no harm, since a fence is whatever stands there. Nothing in
//! here does I/O or reads a clock.

use std::time::Duration;

use xxhash_rust::xxh3::xxh3_64;

use crate::fault::Fault;
use crate::token::Token;

const VERSION: u8 = 1;
const VALUE: u8 = b'V';
const LEASE: u8 = b'L';
const LEASE_LEN: usize = 19;
const PREFIX_LEN: usize = 18;
const CHECKED_FROM: usize = 26;
const HEADER_LEN: usize = 80;
/// As much of a foreign value as a fence remembers; its length is compared as well.
const FOREIGN_PREFIX: usize = 64;

const COMPRESSED: u8 = 1;
const NONE: u8 = 2;
const FAILURE: u8 = 4;

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
    bytes[1] = VERSION;
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
        [LEASE, VERSION, ..] if bytes.len() == LEASE_LEN => Present::Lease,
        [VALUE, VERSION, ..] if bytes.len() >= HEADER_LEN => Present::Value,
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
}

/// The bytes of a value, or `None` where it is longer than the format can say (4 GiB), or has more
/// tags.
pub(crate) fn encode(write_id: &Token, fresh: &Fresh<'_>) -> Option<Vec<u8>> {
    let stored = u32::try_from(fresh.payload.len()).ok()?;
    let raw = u32::try_from(fresh.uncompressed.unwrap_or(fresh.payload.len())).ok()?;
    let tags = u8::try_from(fresh.versions.len()).ok()?;
    let flags = match fresh.content {
        Content::Value => 0,
        Content::None => NONE,
        Content::Failure => FAILURE,
    } | if fresh.uncompressed.is_some() { COMPRESSED } else { 0 };

    let versions = fresh.versions.as_flattened();
    let mut bytes = Vec::with_capacity(HEADER_LEN + versions.len() + fresh.payload.len());
    bytes.extend_from_slice(&[VALUE, VERSION]);
    bytes.extend_from_slice(write_id);
    bytes.extend_from_slice(&[0; 8]);
    bytes.extend_from_slice(&[flags, tags]);
    bytes.extend_from_slice(&fresh.owner.codec.to_le_bytes());
    bytes.extend_from_slice(&fresh.owner.function.to_le_bytes());
    bytes.extend_from_slice(&fresh.owner.arguments.to_le_bytes());
    bytes.extend_from_slice(&saturating(fresh.ttl.as_millis()).to_le_bytes());
    bytes.extend_from_slice(&saturating(fresh.stale.as_millis()).to_le_bytes());
    bytes.extend_from_slice(&saturating(fresh.load_time.as_micros()).to_le_bytes());
    bytes.extend_from_slice(&raw.to_le_bytes());
    bytes.extend_from_slice(&stored.to_le_bytes());
    bytes.extend_from_slice(versions);
    bytes.extend_from_slice(fresh.payload);
    let checksum = xxh3_64(&bytes[CHECKED_FROM..]);
    bytes[PREFIX_LEN..CHECKED_FROM].copy_from_slice(&checksum.to_le_bytes());
    Some(bytes)
}

/// Puts versions in the place of as many others.
pub(crate) fn set_versions(value: &mut [u8], versions: &[Token]) {
    let versions = versions.as_flattened();
    if let Some(place) = value.get_mut(HEADER_LEN..HEADER_LEN + versions.len()) {
        place.copy_from_slice(versions);
        let checksum = xxh3_64(&value[CHECKED_FROM..]);
        value[PREFIX_LEN..CHECKED_FROM].copy_from_slice(&checksum.to_le_bytes());
    }
}

fn saturating(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// A whole, undamaged entry of the expected owner.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    pub(crate) content: Content,
    pub(crate) ttl: Duration,
    pub(crate) stale: Duration,
    pub(crate) load_time: Duration,
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

/// Reads a value, which must be whole, undamaged, of this owner and no larger than `limit`
/// (also once decompressed). Anything else is a miss for the reason returned.
///
/// An entry of a failure belongs to the function and its error type: `failure` is its owner.
pub(crate) fn decode<'a>(
    bytes: &'a [u8],
    owner: &Owner,
    failure: Option<u64>,
    limit: usize,
) -> Result<Entry<'a>, Fault> {
    let tags = bytes.get(27).map_or(0, |&tags| usize::from(tags));
    if bytes.len() > limit.saturating_add(HEADER_LEN + tags * size_of::<Token>()) {
        return Err(Fault::TooLarge);
    }
    let (header, body) = bytes.split_at_checked(HEADER_LEN).ok_or(Fault::Corrupt)?;
    if classify(bytes) != Present::Value
        || u64_at(header, PREFIX_LEN) != xxh3_64(&bytes[CHECKED_FROM..])
    {
        return Err(Fault::Corrupt);
    }
    let flags = header[26];
    let content = match flags & !COMPRESSED {
        0 => Content::Value,
        NONE => Content::None,
        FAILURE => Content::Failure,
        _ => return Err(Fault::Corrupt),
    };
    let function = match content {
        Content::Failure => failure.ok_or(Fault::OtherShape)?,
        Content::Value | Content::None => owner.function,
    };
    if u64_at(header, 32) != function {
        return Err(Fault::OtherShape);
    }
    if u64_at(header, 40) != owner.arguments {
        return Err(Fault::OtherArguments);
    }
    if u32_at(header, 28) != owner.codec {
        return Err(Fault::OtherCodec);
    }
    let raw = u32_at(header, 72) as usize;
    if raw > limit {
        return Err(Fault::TooLarge);
    }
    let (versions, payload) =
        body.split_at_checked(tags * size_of::<Token>()).ok_or(Fault::Corrupt)?;
    if payload.len() != u32_at(header, 76) as usize {
        return Err(Fault::Corrupt);
    }
    let uncompressed = (flags & COMPRESSED != 0).then_some(raw);
    Ok(Entry {
        content,
        ttl: Duration::from_millis(u64_at(header, 48)),
        stale: Duration::from_millis(u64_at(header, 56)),
        load_time: Duration::from_micros(u64_at(header, 64)),
        versions,
        uncompressed,
        payload,
    })
}

/// How long a value is that was read, its payload decompressed.
pub(crate) fn decoded_len(bytes: &[u8]) -> usize {
    let raw = bytes.get(..HEADER_LEN).map_or(0, |header| u32_at(header, 72) as usize);
    bytes.len().max(raw.saturating_add(HEADER_LEN))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(number)
}

#[cfg(test)]
mod tests;
