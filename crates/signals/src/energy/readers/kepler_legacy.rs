//! Kepler up to 0.9: two modes of everything, containers instead of pods.

use super::{
    Context, Found,
    labels::{Own, text},
};
use crate::{
    energy::reading::{Domain, Measure, Wraps, key_of},
    exposition::Sample,
};

/// Says that nothing was measured.
const TRAINED: &str = "trained_power_model";
const PACKAGE: Own = Own { exported: "exported_package", plain: "package" };
const MODE: Own = Own { exported: "exported_mode", plain: "mode" };
const SOURCE: Own = Own { exported: "exported_source", plain: "source" };

pub(super) fn wanted(name: &str) -> bool {
    name.strip_prefix("kepler_").is_some_and(|name| node_domain(name).is_some() || container_domain(name).is_some())
}

pub(super) fn read(sample: &Sample<'_>, context: &mut Context) -> Option<Found> {
    let name = sample.name.strip_prefix("kepler_")?;
    let labels = &sample.labels;
    // Without it, this is a series of the new Kepler.
    let mode = MODE.get(labels)?;
    let source = SOURCE.get(labels).unwrap_or_default();
    if let Some(domain) = node_domain(name) {
        let part = key_of(&[PACKAGE.get(labels).unwrap_or_default(), mode, source]);
        let found = Found::node(sample.value, Measure::Counter(domain, Wraps::Restarts), part);
        return Some(Found { modelled: source == TRAINED, ..found });
    }
    let domain = container_domain(name)?;
    let namespace = text(labels, "container_namespace");
    let name = text(labels, "pod_name");
    // Kepler's own names for what runs outside of pods.
    if matches!((namespace, name), (Some("kernel" | "system"), Some("kernel_processes" | "system_processes"))) {
        return None;
    }
    let pod = context.pods.pod(None, namespace, name)?;
    let container = text(labels, "container_id").or_else(|| text(labels, "container_name")).unwrap_or_default();
    let measure = Measure::Counter(domain, Wraps::Restarts);
    let found = Found::node(sample.value, measure, key_of(&[container, mode]));
    Some(Found { pod: Some(pod), modelled: source == TRAINED, ..found })
}

fn node_domain(name: &str) -> Option<Domain> {
    match name {
        "node_package_joules_total" => Some(Domain::Package),
        "node_dram_joules_total" => Some(Domain::Dram),
        "node_platform_joules_total" => Some(Domain::Platform),
        "node_other_joules_total" => Some(Domain::Other),
        "node_gpu_joules_total" => Some(Domain::Accelerators),
        _ => None,
    }
}

/// The sum over all domains stands under [`Domain::Package`]; memory is a part of it and only told.
fn container_domain(name: &str) -> Option<Domain> {
    match name {
        "container_joules_total" => Some(Domain::Package),
        "container_dram_joules_total" => Some(Domain::Dram),
        _ => None,
    }
}
