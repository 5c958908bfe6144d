//! How sources of energy fare.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use kube_sci_signals::{
    config::EnergySourceConfig,
    energy::{EnergyAnswer, RefusedMeter, Route, SampleCounts},
};

/// One configured source.
#[derive(Debug, Clone, PartialEq)]
pub struct EnergySourceStatus {
    /// Its name.
    pub name: Arc<str>,
    /// The way on which it is asked.
    pub route: Route,
    /// When it answered last.
    pub answered_at: Option<Timestamp>,
    /// Since when every question was answered, or none was.
    pub since: Option<Timestamp>,
    /// Why it did not answer the last question, if so.
    pub problem: Option<Arc<str>>,
    /// Why the last answer may lack nodes.
    pub partial: Option<Arc<str>>,
    /// Meters whose node nobody knows.
    pub unplaced: Vec<RefusedMeter>,
    /// Nodes in the last answer that had a window.
    pub nodes: usize,
    /// Samples since start, by what became of them.
    pub counts: SampleCounts,
    /// Gaps since start, by reason.
    pub gaps: BTreeMap<&'static str, u64>,
}

impl EnergySourceStatus {
    pub(crate) fn new(config: &EnergySourceConfig) -> Self {
        let route = match config {
            EnergySourceConfig { prometheus: Some(_), .. } => Route::Prometheus,
            EnergySourceConfig { otlp: Some(_), .. } => Route::Otlp,
            _ => Route::Scrape,
        };
        Self {
            name: config.name.as_str().into(),
            route,
            answered_at: None,
            since: None,
            problem: None,
            partial: None,
            unplaced: Vec::new(),
            nodes: 0,
            counts: SampleCounts::default(),
            gaps: BTreeMap::new(),
        }
    }

    /// Every state.
    pub const STATES: [&'static str; 4] = ["ok", "partial", "failing", "waiting"];

    /// `ok`, `partial`, `failing`, or `waiting` for the first answer.
    pub fn state(&self) -> &'static str {
        match (&self.problem, &self.partial, self.answered_at) {
            (Some(_), ..) => "failing",
            (None, Some(_), _) => "partial",
            (None, None, Some(_)) => "ok",
            (None, None, None) => "waiting",
        }
    }

    pub(crate) fn answered(&mut self, answer: &EnergyAnswer, now: Timestamp) {
        if self.problem.take().is_some() || self.since.is_none() {
            self.since = Some(now);
        }
        self.answered_at = Some(now);
        self.partial.clone_from(&answer.partial);
        self.counts += answer.counts;
        if !answer.windows.is_empty() {
            let mut nodes: Vec<&str> = answer.windows.iter().map(|window| &*window.node).collect();
            nodes.sort_unstable();
            nodes.dedup();
            self.nodes = nodes.len();
        }
        for gap in &answer.gaps {
            *self.gaps.entry(gap.reason.as_str()).or_default() += 1;
        }
    }

    pub(crate) fn failed(&mut self, problem: &str, now: Timestamp) {
        if self.problem.is_none() {
            self.since = Some(now);
        }
        self.problem = Some(problem.into());
    }
}
