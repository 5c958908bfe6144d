use jiff::Timestamp;
use kube_sci_cluster::{
    assess::{PodSubject, View, assess_named},
    objects::PodUid,
};
use sci_core::node::{NeutralReason, Score};
use serde::Serialize;

use super::{Demand, FORMULA, NodeTerms};
use crate::{
    decisions::{Candidate, PodKey, Terms, ledger::Entry},
    state::State,
};

/// Nothing is known about a pod.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no decision about {namespace}/{pod} is held: check the names; decisions are held until \
     decisions.maxCandidates is reached or the extender restarts, and by the replica that made them; a pod that \
     opted out is not ranked, and one with a single feasible node is bound without asking for scores"
)]
pub struct ExplainError {
    namespace: String,
    pod: String,
}

/// The last decision about one pod.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    formula: &'static str,
    pod: PodDocument,
    text: String,
    mode: &'static str,
    decided_at: Timestamp,
    decided_with_snapshot_generation: u64,
    explained_at: Timestamp,
    explained_with_snapshot_generation: u64,
    candidates: usize,
    known: usize,
    median_grams_per_hour: Option<f64>,
    bound: Option<BoundDocument>,
    nodes: Vec<NodeDocument>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PodDocument {
    namespace: String,
    name: String,
    uid: String,
    #[serde(flatten)]
    demand: Demand,
}

/// Where the pod really went.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct BoundDocument {
    node: String,
    at: Timestamp,
    rank: Option<usize>,
    grams_per_hour: Option<f64>,
    best_grams_per_hour: Option<f64>,
    avoidable_share: Option<f64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NodeDocument {
    node: String,
    bound: bool,
    then: ThenDocument,
    /// Absent where the node has left.
    now: Option<NodeTerms>,
}

/// What the decision saw.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ThenDocument {
    score: Score,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    grams_per_hour: Option<f32>,
    grams_per_core_hour: Option<f32>,
    grams_per_kwh: Option<f32>,
    marginal_watts: Option<f32>,
    activation_watts: Option<f32>,
    operational_grams_per_hour: Option<f32>,
    embodied_grams_per_hour: Option<f32>,
}

/// Explains the last decision about a pod: its cheapest candidates and the node that it was bound to.
///
/// # Errors
/// [`ExplainError`] where no decision is held.
pub async fn explain(state: &State, namespace: &str, pod: &str, now: Timestamp) -> Result<Explanation, ExplainError> {
    let key = PodKey { namespace: namespace.into(), name: pod.into() };
    match state.recorder.newest(key).await {
        Some(entry) => Ok(Explanation::new(state, &entry, now)),
        None => Err(ExplainError { namespace: namespace.to_owned(), pod: pod.to_owned() }),
    }
}

impl Explanation {
    fn new(state: &State, entry: &Entry, now: Timestamp) -> Self {
        let read = state.model.read();
        let view = read.view(now);
        let decision = &entry.decision;
        Self {
            formula: FORMULA,
            pod: PodDocument {
                namespace: decision.pod.namespace.to_string(),
                name: decision.pod.name.to_string(),
                uid: decision.uid.to_string(),
                demand: decision.demand.into(),
            },
            text: text(entry),
            mode: decision.mode.as_str(),
            decided_at: decision.at,
            decided_with_snapshot_generation: decision.generation,
            explained_at: now,
            explained_with_snapshot_generation: view.snapshot.generation(),
            candidates: entry.offered,
            known: entry.known,
            median_grams_per_hour: entry.median_grams_per_hour,
            bound: bound(entry),
            nodes: entry.shown().into_iter().map(|candidate| NodeDocument::new(entry, candidate, &view)).collect(),
        }
    }
}

fn text(entry: &Entry) -> String {
    match &entry.bound {
        None => "not seen bound yet".to_owned(),
        Some(bound) => match &bound.report {
            Some(report) => report.to_string(),
            None => format!("bound to {}, which had no footprint when the others were ranked", bound.node),
        },
    }
}

fn bound(entry: &Entry) -> Option<BoundDocument> {
    let bound = entry.bound.as_ref()?;
    let report = bound.report.as_ref();
    Some(BoundDocument {
        node: bound.node.to_string(),
        at: bound.at,
        rank: report.map(|report| report.rank),
        grams_per_hour: report.map(|report| report.grams_per_hour),
        best_grams_per_hour: report.map(|report| report.best_grams_per_hour),
        avoidable_share: report.map(|report| report.regret_share),
    })
}

impl NodeDocument {
    fn new(entry: &Entry, candidate: &Candidate, view: &View<'_>) -> Self {
        let decision = &entry.decision;
        let subject =
            PodSubject::new(PodUid::new(&decision.uid), decision.demand).of_workload(decision.workload, view.snapshot);
        let assessment = assess_named(view, &candidate.node, &subject);
        Self {
            node: candidate.node.to_string(),
            bound: entry.bound.as_ref().is_some_and(|bound| bound.node == candidate.node),
            then: ThenDocument::new(candidate),
            now: assessment.node.map(|node| NodeTerms::new(node, &assessment, None, view.now)),
        }
    }
}

impl ThenDocument {
    fn new(candidate: &Candidate) -> Self {
        let terms = candidate.terms.as_ref().ok();
        let term = |of: fn(&Terms) -> f32| terms.map(of);
        Self {
            score: candidate.score,
            reason: candidate.terms.err().map(NeutralReason::as_str),
            grams_per_hour: term(Terms::grams_per_hour),
            grams_per_core_hour: term(|terms| terms.grams_per_core_hour),
            grams_per_kwh: term(|terms| terms.grams_per_kwh),
            marginal_watts: term(|terms| terms.marginal_watts),
            activation_watts: term(|terms| terms.activation_watts),
            operational_grams_per_hour: term(|terms| terms.operational_grams_per_hour),
            embodied_grams_per_hour: term(|terms| terms.embodied_grams_per_hour),
        }
    }
}
