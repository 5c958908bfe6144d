//! Arithmetic of the controller, which is a Go program: what does not fit wraps around or becomes the least number.

use crate::scaling::number::whole;

/// A float as a 32-bit integer, cut towards zero. What does not fit becomes the least integer, as the controller's
/// machine code has it on amd64: a value of more than two billion targets asks for **less** than nothing.
pub(super) fn to_i32(value: f64) -> i32 {
    let limit = -f64::from(i32::MIN);
    if !(value > -limit - 1.0 && value < limit) {
        return i32::MIN;
    }
    let magnitude = i64::try_from(whole(value.abs())).unwrap_or(0);
    i32::try_from(if value < 0.0 { -magnitude } else { magnitude }).unwrap_or(i32::MIN)
}

/// The low half of an integer.
pub(super) fn low_half(value: i64) -> i32 {
    let [a, b, c, d, ..] = value.to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}

/// The nearest float.
#[allow(clippy::cast_precision_loss)] // the nearest one is what the controller uses
pub(super) fn float(value: i64) -> f64 {
    value as f64
}

/// A length as a float.
pub(super) fn count(items: usize) -> f64 {
    crate::scaling::number::float(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_the_least_integer() {
        assert_eq!(to_i32(2_147_483_647.0), i32::MAX);
        for large in [2_147_483_648.0, 4_294_967_297.0, 1e16, 1e300, f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
            assert_eq!(to_i32(large), i32::MIN, "{large}");
        }
        assert_eq!(to_i32(-2_147_483_648.0), i32::MIN);
        assert_eq!((to_i32(2.9), to_i32(-2.9), to_i32(-0.5)), (2, -2, 0));
    }

    #[test]
    fn the_low_half_wraps() {
        assert_eq!(low_half(7), 7);
        assert_eq!(low_half(-7), -7);
        assert_eq!(low_half((1 << 32) + 5), 5);
        assert_eq!(low_half(1 << 31), i32::MIN);
    }
}
