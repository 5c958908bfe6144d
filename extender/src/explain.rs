//! Why: the ranking of a reference pod, and the last decision about a real one, with every term of the equation.
//!
//! Numbers carry their unit in the name of the field. "Then" is what the decision saw; "now" is what the same pod
//! would cost at this moment, with the same code.

mod decision;
mod terms;

use jiff::Timestamp;
use kube_sci_cluster::{
    assess::{PodSubject, View, assess},
    objects::{CpuMillis, MemoryBytes, PodUid, Requests},
};
use kube_sci_report::NotSynced;
use sci_core::node::{PodDemand, ScoreScratch, score};
use serde::{Deserialize, Serialize};

pub use self::{
    decision::{ExplainError, Explanation, explain},
    terms::NodeTerms,
};
use crate::state::State;

/// What every answer is made with; changes whenever the same inputs give other numbers.
pub const FORMULA: &str = "marginal-sci/1";

/// A pod to rank nodes for: Kubernetes quantities, absent ones take the configured default.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferencePod {
    /// CPU request.
    pub cpu: Option<CpuMillis>,
    /// Memory request.
    pub memory: Option<MemoryBytes>,
}

/// All nodes for one pod, cheapest first; equal ones and those without a number by name.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeRanking {
    formula: &'static str,
    at: Timestamp,
    snapshot_generation: u64,
    snapshot_published_at: Timestamp,
    mode: &'static str,
    embodied_weight: f64,
    pod: Demand,
    known: usize,
    nodes: Vec<NodeTerms>,
}

/// What a pod asks for.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Demand {
    cpu_cores: f64,
    memory_bytes: f64,
}

impl From<PodDemand> for Demand {
    fn from(demand: PodDemand) -> Self {
        Self { cpu_cores: demand.cpu.get(), memory_bytes: demand.memory.get() }
    }
}

impl ReferencePod {
    fn demand(self, state: &State) -> PodDemand {
        let defaults = state.default_requests;
        let cpu = self.cpu.filter(|cpu| cpu.0 > 0).unwrap_or(defaults.cpu);
        Requests { cpu, memory: self.memory.unwrap_or(defaults.memory) }.demand()
    }
}

/// Ranks every node of the snapshot.
///
/// # Errors
/// [`NotSynced`] before nodes and pods were listed once.
pub fn rank(state: &State, pod: &ReferencePod, now: Timestamp) -> Result<NodeRanking, NotSynced> {
    let read = state.model.read();
    let view = read.view(now);
    if !view.snapshot.synced() {
        return Err(NotSynced);
    }
    let demand = pod.demand(state);
    let mut nodes = all_nodes(&view, &demand);
    nodes.sort_by(|a, b| by_cost(a.grams_per_core_hour, b.grams_per_core_hour).then_with(|| a.node.cmp(&b.node)));
    Ok(NodeRanking {
        formula: FORMULA,
        at: now,
        snapshot_generation: view.snapshot.generation(),
        snapshot_published_at: view.snapshot.published_at(),
        mode: state.mode.as_str(),
        embodied_weight: view.options.embodied_weight.get(),
        pod: demand.into(),
        known: nodes.iter().filter(|node| node.reason.is_none()).count(),
        nodes,
    })
}

fn all_nodes(view: &View<'_>, demand: &PodDemand) -> Vec<NodeTerms> {
    // No pod has this UID: what is assumed of others counts in full.
    let nobody = PodSubject::new(PodUid::new(""), *demand);
    let assessed: Vec<_> = view.snapshot.nodes().map(|(slot, node)| (node, assess(view, slot, &nobody))).collect();
    let costs: Vec<_> = assessed.iter().map(|(_, assessment)| assessment.cost()).collect();
    let mut scratch = ScoreScratch::default();
    let scores = score(&costs, &mut scratch).scores.iter();
    assessed
        .iter()
        .zip(scores)
        .map(|((node, assessment), &score)| NodeTerms::new(node, assessment, Some(score), view.now))
        .collect()
}

/// Cheapest first, unknown last.
fn by_cost(a: Option<f64>, b: Option<f64>) -> std::cmp::Ordering {
    a.unwrap_or(f64::INFINITY).total_cmp(&b.unwrap_or(f64::INFINITY))
}
