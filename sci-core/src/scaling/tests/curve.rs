use super::{factor, grams, noon, per_replica, share, step, steps, thresholds};
use crate::{
    forecast::Hour,
    scaling::{
        Curve, CurveError, CurveWarning, IntensityHistory, MAX_STEPS, Past, Place, Thresholds, Tolerance,
        TooLittleHistory,
    },
};
use std::time::Duration;

const WEEK: Duration = Duration::from_hours(168);

fn at(curve: &Curve, intensity: f64) -> f64 {
    curve.at(grams(intensity), None).unwrap().factor.get()
}

#[test]
fn a_step_holds_from_its_edge_on() {
    let curve = steps();
    let expected = [(0.0, 1.0), (299.999, 1.0), (300.0, 0.8), (499.0, 0.8), (500.0, 0.65), (5_000.0, 0.65)];
    for (intensity, wanted) in expected {
        assert!((at(&curve, intensity) - wanted).abs() < 1e-12, "{intensity}");
    }
    let point = curve.at(grams(400.0), None).unwrap();
    assert_eq!(point.place, Place::Step { at_or_above_grams_per_kwh: Some(grams(300.0)) });
    let point = curve.at(grams(10.0), None).unwrap();
    assert_eq!(point.place, Place::Step { at_or_above_grams_per_kwh: None });
}

#[test]
fn a_line_is_level_on_both_sides() {
    let curve = Curve::linear(grams(200.0), grams(600.0), factor(0.6)).unwrap();
    for (intensity, wanted) in [(0.0, 1.0), (200.0, 1.0), (300.0, 0.9), (400.0, 0.8), (600.0, 0.6), (900.0, 0.6)] {
        assert!((at(&curve, intensity) - wanted).abs() < 1e-12, "{intensity}");
    }
}

/// A hundred hours of 1, 2, ..., 100 g/kWh, all over at noon.
fn ramp() -> IntensityHistory {
    let mut history = IntensityHistory::new();
    for hours in 1..=100_i32 {
        history.set(Hour::containing(noon()).plus(-i64::from(hours)), grams(f64::from(hours)));
    }
    history
}

#[test]
fn a_quantile_is_a_line_over_the_rank() {
    let curve = Curve::quantile(share(0.5), share(0.9), factor(0.6), WEEK).unwrap();
    let history = ramp();
    let past = Some(Past { history: &history, now: noon() });
    // 69 below and one equal of 100: rank 0.695, progress 0.195 / 0.4, factor 1 - 0.4 * 0.4875.
    let point = curve.at(grams(70.0), past).unwrap();
    assert!((point.factor.get() - 0.805).abs() < 1e-12);
    assert!((curve.at(grams(10.0), past).unwrap().factor.get() - 1.0).abs() < 1e-12);
    assert!((curve.at(grams(99.0), past).unwrap().factor.get() - 0.6).abs() < 1e-12);
    assert!(matches!(point.place, Place::Quantile { rank, .. } if rank.hours == 100));
}

#[test]
fn without_a_past_a_quantile_says_nothing() {
    let curve = Curve::quantile(share(0.5), share(0.9), factor(0.6), WEEK).unwrap();
    assert!(curve.needs_history() && !steps().needs_history());
    assert_eq!(curve.at(grams(70.0), None), Err(TooLittleHistory { hours: 0 }));
    let (history, now) = (ramp(), noon() + WEEK);
    let rank = curve.at(grams(70.0), Some(Past { history: &history, now }));
    assert_eq!(rank, Err(TooLittleHistory { hours: 0 }), "all hours lie before the window");
}

#[test]
fn curves_that_make_no_sense_are_refused() {
    let rising = Curve::steps(vec![step(300.0, 0.7), step(400.0, 0.8)]);
    assert!(matches!(rising, Err(CurveError::Rises { .. })));
    let unordered = Curve::steps(vec![step(300.0, 0.8), step(300.0, 0.7)]);
    assert!(matches!(unordered, Err(CurveError::Unordered { .. })));
    assert!(matches!(Curve::steps(Vec::new()), Err(CurveError::StepCount { count: 0 })));
    assert!(matches!(Curve::steps(vec![step(1.0, 0.5); MAX_STEPS + 1]), Err(CurveError::StepCount { .. })));
    assert!(matches!(Curve::linear(grams(5.0), grams(5.0), factor(0.5)), Err(CurveError::NoSlope { .. })));
    assert!(matches!(Curve::quantile(share(0.9), share(0.1), factor(0.5), WEEK), Err(CurveError::NoSlope { .. })));
    let short = Curve::quantile(share(0.1), share(0.9), factor(0.5), Duration::from_hours(24));
    assert_eq!(short.unwrap_err().to_string(), "a quantile curve needs a window of at least 48 hours, got 24");
}

#[test]
fn steps_nearer_than_the_tolerance_are_warned_of() {
    let warnings = |curve: Curve| curve.warnings(&thresholds(), Tolerance::CLUSTER_DEFAULT);
    assert_eq!(warnings(steps()), Vec::new());
    // From 1 to 0.9 the load changes by 10 %, which the autoscaler ignores; from 0.9 to 0.8 by 11 %.
    let near = Curve::steps(vec![step(300.0, 0.9), step(400.0, 0.8)]).unwrap();
    let expected =
        CurveWarning::WithinTolerance { upper: factor(1.0), lower: factor(0.9), tolerance: Tolerance::CLUSTER_DEFAULT };
    assert_eq!(warnings(near), vec![expected]);
    assert_eq!(
        expected.to_string(),
        "between the factors 1 and 0.9 the autoscaler changes nothing, its tolerance is 0.1"
    );
    assert_eq!(warnings(Curve::steps(vec![step(300.0, 1.0)]).unwrap()), vec![CurveWarning::NeverThrottles]);
}

#[test]
fn factors_below_the_floor_are_warned_of() {
    let curve = Curve::linear(grams(100.0), grams(200.0), factor(0.5)).unwrap();
    let near = Thresholds::with_guard(per_replica(100.0), per_replica(125.0), Tolerance::CLUSTER_DEFAULT).unwrap();
    let warnings = curve.warnings(&near, Tolerance::CLUSTER_DEFAULT);
    assert_eq!(warnings, vec![CurveWarning::BelowFloor { factor: factor(0.5), floor: factor(0.8) }]);
}
