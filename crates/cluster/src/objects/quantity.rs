//! Kubernetes resource quantities ("100m", "1Gi", "1.5e3") in whole units.
//!
//! The grammar is the one of `k8s.io/apimachinery/pkg/api/resource`: a decimal number, then a binary suffix
//! (`Ki` to `Ei`), a decimal suffix (`n` to `E`) or a decimal exponent. Arithmetic is in integers, so that sums
//! over thousands of pods do not depend on their order.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Longer text is no quantity: the API server's own limit is far below.
const MAX_LENGTH: usize = 64;
/// Digits that fit into the integer arithmetic with room for every suffix.
const MAX_DIGITS: u32 = 24;
const MAX_EXPONENT: i32 = 60;

/// Why text is no quantity of a resource.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QuantityError {
    /// Not of the grammar.
    #[error("write {0:?} as a Kubernetes quantity like 100m, 2 or 1Gi")]
    Syntax(String),
    /// Resources are amounts.
    #[error("use an amount of zero or more instead of {0:?}")]
    Negative(String),
    /// Above what Kubernetes itself can hold.
    #[error("use a smaller amount than {0:?}")]
    TooLarge(String),
}

/// CPU in thousandths of a hardware thread, rounded up as Kubernetes does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct CpuMillis(pub u64);

/// Memory in bytes, rounded up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MemoryBytes(pub u64);

impl CpuMillis {
    /// Reads a quantity of the `cpu` resource.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        parse_scaled(text, 3).map(Self)
    }
}

impl MemoryBytes {
    /// Reads a quantity of the `memory` resource.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        parse_scaled(text, 0).map(Self)
    }
}

impl fmt::Display for CpuMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(1_000) { write!(f, "{}", self.0 / 1_000) } else { write!(f, "{}m", self.0) }
    }
}

impl fmt::Display for MemoryBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (shift, suffix) in [(30, "Gi"), (20, "Mi"), (10, "Ki")] {
            if self.0 > 0 && self.0.trailing_zeros() >= shift {
                return write!(f, "{}{suffix}", self.0 >> shift);
            }
        }
        write!(f, "{}", self.0)
    }
}

/// `text * 10^scale`, rounded up to a whole number.
fn parse_scaled(text: &str, scale: i32) -> Result<u64, QuantityError> {
    let syntax = || QuantityError::Syntax(shortened(text));
    if text.len() > MAX_LENGTH {
        return Err(syntax());
    }
    let unsigned = match text.as_bytes().first() {
        Some(b'-') => return negative(text, scale),
        Some(b'+') => text.get(1..).ok_or_else(syntax)?,
        _ => text,
    };
    let end = unsigned.bytes().position(|b| !b.is_ascii_digit() && b != b'.').unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at_checked(end).ok_or_else(syntax)?;
    let (mantissa, fraction_digits) = mantissa(number).ok_or_else(syntax)?;
    let (binary, exponent) = suffix_power(suffix).ok_or_else(syntax)?;

    let value = mantissa.checked_shl(binary).filter(|shifted| shifted >> binary == mantissa);
    value
        .and_then(|value| times_power_of_ten(value, exponent - fraction_digits + scale))
        .and_then(|value| i64::try_from(value).ok())
        .and_then(|value| u64::try_from(value).ok())
        .ok_or_else(|| QuantityError::TooLarge(shortened(text)))
}

/// Minus zero is zero; anything else below zero is refused under its own name.
fn negative(text: &str, scale: i32) -> Result<u64, QuantityError> {
    match text.get(1..).map(|rest| parse_scaled(rest, scale)) {
        Some(Ok(0)) => Ok(0),
        Some(Ok(_) | Err(QuantityError::TooLarge(_))) => Err(QuantityError::Negative(shortened(text))),
        _ => Err(QuantityError::Syntax(shortened(text))),
    }
}

/// Digits as one integer, and how many of them follow the point.
fn mantissa(number: &str) -> Option<(u128, i32)> {
    let (mut value, mut digits, mut fraction, mut seen_point, mut any) = (0u128, 0u32, 0i32, false, false);
    for byte in number.bytes() {
        if byte == b'.' {
            if std::mem::replace(&mut seen_point, true) {
                return None;
            }
            continue;
        }
        any = true;
        value = value * 10 + u128::from(byte.checked_sub(b'0')?);
        digits += u32::from(value > 0);
        fraction += i32::from(seen_point);
        if digits > MAX_DIGITS {
            return None;
        }
    }
    any.then_some((value, fraction))
}

/// The suffix as a power of two and a power of ten.
fn suffix_power(suffix: &str) -> Option<(u32, i32)> {
    Some(match suffix {
        "" => (0, 0),
        "n" => (0, -9),
        "u" => (0, -6),
        "m" => (0, -3),
        "k" => (0, 3),
        "M" => (0, 6),
        "G" => (0, 9),
        "T" => (0, 12),
        "P" => (0, 15),
        "E" => (0, 18),
        "Ki" => (10, 0),
        "Mi" => (20, 0),
        "Gi" => (30, 0),
        "Ti" => (40, 0),
        "Pi" => (50, 0),
        "Ei" => (60, 0),
        _ => return exponent(suffix).map(|power| (0, power)),
    })
}

