//! Values and time stamps.

use jiff::{SignedDuration, Timestamp};

/// Decimal number with or without exponent, `NaN`, `Inf`; in any case of letters. No hexadecimal digits.
/// A number too large for its type is not read as infinity.
pub(super) fn value(text: &str) -> Option<f64> {
    let value: f64 = text.parse().ok()?;
    let spelled_out = || text.bytes().any(|byte| byte.eq_ignore_ascii_case(&b'i'));
    (!value.is_infinite() || spelled_out()).then_some(value)
}

/// Time stamp of classic text: whole milliseconds.
pub(super) fn milliseconds(text: &str) -> Option<Timestamp> {
    text.parse().ok().and_then(|milliseconds| Timestamp::from_millisecond(milliseconds).ok())
}

/// Time stamp of OpenMetrics: seconds, to the nanosecond where written without exponent.
pub(super) fn seconds(text: &str) -> Option<Timestamp> {
    let since_epoch = match exact_seconds(text) {
        Some(exact) => exact,
        None => SignedDuration::try_from_secs_f64(value(text)?).ok()?,
    };
    Timestamp::from_duration(since_epoch).ok()
}

/// Digits, with a fraction or without. A binary number would move the last digits of the fraction.
fn exact_seconds(text: &str) -> Option<SignedDuration> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let seconds: i64 = whole.parse().ok()?;
    let missing_digits = 9_u32.checked_sub(u32::try_from(fraction.len()).ok()?)?;
    let nanoseconds: i32 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    Some(SignedDuration::new(i64::from(sign) * seconds, sign * nanoseconds * 10_i32.pow(missing_digits)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn values_are_decimal_or_not_finite_by_name() {
        assert_eq!(value("-1.5e3"), Some(-1_500.0));
        assert_eq!(value("+Inf"), Some(f64::INFINITY));
        assert_eq!(value("-inf"), Some(f64::NEG_INFINITY));
        assert!(value("NaN").unwrap().is_nan());
        for text in ["", "1,5", "0x1p3", "1e999", "-1e999", "1_000", "one", "1 "] {
            assert_eq!(value(text), None, "{text:?}");
        }
    }

    #[test]
    fn classic_time_stamps_are_whole_milliseconds() {
        assert_eq!(milliseconds("1700000000500"), Some(time("2023-11-14T22:13:20.5Z")));
        assert_eq!(milliseconds("-1"), Some(time("1969-12-31T23:59:59.999Z")));
        for text in ["", "1.5", "1e3", "NaN", "999999999999999999"] {
            assert_eq!(milliseconds(text), None, "{text:?}");
        }
    }

    #[test]
    fn time_stamps_of_open_metrics_are_seconds() {
        for (text, at) in [
            ("1700000000", "2023-11-14T22:13:20Z"),
            ("1700000000.5", "2023-11-14T22:13:20.5Z"),
            ("1700000000.123456789", "2023-11-14T22:13:20.123456789Z"),
            ("1.7000000005e9", "2023-11-14T22:13:20.5Z"),
            ("-0.25", "1969-12-31T23:59:59.75Z"),
            ("0", "1970-01-01T00:00:00Z"),
        ] {
            assert_eq!(seconds(text), Some(time(at)), "{text}");
        }
        let rounded = seconds("1700000000.1234567894").unwrap();
        assert!(rounded.duration_since(time("2023-11-14T22:13:20.123456789Z")).abs().as_micros() < 1);
        for text in ["", "NaN", "Inf", "1e300", "99999999999999", "1.5.2", "-", "."] {
            assert_eq!(seconds(text), None, "{text:?}");
        }
    }
}
