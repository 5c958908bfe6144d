//! From a case to what is scripted, and to what the model reads.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use sci_core::scaling::hpa::{MetricReading as Reading, PodReading};

use super::{Answer, Case, PodValue, objects};
use crate::scripted_metrics::{Question, Said, Sample, ScriptedMetrics};

/// Window of every pod's value, in seconds.
const WINDOW: u32 = 10;

/// Makes the answers of a round the ones that are given, and returns them as the model reads them.
pub(super) fn set(
    metrics: &ScriptedMetrics,
    namespace: &str,
    case: &Case,
    round: usize,
    names: &BTreeMap<String, String>,
    started: Timestamp,
) -> Vec<Reading> {
    let answers = case.rounds.get(round).map(Vec::as_slice).unwrap_or_default();
    let mut said: Vec<(Question, Said)> = Vec::new();
    for (place, answer) in answers.iter().enumerate() {
        let Some(question) = objects::question(namespace, case, place) else { continue };
        let resource = case.spec.metrics.get(place).and_then(objects::resource).unwrap_or_default();
        let own = scripted(answer, resource, names, started);
        match said.iter_mut().find(|(other, _)| *other == question) {
            // Two resources of the same pods come in one answer.
            Some((_, other)) => *other = merged(other, &own),
            None => said.push((question, own)),
        }
    }
    for (question, said) in &said {
        metrics.set(question.clone(), said.clone());
    }
    let refused = |place| {
        let question = objects::question(namespace, case, place);
        said.iter().any(|(own, said)| Some(own) == question.as_ref() && matches!(said, Said::Refusal(..)))
    };
    let readings = answers.iter().enumerate();
    readings.map(|(place, answer)| if refused(place) { failed() } else { reading(answer, names, started) }).collect()
}

fn scripted(answer: &Answer, resource: &str, names: &BTreeMap<String, String>, started: Timestamp) -> Said {
    match answer {
        Answer::Value(milli) => Said::Samples(vec![Sample::of(*milli)]),
        Answer::Values(values) => Said::Samples(values.iter().map(|milli| Sample::of(*milli)).collect()),
        Answer::Failed => Said::Refusal(500, "scripted".to_owned()),
        Answer::Pods(values) => {
            let samples = in_order(names).zip(values).filter_map(|((name, _), value)| {
                let PodValue { milli, taken_seconds } = (*value)?;
                Some(Sample::usage(name, resource, milli).taken(later(started, taken_seconds), WINDOW))
            });
            Said::Samples(samples.collect())
        }
    }
}

fn merged(one: &Said, other: &Said) -> Said {
    match (one, other) {
        (Said::Samples(one), Said::Samples(other)) => {
            let samples = one.iter().map(|sample| {
                let mut sample = sample.clone();
                let same = other.iter().filter(|other| other.pod == sample.pod);
                sample.milli.extend(same.flat_map(|other| other.milli.clone()).collect::<Vec<_>>());
                sample
            });
            Said::Samples(samples.collect())
        }
        (Said::Refusal(..), _) => one.clone(),
        (Said::Samples(_), refusal) => refusal.clone(),
    }
}

fn reading(answer: &Answer, names: &BTreeMap<String, String>, started: Timestamp) -> Reading {
    match answer {
        Answer::Value(milli) => Reading::Value(*milli),
        Answer::Values(values) => Reading::Values(values.clone()),
        Answer::Failed => failed(),
        Answer::Pods(values) => {
            let readings = in_order(names).zip(values).filter_map(|((_, short), value)| {
                let PodValue { milli, taken_seconds } = (*value)?;
                let at = Some(later(started, taken_seconds));
                Some((short.as_str().into(), PodReading { milli, at, window_seconds: WINDOW }))
            });
            Reading::Pods(readings.collect())
        }
    }
}

fn failed() -> Reading {
    Reading::Failed("scripted".to_owned())
}

/// Real and short names in the order of the short ones.
fn in_order(names: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &String)> {
    let mut pairs: Vec<(usize, &str, &String)> = Vec::new();
    for (name, short) in names {
        let number = short.trim_start_matches('p').parse().unwrap_or(usize::MAX);
        pairs.push((number, name, short));
    }
    pairs.sort_unstable_by_key(|(number, ..)| *number);
    pairs.into_iter().map(|(_, name, short)| (name, short))
}

/// Whole seconds, as Kubernetes writes them.
pub(super) fn now() -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default()
}

fn later(at: Timestamp, seconds: i64) -> Timestamp {
    at.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(at)
}
