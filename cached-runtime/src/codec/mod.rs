//! Codecs: how a value becomes bytes and comes back as it was.

use serde::Serialize;
use serde::de::DeserializeOwned;
use xxhash_rust::xxh3::xxh3_64;

use crate::error::{Error, ErrorKind, floor_boundary};

mod faithful;
mod formats;
pub(crate) mod zip;

pub use formats::Json;
#[cfg(feature = "msgpack")]
pub use formats::MessagePack;
#[cfg(feature = "postcard")]
pub use formats::Postcard;

/// How values become bytes: [`Json`] (the default), `MessagePack` (feature `msgpack`),
/// `Postcard` (feature `postcard`), or your own, as a type without values:
///
/// ```
/// use cached_runtime::{Codec, CodecError, cache_result};
/// use serde::{Serialize, de::DeserializeOwned};
///
/// /// JSON with line breaks, for a cache that is read by people.
/// struct Pretty;
///
/// impl Codec for Pretty {
///     const NAME: &'static str = "pretty-json";
///     fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
///         serde_json::to_vec_pretty(value).map_err(CodecError::new)
///     }
///     fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
///         serde_json::from_slice(bytes).map_err(CodecError::new)
///     }
/// }
///
/// #[cache_result(ttl = 60, codec = Pretty)]
/// async fn greeting(name: &str) -> String {
///     format!("hello {name}")
/// }
/// ```
pub trait Codec {
    /// Names the format in each entry; an entry of another name is a miss. Change it when the
    /// format changes.
    const NAME: &'static str;

    /// The bytes of a value. An error means that it cannot be carried: it is not stored, which
    /// is counted and logged once, and the caller gets it all the same.
    ///
    /// # Errors
    /// When the value cannot be encoded so that [`decode`](Codec::decode) brings it back as it was.
    fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError>;

    /// The value of bytes that [`encode`](Codec::encode) made. An error is a miss.
    ///
    /// # Errors
    /// When the bytes are no such value.
    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError>;
}

/// Why a codec could not carry a value: a sentence, which must not hold the value.
#[derive(Debug)]
pub struct CodecError(String);

impl CodecError {
    /// Takes the text of `cause`, shortened to 200 bytes.
    #[allow(clippy::needless_pass_by_value, reason = "made for `map_err(CodecError::new)`")]
    pub fn new(cause: impl std::fmt::Display) -> Self {
        let mut text = cause.to_string();
        text.truncate(floor_boundary(&text, 200));
        Self(text)
    }
}

impl std::fmt::Display for CodecError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CodecError {}

impl From<CodecError> for Error {
    fn from(error: CodecError) -> Self {
        Self::new(ErrorKind::Encode, error.0)
    }
}

/// The number by which an entry names its codec.
pub(crate) fn id_of<C: Codec>() -> u32 {
    // The low half is enough: a user has a handful of codecs, and the payload is checked besides.
    (xxh3_64(C::NAME.as_bytes()) & u64::from(u32::MAX)) as u32
}

#[cfg(test)]
mod tests;
