//! Numbers that look random and depend on nothing but their seed and place.

use std::time::Duration;

/// 64 bits from a seed and a place (`splitmix64`).
pub(super) fn bits(seed: u64, place: u64) -> u64 {
    let mixed = seed.wrapping_add(place.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A number from 0 up to but not including 1.
pub(crate) fn uniform(seed: u64, place: u64) -> f64 {
    let high = u32::try_from(bits(seed, place) >> 32).unwrap_or_default();
    f64::from(high) / (f64::from(u32::MAX) + 1.0)
}

/// A seed from a text (FNV-1a).
pub(super) fn seed_of(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Whole periods within a time.
pub(super) fn periods(time: Duration, period: Duration) -> u32 {
    u32::try_from(time.as_nanos() / period.as_nanos().max(1)).unwrap_or(u32::MAX)
}

/// Puts rows into an order that the seed decides.
pub(super) fn shuffle<T>(rows: &mut [T], seed: u64) {
    for last in (1..rows.len()).rev() {
        let count = u64::try_from(last).unwrap_or(u64::MAX).saturating_add(1);
        let other = usize::try_from(bits(seed, count) % count).unwrap_or_default();
        rows.swap(last, other);
    }
}
