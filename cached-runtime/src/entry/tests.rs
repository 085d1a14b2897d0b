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
        others: &[],
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Frozen: these are the bytes of release 0.1. A change here is a decision for the CHANGELOG.
#[test]
fn golden_bytes_of_release_0_1() {
    assert_eq!(hex(&lease(&ID)), "4c013031323334353637383961626364656600");
    let value = encode(&ID, &fresh(br#"{"id":42}"#)).unwrap().bytes;
    assert_eq!(
        hex(&value),
        concat!(
            "5620",
            "30313233343536373839616263646566",
            "7d1fd184bcd929e1",
            "dc6b5e05b4a2f23c",
            "4b",
            "60ea00",
            "7b226964223a34327d",
        )
    );
    let (stale, versions) = (Duration::from_secs(600), [*b"aaaaaaaaaaaaaaaa"]);
    let ttl = Duration::from_secs(7_200);
    let all = Fresh { ttl, stale, versions: &versions, uncompressed: Some(50), ..fresh(b"packed") };
    assert_eq!(
        hex(&encode(&ID, &Fresh { content: Content::Failure, ..all }).unwrap().bytes),
        concat!(
            "562e",
            "30313233343536373839616263646566",
            "8b460fb311a8211a",
            "afce526bd0870eb7",
            "4b",
            "201c40",
            "5842",
            "32000000",
            "61616161616161616161616161616161",
            "7061636b6564",
        )
    );
}

/// Which is what an entry costs beside what it is about.
#[test]
fn an_envelope_has_at_most_forty_bytes() {
    for ttl in [1, 60, 3_600, 86_400 * 365].map(Duration::from_secs) {
        for stale in [Duration::ZERO, Duration::from_secs(600), Duration::MAX] {
            for versions in [&[][..], &[ID, ID]] {
                let fresh = Fresh { ttl, stale, versions, ..fresh(b"payload") };
                let own = encode(&ID, &fresh).unwrap().bytes.len() - 16 * versions.len() - 7;
                assert_eq!(own, if stale.is_zero() { 38 } else { 40 });
            }
        }
    }
}

/// What an earlier format left is a miss, and is overwritten.
#[test]
fn a_value_of_format_1_is_foreign() {
    let mut value = encode(&ID, &fresh(b"payload")).unwrap().bytes;
    value.resize(80, 0);
    value[1] = 1;
    assert_eq!(classify(&value), Present::Foreign);
    assert_eq!(decode(&value, &OWNER, None, 0, 1000), Err(Fault::Corrupt));
}

#[test]
fn what_went_in_comes_out() {
    for content in [Content::Value, Content::None, Content::Failure] {
        let bytes = encode(&ID, &Fresh { content, ..fresh(b"payload") }).unwrap().bytes;
        assert_eq!(classify(&bytes), Present::Value);
        let entry = decode(&bytes, &OWNER, Some(OWNER.function), 0, 1000).unwrap();
        let expected = Entry {
            content,
            ttl: Duration::from_secs(60),
            stale: Duration::ZERO,
            load_time: Duration::from_micros(2_816),
            cut: Duration::ZERO,
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
    let bytes = encode(&ID, &tagged).unwrap().bytes;
    let entry = decode(&bytes, &OWNER, None, 2, 1000).unwrap();
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
    let untagged = encode(&ID, &fresh(b"payload")).unwrap().bytes;
    let untagged = decode(&untagged, &OWNER, None, 0, 1000).unwrap();
    assert!(untagged.is_valid(&[]) && !untagged.is_valid(&[Some(a)]));
}

#[test]
fn versions_are_replaced_whatever_stands_before_them() {
    let (a, b) = (*b"aaaaaaaaaaaaaaaa", *b"bbbbbbbbbbbbbbbb");
    for stale in [Duration::ZERO, Duration::from_secs(300)] {
        for uncompressed in [None, Some(100)] {
            let bytes = |versions: [Token; 2]| {
                let versions = &versions[..];
                encode(&ID, &Fresh { stale, uncompressed, versions, ..fresh(b"payload") })
                    .unwrap()
                    .bytes
            };
            let mut value = bytes([a, a]);
            set_versions(&mut value, &[b, a]);
            assert_eq!(value, bytes([b, a]));
        }
    }
}

#[test]
fn another_owner_is_a_miss_with_its_reason() {
    let bytes = encode(&ID, &fresh(b"payload")).unwrap().bytes;
    let read = |owner: Owner, tags, limit| decode(&bytes, &owner, None, tags, limit).unwrap_err();
    assert_eq!(read(Owner { function: 1, ..OWNER }, 0, 1000), Fault::OtherOwner);
    assert_eq!(read(Owner { arguments: 1, ..OWNER }, 0, 1000), Fault::OtherOwner);
    assert_eq!(read(Owner { codec: 2, ..OWNER }, 0, 1000), Fault::OtherOwner);
    assert_eq!(read(OWNER, 1, 1000), Fault::OtherOwner, "other tags");
    assert_eq!(read(OWNER, 0, 6), Fault::TooLarge);
    let failure = encode(&ID, &Fresh { content: Content::Failure, ..fresh(b"e") }).unwrap().bytes;
    assert_eq!(decode(&failure, &OWNER, None, 0, 1000).unwrap_err(), Fault::OtherOwner);
}

#[test]
fn a_compression_bomb_is_refused_before_it_is_unpacked() {
    let bomb = Fresh { uncompressed: Some(3_000_000_000), ..fresh(b"tiny") };
    let bytes = encode(&ID, &bomb).unwrap().bytes;
    assert_eq!(decode(&bytes, &OWNER, None, 0, 1 << 20).unwrap_err(), Fault::TooLarge);
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
    let value = encode(&ID, &fresh(b"payload")).unwrap().bytes;
    let other = encode(b"fedcba9876543210", &fresh(b"payload")).unwrap().bytes;
    let things: [&[u8]; 6] =
        [&value, &other, &lease(&ID), &lease(b"fedcba9876543210"), b"", b"some foreign text"];
    for (i, taken) in things.iter().enumerate() {
        for (j, present) in things.iter().enumerate() {
            assert_eq!(fence_of(taken).holds(present), i == j, "{i} {j}");
        }
    }
}

/// A value of `owner` that is stored for a minute, beside what stood in an entry that had so long to live.
fn second(owner: u64, stood: &[u8], remaining: Duration) -> Encoded {
    let owner = Owner { function: owner, ..OWNER };
    let others = others(stood, remaining);
    encode(&ID, &Fresh { owner, others: &others, ..fresh(&[owner.function as u8; 5]) }).unwrap()
}

fn payload_of(owner: u64, bytes: &[u8]) -> Result<&[u8], Fault> {
    let owner = Owner { function: owner, ..OWNER };
    decode(bytes, &owner, None, 0, 1000).map(|entry| entry.payload)
}

#[test]
fn payloads_of_different_owners_stand_side_by_side_and_the_oldest_goes_first() {
    let minute = Duration::from_secs(60);
    let mut bytes = second(1, b"", minute).bytes;
    for owner in 2..6 {
        assert_eq!(payload_of(owner, &bytes), Err(Fault::OtherOwner));
        let entry = second(owner, &bytes, minute);
        assert_eq!(entry.life, minute);
        bytes = entry.bytes;
        assert!(is_several(&bytes));
        for known in 1..=owner {
            let expected =
                if known + 2 < owner { Err(Fault::OtherOwner) } else { Ok(&[known as u8; 5][..]) };
            assert_eq!(payload_of(known, &bytes), expected, "{known} of {owner}");
        }
    }
    // A new one of an owner takes the place of its old one.
    let again = second(4, &bytes, minute).bytes;
    assert_eq!(again.len(), bytes.len());
    assert_eq!(payload_of(3, &again), Ok(&[3; 5][..]));
}

/// Whoever does not ask how long the entry has still to live is never served what is past its end.
#[test]
fn an_entry_ends_with_its_first_variant_and_each_knows_its_age() {
    let (minute, second_owner) = (Duration::from_secs(60), Owner { function: 2, ..OWNER });
    let first = second(1, b"", minute).bytes;
    let left = Duration::from_secs(20);
    let entry = second(2, &first, left);
    assert_eq!(entry.life, left);
    let own = decode(&entry.bytes, &second_owner, None, 0, 1000).unwrap();
    assert_eq!((own.ttl, own.cut), (minute, Duration::from_secs(40)));
    // Half of that later, the first is loaded anew, and the second keeps its own end.
    let entry = second(1, &entry.bytes, left / 2);
    assert_eq!(entry.life, Duration::from_secs(50));
    let own = decode(&entry.bytes, &second_owner, None, 0, 1000).unwrap();
    assert_eq!((own.ttl, own.cut), (minute, Duration::ZERO));
}

#[test]
fn what_is_past_its_ttl_or_about_to_end_is_not_kept() {
    let minute = Duration::from_secs(60);
    let first = second(1, b"", minute).bytes;
    for (left, kept) in [(Duration::ZERO, false), (minute / 20, false), (minute / 10, true)] {
        let entry = second(2, &first, left);
        assert_eq!(payload_of(1, &entry.bytes).is_ok(), kept, "{left:?}");
        assert_eq!(entry.life, if kept { left } else { minute });
        assert_eq!(is_several(&entry.bytes), kept);
    }
    let owner = Owner { function: 1, ..OWNER };
    let stale = encode(&ID, &Fresh { owner, stale: minute, ..fresh(b"old") }).unwrap().bytes;
    assert_eq!(others(&stale, minute + Duration::from_millis(1)).len(), 1);
    assert!(others(&stale, minute).is_empty(), "from here on it is stale");
}

#[test]
fn golden_bytes_of_two_variants() {
    let first = encode(&ID, &fresh(b"one")).unwrap().bytes;
    let entry = second(2, &first, Duration::from_secs(20));
    assert_eq!(
        hex(&entry.bytes),
        concat!(
            "5630",
            "30313233343536373839616263646566",
            "9f77792196cdf796",
            "11000000",
            "409c0000",
            "00",
            "5590d07b617a8376",
            "4b",
            "60ea00",
            "0202020202",
            "0f000000",
            "00000000",
            "00",
            "dc6b5e05b4a2f23c",
            "4b",
            "60ea00",
            "6f6e65",
        )
    );
}

proptest! {
    #[test]
    fn any_flipped_bit_or_lost_byte_is_a_miss(payload: Vec<u8>, at: usize, bit in 0_u8..8, keep: usize) {
        let whole = encode(&ID, &fresh(&payload)).unwrap().bytes;
        let at = at % whole.len();
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << bit;
        // The write id is the one part whose damage is harmless: it only serves as a fence.
        let harmless = (2..PREFIX_LEN).contains(&at);
        prop_assert_eq!(decode(&flipped, &OWNER, None, 0, usize::MAX).is_ok(), harmless);
        let truncated = &whole[..keep % whole.len()];
        prop_assert!(decode(truncated, &OWNER, None, 0, usize::MAX).is_err());
    }

    #[test]
    fn of_several_any_flipped_bit_or_lost_byte_is_a_miss(payload: Vec<u8>, at: usize, bit in 0_u8..8, keep: usize) {
        let first = encode(&ID, &fresh(&payload)).unwrap().bytes;
        let whole = second(2, &first, Duration::from_secs(30)).bytes;
        for (owner, expected) in [(OWNER.function, &payload[..]), (2, &[2; 5][..])] {
            prop_assert_eq!(payload_of(owner, &whole), Ok(expected));
        }
        let at = at % whole.len();
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << bit;
        prop_assert_eq!(payload_of(2, &flipped).is_ok(), (2..PREFIX_LEN).contains(&at));
        prop_assert!(payload_of(2, &whole[..keep % whole.len()]).is_err());
        prop_assert!(others(&whole[..keep % whole.len()], Duration::MAX).is_empty());
    }

    /// Whole by its checksum, and nonsense behind it.
    #[test]
    fn nonsense_with_a_checksum_never_panics(mut bytes: Vec<u8>, version in 0x20_u8..0x40, tags in 0_usize..9) {
        bytes.resize(bytes.len() + HEADER_LEN, 7);
        bytes[..2].copy_from_slice(&[b'V', version]);
        check(&mut bytes);
        let _ = decode(&bytes, &OWNER, Some(1), tags, 1 << 20);
        let _ = (others(&bytes, Duration::MAX), decoded_len(&bytes));
        set_versions(&mut bytes, &[ID, ID]);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>, tags in 0_usize..1000, limit: usize) {
        let _ = decode(&bytes, &OWNER, Some(1), tags, limit);
        let _ = decoded_len(&bytes);
        set_versions(&mut bytes.clone(), &[ID]);
        prop_assert!(fence_of(&bytes).holds(&bytes));
    }
}
