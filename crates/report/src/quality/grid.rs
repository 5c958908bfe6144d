use std::collections::BTreeMap;

use jiff::Timestamp;
use kube_sci_cluster::{assess::Model, snapshot::Snapshot};
use kube_sci_signals::grid::{Failure, QuestionStatus, SourceStatus, StatusHandle, ZoneState};
use sci_core::intensity::{Freshness, Zone};
use serde::Serialize;

/// One source of intensities.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GridSourceDocument {
    name: String,
    kind: &'static str,
    answering_since: Option<Timestamp>,
    last_success: Option<Timestamp>,
    age_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_failure: Option<FailureDocument>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    failures: BTreeMap<&'static str, u64>,
    refused_values: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_refused: Option<String>,
    calls_made: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    calls_left: Option<u32>,
    breaker: &'static str,
    next_attempt: Option<Timestamp>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    zones: Vec<QuestionDocument>,
}

/// One question of a source that is asked by zone.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct QuestionDocument {
    zones: Vec<String>,
    purpose: &'static str,
    last_success: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_failure: Option<FailureDocument>,
    next_attempt: Timestamp,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct FailureDocument {
    at: Timestamp,
    kind: &'static str,
    text: String,
}

/// One grid zone that a node stands in.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ZoneDocument {
    zone: String,
    link: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    grams_per_kwh: Option<f64>,
    source: Option<String>,
    quality: Option<&'static str>,
    signal: Option<&'static str>,
    scope: Option<&'static str>,
    start: Option<Timestamp>,
    age_seconds: Option<f64>,
    confidence: f64,
    /// Since when this link and source answer, or none does.
    since: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    silent_since: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_failure: Option<ZoneFailureDocument>,
}

/// The newest failure of a source to answer for a zone, where it did not answer since.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct ZoneFailureDocument {
    source: String,
    purpose: &'static str,
    #[serde(flatten)]
    failure: FailureDocument,
}

impl GridSourceDocument {
    /// As of now.
    pub fn new(status: &SourceStatus, now: Timestamp) -> Self {
        Self {
            name: status.name.to_string(),
            kind: status.kind,
            answering_since: status.answering_since,
            last_success: status.last_success,
            age_seconds: status.age(now).map(|age| age.as_secs_f64()),
            last_failure: status.last_failure.as_ref().map(FailureDocument::new),
            failures: status.failures.clone(),
            refused_values: status.refused_values,
            last_refused: status.last_refused.as_deref().map(str::to_owned),
            calls_made: status.calls.made,
            calls_left: status.calls.left,
            breaker: status.breaker.as_str(),
            next_attempt: status.next_attempt,
            zones: status.questions.iter().map(QuestionDocument::new).collect(),
        }
    }
}

impl QuestionDocument {
    fn new(question: &QuestionStatus) -> Self {
        Self {
            zones: question.zones.iter().map(ToString::to_string).collect(),
            purpose: question.purpose.as_str(),
            last_success: question.last_success,
            last_failure: question.last_failure.as_ref().map(FailureDocument::new),
            next_attempt: question.next_attempt,
        }
    }
}

impl FailureDocument {
    fn new(failure: &Failure) -> Self {
        Self { at: failure.at, kind: failure.kind, text: failure.text.to_string() }
    }
}

impl ZoneDocument {
    fn new(zone: &ZoneState, freshness: &Freshness, failures: &ZoneFailures, now: Timestamp) -> Self {
        let value = zone.at(now, freshness);
        let reading = value.as_ref().ok().map(|value| value.reading);
        Self {
            zone: zone.zone.to_string(),
            link: zone.link().as_str(),
            reason: value.as_ref().err().map(|reason| reason.as_str()),
            grams_per_kwh: reading.map(|reading| reading.value.get()),
            source: reading.map(|reading| reading.source.to_string()),
            quality: reading.map(|reading| reading.quality.as_str()),
            signal: reading.map(|reading| reading.signal.kind.as_str()),
            scope: reading.map(|reading| reading.signal.scope.as_str()),
            start: reading.map(|reading| reading.start),
            age_seconds: reading.map(|reading| reading.age(now).as_secs_f64()),
            confidence: value.as_ref().map_or(0.0, |value| value.confidence.get()),
            since: zone.since,
            silent_since: zone.silent_since,
            last_failure: failures.get(&zone.zone).cloned(),
        }
    }

    /// The link that answered.
    pub fn link(&self) -> &'static str {
        self.link
    }
}

type ZoneFailures = BTreeMap<Zone, ZoneFailureDocument>;

/// Every zone that a node stands in, by name.
pub(super) fn zones(model: &Model, snapshot: &Snapshot, now: Timestamp) -> Vec<ZoneDocument> {
    let (freshness, failures) = (&model.options.freshness, failures(&model.grid_sources));
    let zone = |zone: &ZoneState| ZoneDocument::new(zone, freshness, &failures, now);
    let mut zones: Vec<_> = snapshot.inhabited_zones().map(zone).collect();
    zones.sort_by(|a, b| a.zone.cmp(&b.zone));
    zones
}

fn failures(sources: &[StatusHandle]) -> ZoneFailures {
    let mut newest = ZoneFailures::default();
    for status in sources.iter().map(StatusHandle::load) {
        for question in &status.questions {
            let Some(failure) = &question.last_failure else { continue };
            for zone in &question.zones {
                if newest.get(zone).is_none_or(|known| known.failure.at < failure.at) {
                    let document = ZoneFailureDocument {
                        source: status.name.to_string(),
                        purpose: question.purpose.as_str(),
                        failure: FailureDocument::new(failure),
                    };
                    newest.insert(zone.clone(), document);
                }
            }
        }
    }
    newest
}
