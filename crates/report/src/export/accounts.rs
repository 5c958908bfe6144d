//! Joules and grams: counters that begin at zero with the process.

use std::fmt;

use kube_sci_cluster::energy::{Account, Accounts, Tally};
use kube_sci_server::metrics::{Spec, Unit};
use prometheus_client::{encoding::DescriptorEncoder, metrics::MetricType};

use crate::encode::{Series, counter, gauge};

const NODE_ENERGY: Spec = Spec {
    name: "kube_sci_node_energy",
    unit: Some(Unit::Joules),
    labels: &["node", "part", "quality"],
    help: "Energy of a node since start, in parts that add up to all of it: pods, system (work of no known pod), \
           unallocated (idle power that nobody reserved)",
};
const UNPRICED: Spec = Spec {
    name: "kube_sci_node_unpriced_energy",
    unit: Some(Unit::Joules),
    labels: &["node", "quality"],
    help: "Energy of a node since start while its grid zone had no intensity: it is in no emissions",
};
const POD_ENERGY: Spec = Spec {
    name: "kube_sci_pod_energy",
    unit: Some(Unit::Joules),
    labels: &["namespace", "pod", "quality"],
    help: "Energy of a pod since start: its work and its part of the node's idle power",
};
const POD_EMISSIONS: Spec = Spec {
    name: "kube_sci_pod_emissions",
    unit: Some(Unit::Grams),
    labels: &["namespace", "pod", "component", "quality"],
    help: "Carbon of a pod since start in gCO2e, operational and embodied",
};
const WORKLOAD_ENERGY: Spec = Spec {
    name: "kube_sci_workload_energy",
    unit: Some(Unit::Joules),
    labels: &["namespace", "kind", "workload", "quality"],
    help: "Energy of all pods of a workload since start",
};
const WORKLOAD_EMISSIONS: Spec = Spec {
    name: "kube_sci_workload_emissions",
    unit: Some(Unit::Grams),
    labels: &["namespace", "kind", "workload", "component", "quality"],
    help: "Carbon of all pods of a workload since start in gCO2e, operational and embodied",
};
const WORKLOAD_CORES: Spec = Spec {
    name: "kube_sci_workload_requested_core",
    unit: Some(Unit::Seconds),
    labels: &["namespace", "kind", "workload", "quality"],
    help: "Seconds of requested cores of all pods of a workload since start: what its emissions are divided by for an \
           SCI over any time",
};
const WORKLOAD_SCI: Spec = Spec {
    name: "kube_sci_workload_sci",
    unit: Some(Unit::Grams),
    labels: &["namespace", "kind", "workload", "functional_unit", "quality"],
    help: "Software Carbon Intensity of a workload since start: gCO2e per functional unit",
};

/// The functional unit that is always known: an hour of one requested core.
const CORE_HOUR: &str = "core-hour";
const SECONDS_PER_HOUR: f64 = 3_600.0;
/// Pods and workloads beyond `energy.maxExportedPods` are one.
const OTHER: &str = "_other";

pub(super) fn specs() -> impl Iterator<Item = (Spec, MetricType)> {
    let counters =
        [NODE_ENERGY, UNPRICED, POD_ENERGY, POD_EMISSIONS, WORKLOAD_ENERGY, WORKLOAD_EMISSIONS, WORKLOAD_CORES];
    counters.into_iter().map(|spec| (spec, MetricType::Counter)).chain([(WORKLOAD_SCI, MetricType::Gauge)])
}

