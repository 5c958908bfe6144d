//! Object and External metrics, by value and by average value.

use sci_core::scaling::hpa::{MetricSpec, Target};

use super::{Answer, Case, PERCENT, TARGET, case, external, object};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for percent in PERCENT {
        for replicas in [1, 4] {
            let value = TARGET * i64::from(replicas) * percent / 100;
            let name = |kind: &str| format!("{kind}-average-{replicas}-at-{percent}");
            cases.push(case(name("object"), vec![object()], replicas, vec![Answer::Value(value)]));
            let halves = vec![value / 2, value - value / 2];
            cases.push(case(name("external"), vec![external()], replicas, vec![Answer::Values(halves)]));
        }
        let (value, target) = (TARGET * percent / 100, Target::ValueMilli(TARGET));
        // Three of five pods count.
        let by_value = case(
            format!("object-value-at-{percent}"),
            vec![MetricSpec::Object { target }],
            5,
            vec![Answer::Value(value)],
        );
        cases.push(Case { unready: 2, ..by_value });
        let metric = MetricSpec::External { target };
        cases.push(case(format!("external-value-at-{percent}"), vec![metric], 3, vec![Answer::Values(vec![value])]));
    }
    cases.extend(odd());
    cases
}

/// Values that are hard to divide, to add up, or to believe.
fn odd() -> Vec<Case> {
    let values = [
        ("external-nothing", external(), Answer::Values(Vec::new())),
        ("external-many", external(), Answer::Values(vec![33_333; 9])),
        ("external-negative-part", external(), Answer::Values(vec![400_000, -150_000])),
        ("object-thousandth-above", object(), Answer::Value(330_001)),
        ("object-thousandth", object(), Answer::Value(1)),
        ("object-negative", object(), Answer::Value(-500_000)),
        ("object-huge", object(), Answer::Value(1_000_000_000_000_000)),
        ("object-failed", object(), Answer::Failed),
        ("external-failed", external(), Answer::Failed),
    ];
    values.into_iter().map(|(name, metric, answer)| case(name, vec![metric], 3, vec![answer])).collect()
}
