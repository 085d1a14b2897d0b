//! A codec for one type, as plain functions: the serde bounds are asked for once, where the
//! coder is made, and the generic code behind it needs none. That keeps errors about a missing
//! `Serialize` to one place, and what is compiled per function small.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{self, Codec, CodecError, Json};
use crate::config::DefaultCodec;
use crate::equality::{Equality, Seen};

/// How values of `D` become bytes and come back, with the codec's number.
pub(crate) struct Coder<D> {
    pub(crate) id: u32,
    pub(crate) name: &'static str,
    pub(crate) encode: fn(&D) -> Result<Vec<u8>, CodecError>,
    pub(crate) decode: fn(&[u8]) -> Result<D, CodecError>,
    pub(crate) equality: Equality<D>,
    /// Asked seldom; coders are moved about with each call.
    pub(crate) seen: fn() -> Seen<D>,
}

impl<D> Clone for Coder<D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D> Copy for Coder<D> {}

/// Says which codec a function uses; what `codec = …` becomes.
pub trait Choice {
    /// The coder for `D`, given the cache's default.
    #[allow(private_interfaces, reason = "for generated code, which only passes it on")]
    fn coder<D: Serialize + DeserializeOwned>(default: DefaultCodec) -> Coder<D>;
}

/// The cache's default codec: for functions without `codec`.
pub struct CacheDefault;

/// The codec that the attribute names.
pub struct Named<C>(std::marker::PhantomData<C>);

impl Choice for CacheDefault {
    #[allow(private_interfaces, reason = "see the trait")]
    fn coder<D: Serialize + DeserializeOwned>(default: DefaultCodec) -> Coder<D> {
        match default {
            DefaultCodec::Json => by::<Json, D>(),
            #[cfg(feature = "msgpack")]
            DefaultCodec::MessagePack => by::<codec::MessagePack, D>(),
            #[cfg(feature = "postcard")]
            DefaultCodec::Postcard => by::<codec::Postcard, D>(),
        }
    }
}

impl<C: Codec> Choice for Named<C> {
    #[allow(private_interfaces, reason = "see the trait")]
    fn coder<D: Serialize + DeserializeOwned>(_: DefaultCodec) -> Coder<D> {
        by::<C, D>()
    }
}

fn by<C: Codec, D: Serialize + DeserializeOwned>() -> Coder<D> {
    Coder {
        id: codec::id_of::<C>(),
        name: C::NAME,
        encode: C::encode::<D>,
        decode: C::decode::<D>,
        equality: Equality::unknown(),
        seen: Seen::by_serde,
    }
}