pub(super) fn encode(encoder: &mut DescriptorEncoder, accounts: &Accounts) -> fmt::Result {
    counter(encoder, &NODE_ENERGY, |series| node_energy(accounts, series))?;
    counter(encoder, &UNPRICED, |series| {
        accounts.nodes().try_for_each(|(name, node)| {
            each_quality(&node.node, |quality, tally| {
                series(&[("node", name), ("quality", quality)], tally.unpriced.get())
            })
        })
    })?;
    counter(encoder, &POD_ENERGY, |series| {
        each_pod(accounts, |[namespace, pod], quality, tally| {
            series(&[namespace, pod, ("quality", quality)], tally.energy().get())
        })
    })?;
    counter(encoder, &POD_EMISSIONS, |series| {
        each_pod(accounts, |[namespace, pod], quality, tally| {
            components(tally, |component, grams| series(&[namespace, pod, component, ("quality", quality)], grams))
        })
    })?;
    counter(encoder, &WORKLOAD_ENERGY, |series| {
        each_workload(accounts, |[namespace, kind, name], quality, tally| {
            series(&[namespace, kind, name, ("quality", quality)], tally.energy().get())
        })
    })?;
    counter(encoder, &WORKLOAD_EMISSIONS, |series| {
        each_workload(accounts, |[namespace, kind, name], quality, tally| {
            components(tally, |component, grams| {
                series(&[namespace, kind, name, component, ("quality", quality)], grams)
            })
        })
    })?;
    counter(encoder, &WORKLOAD_CORES, |series| {
        each_workload(accounts, |[namespace, kind, name], quality, tally| {
            series(&[namespace, kind, name, ("quality", quality)], tally.core_seconds)
        })
    })?;
    gauge(encoder, &WORKLOAD_SCI, |series| {
        each_workload(accounts, |[namespace, kind, name], quality, tally| {
            let Some(sci) = sci_per_core_hour(tally) else { return Ok(()) };
            series(&[namespace, kind, name, ("functional_unit", CORE_HOUR), ("quality", quality)], sci)
        })
    })
}

type Label<'a> = (&'static str, &'a str);

fn node_energy(accounts: &Accounts, series: &mut Series<'_>) -> fmt::Result {
    for (name, node) in accounts.nodes() {
        for (quality, of) in QUALITIES {
            let (all, system, unallocated) =
                (of(&node.node).energy(), of(&node.system).energy(), of(&node.unallocated).energy());
            if all.get() <= 0.0 {
                continue;
            }
            let pods = all.saturating_sub(system).saturating_sub(unallocated);
            for (part, energy) in [("pods", pods), ("system", system), ("unallocated", unallocated)] {
                series(&[("node", name), ("part", part), ("quality", quality)], energy.get())?;
            }
        }
    }
    Ok(())
}

/// One side of an account, by the name of its quality.
type Side = (&'static str, fn(&Account) -> &Tally);

const QUALITIES: [Side; 2] = [("measured", |account| &account.measured), ("modelled", |account| &account.modelled)];

fn each_pod(accounts: &Accounts, mut write: impl FnMut([Label<'_>; 2], &str, &Tally) -> fmt::Result) -> fmt::Result {
    for pod in accounts.pods() {
        let labels = [("namespace", &*pod.workload.namespace), ("pod", &*pod.name)];
        each_quality(&pod.account, |quality, tally| write(labels, quality, tally))?;
    }
    let labels = [("namespace", OTHER), ("pod", OTHER)];
    each_quality(accounts.other_pods(), |quality, tally| write(labels, quality, tally))
}

fn each_workload(
    accounts: &Accounts,
    mut write: impl FnMut([Label<'_>; 3], &str, &Tally) -> fmt::Result,
) -> fmt::Result {
    for entry in accounts.workloads() {
        let workload = &*entry.workload;
        let labels = [("namespace", &*workload.namespace), ("kind", &*workload.kind), ("workload", &*workload.name)];
        each_quality(&entry.account, |quality, tally| write(labels, quality, tally))?;
    }
    let labels = [("namespace", OTHER), ("kind", OTHER), ("workload", OTHER)];
    each_quality(accounts.other_workloads(), |quality, tally| write(labels, quality, tally))
}

/// A quality that never answered has no series.
fn each_quality(account: &Account, mut write: impl FnMut(&str, &Tally) -> fmt::Result) -> fmt::Result {
    for (quality, of) in QUALITIES {
        let tally = of(account);
        if *tally != Tally::default() {
            write(quality, tally)?;
        }
    }
    Ok(())
}

fn components(tally: &Tally, mut write: impl FnMut(Label<'_>, f64) -> fmt::Result) -> fmt::Result {
    write(("component", "operational"), tally.operational.get())?;
    write(("component", "embodied"), tally.embodied.get())
}

/// `(O + M) / R` with R in core-hours of what was requested; `None` where nothing was.
fn sci_per_core_hour(tally: &Tally) -> Option<f64> {
    let core_hours = tally.core_seconds / SECONDS_PER_HOUR;
    (core_hours > 0.0).then(|| (tally.operational.get() + tally.embodied.get()) / core_hours)
}
