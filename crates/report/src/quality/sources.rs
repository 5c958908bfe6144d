use std::collections::BTreeMap;

use jiff::Timestamp;
use kube_sci_cluster::energy::EnergySourceStatus;
use kube_sci_signals::energy::RefusedMeter;
use serde::Serialize;

use super::RefusedDocument;

/// One configured source of energy.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EnergySourceDocument {
    name: String,
    route: &'static str,
    /// `ok`, `partial`, `failing` or `waiting` for its first answer.
    state: &'static str,
    since: Option<Timestamp>,
    answered_at: Option<Timestamp>,
    age_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    partial: Option<String>,
    nodes: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unplaced: Vec<UnplacedDocument>,
    parsed_samples: u64,
    skipped_samples: u64,
    malformed_lines: u64,
    gaps: BTreeMap<&'static str, u64>,
}

/// A meter whose node nobody knows.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct UnplacedDocument {
    instance: String,
    #[serde(flatten)]
    refused: RefusedDocument,
}

impl UnplacedDocument {
    fn new(refused: &RefusedMeter) -> Self {
        Self { instance: refused.node.to_string(), refused: RefusedDocument::new(refused) }
    }
}

impl EnergySourceDocument {
    /// As of now.
    pub fn new(status: &EnergySourceStatus, now: Timestamp) -> Self {
        Self {
            name: status.name.to_string(),
            route: status.route.as_str(),
            state: status.state(),
            since: status.since,
            answered_at: status.answered_at,
            age_seconds: status.answered_at.map(|at| now.duration_since(at).as_secs_f64().max(0.0)),
            problem: status.problem.as_deref().map(str::to_owned),
            partial: status.partial.as_deref().map(str::to_owned),
            nodes: status.nodes,
            unplaced: status.unplaced.iter().map(UnplacedDocument::new).collect(),
            parsed_samples: status.counts.parsed,
            skipped_samples: status.counts.skipped,
            malformed_lines: status.counts.malformed,
            gaps: status.gaps.clone(),
        }
    }
}
