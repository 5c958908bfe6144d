//! Steps between floating point and whole numbers, in one place.

use std::time::Duration;

/// Results of the same formula differ by rounding: what is this near to a whole number is that number.
const ROUNDING: f64 = 1e-9;

/// The smallest whole number that is not below `value`, rounding errors of the arithmetic before it aside:
/// `300 * 0.8 / 80` is 3 and not 4. What is above 0 is at least 1, however little.
pub(super) fn ceil(value: f64) -> f64 {
    let nearest = value.round();
    let is_near = (value - nearest).abs() <= ROUNDING * value.abs().max(1.0);
    if is_near && nearest > 0.0 { nearest } else { value.ceil() }
}

/// A whole, non-negative number as an integer; 0 for what is negative or not a number, the largest for what is too
/// large.
pub(super) fn whole(value: f64) -> u64 {
    if value.is_nan() || value <= 0.0 {
        return 0;
    }
    // The standard library's only checked way from a float to an integer.
    Duration::try_from_secs_f64(value.trunc()).map_or(u64::MAX, |seconds| seconds.as_secs())
}

/// Replicas are 32-bit integers with a sign in the Kubernetes API.
pub(super) fn replicas(value: f64) -> u32 {
    u32::try_from(whole(ceil(value))).unwrap_or(u32::MAX).min(i32::MAX.unsigned_abs())
}

/// The nearest floating point number.
#[allow(clippy::cast_precision_loss)] // the nearest one is what is wanted
pub(super) fn float(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_errors_add_no_replica() {
        assert_eq!(replicas(375.0 * 0.8 / 100.0), 3);
        assert_eq!(replicas(0.1 + 0.2), 1);
        assert_eq!(replicas(3.000_001), 4);
        assert_eq!(replicas(0.0), 0);
        assert_eq!((replicas(1e-300), replicas(1e-10)), (1, 1), "little is not nothing");
    }

    #[test]
    fn nothing_wraps_around() {
        assert_eq!(replicas(f64::NAN), 0);
        assert_eq!(replicas(-5.0), 0);
        assert_eq!(replicas(1e300), 2_147_483_647);
        assert_eq!(replicas(f64::INFINITY), 2_147_483_647);
        assert_eq!(whole(9e15), 9_000_000_000_000_000);
        assert_eq!(whole(9_007_199_254_740_992.0), 9_007_199_254_740_992);
    }
}
