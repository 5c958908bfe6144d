use std::{cmp::Ordering, fmt, sync::Arc};

use jiff::Timestamp;
use sci_core::node::TIE_FRACTION;

use super::{Candidate, Decision, PodKey};

/// A decision held against the node that the pod was really bound to.
#[derive(Debug, Clone, PartialEq)]
pub struct BoundReport {
    /// The pod.
    pub pod: PodKey,
    /// Its UID.
    pub uid: Arc<str>,
    /// Where it runs.
    pub node: Arc<str>,
    /// When the binding was seen.
    pub at: Timestamp,
    /// Candidates with a footprint.
    pub known: usize,
    /// 1 plus the number of candidates cheaper than the bound node by more than the tie fraction.
    pub rank: usize,
    /// Footprint on the bound node.
    pub grams_per_hour: f64,
    /// Footprint on the cheapest candidate.
    pub best_grams_per_hour: f64,
    /// Footprint on the candidate in the middle of the ranking.
    pub median_grams_per_hour: f64,
    /// The part of the bound node's cost per core-hour that the cheapest candidate would have avoided, 0 to 1.
    pub regret_share: f64,
}

impl BoundReport {
    /// `None` where the node was no candidate or has no footprint: a pod with one feasible node is bound without
    /// asking for scores, and then an older decision may be all there is.
    pub fn new(decision: &Decision, node: &str, at: Timestamp) -> Option<Self> {
        let bound = decision.candidates.iter().find(|candidate| &*candidate.node == node)?;
        let bound_terms = bound.terms.ok()?;
        let ranking = ranking(&decision.candidates);
        let (best, median) = (ranking.first()?.1, ranking.get(ranking.len() / 2)?.1);
        let cost = f64::from(bound_terms.grams_per_core_hour);
        let cheaper = |other: f64| other * (1.0 + TIE_FRACTION) < cost;
        let costs = ranking.iter().map(|(_, terms)| f64::from(terms.grams_per_core_hour));
        let best_cost = f64::from(best.grams_per_core_hour);
        Some(Self {
            pod: decision.pod.clone(),
            uid: decision.uid.clone(),
            node: bound.node.clone(),
            at,
            known: ranking.len(),
            rank: 1 + costs.filter(|&other| cheaper(other)).count(),
            grams_per_hour: f64::from(bound_terms.grams_per_hour()),
            best_grams_per_hour: f64::from(best.grams_per_hour()),
            median_grams_per_hour: f64::from(median.grams_per_hour()),
            regret_share: if cost > 0.0 { 1.0 - best_cost / cost } else { 0.0 },
        })
    }
}

/// The text of the Event on the pod and of the explanation.
impl fmt::Display for BoundReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, grams_per_hour, known, median_grams_per_hour, .. } = self;
        write!(f, "bound to {node}: {} g/h, ", Grams(*grams_per_hour))?;
        match self.rank {
            1 => write!(f, "best of {known}")?,
            rank => write!(f, "rank {rank} of {known}, best {} g/h", Grams(self.best_grams_per_hour))?,
        }
        write!(f, "; median candidate {} g/h", Grams(*median_grams_per_hour))
    }
}

/// Two significant digits at least, without a long tail.
struct Grams(f64);

impl fmt::Display for Grams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.0;
        let decimals = if value >= 1.0 || value <= 0.0 {
            1
        } else if value >= 0.1 {
            2
        } else {
            4
        };
        write!(f, "{value:.decimals$}")
    }
}

/// Candidates with a footprint, cheapest first; equal costs by name, so that the order is the same everywhere.
pub(super) fn ranking(candidates: &[Candidate]) -> Vec<(&Candidate, &super::Terms)> {
    let mut known: Vec<_> =
        candidates.iter().filter_map(|candidate| Some((candidate, candidate.terms.as_ref().ok()?))).collect();
    known.sort_unstable_by(|(a, a_terms), (b, b_terms)| by_cost(a_terms, b_terms).then_with(|| a.node.cmp(&b.node)));
    known
}

fn by_cost(a: &super::Terms, b: &super::Terms) -> Ordering {
    a.grams_per_core_hour.total_cmp(&b.grams_per_core_hour)
}
