//! Scaphandre.
//!
//! Sockets and memory are read one by one, each with its own range; the counter of the host is a sum of counters that
//! wrap on their own. Pods have no counter: the watts of their processes are added up.

use super::{Context, Found, Placed, labels::text};
use crate::{
    energy::{
        reading::{Domain, Measure, Wraps, key_of},
        window::Exporter,
    },
    exposition::Sample,
};

const MICROS: f64 = 1e6;
const PERCENT: f64 = 1e2;
/// Tells the host's counter from the zones: it is read only where there is nothing else.
const HOST: u64 = 0;

pub(super) fn wanted(name: &str) -> bool {
    matches!(
        name,
        "scaph_socket_energy_microjoules"
            | "scaph_domain_energy_microjoules"
            | "scaph_host_energy_microjoules"
            | "scaph_process_power_consumption_microwatts"
            | "scaph_process_cpu_usage_percentage"
    )
}

pub(super) fn read(sample: &Sample<'_>, context: &mut Context) -> Option<Found> {
    let labels = &sample.labels;
    let counter = |domain, part| Some(Found::node(sample.value / MICROS, Measure::Counter(domain, Wraps::Rapl), part));
    match sample.name.strip_prefix("scaph_")? {
        "socket_energy_microjoules" => counter(Domain::Package, key_of(&[text(labels, "socket_id")?])),
        "domain_energy_microjoules" if text(labels, "domain_name") == Some("dram") => {
            let part = ["socket_id", "domain_id"].map(|label| text(labels, label).unwrap_or_default());
            counter(Domain::Dram, key_of(&part))
        }
        "host_energy_microjoules" => {
            Some(Found::node(sample.value / MICROS, Measure::Counter(Domain::Platform, Wraps::RaplSum), HOST))
        }
        "process_power_consumption_microwatts" => {
            let pod = pod_of(sample, context)?;
            let measure = Measure::Power(Domain::Package);
            Some(Found { pod: Some(pod), ..Found::node(sample.value / MICROS, measure, process(sample)) })
        }
        "process_cpu_usage_percentage" => {
            let pod = pod_of(sample, context);
            Some(Found { pod, ..Found::node(sample.value / PERCENT, Measure::CpuShare, process(sample)) })
        }
        _ => None,
    }
}

/// The host's counter beside zones says nothing more, and is wrong after the first wrap.
pub(super) fn settle(readings: &mut Vec<Placed>) {
    let of_scaphandre = |placed: &Placed| placed.reading.exporter == Exporter::Scaphandre;
    let zones = readings.iter().any(|placed| {
        of_scaphandre(placed) && matches!(placed.reading.measure, Measure::Counter(Domain::Package | Domain::Dram, _))
    });
    if zones {
        readings.retain(|placed| {
            !(of_scaphandre(placed) && matches!(placed.reading.measure, Measure::Counter(Domain::Platform, _)))
        });
    }
}

fn pod_of(sample: &Sample<'_>, context: &mut Context) -> Option<std::sync::Arc<crate::energy::reading::Pod>> {
    let labels = &sample.labels;
    context.pods.pod(None, text(labels, "kubernetes_pod_namespace"), text(labels, "kubernetes_pod_name"))
}

fn process(sample: &Sample<'_>) -> u64 {
    key_of(&["pid", "exe"].map(|label| text(&sample.labels, label).unwrap_or_default()))
}
