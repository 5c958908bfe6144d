use std::time::Duration;

use super::{noon, thresholds};
use crate::scaling::{GreenFactor, LOAD_LIMIT, Load, LoadError, LoadSample, Replicas, ScalingError, Tolerance};

fn load(value: f64) -> Load {
    Load::new(value).unwrap()
}

#[test]
fn what_is_no_load_is_an_error_and_never_zero() {
    assert_eq!(Load::new(f64::NAN), Err(LoadError::NotFinite));
    assert_eq!(Load::new(f64::INFINITY), Err(LoadError::NotFinite));
    assert_eq!(Load::new(-1.0), Err(LoadError::Negative { value: -1.0 }));
    assert_eq!(Load::new(1e18), Err(LoadError::TooLarge { value: 1e18 }));
    assert_eq!(Load::new(LOAD_LIMIT), Err(LoadError::TooLarge { value: LOAD_LIMIT }));
    assert!(Load::new(-0.0).unwrap().get().is_sign_positive());
}

#[test]
fn an_old_load_is_none_and_so_is_one_of_the_future() {
    let stale_after = Duration::from_mins(2);
    let at = |at| LoadSample { value: 5.0, at }.load(noon(), stale_after);
    assert_eq!(at(noon() - stale_after), Ok(load(5.0)));
    let age = Duration::from_secs(121);
    assert_eq!(at(noon() - age), Err(LoadError::Stale { age, stale_after }));
    assert_eq!(at(noon() + Duration::from_secs(3)), Ok(load(5.0)));
    assert_eq!(at(noon() + age), Err(LoadError::Stale { age, stale_after }));
}

#[test]
fn thousandths_are_rounded_up_but_not_for_rounding_errors() {
    assert_eq!(load(0.000_1).milli(), 1);
    assert_eq!(load(1.234_5).milli(), 1_235);
    assert_eq!((load(375.0) * GreenFactor::new(0.8).unwrap()).milli(), 300_000);
    assert_eq!((load(0.1 + 0.2)).milli(), 300);
    assert_eq!(load(0.0).milli(), 0);
    assert!(load(LOAD_LIMIT.next_down()).milli() <= i64::MAX.unsigned_abs());
}

#[test]
fn a_factor_is_above_zero_and_at_most_one() {
    for bad in [0.0, -0.5, 1.000_001, f64::NAN, f64::INFINITY] {
        assert!(matches!(GreenFactor::new(bad), Err(ScalingError::Factor { .. })), "{bad}");
    }
    assert!(serde_json::from_str::<GreenFactor>("0").is_err());
    assert_eq!(serde_json::from_str::<GreenFactor>("0.5").unwrap(), GreenFactor::new(0.5).unwrap());
    let tiny = GreenFactor::new(f64::MIN_POSITIVE).unwrap();
    assert!((tiny * tiny).throttles(), "two tiny factors do not become none");
}

#[test]
fn a_tolerance_is_a_share() {
    assert!(Tolerance::new(-0.1).is_err() && Tolerance::new(1.1).is_err() && Tolerance::new(f64::NAN).is_err());
    assert!((Tolerance::default().get() - 0.1).abs() < f64::EPSILON);
}

#[test]
fn replicas_by_hand() {
    let of = |value, factor| Replicas::of(load(value), GreenFactor::new(factor).unwrap(), &thresholds());
    // 1001/100, 800.8/100, 1001/160.
    assert_eq!(of(1_001.0, 0.8), Replicas { plain: 11, green: 9, floor: 7 });
    assert_eq!(of(1_001.0, 0.8).saved(), 2);
    // At the floor: 1600 * 0.625 = 1000.
    assert_eq!(of(1_600.0, 0.625), Replicas { plain: 16, green: 10, floor: 10 });
    assert_eq!(of(0.0, 0.8), Replicas { plain: 0, green: 0, floor: 0 });
}

#[test]
fn a_load_beyond_what_an_autoscaler_counts_is_refused() {
    assert!(thresholds().countable(load(214_748_364_700.0)).is_ok());
    assert!(matches!(thresholds().countable(load(214_748_364_701.0)), Err(LoadError::TooManyReplicas { .. })));
}
