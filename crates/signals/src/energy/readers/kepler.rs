//! Kepler 0.10 and later.
//!
//! Zones overlap: packages and memory are read, or the whole platform; never cores, never the split into active and
//! idle, which is utilisation times power and not idle power.

use super::{
    Context, Found, Placed,
    labels::{Own, text},
};
use crate::{
    energy::{
        reading::{Domain, Measure, Wraps, key_of},
        window::Exporter,
    },
    exposition::Sample,
};

/// Prometheus may scrape a target whose own labels have these names.
const ZONE: Own = Own { exported: "exported_zone", plain: "zone" };
const PATH: Own = Own { exported: "exported_path", plain: "path" };

pub(super) fn wanted(name: &str) -> bool {
    matches!(
        name,
        "kepler_node_cpu_joules_total"
            | "kepler_node_cpu_idle_joules_total"
            | "kepler_node_cpu_watts"
            | "kepler_node_cpu_usage_ratio"
            | "kepler_node_gpu_joules_total"
            | "kepler_platform_watts"
            | "kepler_pod_cpu_joules_total"
            | "kepler_pod_gpu_joules_total"
    )
}

pub(super) fn read(sample: &Sample<'_>, context: &mut Context) -> Option<Found> {
    let name = sample.name.strip_prefix("kepler_")?;
    match name {
        "node_cpu_joules_total" => node_counter(sample, |domain| Measure::Counter(domain, Wraps::RaplSum)),
        "node_cpu_idle_joules_total" => only_package(node_counter(sample, |_| Measure::IdleCounter), sample),
        "node_cpu_watts" => only_package(node_counter(sample, |_| Measure::Hint), sample),
        "node_cpu_usage_ratio" => Some(Found::node(sample.value, Measure::Utilization, 0)),
        "node_gpu_joules_total" if sample.labels.get("mode").is_none() => {
            let measure = Measure::Counter(Domain::Accelerators, Wraps::Restarts);
            Some(Found::node(sample.value, measure, accelerator(sample)))
        }
        "platform_watts" => {
            let part =
                key_of(&["source", "bmc_id", "chassis_id"].map(|label| text(&sample.labels, label).unwrap_or("")));
            Some(Found::node(sample.value, Measure::Power(Domain::Platform), part))
        }
        "pod_cpu_joules_total" => {
            let zone = ZONE.get(&sample.labels)?;
            pod_counter(sample, context, domain_of(zone)?, key_of(&[zone]))
        }
        "pod_gpu_joules_total" => pod_counter(sample, context, Domain::Accelerators, accelerator(sample)),
        _ => None,
    }
}

/// A platform meter beside the zone `psys`: one of the two.
pub(super) fn settle(readings: &mut Vec<Placed>) {
    let of_kepler = |placed: &Placed| placed.reading.exporter == Exporter::Kepler;
    let platform = Measure::Power(Domain::Platform);
    if readings.iter().any(|placed| of_kepler(placed) && placed.reading.measure == platform) {
        let psys = Measure::Counter(Domain::Platform, Wraps::RaplSum);
        readings
            .retain(|placed| !(of_kepler(placed) && placed.reading.measure == psys && placed.reading.pod.is_none()));
    }
    if has_platform_pods_beside_others(readings) {
        readings.retain(|placed| {
            !(of_kepler(placed)
                && placed.reading.pod.is_some()
                && placed.reading.measure.domain() == Some(Domain::Platform))
        });
    }
}

/// Pods are told apart by packages and memory where that is known; the zone `psys` contains both.
fn has_platform_pods_beside_others(readings: &[Placed]) -> bool {
    let pods = |domain: Domain| {
        readings.iter().any(|placed| {
            placed.reading.exporter == Exporter::Kepler
                && placed.reading.pod.is_some()
                && placed.reading.measure.domain() == Some(domain)
        })
    };
    pods(Domain::Platform) && pods(Domain::Package)
}

fn node_counter(sample: &Sample<'_>, measure: impl Fn(Domain) -> Measure) -> Option<Found> {
    let zone = ZONE.get(&sample.labels)?;
    let path = PATH.get(&sample.labels).unwrap_or_default();
    if is_invented(path, zone) {
        return Some(Found::node(sample.value, Measure::Fake, 0));
    }
    Some(Found::node(sample.value, measure(domain_of(zone)?), key_of(&[zone, path])))
}

/// A second opinion is asked for packages alone; the mark of the invented meter counts on every zone.
fn only_package(found: Option<Found>, sample: &Sample<'_>) -> Option<Found> {
    let domain = domain_of(ZONE.get(&sample.labels)?);
    found.filter(|found| found.measure == Measure::Fake || domain == Some(Domain::Package))
}

/// Kepler's development meter calls its files `energy_<zone>`; those of the kernel are called `energy_uj`.
fn is_invented(path: &str, zone: &str) -> bool {
    path.rsplit('/').next().and_then(|file| file.strip_prefix("energy_")).is_some_and(|of| of == zone)
}

fn domain_of(zone: &str) -> Option<Domain> {
    let kind = zone.trim_end_matches(|letter: char| letter.is_ascii_digit()).trim_end_matches('-');
    match kind {
        "package" => Some(Domain::Package),
        "dram" => Some(Domain::Dram),
        "psys" => Some(Domain::Platform),
        _ => None,
    }
}

fn accelerator(sample: &Sample<'_>) -> u64 {
    key_of(&["gpu", "gpu_uuid", "uuid", "gpu_id"].map(|label| text(&sample.labels, label).unwrap_or("")))
}

/// A terminated pod is a new series for Prometheus; here it goes on where the running one was.
fn pod_counter(sample: &Sample<'_>, context: &mut Context, domain: Domain, part: u64) -> Option<Found> {
    let labels = &sample.labels;
    let pod = context.pods.pod(text(labels, "pod_id"), text(labels, "pod_namespace"), text(labels, "pod_name"))?;
    let terminated = text(labels, "state") == Some("terminated");
    let measure = Measure::Counter(domain, Wraps::Restarts);
    Some(Found { pod: Some(pod), terminated, ..Found::node(sample.value, measure, part) })
}
