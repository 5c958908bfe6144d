//! The page of ALUMET, and its points.

use std::sync::Arc;

use super::measure::{Measurement, PodMeasurement};
use super::names::{GRAMS_CO2, JOULES, MILLISECONDS, Metric, NANOSECONDS, PERCENT};
use super::{Alumet, AlumetPoint};
use crate::simulation::node::LiveNode;
use crate::simulation::page::{self, labels, sample};
use crate::simulation::random::shuffle;
use crate::simulation::workload::SimulatedPod;

/// Attributes and value of a point.
type Row = (Vec<(&'static str, String)>, f64);

struct Family {
    metric: Metric,
    /// The aggregation sums it.
    summed: bool,
    rows: Vec<Row>,
}

/// Plugin energy-to-carbon of the recorded pages.
const GRAMS_PER_JOULE: f64 = 475.0 / 3.6e6;
/// Plugin energy-estimation-tdp of the recorded pages.
const TDP_WATTS: f64 = 100.0;
/// Cores that per-core families list.
const CORES_LISTED: u32 = 2;
const CPU_STATES: [&str; 9] = ["user", "nice", "system", "idle", "irq", "softirq", "steal", "guest", "guest_nice"];

pub(super) fn write(text: &mut String, alumet: &Alumet, node: &LiveNode, measurement: &Measurement, seed: u64) {
    for (mut family, place) in families(alumet, node, measurement).into_iter().zip(0..) {
        let summed = family.summed && alumet.aggregation.is_some();
        let name = alumet.version.name(&family.metric, summed);
        page::family(text, &name, &format!("{}.", family.metric.help), "gauge");
        if let Some(unit) = alumet.version.unit_line(&family.metric) {
            text.extend(["# UNIT ", &name, " ", unit, "\n"]);
        }
        shuffle(&mut family.rows, seed ^ place);
        for (attributes, value) in &family.rows {
            let pairs: Vec<(&str, &str)> = attributes.iter().map(|(key, value)| (*key, value.as_str())).collect();
            sample(text, &name, &labels(&pairs), &format!("{value:?}"));
        }
    }
}

/// The energy metrics of one poll.
pub(super) fn points(alumet: &Alumet, node: &LiveNode, measurement: &Measurement) -> Vec<AlumetPoint> {
    let mut points = Vec::new();
    for family in [rapl(measurement), attributed(alumet, node, measurement), percent(node, measurement)] {
        let unit = if family.metric.unit == Some(JOULES) { "J" } else { "%" };
        let name = format!("{}_alumet", family.metric.base);
        points.extend(family.rows.into_iter().map(|(attributes, value)| AlumetPoint {
            name: name.clone(),
            unit,
            at: measurement.at,
            skew_seconds: 0.0,
            value,
            attributes,
        }));
    }
    points
}

fn families(alumet: &Alumet, node: &LiveNode, measurement: &Measurement) -> Vec<Family> {
    let (rapl, attributed) = (rapl(measurement), attributed(alumet, node, measurement));
    let mut families = vec![cpu_time(node, measurement), percent(node, measurement)];
    if !alumet.other_families {
        families.extend([rapl, attributed]);
        return families;
    }
    let estimated = estimated(measurement);
    let grams = [&rapl, &attributed, &estimated].into_iter().flat_map(|family| &family.rows);
    let carbon = Family {
        metric: Metric::new(
            "carbon_emission",
            "Carbon emission in grams of CO2 equivalent, computed from energy consumption and emission intensity.",
            Some(GRAMS_CO2),
        ),
        summed: false,
        rows: grams.map(|(attributes, joules)| (attributes.clone(), joules * GRAMS_PER_JOULE)).collect(),
    };
    let switches = Family {
        metric: Metric::new("kernel_context_switches", "number of context switches", None),
        summed: false,
        rows: vec![(machine(&[]), (measurement.busy_seconds * 4_000.0).round())],
    };
    families.extend([rapl, attributed, carbon, kernel_time(measurement), switches, estimated]);
    families
}

fn rapl(measurement: &Measurement) -> Family {
    let mut rows = vec![
        (machine(&[("domain", "package_total")]), measurement.package()),
        (machine(&[("domain", "dram_total")]), measurement.dram()),
    ];
    rows.extend(measurement.platform.map(|joules| (machine(&[("domain", "platform_total")]), joules)));
    let parts = [("package", "cpu_package", &measurement.packages), ("dram", "dram", &measurement.drams)];
    for (domain, kind, all) in parts {
        for (socket, joules) in all.iter().enumerate() {
            rows.push((resource(&[("domain", domain)], kind, &socket.to_string()), *joules));
        }
    }
    let help = "Energy consumed since the previous measurement, as reported by RAPL.";
    Family { metric: Metric::new("rapl_consumed_energy", help, Some(JOULES)), summed: true, rows }
}

fn attributed(alumet: &Alumet, node: &LiveNode, measurement: &Measurement) -> Family {
    let mut rows = Vec::new();
    for (pod, measured) in measured_pods(node, measurement) {
        rows.push((of_pod(node, &pod, "total", Some("package_total")), measured.attributed));
    }
    let help = "Energy attribution (since the previous value) per consumer and per resource";
    Family { metric: Metric::new(&alumet.attribution, help, Some(JOULES)), summed: true, rows }
}

fn percent(node: &LiveNode, measurement: &Measurement) -> Family {
    let metric = Metric::new("cpu_percent", "CPU usage percent", Some(PERCENT));
    Family { metric, summed: false, rows: by_kind(node, measurement, |pod| pod.percent) }
}

fn cpu_time(node: &LiveNode, measurement: &Measurement) -> Family {
    let help = "Time spent executing on the CPU since the previous measurement";
    // Called nanoseconds; under cgroup v2 the numbers are microseconds.
    let rows = by_kind(node, measurement, |pod| (pod.cpu_seconds * 1e6).round());
    Family { metric: Metric::new("cpu_time_delta", help, Some(NANOSECONDS)), summed: false, rows }
}

/// Total, user and system time; the system's part is a fiftieth.
fn by_kind(node: &LiveNode, measurement: &Measurement, value: impl Fn(&PodMeasurement) -> f64) -> Vec<Row> {
    let mut rows = Vec::new();
    for (pod, measured) in measured_pods(node, measurement) {
        for (kind, part) in [("total", 1.0), ("user", 0.98), ("system", 0.02)] {
            rows.push((of_pod(node, &pod, kind, None), value(&measured) * part));
        }
    }
    rows
}

fn kernel_time(measurement: &Measurement) -> Family {
    let rows = by_state(measurement, |seconds| (seconds * 1e3).round());
    Family { metric: Metric::new("kernel_cpu_time", "busy CPU time", Some(MILLISECONDS)), summed: false, rows }
}

fn estimated(measurement: &Measurement) -> Family {
    let help = "CPU's estimated energy consumption";
    let rows = by_state(measurement, |seconds| seconds * TDP_WATTS);
    let metric = Metric::new("estimated_consumed_energy", help, Some(JOULES));
    Family { metric, summed: false, rows }
}

/// Busy time by state: for the machine, and for some cores.
fn by_state(measurement: &Measurement, value: impl Fn(f64) -> f64) -> Vec<Row> {
    let mut rows = Vec::new();
    for state in CPU_STATES {
        let part = match state {
            "user" => 0.9,
            "system" => 0.1,
            _ => 0.0,
        };
        let seconds = measurement.busy_seconds * part;
        rows.push((machine(&[("cpu_state", state)]), value(seconds)));
        for core in 0..CORES_LISTED {
            let attributes = resource(&[("cpu_state", state)], "cpu_core", &core.to_string());
            rows.push((attributes, value(seconds / f64::from(CORES_LISTED))));
        }
    }
    rows
}

fn measured_pods(node: &LiveNode, measurement: &Measurement) -> Vec<(Arc<SimulatedPod>, PodMeasurement)> {
    let pods = node.pods();
    let measured = pods.iter().zip(&measurement.pods);
    measured.filter_map(|(pod, measured)| measured.map(|measured| (Arc::clone(pod), measured))).collect()
}

fn of_pod(node: &LiveNode, pod: &SimulatedPod, kind: &str, domain: Option<&str>) -> Vec<(&'static str, String)> {
    let slice = pod.uid.replace('-', "_");
    let group = format!("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{slice}.slice");
    let own = [
        ("domain", domain.unwrap_or_default()),
        ("kind", kind),
        ("name", &pod.name),
        ("namespace", &pod.namespace),
        ("node", node.name()),
        ("resource_consumer_id", &group),
        ("resource_consumer_kind", "cgroup"),
        ("resource_id", ""),
        ("resource_kind", "local_machine"),
        ("uid", &pod.uid),
    ];
    own.into_iter().skip(usize::from(domain.is_none())).map(|(key, value)| (key, value.to_owned())).collect()
}

fn machine(own: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    resource(own, "local_machine", "")
}

/// Consumed by the machine itself. Keys are sorted: all own ones come before `r`.
fn resource(own: &[(&'static str, &str)], kind: &str, id: &str) -> Vec<(&'static str, String)> {
    let common = [
        ("resource_consumer_id", ""),
        ("resource_consumer_kind", "local_machine"),
        ("resource_id", id),
        ("resource_kind", kind),
    ];
    own.iter().copied().chain(common).map(|(key, value)| (key, value.to_owned())).collect()
}
