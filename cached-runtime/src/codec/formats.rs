//! The built-in codecs, each the one owner of its format's crate.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::faithful::{Rules, check};
use super::{Codec, CodecError};

/// JSON, by `serde_json`: the default. With `redis-cli` it reads well behind the entry's 80 bytes
/// of header.
///
/// JSON cannot tell `Some(None)` from `None`, has no NaN and no infinities, and wants map keys
/// that read as text. Values with these are not stored (counted as
/// [`Fault::Unencodable`](crate::Fault::Unencodable)); `Postcard` carries them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Json;

impl Codec for Json {
    const NAME: &'static str = "json";

    fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
        check(value, Rules::JSON).map_err(CodecError::new)?;
        serde_json::to_vec(value).map_err(CodecError::new)
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
        serde_json::from_slice(bytes).map_err(CodecError::new)
    }
}

/// MessagePack, by `rmp-serde`, with field names: smaller than JSON, for any language to read.
/// Carries floats that are not finite and maps with any keys, but not `Some(None)`.
#[cfg(feature = "msgpack")]
#[derive(Debug, Clone, Copy, Default)]
pub struct MessagePack;

#[cfg(feature = "msgpack")]
impl Codec for MessagePack {
    const NAME: &'static str = "msgpack";

    fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
        check(value, Rules::MESSAGE_PACK).map_err(CodecError::new)?;
        rmp_serde::to_vec_named(value).map_err(CodecError::new)
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
        rmp_serde::from_slice(bytes).map_err(CodecError::new)
    }
}

/// Postcard, by `postcard`: the smallest and fastest, readable by Rust alone. Carries
/// `Some(None)` and every float, but no type that needs a self-describing format
/// (`#[serde(untagged)]`, `flatten`, `skip_serializing_if`, `serde_json::Value`).
#[cfg(feature = "postcard")]
#[derive(Debug, Clone, Copy, Default)]
pub struct Postcard;

#[cfg(feature = "postcard")]
impl Codec for Postcard {
    const NAME: &'static str = "postcard";

    fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
        check(value, Rules::POSTCARD).map_err(CodecError::new)?;
        postcard::to_stdvec(value).map_err(CodecError::new)
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
        let (value, rest) = postcard::take_from_bytes(bytes).map_err(CodecError::new)?;
        if rest.is_empty() { Ok(value) } else { Err(CodecError::new("bytes left over")) }
    }
}
