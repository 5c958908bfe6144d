//! Numbers of pods: Pods and Resource metrics.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;

use super::{
    ConditionStatus, Pod, PodPhase, PodReading,
    metric::Round,
    number::{count, float, low_half, to_i32},
};

/// Readings by pod, and whether readiness matters.
pub(super) struct Podwise<'a> {
    pub(super) readings: &'a BTreeMap<Arc<str>, PodReading>,
    /// CPU of a pod that is about to start says nothing.
    pub(super) cpu: bool,
}

/// Pods by what is known of them.
struct Groups<'a> {
    /// How many count.
    counted: usize,
    unready: BTreeSet<&'a str>,
    missing: BTreeSet<&'a str>,
    /// Of pods that are neither unready nor on their way out, and of names that are no pod's.
    milli: BTreeMap<&'a str, i64>,
}

fn groups<'a>(round: &Round<'a>, podwise: &Podwise<'a>) -> Result<Groups<'a>, String> {
    if podwise.readings.is_empty() {
        return Err("no metrics returned".to_owned());
    }
    if round.pods.is_empty() {
        return Err("no pods".to_owned());
    }
    let milli = podwise.readings.iter().map(|(name, reading)| (&**name, reading.milli)).collect();
    let mut groups = Groups { counted: 0, unready: BTreeSet::new(), missing: BTreeSet::new(), milli };
    for pod in round.pods {
        let name = &*pod.name;
        if pod.deleting || pod.phase == PodPhase::Failed {
            groups.milli.remove(name);
        } else if pod.phase == PodPhase::Pending {
            groups.milli.remove(name);
            groups.unready.insert(name);
        } else if let Some(reading) = podwise.readings.get(name) {
            if podwise.cpu && starting(round, pod, reading) {
                groups.milli.remove(name);
                groups.unready.insert(name);
            } else {
                groups.counted += 1;
            }
        } else {
            groups.missing.insert(name);
        }
    }
    if groups.milli.is_empty() { Err("no metrics of pods that count".to_owned()) } else { Ok(groups) }
}

/// Whether the CPU of a pod is still that of its start.
fn starting(round: &Round<'_>, pod: &Pod, reading: &PodReading) -> bool {
    let (Some(ready), Some(started)) = (pod.ready, pod.started_at) else { return true };
    let unready = ready.status == ConditionStatus::False;
    if later(started, round.controller.cpu_initialization_period_seconds) > round.now {
        let at = reading.at.unwrap_or(Timestamp::MIN);
        return unready || at < later(ready.since, reading.window_seconds);
    }
    // It was unready before it could have been ready once.
    unready && later(started, round.controller.initial_readiness_delay_seconds) > ready.since
}

fn later(at: Timestamp, seconds: u32) -> Timestamp {
    at.checked_add(Duration::from_secs(u64::from(seconds))).unwrap_or(Timestamp::MAX)
}

/// Mean over the pods that count, against a value.
pub(super) fn mean_of_pods(round: &Round<'_>, podwise: &Podwise<'_>, target: i64) -> Result<i32, String> {
    let groups = groups(round, podwise)?;
    let ratio = |milli: &BTreeMap<&str, i64>| {
        let total = milli.values().fold(0, |sum: i64, value| sum.wrapping_add(*value));
        // Whole thousandths, cut towards zero.
        let mean = total.wrapping_div(i64::try_from(milli.len()).unwrap_or(i64::MAX));
        Ok(float(mean) / float(target))
    };
    replicas(round, groups, ratio, |_| target)
}

/// Use over requests of the pods that count, against a percentage.
pub(super) fn utilization_of_pods(round: &Round<'_>, podwise: &Podwise<'_>, percent: i32) -> Result<i32, String> {
    let groups = groups(round, podwise)?;
    let requests = requests(round.pods)?;
    let ratio = |milli: &BTreeMap<&str, i64>| {
        let (mut used, mut requested) = (0_i64, 0_i64);
        for (name, value) in milli {
            if let Some(request) = requests.get(name) {
                used = used.wrapping_add(*value);
                requested = requested.wrapping_add(*request);
            }
        }
        if requested == 0 {
            return Err("no metrics of known pods".to_owned());
        }
        // Whole percents, cut towards zero.
        let utilization = low_half(used.wrapping_mul(100).wrapping_div(requested));
        Ok(f64::from(utilization) / f64::from(percent))
    };
    let fallback = i64::from(percent.max(100));
    replicas(round, groups, ratio, |name| {
        requests.get(name).map_or(0, |request| request.wrapping_mul(fallback).wrapping_div(100))
    })
}

fn requests(pods: &[Pod]) -> Result<BTreeMap<&str, i64>, String> {
    pods.iter()
        .map(|pod| match pod.request_milli {
            Some(request) => Ok((&*pod.name, request)),
            None => Err(format!("missing request in pod {}", pod.name)),
        })
        .collect()
}

/// From a ratio to replicas. Pods without a reading count as at the target on the way down and as idle on the way up,
/// pods that are not ready as idle on the way up. Where that turns the way round, nothing changes.
fn replicas(
    round: &Round<'_>,
    groups: Groups<'_>,
    ratio: impl Fn(&BTreeMap<&str, i64>) -> Result<f64, String>,
    at_target: impl Fn(&str) -> i64,
) -> Result<i32, String> {
    let current = round.scale.spec_replicas;
    let Groups { counted, unready, missing, mut milli } = groups;
    let first = ratio(&milli)?;
    let up = first > 1.0;
    let up_with_unready = up && !unready.is_empty();
    if !up_with_unready && missing.is_empty() {
        return Ok(if round.tolerances.hold(first) { current } else { to_i32((first * count(counted)).ceil()) });
    }
    if first < 1.0 {
        milli.extend(missing.into_iter().map(|name| (name, at_target(name))));
    } else if up {
        milli.extend(missing.into_iter().map(|name| (name, 0)));
    }
    if up_with_unready {
        milli.extend(unready.into_iter().map(|name| (name, 0)));
    }
    let second = ratio(&milli)?;
    let turned = (first < 1.0 && second > 1.0) || (first > 1.0 && second < 1.0);
    if round.tolerances.hold(second) || turned {
        return Ok(current);
    }
    let wanted = to_i32((second * count(milli.len())).ceil());
    let against = (second < 1.0 && wanted > current) || (second > 1.0 && wanted < current);
    Ok(if against { current } else { wanted })
}
