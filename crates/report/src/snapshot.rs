//! How large and how old the snapshot is. Read at scrape time.

use std::fmt;

use jiff::Timestamp;
use kube_sci_cluster::{assess::Model, snapshot::Snapshot};
use kube_sci_server::metrics::{MetricsRegistry, Spec, Unit};
use kube_sci_signals::grid::{ChainLink, ZoneState};
use prometheus_client::{collector::Collector, encoding::DescriptorEncoder, metrics::MetricType};

use crate::encode::{count, flag, float, gauge};

const GENERATION: Spec = plain("kube_sci_snapshot_generation", None, "Snapshots published since start");
const AGE: Spec = plain("kube_sci_snapshot_age", Some(Unit::Seconds), "Time since the snapshot was published");
const SYNCED: Spec = plain("kube_sci_snapshot_synced", None, "1 once nodes, pods and namespaces were all listed");
const NODES: Spec = plain("kube_sci_snapshot_nodes", None, "Nodes in the snapshot");
const PODS: Spec = plain("kube_sci_snapshot_pods", None, "Bound, unfinished pods in the snapshot");
const ZONES: Spec = Spec {
    name: "kube_sci_snapshot_zones",
    unit: None,
    labels: &["link"],
    help: "Grid zones of the nodes, by the link of the source chain that answers for them",
};

const fn plain(name: &'static str, unit: Option<Unit>, help: &'static str) -> Spec {
    Spec { name, unit, labels: &[], help }
}

/// Registers the figures of the snapshot.
pub fn register(registry: &MetricsRegistry, model: &Model, clock: fn() -> Timestamp) {
    let specs = [GENERATION, AGE, SYNCED, NODES, PODS, ZONES].map(|spec| (spec, MetricType::Gauge));
    registry.register_collector(Box::new(Figures { model: model.clone(), clock }), specs);
}

#[derive(Debug)]
struct Figures {
    model: Model,
    clock: fn() -> Timestamp,
}

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let (now, snapshot) = ((self.clock)(), self.model.snapshot.load());
        let mut one = |spec: &Spec, value: f64| gauge(&mut encoder, spec, |series| series(&[], value));
        one(&GENERATION, float(snapshot.generation()))?;
        one(&AGE, now.duration_since(snapshot.published_at()).as_secs_f64())?;
        one(&SYNCED, flag(snapshot.synced()))?;
        one(&NODES, count(snapshot.node_count()))?;
        one(&PODS, count(snapshot.pod_count()))?;
        gauge(&mut encoder, &ZONES, |series| {
            let mut links = ChainLink::ALL.into_iter().zip(zones_by_link(&snapshot));
            links.try_for_each(|(link, zones)| series(&[("link", link.as_str())], count(zones)))
        })
    }
}

/// Zones that a node stands in, in the order of [`ChainLink::ALL`].
fn zones_by_link(snapshot: &Snapshot) -> [usize; ChainLink::ALL.len()] {
    let links: Vec<ChainLink> = snapshot.inhabited_zones().map(ZoneState::link).collect();
    ChainLink::ALL.map(|link| links.iter().filter(|&&found| found == link).count())
}

#[cfg(test)]
mod tests {
    use kube_sci_cluster::{config::ModelConfig, index::Index, objects::NodeView};
    use serde_json::json;

    use super::*;

    fn node(name: &str, zone: &str) -> NodeView {
        let annotations = json!({ "kube-sci.dev/grid-zone": zone });
        serde_json::from_value(json!({ "metadata": { "name": name, "annotations": annotations } })).unwrap()
    }

    #[test]
    fn zones_that_no_node_stands_in_any_more_are_not_counted() {
        let mut index = Index::new(&ModelConfig::default()).unwrap();
        for (name, zone) in [("a", "DE"), ("b", "FR"), ("typo", "DEE"), ("gone", "DEEE")] {
            index.apply_node(&node(name, zone), Timestamp::UNIX_EPOCH);
        }
        index.apply_node(&node("typo", "DE"), Timestamp::UNIX_EPOCH);
        index.delete_node("gone");
        let snapshot = index.publish(Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(zones_by_link(&snapshot), [0, 0, 0, 0, 2, 0]);
    }
}
