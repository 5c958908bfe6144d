//! Pods and Resource metrics: pods without a value, not ready, pending, failed.

use sci_core::scaling::hpa::{MetricSpec, ResourceTarget};

use super::{Answer, Case, PERCENT, REQUEST, TARGET, case, count, cpu, per_pod};
use crate::hpa_recorder::{Extra, PodValue};

/// Share of the requests that CPU is compared with, in percent.
const UTILIZATION: i32 = 50;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for percent in PERCENT {
        let value = TARGET * percent / 100;
        cases.push(case(format!("pods-at-{percent}"), vec![per_pod()], 4, vec![Answer::pods(value, 4)]));
        let used = REQUEST * i64::from(UTILIZATION) / 100 * percent / 100;
        let metric = cpu(ResourceTarget::AverageUtilization(UTILIZATION));
        cases.push(case(format!("cpu-share-at-{percent}"), vec![metric], 4, vec![Answer::pods(used, 4)]));
    }
    for percent in [40, 85, 95, 105, 115, 150, 300] {
        cases.extend(some_do_not_count(percent));
        cases.extend(by_average(percent));
    }
    cases.extend(odd());
    cases
}

/// Pods whose value is missing, or does not count yet, turn a result towards no change.
fn some_do_not_count(percent: i64) -> Vec<Case> {
    let value = TARGET * percent / 100;
    let used = REQUEST * i64::from(UTILIZATION) / 100 * percent / 100;
    let share = cpu(ResourceTarget::AverageUtilization(UTILIZATION));
    let two_of_four = |milli| {
        let late = Some(PodValue::late(milli));
        Answer::Pods(vec![late, late, None, None])
    };
    let early_last = Answer::Pods(vec![
        Some(PodValue::late(used)),
        Some(PodValue::late(used)),
        Some(PodValue::late(used)),
        Some(PodValue::early(used)),
    ]);
    let extra = |name: String, metric: MetricSpec, milli: i64, extras: Vec<Extra>| {
        // The others have a value too: who counts is for the controller to say.
        let answers = vec![Answer::pods(milli, 3 + extras.len())];
        Case { extras, ..case(name, vec![metric], 3, answers) }
    };
    let everybody = vec![Extra::Pending, Extra::Failed, Extra::Unready];
    vec![
        case(format!("pods-two-missing-at-{percent}"), vec![per_pod()], 4, vec![two_of_four(value)]),
        case(format!("cpu-two-missing-at-{percent}"), vec![share.clone()], 4, vec![two_of_four(used)]),
        case(format!("cpu-one-too-early-at-{percent}"), vec![share.clone()], 4, vec![early_last]),
        extra(format!("pods-pending-at-{percent}"), per_pod(), value, vec![Extra::Pending; 2]),
        extra(format!("pods-failed-at-{percent}"), per_pod(), value, vec![Extra::Failed]),
        extra(format!("pods-of-all-kinds-at-{percent}"), per_pod(), value, everybody.clone()),
        extra(format!("cpu-of-all-kinds-at-{percent}"), share, used, everybody),
    ]
}

fn by_average(percent: i64) -> Vec<Case> {
    let target = ResourceTarget::AverageValueMilli(REQUEST);
    let used = REQUEST * percent / 100;
    let of = |name: &str, resource: &str, unready: usize| {
        let metric = MetricSpec::Resource { name: resource.into(), target };
        let whole = case(format!("{name}-at-{percent}"), vec![metric], 4, vec![Answer::pods(used, 4)]);
        Case { unready, ..whole }
    };
    let container = MetricSpec::ContainerResource { name: "cpu".into(), target };
    vec![
        of("cpu-average-unready", "cpu", 1),
        of("memory-average-unready", "memory", 1),
        case(format!("container-average-at-{percent}"), vec![container], 4, vec![Answer::pods(used, 4)]),
    ]
}

fn odd() -> Vec<Case> {
    let share = || cpu(ResourceTarget::AverageUtilization(UTILIZATION));
    let unlike = |milli: [i64; 3]| Answer::Pods(milli.map(|milli| Some(PodValue::late(milli))).to_vec());
    let nothing = || Answer::Pods(vec![None; 3]);
    vec![
        case("pods-none-has-a-value", vec![per_pod()], 3, vec![nothing()]),
        case("cpu-none-has-a-value", vec![share()], 3, vec![nothing()]),
        case("pods-failed-metric", vec![per_pod()], 3, vec![Answer::Failed]),
        case("cpu-failed-metric", vec![share()], 3, vec![Answer::Failed]),
        case("pods-unlike", vec![per_pod()], 3, vec![unlike([0, 100_001, 400_000])]),
        case("cpu-unlike", vec![share()], 3, vec![unlike([1, 99, 800])]),
        Case { request_milli: None, ..case("cpu-share-of-no-request", vec![share()], 3, vec![Answer::pods(400, 3)]) },
        Case {
            request_milli: None,
            ..case(
                "cpu-average-without-request",
                vec![cpu(ResourceTarget::AverageValueMilli(200))],
                3,
                vec![Answer::pods(400, 3)],
            )
        },
        Case { unready: 3, ..case("cpu-nobody-is-ready", vec![share()], 3, vec![Answer::pods(400, 3)]) },
        Case {
            extras: vec![Extra::Pending; 4],
            ..case("pods-most-are-pending", vec![per_pod()], 2, vec![Answer::pods(3 * TARGET, count(2))])
        },
    ]
}
