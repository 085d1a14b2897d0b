//! Times as the envelope holds them: in few bytes, and in whole units.
//!
//! A length is a number and its unit, of milliseconds, seconds, minutes or hours the finest in which the
//! number fits; what is left of a unit is cut off. Whole seconds up to 48 days are exact in a ttl, and up
//! to four hours in a stale window.

use std::time::Duration;

/// In milliseconds.
const UNITS: [u128; 4] = [1, 1_000, 60_000, 3_600_000];

/// A ttl takes three bytes: the unit in two bits, and the number.
pub(super) const TTL_BITS: u32 = 22;
/// A stale window takes two.
pub(super) const STALE_BITS: u32 = 14;

/// The nearest shorter length that `bits` can say.
pub(super) fn whole(length: Duration, bits: u32) -> Duration {
    unpack(pack(length, bits), bits)
}

/// Unit and number; the longest that there is for what is longer.
pub(super) fn pack(length: Duration, bits: u32) -> u32 {
    let longest = (1_u32 << bits) - 1;
    for (unit, millis) in (0_u32..).zip(UNITS) {
        if let Ok(number) = u32::try_from(length.as_millis() / millis)
            && number <= longest
        {
            return unit << bits | number;
        }
    }
    3 << bits | longest
}

pub(super) fn unpack(packed: u32, bits: u32) -> Duration {
    let number = u64::from(packed & ((1 << bits) - 1));
    match packed >> bits {
        0 => Duration::from_millis(number),
        1 => Duration::from_secs(number),
        2 => Duration::from_secs(number * 60),
        _ => Duration::from_secs(number * 3_600),
    }
}

/// How long a load took, in one byte: four significant bits of its microseconds, which is enough to tell
/// when the next is due.
pub(super) fn pack_load_time(time: Duration) -> u8 {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let exponent = micros.checked_ilog2().unwrap_or(0).saturating_sub(3);
    let packed = u64::from(exponent) * 8 + (micros >> exponent);
    u8::try_from(packed).unwrap_or(u8::MAX)
}

pub(super) fn unpack_load_time(packed: u8) -> Duration {
    let packed = u64::from(packed);
    let exponent = (packed / 8).saturating_sub(1);
    Duration::from_micros((packed - exponent * 8) << exponent)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_people_write_is_exact() {
        let (second, minute, hour, day) = (1, 60, 3_600, 86_400);
        for seconds in [second, 30, minute, 5 * minute, 90 * minute, hour, day, 7 * day, 30 * day] {
            let length = Duration::from_secs(seconds);
            assert_eq!(whole(length, TTL_BITS), length, "a ttl of {seconds} s");
            assert_eq!(whole(length, STALE_BITS), length, "a window of {seconds} s");
        }
        for millis in [0, 1, 250, 1_500, 16_383] {
            let length = Duration::from_millis(millis);
            assert_eq!(whole(length, TTL_BITS), length);
            assert_eq!(whole(length, STALE_BITS), length);
        }
        let year = Duration::from_secs(365 * day);
        assert_eq!(whole(year, TTL_BITS), year);
    }

    #[test]
    fn what_is_longer_than_anything_is_as_long_as_can_be() {
        for bits in [TTL_BITS, STALE_BITS] {
            let longest = whole(Duration::MAX, bits);
            assert!(longest >= Duration::from_secs(600 * 86_400), "{longest:?}");
            assert_eq!(whole(longest, bits), longest);
        }
        assert!(unpack_load_time(pack_load_time(Duration::MAX)) > Duration::from_secs(3_600));
    }

    proptest! {
        #[test]
        fn a_length_loses_less_than_a_unit(millis in 0_u64..30_000_000_000, stale: bool) {
            let (bits, share) = if stale { (STALE_BITS, 10_000) } else { (TTL_BITS, 4_000_000) };
            let length = Duration::from_millis(millis);
            let kept = whole(length, bits);
            prop_assert!(kept <= length && pack(kept, bits) == pack(length, bits));
            // Of a number that needs the next unit, the unit is no more than a sixtieth of what fits.
            prop_assert!((length - kept).as_millis() * share <= length.as_millis() * 1_000);
        }

        #[test]
        fn a_load_time_keeps_four_bits(micros in 0_u64..14_000_000_000) {
            let kept = unpack_load_time(pack_load_time(Duration::from_micros(micros)));
            let lost = micros - u64::try_from(kept.as_micros()).unwrap();
            prop_assert!(lost * 8 <= micros, "{micros} {kept:?}");
        }
    }
}
