use std::collections::HashMap;

use super::*;

fn round_trip<C: Codec, T: Serialize + DeserializeOwned + PartialEq>(value: &T) -> Option<bool> {
    let bytes = C::encode(value).ok()?;
    Some(C::decode::<T>(&bytes).is_ok_and(|back| back == *value))
}

#[test]
fn json_refuses_what_it_would_change() {
    assert_eq!(round_trip::<Json, _>(&f64::INFINITY), None);
    assert_eq!(round_trip::<Json, _>(&Some(None::<u8>)), None);
    assert_eq!(round_trip::<Json, _>(&HashMap::from([((1, 2), 3)])), None);
    assert_eq!(round_trip::<Json, _>(&HashMap::from([(1_u8, 0.1_f64)])), Some(true));
    // Off by one unit in the last place without serde_json's `float_roundtrip`.
    assert_eq!(round_trip::<Json, _>(&51.248_178_383_752_83_f64), Some(true));
}

#[cfg(feature = "postcard")]
#[test]
fn postcard_carries_what_json_refuses_and_refuses_left_over_bytes() {
    assert_eq!(round_trip::<Postcard, _>(&f64::INFINITY), Some(true));
    assert_eq!(round_trip::<Postcard, _>(&Some(None::<u8>)), Some(true));
    assert_eq!(round_trip::<Postcard, _>(&HashMap::from([((1, 2), 3)])), Some(true));
    assert!(Postcard::decode::<u8>(&[1, 2]).is_err());
}

#[cfg(feature = "msgpack")]
#[test]
fn message_pack_carries_floats_and_keys_but_no_nested_options() {
    assert_eq!(round_trip::<MessagePack, _>(&f64::INFINITY), Some(true));
    assert_eq!(round_trip::<MessagePack, _>(&HashMap::from([((1, 2), 3)])), Some(true));
    assert_eq!(round_trip::<MessagePack, _>(&Some(None::<u8>)), None);
}

#[test]
fn each_codec_has_a_number_of_its_own() {
    struct Other;
    impl Codec for Other {
        const NAME: &'static str = "other";
        fn encode<T: Serialize>(_: &T) -> Result<Vec<u8>, CodecError> {
            Err(CodecError::new("never"))
        }
        fn decode<T: DeserializeOwned>(_: &[u8]) -> Result<T, CodecError> {
            Err(CodecError::new("never"))
        }
    }
    assert_ne!(id_of::<Json>(), id_of::<Other>());
}

#[test]
fn an_error_text_is_short_and_cut_between_characters() {
    assert!(CodecError::new("ä".repeat(1000)).to_string().len() <= 200);
}

#[cfg(feature = "zstd")]
#[test]
fn packing_pays_or_is_left_out() {
    let text = vec![b'a'; 5000];
    let (packed, before) = zip::pack(text.clone(), Some(1000));
    assert!(packed.len() < 100 && before == Some(5000));
    assert_eq!(zip::unpack(&packed, before).unwrap(), text);
    assert!(zip::unpack(&packed, Some(4999)).is_err());
    assert!(zip::unpack(b"not zstd", Some(10)).is_err());
    assert_eq!(zip::pack(text.clone(), Some(5001)), (text.clone(), None));
    assert_eq!(zip::pack(text.clone(), None), (text, None));
}
