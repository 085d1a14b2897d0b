//! Compression of payloads, by zstd behind the feature of that name.

use std::borrow::Cow;

use crate::fault::Fault;

/// From this many bytes on, `compress` without a threshold compresses.
pub const DEFAULT_THRESHOLD: usize = 1024;

/// Compresses a payload of at least `threshold` bytes where that makes it smaller. The second
/// value is the length before, where it was compressed.
#[cfg(feature = "zstd")]
pub(crate) fn pack(payload: Vec<u8>, threshold: Option<usize>) -> (Vec<u8>, Option<usize>) {
    if threshold.is_none_or(|threshold| payload.len() < threshold) {
        return (payload, None);
    }
    match zstd::bulk::compress(&payload, zstd::DEFAULT_COMPRESSION_LEVEL) {
        Ok(packed) if packed.len() < payload.len() => {
            let before = payload.len();
            (packed, Some(before))
        }
        _ => (payload, None),
    }
}

#[cfg(not(feature = "zstd"))]
pub(crate) fn pack(payload: Vec<u8>, _threshold: Option<usize>) -> (Vec<u8>, Option<usize>) {
    (payload, None)
}

/// The payload as it was before [`pack`]; its announced length was checked against the limit.
#[cfg(feature = "zstd")]
pub(crate) fn unpack(payload: &[u8], before: Option<usize>) -> Result<Cow<'_, [u8]>, Fault> {
    let Some(before) = before else { return Ok(Cow::Borrowed(payload)) };
    match zstd::bulk::decompress(payload, before) {
        Ok(plain) if plain.len() == before => Ok(Cow::Owned(plain)),
        _ => Err(Fault::Corrupt),
    }
}

/// Without the feature, an entry that another process compressed is a miss.
#[cfg(not(feature = "zstd"))]
pub(crate) fn unpack(payload: &[u8], before: Option<usize>) -> Result<Cow<'_, [u8]>, Fault> {
    if before.is_some() { Err(Fault::Undecodable) } else { Ok(Cow::Borrowed(payload)) }
}
