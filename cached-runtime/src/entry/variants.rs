//! Payloads of different owners in one entry: of two versions of a program that run side by side, as in
//! each deploy, or of arguments that read alike. None displaces another's.
//!
//! The entry ends with the first of them, so that whoever does not ask how long it has still to live is
//! never served what is past its own end; what it takes from the others is written beside each, so
//! that whoever does ask knows how old its own is.

use std::time::Duration;

use super::{
    CHECKED_FROM, COMPRESSED, FIXED_LEN, Fresh, ONE, RAW_LEN, SEVERAL, STALE, STALE_LEN, VERSION,
    is_whole, length, u64_at,
};

/// So many stand in one entry.
pub(super) const MOST: usize = 3;
/// What has not so much left of the new one's life, one part in so many, would end it too soon.
const SHORTEST: u32 = 16;

/// One of the payloads of an entry.
pub(super) struct Variant<'a> {
    pub(super) flags: u8,
    pub(super) owner: u64,
    pub(super) load_time: Duration,
    pub(super) ttl: Duration,
    pub(super) stale: Duration,
    pub(super) cut: Duration,
    /// The length before compression, where the payload is compressed.
    pub(super) uncompressed: Option<usize>,
    /// Versions of the tags, and the payload.
    pub(super) rest: &'a [u8],
    /// From the owner on.
    whole: &'a [u8],
}

impl<'a> Variant<'a> {
    fn read(flags: u8, cut: Duration, whole: &'a [u8]) -> Option<Self> {
        let (fixed, mut rest) = whole.split_first_chunk::<FIXED_LEN>()?;
        let mut stale = Duration::ZERO;
        if flags & STALE != 0 {
            let (packed, behind) = rest.split_first_chunk::<STALE_LEN>()?;
            stale = length::unpack(u16::from_le_bytes(*packed).into(), length::STALE_BITS);
            rest = behind;
        }
        let mut uncompressed = None;
        if flags & COMPRESSED != 0 {
            let (raw, behind) = rest.split_first_chunk::<RAW_LEN>()?;
            uncompressed = Some(u32::from_le_bytes(*raw) as usize);
            rest = behind;
        }
        let [.., load_time, a, b, c] = *fixed;
        Some(Self {
            flags,
            owner: u64_at(fixed, 0),
            load_time: length::unpack_load_time(load_time),
            ttl: length::unpack(u32::from_le_bytes([a, b, c, 0]), length::TTL_BITS),
            stale,
            cut,
            uncompressed,
            rest,
            whole,
        })
    }
}

/// The variants of a value in their order; `None` where one is not all there.
pub(super) fn variants(value: &[u8]) -> impl Iterator<Item = Option<Variant<'_>>> {
    let flags = value.get(1).copied().unwrap_or_default();
    let mut rest = value.get(CHECKED_FROM..).unwrap_or_default();
    let mut is_first = true;
    std::iter::from_fn(move || {
        let first = std::mem::take(&mut is_first);
        if flags & VERSION == ONE {
            return first.then(|| Variant::read(flags & !VERSION, Duration::ZERO, rest));
        }
        if flags != SEVERAL || (rest.is_empty() && !first) {
            return None;
        }
        let next = several(&mut rest);
        if next.is_none() {
            rest = &[];
        }
        Some(next)
    })
}

/// The next of several.
fn several<'a>(rest: &mut &'a [u8]) -> Option<Variant<'a>> {
    let (head, behind) = rest.split_first_chunk::<9>()?;
    let [l0, l1, l2, l3, c0, c1, c2, c3, flags] = *head;
    let len = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    let cut = Duration::from_millis(u32::from_le_bytes([c0, c1, c2, c3]).into());
    let (whole, behind) = behind.split_at_checked(len)?;
    *rest = behind;
    Variant::read(flags, cut, whole)
}

/// A payload that stood in an entry, to be kept beside another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Other {
    flags: u8,
    owner: u64,
    bytes: Vec<u8>,
    /// How long it has still to live.
    remaining: Duration,
}

impl Other {
    /// So much later, where it still lives.
    pub(crate) fn after(&self, passed: Duration) -> Option<Self> {
        let remaining = self.remaining.checked_sub(passed)?;
        Some(Self { remaining, ..self.clone() })
    }
}

/// The payloads of a value that has still so long to live, the newest first, without those that are past
/// their ttl.
pub(crate) fn others(value: &[u8], remaining: Duration) -> Vec<Other> {
    if !is_whole(value) {
        return Vec::new();
    }
    let all = variants(value).flatten().map(|variant| {
        let Variant { flags, owner, cut, stale, whole, .. } = variant;
        let remaining = remaining.saturating_add(cut);
        let fresh = remaining > stale;
        fresh.then(|| Other { flags, owner, bytes: whole.to_vec(), remaining })
    });
    all.flatten().collect()
}

/// Which of the others stay beside what this owner stores for so long.
pub(super) fn beside(owner: u64, life: Duration, others: &[Other]) -> Vec<&Other> {
    let stays = |other: &&Other| other.owner != owner && other.remaining >= life / SHORTEST;
    others.iter().filter(stays).take(MOST - 1).collect()
}

/// Writes the new one, and behind it the others; how long the entry may live.
pub(super) fn write(
    bytes: &mut Vec<u8>,
    fresh: &Fresh<'_>,
    life: Duration,
    beside: &[&Other],
) -> Option<Duration> {
    let end = beside.iter().map(|other| other.remaining).fold(life, Duration::min);
    let cut = |remaining: Duration| {
        let cut = remaining.saturating_sub(end).as_millis();
        // An age that is too high at worst.
        u32::try_from(cut).unwrap_or(u32::MAX).to_le_bytes()
    };
    let at = bytes.len();
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&cut(life));
    bytes.push(fresh.flags());
    let begin = bytes.len();
    fresh.write(bytes)?;
    let len = u32::try_from(bytes.len() - begin).ok()?;
    bytes[at..at + 4].copy_from_slice(&len.to_le_bytes());
    for other in beside {
        bytes.extend_from_slice(&u32::try_from(other.bytes.len()).ok()?.to_le_bytes());
        bytes.extend_from_slice(&cut(other.remaining));
        bytes.push(other.flags);
        bytes.extend_from_slice(&other.bytes);
    }
    Some(end)
}
