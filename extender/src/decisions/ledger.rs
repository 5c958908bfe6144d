//! The last decisions, bounded by what they hold.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use jiff::Timestamp;
use kube_sci_cluster::objects::PodUid;

use super::{BoundReport, Candidate, Decision, PodKey, report::ranking};

/// Candidates that are shown of a decision, and kept once its pod is bound, beside the bound one.
pub const SHOWN_CANDIDATES: usize = 10;

/// What one decision weighs beside its candidates, so that many small ones are bounded too.
const OVERHEAD_CANDIDATES: usize = 4;
/// What is left of a replaced decision until it leaves at the front.
const GAP: usize = 1;

/// A decision and its outcome.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The ranking; cut to the cheapest and the bound candidate once the pod is bound.
    pub decision: Decision,
    /// How many candidates there were.
    pub offered: usize,
    /// How many of them had a footprint.
    pub known: usize,
    /// Middle of the known ones.
    pub median_grams_per_hour: Option<f64>,
    /// Where the pod was bound, once seen.
    pub bound: Option<Bound>,
}

/// A binding that was seen.
#[derive(Debug, Clone)]
pub struct Bound {
    /// The node.
    pub node: Arc<str>,
    /// When the watch showed it.
    pub at: Timestamp,
    /// The comparison, where the node was among the ranked candidates.
    pub report: Option<BoundReport>,
}

/// What a binding means to the ledger.
#[derive(Debug, Clone, PartialEq)]
pub enum Binding {
    /// No decision about this pod is held.
    NoDecision,
    /// The node had no footprint, or was no candidate.
    NotRanked,
    /// The same binding was seen before.
    Repeated,
    /// The node held against the others.
    Ranked(BoundReport),
}

impl Entry {
    fn new(decision: Decision) -> Self {
        let ranking = ranking(&decision.candidates);
        let (offered, known) = (decision.candidates.len(), ranking.len());
        let median = ranking.get(known / 2).map(|(_, terms)| f64::from(terms.grams_per_hour()));
        Self { offered, known, median_grams_per_hour: median, bound: None, decision }
    }

    fn weight(&self) -> usize {
        self.decision.candidates.len() + OVERHEAD_CANDIDATES
    }

    /// What people want to see: the cheapest candidates, those without a footprint where there is room, and the
    /// bound one in any case.
    pub fn shown(&self) -> Vec<&Candidate> {
        let candidates = &self.decision.candidates;
        let known = ranking(candidates).into_iter().map(|(candidate, _)| candidate);
        let unknown = candidates.iter().filter(|candidate| candidate.terms.is_err());
        let mut shown: Vec<&Candidate> = known.chain(unknown).take(SHOWN_CANDIDATES).collect();
        if let Some(bound) = &self.bound
            && !shown.iter().any(|candidate| candidate.node == bound.node)
        {
            shown.extend(candidates.iter().find(|candidate| candidate.node == bound.node));
        }
        shown
    }

    fn bind(&mut self, bound: Bound) {
        self.bound = Some(bound);
        self.decision.candidates = self.shown().into_iter().cloned().collect();
    }
}

/// A ring of decisions with the newest of each pod at hand. Oldest leave first.
#[derive(Debug)]
pub struct Ledger {
    capacity: usize,
    weight: usize,
    // `None` marks a decision that a newer one for the same pod replaced; boxed, so that it takes a few bytes only.
    entries: VecDeque<Option<Box<Entry>>>,
    first: u64,
    newest: HashMap<PodKey, u64>,
}

impl Ledger {
    /// An empty ledger for `capacity` candidates over all decisions.
    pub fn new(capacity: usize) -> Self {
        Self { capacity, weight: 0, entries: VecDeque::new(), first: 0, newest: HashMap::new() }
    }

    /// Decisions held.
    pub fn len(&self) -> usize {
        self.newest.len()
    }

    /// Nothing is held.
    pub fn is_empty(&self) -> bool {
        self.newest.is_empty()
    }

    /// Candidates held, with the fixed share of each decision.
    pub fn weight(&self) -> usize {
        self.weight
    }

    /// Adds a decision; it replaces an earlier one for the same pod.
    pub fn insert(&mut self, decision: Decision) {
        let key = decision.pod.clone();
        let entry = Entry::new(decision);
        if let Some(old) = self.newest.get(&key).copied().and_then(|id| self.slot(id)).and_then(Option::take) {
            self.weight = self.weight - old.weight() + GAP;
        }
        self.weight += entry.weight();
        self.newest.insert(key, self.first + len_u64(&self.entries));
        self.entries.push_back(Some(Box::new(entry)));
        self.evict();
    }

    /// The newest decision about a pod.
    pub fn get(&self, pod: &PodKey) -> Option<&Entry> {
        let index = usize::try_from(self.newest.get(pod)?.checked_sub(self.first)?).ok()?;
        self.entries.get(index)?.as_deref()
    }

    /// Notes where a pod was bound.
    pub fn bind(&mut self, pod: &PodKey, uid: PodUid, node: &Arc<str>, at: Timestamp) -> Binding {
        let entry = self.newest.get(pod).copied().and_then(|id| self.slot(id)).and_then(Option::as_deref_mut);
        let Some(entry) = entry.filter(|entry| PodUid::new(&entry.decision.uid) == uid) else {
            return Binding::NoDecision;
        };
        if entry.bound.is_some() {
            return Binding::Repeated;
        }
        let report = BoundReport::new(&entry.decision, node, at);
        let before = entry.weight();
        entry.bind(Bound { node: node.clone(), at, report: report.clone() });
        let after = entry.weight();
        self.weight = self.weight - before + after;
        report.map_or(Binding::NotRanked, Binding::Ranked)
    }

    fn slot(&mut self, id: u64) -> Option<&mut Option<Box<Entry>>> {
        let index = usize::try_from(id.checked_sub(self.first)?).ok()?;
        self.entries.get_mut(index)
    }

    fn evict(&mut self) {
        // The newest decision stays even where it alone is over the limit.
        while self.entries.len() > 1 && (self.weight > self.capacity || matches!(self.entries.front(), Some(None))) {
            match self.entries.pop_front().flatten() {
                Some(entry) => {
                    self.weight -= entry.weight();
                    self.newest.remove(&entry.decision.pod);
                }
                None => self.weight -= GAP,
            }
            self.first += 1;
        }
    }
}

fn len_u64<T>(items: &VecDeque<T>) -> u64 {
    u64::try_from(items.len()).unwrap_or(u64::MAX)
}
