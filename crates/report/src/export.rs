//! Energy and carbon of nodes, pods and workloads, and the intensity of zones, for everybody who scrapes.
//!
//! Read from the snapshot at scrape time. Series are bounded by nodes, zones and `energy.maxExportedPods`.

mod accounts;
mod sources;
mod zones;

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use kube_sci_cluster::{assess::Model, energy::EnergySourceStatus, snapshot::Snapshot};
use kube_sci_server::metrics::{MetricsRegistry, Spec, Unit};
use prometheus_client::{collector::Collector, encoding::DescriptorEncoder, metrics::MetricType};

use crate::encode::{count, flag, gauge};

const POWER: Spec = Spec {
    name: "kube_sci_node_power_watts",
    unit: None,
    labels: &["node", "quality"],
    help: "Power of a node in watts: by its meter, else by its power curve at what is requested of it",
};
const IDLE_POWER: Spec = Spec {
    name: "kube_sci_node_idle_power_watts",
    unit: None,
    labels: &["node"],
    help: "Power of a node at rest in watts, by its power curve",
};
const METER_AGE: Spec = Spec {
    name: "kube_sci_node_meter_age",
    unit: Some(Unit::Seconds),
    labels: &["node", "source", "exporter"],
    help: "Time since the end of the last window of the meter that answers for a node",
};
const REFUSED: Spec = Spec {
    name: "kube_sci_refused_meters",
    unit: None,
    labels: &["node", "reason"],
    help: "Meters that are not believed at present, by node and reason; those of no known node have an empty `node`. \
           /v1/quality says what to do",
};
const SOURCE_UP: Spec = Spec {
    name: "kube_sci_energy_source_up",
    unit: None,
    labels: &["source", "state"],
    help: "1 for the present state of a source of energy: ok, partial, failing or waiting",
};

/// Registers everything that is read from the snapshot.
pub fn register(registry: &MetricsRegistry, model: &Model, clock: fn() -> Timestamp) {
    registry.register_collector(Box::new(Export { model: model.clone(), clock }), specs());
}

#[derive(Debug)]
struct Export {
    model: Model,
    clock: fn() -> Timestamp,
}

fn specs() -> impl Iterator<Item = (Spec, MetricType)> {
    let gauges = [POWER, IDLE_POWER, METER_AGE, REFUSED, SOURCE_UP];
    gauges
        .into_iter()
        .map(|spec| (spec, MetricType::Gauge))
        .chain(accounts::specs())
        .chain(zones::specs())
        .chain(sources::specs())
}

impl Collector for Export {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let now = (self.clock)();
        let snapshot = self.model.snapshot.load();
        nodes(&mut encoder, &snapshot, now)?;
        accounts::encode(&mut encoder, snapshot.accounts())?;
        zones::encode(&mut encoder, &snapshot, &self.model.options.freshness, now)?;
        sources::encode(&mut encoder, &self.model.grid_sources)
    }
}

fn nodes(encoder: &mut DescriptorEncoder, snapshot: &Snapshot, now: Timestamp) -> fmt::Result {
    gauge(encoder, &POWER, |series| {
        for (_, node) in snapshot.nodes() {
            let power = node.power();
            series(&[("node", &*node.name), ("quality", power.quality.as_str())], power.watts.get())?;
        }
        Ok(())
    })?;
    gauge(encoder, &IDLE_POWER, |series| {
        for (_, node) in snapshot.nodes() {
            series(&[("node", &*node.name)], node.hardware.curve.idle().get())?;
        }
        Ok(())
    })?;
    gauge(encoder, &METER_AGE, |series| {
        for (_, node) in snapshot.nodes() {
            let Some(power) = &node.meters.power else { continue };
            let labels =
                [("node", &*node.name), ("source", &*power.meter.source), ("exporter", power.meter.exporter.as_str())];
            series(&labels, now.duration_since(power.end).as_secs_f64().max(0.0))?;
        }
        Ok(())
    })?;
    gauge(encoder, &REFUSED, |series| {
        refused(snapshot)
            .into_iter()
            .try_for_each(|((node, reason), meters)| series(&[("node", node), ("reason", reason)], count(meters)))
    })?;
    gauge(encoder, &SOURCE_UP, |series| {
        for source in snapshot.energy_sources() {
            for state in EnergySourceStatus::STATES {
                series(&[("source", &*source.name), ("state", state)], flag(source.state() == state))?;
            }
        }
        Ok(())
    })
}

/// Meters that are not believed, by node and reason. What names no node is told together: the names that it gives are
/// not ours to bound.
fn refused(snapshot: &Snapshot) -> BTreeMap<(&str, &'static str), usize> {
    let placed = snapshot.nodes().flat_map(|(_, node)| node.meters.refused.iter().map(|meter| (&*node.name, meter)));
    let unplaced = snapshot.energy_sources().iter().flat_map(|source| source.unplaced.iter().map(|meter| ("", meter)));
    let mut meters = BTreeMap::new();
    for (node, meter) in placed.chain(unplaced) {
        *meters.entry((node, meter.refusal.as_str())).or_default() += 1;
    }
    meters
}
