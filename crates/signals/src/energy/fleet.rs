//! The meters of all nodes of one source.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use sci_core::quantity::{Cores, Watts};

use super::{
    EnergyAnswer, SampleCounts,
    directory::{NodeDirectory, NodeFacts},
    meter::{Meter, MeterCounts, MeterOptions},
    readers::Unplaced,
    reading::NodePage,
    window::{Exporter, GapReason, MeterId, Refusal, RefusedMeter, Route},
};
use crate::config::{EnergyConfig, EnergySourceConfig, TextDuration};

/// Before the first nodes are known nothing can be placed.
pub(super) const NODES_UNKNOWN: &str = "the nodes of the cluster are not known yet";
/// Stands where samples do not name any place at all.
const NOWHERE: &str = "(unnamed)";

/// One meter for each node of the directory that was heard of.
#[derive(Debug)]
pub(super) struct Fleet {
    directory: NodeDirectory,
    /// What all meters have in common.
    common: MeterOptions,
    meters: BTreeMap<Arc<str>, Meter>,
    unplaced_since: BTreeMap<(Exporter, Arc<str>), Timestamp>,
}

impl Fleet {
    /// `observed_every` is the time between two observations of a node.
    pub(super) fn new(
        config: &EnergyConfig,
        source: &EnergySourceConfig,
        (route, observed_every): (Route, Duration),
        directory: NodeDirectory,
    ) -> Self {
        let common = MeterOptions {
            node: Arc::default(),
            source: source.name.as_str().into(),
            route,
            window: config.window.get(),
            max_power: Watts::ZERO,
            cores: Cores::ZERO,
            alumet_poll_interval: source.alumet_poll_interval.get(),
            alumet_aggregation_interval: source.alumet_aggregation_interval.map(TextDuration::get),
            stale_after: config.patience(source),
            scrape_interval: observed_every,
        };
        Self { directory, common, meters: BTreeMap::new(), unplaced_since: BTreeMap::new() }
    }

    pub(super) const fn directory(&self) -> &NodeDirectory {
        &self.directory
    }

    /// A series that is silent for so long is gone.
    pub(super) const fn stale_after(&self) -> Duration {
        self.common.stale_after
    }

    /// Takes an observation of a node; one that the cluster does not have is left out.
    pub(super) fn observe(&mut self, node: &str, page: NodePage) {
        if let Some(facts) = self.directory.load().named(node).cloned() {
            self.meter(&facts).observe(page);
        }
    }

    /// A node had no observation. Before its first there is nothing to miss.
    pub(super) fn missed(&mut self, node: &str, at: Timestamp, reason: GapReason) {
        if let Some(meter) = self.meters.get_mut(node) {
            meter.missed(at, reason);
        }
    }

    /// No node had an observation.
    pub(super) fn missed_all(&mut self, at: Timestamp, reason: GapReason) {
        for meter in self.meters.values_mut() {
            meter.missed(at, reason);
        }
    }

    /// Everything that became known since the last answer.
    pub(super) fn answer(
        &mut self,
        now: Timestamp,
        counts: SampleCounts,
        partial: Option<Arc<str>>,
        unplaced: Vec<Unplaced>,
    ) -> EnergyAnswer {
        self.follow_directory();
        let mut answer = EnergyAnswer { partial, counts, ..EnergyAnswer::default() };
        for meter in self.meters.values_mut() {
            let output = meter.take(now);
            answer.windows.extend(output.windows);
            answer.gaps.extend(output.gaps);
            answer.refused.extend(output.refused);
            answer.counts.malformed += unusable(&output.counts);
        }
        answer.refused.extend(self.refuse_unplaced(now, unplaced));
        answer
    }

    fn meter(&mut self, facts: &NodeFacts) -> &mut Meter {
        let common = &self.common;
        self.meters.entry(Arc::clone(&facts.name)).or_insert_with(|| {
            Meter::new(MeterOptions {
                node: Arc::clone(&facts.name),
                max_power: facts.max_power,
                cores: facts.cores,
                ..common.clone()
            })
        })
    }

    /// Forgets nodes that have left the cluster, and learns what the others are now.
    fn follow_directory(&mut self) {
        let names = self.directory.load();
        self.meters.retain(|node, meter| {
            let facts = names.named(node);
            if let Some(facts) = facts {
                meter.set_limits(facts.max_power, facts.cores);
            }
            facts.is_some()
        });
    }

    fn refuse_unplaced(&mut self, now: Timestamp, unplaced: Vec<Unplaced>) -> Vec<RefusedMeter> {
        let mut since = BTreeMap::new();
        let mut refused = Vec::new();
        for Unplaced { exporter, instance, .. } in unplaced {
            let node: Arc<str> = if instance.is_empty() { NOWHERE.into() } else { instance };
            let key = (exporter, Arc::clone(&node));
            let first = self.unplaced_since.get(&key).copied().unwrap_or(now);
            if since.insert(key, first).is_none() {
                let meter = MeterId { source: self.common.source.clone(), route: self.common.route, exporter };
                refused.push(RefusedMeter { node, meter, refusal: Refusal::UnknownNode, since: first });
            }
        }
        self.unplaced_since = since;
        refused
    }
}

/// Values that were read and are of no use; second replicas are no fault.
const fn unusable(counts: &MeterCounts) -> u64 {
    counts.read.impossible + counts.read.clock + counts.over_limit + counts.overflow + counts.implausible_pods
}
