//! Metrics that are read from the state itself at scrape time.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use jiff::Timestamp;
use kube_sci_cluster::{assess::Model, snapshot::Snapshot};
use kube_sci_server::metrics::{MetricsRegistry, Spec, Unit};
use kube_sci_signals::grid::{ChainLink, ZoneState};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};

use super::encode::{self, count, flag, float};

/// When the scheduler last called. Before its first call: when this was made.
#[derive(Debug, Clone)]
pub struct LastCall(Arc<AtomicI64>);

impl LastCall {
    /// Counts from `now`.
    pub fn new(now: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(now.as_millisecond())))
    }

    /// The scheduler called at `now`.
    pub fn set(&self, now: Timestamp) {
        self.0.fetch_max(now.as_millisecond(), Ordering::Relaxed);
    }

    /// Seconds from the last call to `now`.
    pub fn idle_seconds(&self, now: Timestamp) -> f64 {
        let last = Timestamp::from_millisecond(self.0.load(Ordering::Relaxed)).unwrap_or(now);
        now.duration_since(last).as_secs_f64().max(0.0)
    }
}

/// Registers the figures of the snapshot and the time since the last call.
pub fn register(registry: &MetricsRegistry, model: &Model, last_call: LastCall) {
    registry.register_collector(Box::new(State { model: model.clone(), last_call }), specs());
}

#[derive(Debug)]
struct State {
    model: Model,
    last_call: LastCall,
}

const GENERATION: Spec = gauge("kube_sci_snapshot_generation", None, &[], "Snapshots published since start");
const AGE: Spec = gauge("kube_sci_snapshot_age", Some(Unit::Seconds), &[], "Time since the snapshot was published");
const SYNCED: Spec = gauge("kube_sci_snapshot_synced", None, &[], "1 once nodes, pods and namespaces were all listed");
const NODES: Spec = gauge("kube_sci_snapshot_nodes", None, &[], "Nodes in the snapshot");
const PODS: Spec = gauge("kube_sci_snapshot_pods", None, &[], "Bound, unfinished pods in the snapshot");
const ZONES: Spec = gauge(
    "kube_sci_snapshot_zones",
    None,
    &["link"],
    "Grid zones of the nodes, by the link of the source chain that answers for them",
);
const ASSUMED: Spec = gauge("kube_sci_assumptions_held", None, &[], "Decided pods not yet seen on a node");
const UNASSUMED: Spec = Spec {
    name: "kube_sci_assumptions_refused",
    unit: None,
    labels: &[],
    help: "Decided pods that were not assumed on any node: too many equal nodes, or too many pods",
};
const IDLE: Spec =
    gauge("kube_sci_extender_idle", Some(Unit::Seconds), &[], "Time since the scheduler last called, or since start");

const fn gauge(name: &'static str, unit: Option<Unit>, labels: &'static [&'static str], help: &'static str) -> Spec {
    Spec { name, unit, labels, help }
}

fn specs() -> impl Iterator<Item = (Spec, MetricType)> {
    let gauges = [GENERATION, AGE, SYNCED, NODES, PODS, ZONES, ASSUMED, IDLE];
    gauges.map(|spec| (spec, MetricType::Gauge)).into_iter().chain([(UNASSUMED, MetricType::Counter)])
}

impl Collector for State {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let (now, snapshot) = (Timestamp::now(), self.model.snapshot.load());
        let mut plain = |spec: &Spec, value: f64| {
            let help = format!("{}.", spec.help);
            let metric = encoder.encode_descriptor(spec.name, &help, spec.unit.as_ref(), MetricType::Gauge)?;
            ConstGauge::new(value).encode(metric)
        };
        plain(&GENERATION, float(snapshot.generation()))?;
        plain(&AGE, now.duration_since(snapshot.published_at()).as_secs_f64())?;
        plain(&SYNCED, flag(snapshot.synced()))?;
        plain(&NODES, count(snapshot.node_count()))?;
        plain(&PODS, count(snapshot.pod_count()))?;
        plain(&ASSUMED, count(self.model.assumptions.load().len()))?;
        plain(&IDLE, self.last_call.idle_seconds(now))?;
        encode_zones(&mut encoder, &snapshot)?;
        encode_refused(&mut encoder, self.model.assumptions.refused())
    }
}

fn encode_zones(encoder: &mut DescriptorEncoder, snapshot: &Snapshot) -> fmt::Result {
    encode::gauge(encoder, &ZONES, |series| {
        let mut links = ChainLink::ALL.into_iter().zip(zones_by_link(snapshot));
        links.try_for_each(|(link, zones)| series(&[("link", link.as_str())], count(zones)))
    })
}

/// Zones that a node stands in, in the order of [`ChainLink::ALL`].
fn zones_by_link(snapshot: &Snapshot) -> [usize; ChainLink::ALL.len()] {
    let links: Vec<ChainLink> = snapshot.inhabited_zones().map(ZoneState::link).collect();
    ChainLink::ALL.map(|link| links.iter().filter(|&&found| found == link).count())
}

fn encode_refused(encoder: &mut DescriptorEncoder, refused: u64) -> fmt::Result {
    let help = format!("{}.", UNASSUMED.help);
    let metric = encoder.encode_descriptor(UNASSUMED.name, &help, None, MetricType::Counter)?;
    ConstCounter::new(refused).encode(metric)
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

    #[test]
    fn idleness_counts_from_the_last_call_and_never_backwards() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let last_call = LastCall::new(at(100));
        assert!((last_call.idle_seconds(at(130)) - 30.0).abs() < 1e-9);
        last_call.set(at(120));
        last_call.set(at(110));
        assert!((last_call.idle_seconds(at(130)) - 10.0).abs() < 1e-9);
        assert!(last_call.idle_seconds(at(90)).abs() < 1e-9);
    }
}
