//! The situations that are recorded. Nothing is drawn at random: a recording can be made again.

mod amounts;
mod bounds;
mod pods;
mod sequences;
mod several;

use sci_core::scaling::hpa::{MetricSpec, ResourceTarget, Spec, Target};

use super::{Answer, Case};

/// What most metrics are compared with, in thousandths.
const TARGET: i64 = 100_000;
/// Values in percent of what would change nothing: both edges of the tolerance, just inside, on and outside of them.
const PERCENT: [i64; 13] = [0, 40, 85, 89, 90, 91, 99, 100, 109, 110, 111, 150, 300];
/// CPU that every pod requests where a case does not say otherwise, in thousandths of a core.
const REQUEST: i64 = 500;

/// Every situation.
pub fn all() -> Vec<Case> {
    let parts = [amounts::cases(), pods::cases(), several::cases(), bounds::cases(), sequences::cases()];
    parts.into_iter().flatten().collect()
}

/// A part of them that holds some of every kind.
pub fn sample() -> Vec<Case> {
    all().into_iter().step_by(7).collect()
}

/// One that asks for every group of metrics.
pub(super) fn warm_up() -> Case {
    let metrics = vec![object(), external(), per_pod(), cpu(ResourceTarget::AverageUtilization(50))];
    let answers = vec![Answer::Value(TARGET), Answer::Values(vec![TARGET]), Answer::Failed, Answer::Failed];
    case("warm-up", metrics, 1, answers)
}

fn object() -> MetricSpec {
    MetricSpec::Object { target: Target::AverageValueMilli(TARGET) }
}

fn external() -> MetricSpec {
    MetricSpec::External { target: Target::AverageValueMilli(TARGET) }
}

fn per_pod() -> MetricSpec {
    MetricSpec::Pods { average_value_milli: TARGET }
}

fn cpu(target: ResourceTarget) -> MetricSpec {
    MetricSpec::Resource { name: "cpu".into(), target }
}

/// One round with from 1 to 20 replicas.
fn case(name: impl Into<String>, metrics: Vec<MetricSpec>, replicas: i32, answers: Vec<Answer>) -> Case {
    Case {
        name: name.into(),
        spec: Spec { min_replicas: 1, max_replicas: 20, metrics, behavior: None },
        replicas,
        unready: 0,
        request_milli: Some(REQUEST),
        extras: Vec::new(),
        rounds: vec![answers],
    }
}

fn count(replicas: i32) -> usize {
    usize::try_from(replicas).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn there_are_enough_cases_and_each_is_whole() {
        let cases = all();
        assert!(cases.len() >= 200, "{}", cases.len());
        let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(names.len(), cases.len(), "names are unique");
        for case in &cases {
            let metrics = case.spec.metrics.len();
            assert!(metrics > 0 && !case.rounds.is_empty(), "{}", case.name);
            assert!(case.rounds.iter().all(|round| round.len() == metrics), "{}: an answer for each metric", case.name);
            assert!(case.name.len() <= 50 && !case.name.contains(['_', ' ']), "{} names objects", case.name);
            assert!(case.unready <= count(case.replicas), "{}", case.name);
        }
        assert!(
            sample().len() >= 25 && sample().iter().any(|case| case.rounds.len() > 1),
            "a sample has sequences too"
        );
    }
}
