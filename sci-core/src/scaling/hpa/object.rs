//! Numbers that are not of pods: Object and External metrics.

use super::{
    metric::Round,
    number::{count, float, to_i32},
};

/// External values together; as large as can be where they do not fit.
pub(super) fn sum(values: &[i64]) -> i64 {
    let mut sum = 0_i64;
    for value in values {
        if *value > 0 && sum > i64::MAX - value {
            return i64::MAX;
        }
        sum = sum.wrapping_add(*value);
    }
    sum
}

/// `Value`: `ceil(value / target * ready pods)`, from zero `ceil(value / target)`.
pub(super) fn value(round: &Round<'_>, milli: i64, target: i64) -> Result<i32, String> {
    let ratio = float(milli) / float(target);
    if round.scale.spec_replicas == 0 {
        return Ok(to_i32(ratio.ceil()));
    }
    if round.tolerances.hold(ratio) {
        return Ok(round.scale.spec_replicas);
    }
    if round.pods.is_empty() {
        return Err("no pods".to_owned());
    }
    let wanted = ratio * count(round.pods.iter().filter(|pod| pod.serves()).count());
    Ok(if wanted > f64::from(i32::MAX) { i32::MAX } else { to_i32(wanted.ceil()) })
}

/// `AverageValue` of an Object metric: `ceil(value / target)`, where `value / (target * replicas)` is not within the
/// tolerance. More than 2,147,483,647 replicas come out as the least integer: see [`to_i32`].
pub(super) fn object_average(round: &Round<'_>, milli: i64, target: i64) -> i32 {
    average(round, milli, target).map_or(round.scale.status_replicas, to_i32)
}

/// `AverageValue` of an External metric: the same for the sum of its values, but it stops at the largest integer. A
/// sum that falls below zero on the way is taken for one that did not fit.
pub(super) fn external_average(round: &Round<'_>, values: &[i64], target: i64) -> i32 {
    let sum = values.iter().try_fold(0_i64, |sum, value| Some(sum.wrapping_add(*value)).filter(|sum| *sum >= 0));
    let wanted = average(round, sum.unwrap_or(i64::MAX), target);
    wanted.map_or(round.scale.status_replicas, |wanted| to_i32(wanted.min(f64::from(i32::MAX))))
}

/// Replicas asked for; `None` within the tolerance.
fn average(round: &Round<'_>, milli: i64, target: i64) -> Option<f64> {
    let ratio = float(milli) / (float(target) * f64::from(round.scale.status_replicas));
    (!round.tolerances.hold(ratio)).then(|| (float(milli) / float(target)).ceil())
}
