//! Pod UIDs as keys.

use std::{
    fmt,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
};

/// A pod's UID in 16 bytes. UIDs of the API server are UUIDs and fit exactly; any other text is hashed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PodUid(u128);

impl PodUid {
    /// From `metadata.uid`.
    pub fn new(uid: &str) -> Self {
        uuid(uid).unwrap_or_else(|| hashed(uid))
    }

    /// The key itself, for sharding.
    pub(crate) const fn bits(self) -> u128 {
        self.0
    }
}

impl fmt::Debug for PodUid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PodUid({:032x})", self.0)
    }
}

/// 8-4-4-4-12 lower-case hexadecimal digits.
fn uuid(text: &str) -> Option<PodUid> {
    if text.len() != 36 {
        return None;
    }
    let mut bits = 0u128;
    for (position, byte) in text.bytes().enumerate() {
        let digit = match (position, byte) {
            (8 | 13 | 18 | 23, b'-') => continue,
            (8 | 13 | 18 | 23, _) => return None,
            (_, b'0'..=b'9') => byte - b'0',
            (_, b'a'..=b'f') => byte - b'a' + 10,
            _ => return None,
        };
        bits = (bits << 4) | u128::from(digit);
    }
    Some(PodUid(bits))
}

/// A keyed hash with fixed keys, twice: the same in every replica.
fn hashed(text: &str) -> PodUid {
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    let (high, low) = (hasher.hash_one(("high", text)), hasher.hash_one(("low", text)));
    PodUid((u128::from(high) << 64) | u128::from(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_is_kept_exactly() {
        let uid = PodUid::new("12345678-9abc-def0-1234-56789abcdef0");
        assert_eq!(uid.bits(), 0x1234_5678_9abc_def0_1234_5678_9abc_def0);
    }

    #[test]
    fn other_text_is_told_apart() {
        let texts = ["", "a", "b", "12345678-9abc-def0-1234-56789ABCDEF0", "12345678x9abc-def0-1234-56789abcdef0"];
        for (i, a) in texts.iter().enumerate() {
            for (j, b) in texts.iter().enumerate() {
                assert_eq!(PodUid::new(a) == PodUid::new(b), i == j, "{a} {b}");
            }
        }
    }
}
