//! Statistics that a minority of wrong values cannot move far.

/// A standard deviation is this many times the median distance from the median, where values are normal.
const DEVIATIONS_PER_MEDIAN_DISTANCE: f64 = 1.482_6;

/// The value with half of the weight below it; `None` where nothing has weight.
pub(super) fn weighted_median(values: impl Iterator<Item = (f64, f64)>) -> Option<f64> {
    let mut values: Vec<(f64, f64)> = values.filter(|(value, weight)| value.is_finite() && *weight > 0.0).collect();
    values.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let half = values.iter().map(|(_, weight)| weight).sum::<f64>() / 2.0;
    let mut below = 0.0;
    let middle = values.iter().find(|(_, weight)| {
        below += weight;
        below >= half
    });
    middle.or(values.last()).map(|(value, _)| *value)
}

/// Spread of residuals around zero, as a standard deviation; 0 where there are none.
pub(super) fn spread(residuals: impl Iterator<Item = (f64, f64)>) -> f64 {
    let distances = residuals.map(|(residual, weight)| (residual.abs(), weight));
    weighted_median(distances).map_or(0.0, |median| median * DEVIATIONS_PER_MEDIAN_DISTANCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_halves_the_weight() {
        assert_eq!(weighted_median([(3.0, 1.0), (1.0, 1.0), (2.0, 1.0)].into_iter()), Some(2.0));
        assert_eq!(weighted_median([(1.0, 5.0), (2.0, 1.0), (900.0, 3.0)].into_iter()), Some(1.0));
        assert_eq!(weighted_median([(1.0, 0.0), (f64::NAN, 1.0)].into_iter()), None);
    }

    #[test]
    fn a_minority_does_not_widen_the_spread() {
        let honest = [-0.1, -0.1, 0.1, 0.1, 0.1];
        let lies = [9.0, 9.0];
        let all = honest.into_iter().chain(lies).map(|residual| (residual, 1.0));
        assert!((spread(all) - 0.148_26).abs() < 1e-12);
    }
}
