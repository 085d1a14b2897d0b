use super::*;
use proptest::prelude::*;

const OWNER: Owner =
    Owner { function: 0x1122_3344_5566_7788, arguments: 0x99AA_BBCC_DDEE_FF00, codec: 1 };
const ID: Token = *b"0123456789abcdef";

fn fresh(payload: &[u8]) -> Fresh<'_> {
    Fresh {
        owner: OWNER,
        content: Content::Value,
        ttl: Duration::from_secs(60),
        stale: Duration::ZERO,
        load_time: Duration::from_millis(3),
        versions: &[],
        uncompressed: None,
        payload,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Frozen: these are the bytes of release 0.1. A change here is a decision for the CHANGELOG.
#[test]
fn golden_bytes_of_release_0_1() {
    assert_eq!(hex(&lease(&ID)), "4c013031323334353637383961626364656600");
    let value = encode(&ID, &fresh(br#"{"id":42}"#)).unwrap();
    assert_eq!(
        hex(&value),
        concat!(
            "5601",
            "30313233343536373839616263646566",
            "2a01a8d428b7303f",
            "0000",
            "01000000",
            "8877665544332211",
            "00ffeeddccbbaa99",
            "60ea000000000000",
            "0000000000000000",
            "b80b000000000000",
            "09000000",
            "09000000",
            "7b226964223a34327d",
        )
    );
}

#[test]
fn what_went_in_comes_out() {
    for content in [Content::Value, Content::None, Content::Failure] {
        let bytes = encode(&ID, &Fresh { content, ..fresh(b"payload") }).unwrap();
        assert_eq!(classify(&bytes), Present::Value);
        let entry = decode(&bytes, &OWNER, Some(OWNER.function), 1000).unwrap();
        let expected = Entry {
            content,
            ttl: Duration::from_secs(60),
            stale: Duration::ZERO,
            load_time: Duration::from_millis(3),
            versions: &[],
            uncompressed: None,
            payload: b"payload",
        };
        assert_eq!(entry, expected);
    }
}

#[test]
fn tags_and_the_stale_window_stand_in_the_envelope() {
    let (a, b) = (*b"aaaaaaaaaaaaaaaa", *b"bbbbbbbbbbbbbbbb");
    let stale = Duration::from_secs(300);
    let tagged = Fresh { stale, versions: &[a, b], ..fresh(b"payload") };
    let bytes = encode(&ID, &tagged).unwrap();
    assert_eq!(bytes.len(), HEADER_LEN + 32 + 7);
    let entry = decode(&bytes, &OWNER, None, 1000).unwrap();
    assert_eq!((entry.stale, entry.payload), (stale, &b"payload"[..]));
    assert!(entry.is_valid(&[Some(a), Some(b)]));
    for changed in [
        &[Some(b), Some(a)][..],
        &[Some(a), None],
        &[None, None],
        &[Some(a)],
        &[],
        &[Some(a), Some(b), Some(b)],
    ] {
        assert!(!entry.is_valid(changed), "{changed:?}");
    }
    let untagged = encode(&ID, &fresh(b"payload")).unwrap();
    let untagged = decode(&untagged, &OWNER, None, 1000).unwrap();
    assert!(untagged.is_valid(&[]) && !untagged.is_valid(&[Some(a)]));
    let too_many = vec![a; 256];
    assert_eq!(encode(&ID, &Fresh { versions: &too_many, ..fresh(b"") }), None);
}

#[test]
fn another_owner_is_a_miss_with_its_reason() {
    let bytes = encode(&ID, &fresh(b"payload")).unwrap();
    let read = |owner: Owner, limit| decode(&bytes, &owner, None, limit).unwrap_err();
    assert_eq!(read(Owner { function: 1, ..OWNER }, 1000), Fault::OtherShape);
    assert_eq!(read(Owner { arguments: 1, ..OWNER }, 1000), Fault::OtherArguments);
    assert_eq!(read(Owner { codec: 2, ..OWNER }, 1000), Fault::OtherCodec);
    assert_eq!(read(OWNER, 6), Fault::TooLarge);
    let failure = encode(&ID, &Fresh { content: Content::Failure, ..fresh(b"e") }).unwrap();
    assert_eq!(decode(&failure, &OWNER, None, 1000).unwrap_err(), Fault::OtherShape);
}

#[test]
fn a_compression_bomb_is_refused_before_it_is_unpacked() {
    let bomb = Fresh { uncompressed: Some(3_000_000_000), ..fresh(b"tiny") };
    let bytes = encode(&ID, &bomb).unwrap();
    assert_eq!(decode(&bytes, &OWNER, None, 1 << 20).unwrap_err(), Fault::TooLarge);
}

#[test]
fn a_lease_is_recognised_by_exactly_its_length_and_version() {
    let mut bytes = lease(&ID).to_vec();
    assert_eq!(classify(&bytes), Present::Lease);
    bytes.push(0);
    assert_eq!(classify(&bytes), Present::Foreign);
    assert_eq!(classify(b"L"), Present::Foreign);
    assert_eq!(classify(b""), Present::Foreign);
    assert_eq!(classify(b"hello"), Present::Foreign);
}

#[test]
fn a_fence_holds_for_what_it_was_taken_from_and_nothing_else() {
    let value = encode(&ID, &fresh(b"payload")).unwrap();
    let other = encode(b"fedcba9876543210", &fresh(b"payload")).unwrap();
    let things: [&[u8]; 6] =
        [&value, &other, &lease(&ID), &lease(b"fedcba9876543210"), b"", b"some foreign text"];
    for (i, taken) in things.iter().enumerate() {
        for (j, present) in things.iter().enumerate() {
            assert_eq!(fence_of(taken).holds(present), i == j, "{i} {j}");
        }
    }
}

proptest! {
    #[test]
    fn any_flipped_bit_or_lost_byte_is_a_miss(payload: Vec<u8>, at: usize, bit in 0_u8..8, keep: usize) {
        let whole = encode(&ID, &fresh(&payload)).unwrap();
        let at = at % whole.len();
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << bit;
        // The write id is the one part whose damage is harmless: it only serves as a fence.
        let harmless = (2..PREFIX_LEN).contains(&at);
        prop_assert_eq!(decode(&flipped, &OWNER, None, usize::MAX).is_ok(), harmless);
        let truncated = &whole[..keep % whole.len()];
        prop_assert!(decode(truncated, &OWNER, None, usize::MAX).is_err());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>, limit: usize) {
        let _ = decode(&bytes, &OWNER, Some(1), limit);
        prop_assert!(fence_of(&bytes).holds(&bytes));
    }
}
