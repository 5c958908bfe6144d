//! Energy and carbon of nodes, pods and workloads, and the intensity of zones, for everybody who scrapes.
//!
//! Read from the snapshot at scrape time. Series are bounded by nodes, zones and `energy.maxExportedPods`.

mod accounts;
mod sources;
mod zones;

use std::fmt;

use jiff::Timestamp;
use kube_sci_cluster::{assess::Model, snapshot::Snapshot};
use kube_sci_server::metrics::{MetricsRegistry, Spec, Unit};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};

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
    labels: &["reason"],
    help: "Meters that are not believed at present, by reason; /v1/quality names them",
};
const SOURCE_UP: Spec = Spec {
    name: "kube_sci_energy_source_up",
    unit: None,
    labels: &["source", "state"],
    help: "1 for the present state of a source of energy: ok, partial, failing or waiting",
};

const REFUSALS: [&str; 6] = ["fake-meter", "too-low", "too-high", "all-idle", "frozen", "unknown-node"];

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
        for reason in REFUSALS {
            let unplaced = snapshot.energy_sources().iter().flat_map(|source| &source.unplaced);
            let refused = snapshot.nodes().flat_map(|(_, node)| &node.meters.refused).chain(unplaced);
            let found = refused.filter(|meter| meter.refusal.as_str() == reason).count();
            series(&[("reason", reason)], u32::try_from(found).map_or(f64::INFINITY, f64::from))?;
        }
        Ok(())
    })?;
    gauge(encoder, &SOURCE_UP, |series| {
        for source in snapshot.energy_sources() {
            for state in ["ok", "partial", "failing", "waiting"] {
                let value = f64::from(u8::from(source.state() == state));
                series(&[("source", &*source.name), ("state", state)], value)?;
            }
        }
        Ok(())
    })
}

/// Writes one series of a family.
type Series<'s> = dyn FnMut(&[(&'static str, &str)], f64) -> fmt::Result + 's;

fn gauge(
    encoder: &mut DescriptorEncoder,
    spec: &Spec,
    write: impl FnOnce(&mut Series<'_>) -> fmt::Result,
) -> fmt::Result {
    family(encoder, spec, MetricType::Gauge, write, |value, encoder| ConstGauge::new(value).encode(encoder))
}

fn counter(
    encoder: &mut DescriptorEncoder,
    spec: &Spec,
    write: impl FnOnce(&mut Series<'_>) -> fmt::Result,
) -> fmt::Result {
    family(encoder, spec, MetricType::Counter, write, |value, encoder| ConstCounter::new(value).encode(encoder))
}

fn family(
    encoder: &mut DescriptorEncoder,
    spec: &Spec,
    kind: MetricType,
    write: impl FnOnce(&mut Series<'_>) -> fmt::Result,
    encode: impl Fn(f64, MetricEncoder<'_>) -> fmt::Result,
) -> fmt::Result {
    let help = format!("{}.", spec.help);
    let mut metric = encoder.encode_descriptor(spec.name, &help, spec.unit.as_ref(), kind)?;
    write(&mut |labels, value| encode(value, metric.encode_family(&labels)?))
}