fn exponent(suffix: &str) -> Option<i32> {
    let digits = suffix.strip_prefix(['e', 'E'])?;
    let bare = digits.strip_prefix(['+', '-']).unwrap_or(digits);
    if bare.is_empty() || !bare.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().filter(|power: &i32| power.abs() <= MAX_EXPONENT)
}

/// Rounded up where digits are lost; `None` where the result does not fit.
fn times_power_of_ten(value: u128, power: i32) -> Option<u128> {
    let factor = 10u128.checked_pow(power.unsigned_abs());
    if power >= 0 {
        return if value == 0 { Some(0) } else { value.checked_mul(factor?) };
    }
    // A divisor that does not fit is larger than any value.
    Some(factor.map_or(u128::from(value > 0), |divisor| value.div_ceil(divisor)))
}

fn shortened(text: &str) -> String {
    text.chars().take(MAX_LENGTH).collect()
}

macro_rules! quantity_text {
    ($name:ident, $schema_name:literal, $pattern:literal) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl de::Visitor<'_> for Text {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("a Kubernetes quantity")
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        $name::parse(text).map_err(E::custom)
                    }
                    fn visit_u64<E: de::Error>(self, number: u64) -> Result<$name, E> {
                        self.visit_str(&number.to_string())
                    }
                    fn visit_i64<E: de::Error>(self, number: i64) -> Result<$name, E> {
                        self.visit_str(&number.to_string())
                    }
                    fn visit_f64<E: de::Error>(self, number: f64) -> Result<$name, E> {
                        self.visit_str(&number.to_string())
                    }
                }
                deserializer.deserialize_any(Text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> Cow<'static, str> {
                $schema_name.into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern })
            }
        }
    };
}

quantity_text!(CpuMillis, "CpuQuantity", r"^\+?[0-9.]+([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?$");
quantity_text!(MemoryBytes, "MemoryQuantity", r"^\+?[0-9.]+([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?$");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_suffix_is_read() {
        for (text, millis) in [
            ("0", 0),
            ("1", 1_000),
            ("100m", 100),
            ("1.5", 1_500),
            (".5", 500),
            ("5.", 5_000),
            ("+2", 2_000),
            ("1.5e3", 1_500_000),
            ("2E2", 200_000),
            ("15e-1", 1_500),
            ("2k", 2_000_000),
            ("1M", 1_000_000_000),
            ("250000u", 250),
            ("1500000n", 2),
            ("1n", 1),
            ("-0", 0),
        ] {
            assert_eq!(CpuMillis::parse(text), Ok(CpuMillis(millis)), "{text}");
        }
        for (text, bytes) in [
            ("128Mi", 134_217_728),
            ("1Gi", 1_073_741_824),
            ("1.5Ki", 1_536),
            ("1G", 1_000_000_000),
            ("1E", 1_000_000_000_000_000_000),
            ("1Ei", 1_152_921_504_606_846_976),
            ("100m", 1),
            ("1e-60", 1),
            ("0e60", 0),
        ] {
            assert_eq!(MemoryBytes::parse(text), Ok(MemoryBytes(bytes)), "{text}");
        }
    }

    #[test]
    fn hostile_text_is_refused() {
        let long = "1".repeat(1_000);
        for text in [
            "",
            " 1",
            "1 ",
            ".",
            "1..2",
            "1.2.3",
            "NaN",
            "inf",
            "0x10",
            "1Kii",
            "1K",
            "e3",
            "1e",
            "1e+",
            "1e99999999999",
            "１",
            "--1",
            "-",
            &long,
        ] {
            assert!(matches!(MemoryBytes::parse(text), Err(QuantityError::Syntax(_))), "{text}");
        }
        for text in ["1e60", "99999999999999999999", "16Ei", "9E9E"] {
            assert!(MemoryBytes::parse(text).is_err(), "{text}");
        }
        assert!(matches!(CpuMillis::parse("-1"), Err(QuantityError::Negative(_))));
    }

    #[test]
    fn messages_say_what_to_write() {
        let message = CpuMillis::parse("two").unwrap_err().to_string();
        assert_eq!(message, "write \"two\" as a Kubernetes quantity like 100m, 2 or 1Gi");
    }

    #[test]
    fn json_text_and_numbers_are_read() {
        assert_eq!(serde_json::from_str::<CpuMillis>("\"250m\"").unwrap(), CpuMillis(250));
        assert_eq!(serde_json::from_str::<CpuMillis>("2").unwrap(), CpuMillis(2_000));
        assert_eq!(serde_json::from_str::<CpuMillis>("0.5").unwrap(), CpuMillis(500));
        assert!(serde_json::from_str::<CpuMillis>("-1").is_err());
        assert!(serde_json::from_str::<CpuMillis>("{}").is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in any::<String>()) {
            let _ = CpuMillis::parse(&text);
        }

        #[test]
        fn nothing_like_a_quantity_makes_the_parser_panic(text in "[+-]?[0-9.]{0,40}[numkKMGTPEie+0-9-]{0,8}") {
            let _ = MemoryBytes::parse(&text);
        }

        #[test]
        fn printing_and_reading_agree(value in 0..i64::MAX) {
            let value = value.unsigned_abs();
            prop_assert_eq!(MemoryBytes::parse(&MemoryBytes(value).to_string()), Ok(MemoryBytes(value)));
            prop_assert_eq!(CpuMillis::parse(&CpuMillis(value).to_string()), Ok(CpuMillis(value)));
        }
    }
}
