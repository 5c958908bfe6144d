//! Several metrics, some of which fail.

use sci_core::scaling::hpa::{MetricSpec, ResourceTarget};

use super::{Answer, Case, TARGET, case, cpu, external, object, per_pod};

/// A load per replica in percent of the target: fewer, no change, more.
const LOADS: [i64; 3] = [50, 100, 200];
const REPLICAS: i32 = 4;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for first in LOADS {
        for second in LOADS {
            let answers = vec![of_object(first), of_pods(second)];
            let metrics = vec![object(), per_pod()];
            cases.push(case(format!("two-at-{first}-and-{second}"), metrics, REPLICAS, answers));
        }
        for (kind, metric, answer) in others(first) {
            let both = [(object(), Answer::Failed), (metric, answer)];
            let (metrics, answers): (Vec<MetricSpec>, Vec<Answer>) = both.iter().cloned().unzip();
            cases.push(case(format!("first-failed-{kind}-at-{first}"), metrics, REPLICAS, answers));
            let (metrics, answers): (Vec<MetricSpec>, Vec<Answer>) = both.into_iter().rev().unzip();
            cases.push(case(format!("last-failed-{kind}-at-{first}"), metrics, REPLICAS, answers));
        }
    }
    let four = || vec![object(), external(), per_pod(), cpu(ResourceTarget::AverageUtilization(50))];
    let four_answers = vec![of_object(90), of_external(150), of_pods(120), Answer::pods(125, 4)];
    cases.push(case("four", four(), REPLICAS, four_answers));
    cases.push(case("four-failed", four(), REPLICAS, vec![Answer::Failed; 4]));
    let but_one = vec![Answer::Failed, Answer::Failed, Answer::Failed, Answer::pods(500, 4)];
    cases.push(case("all-but-one-failed-up", four(), REPLICAS, but_one));
    let but_one = vec![Answer::Failed, of_external(20), Answer::Failed, Answer::Failed];
    cases.push(case("all-but-one-failed-down", four(), REPLICAS, but_one));
    cases.push(guard("guard-holds", 40, 110));
    cases.push(guard("guard-is-quiet", 80, 60));
    cases
}

/// As our users would write it: a metric that follows carbon, beside one that guards.
fn guard(name: &str, green: i64, load: i64) -> Case {
    let guard = MetricSpec::Pods { average_value_milli: TARGET * 127 / 100 };
    let answers = vec![of_object(green), Answer::pods(TARGET * load / 100, 4)];
    case(name, vec![object(), guard], REPLICAS, answers)
}

fn others(percent: i64) -> [(&'static str, MetricSpec, Answer); 2] {
    [("pods", per_pod(), of_pods(percent)), ("external", external(), of_external(percent))]
}

fn of_object(percent: i64) -> Answer {
    Answer::Value(TARGET * i64::from(REPLICAS) * percent / 100)
}

fn of_external(percent: i64) -> Answer {
    Answer::Values(vec![TARGET * i64::from(REPLICAS) * percent / 100])
}

fn of_pods(percent: i64) -> Answer {
    Answer::pods(TARGET * percent / 100, 4)
}
