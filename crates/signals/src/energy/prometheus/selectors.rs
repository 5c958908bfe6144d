//! What is asked: names and labels of everything that a reader of an exporter uses.

use std::{collections::BTreeSet, fmt::Write, time::Duration};

use crate::{config::PrometheusConfig, energy::window::Exporter};

/// Labels that tell Scaphandre's processes apart as far as it matters: the pod, and what may name the node.
const GROUPS: [&str; 11] = [
    "__name__",
    "kubernetes_pod_namespace",
    "kubernetes_pod_name",
    "kubernetes_node_name",
    "node_name",
    "exported_node",
    "node",
    "k8s_node_name",
    "exported_instance",
    "instance",
    "job",
];

/// A query of every round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    subject: Subject,
    selector: String,
    groups: String,
}

/// What a query is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    /// Energy of nodes.
    Nodes,
    /// What ALUMET has for each core, too: only the sum over the machine.
    Machines,
    /// Energy and CPU time of pods.
    Pods,
    /// Power and CPU time of processes.
    Processes,
}

/// The queries for these exporters, nodes first.
pub(super) fn queries(exporters: &[Exporter], config: &PrometheusConfig) -> Vec<Query> {
    let mut groups: BTreeSet<&str> = GROUPS.into_iter().collect();
    groups.extend(config.replica_labels.iter().chain(&config.node_label).map(String::as_str));
    let groups = groups.into_iter().collect::<Vec<_>>().join(", ");
    let subjects = [Subject::Nodes, Subject::Machines, Subject::Pods, Subject::Processes];
    let query = |subject: Subject| {
        let names: Vec<&str> = exporters.iter().filter_map(|exporter| subject.names(*exporter)).collect();
        let selector = subject.selector(&names.join("|"), &config.matchers);
        (!names.is_empty()).then(|| Query { subject, selector, groups: groups.clone() })
    };
    subjects.into_iter().filter_map(query).collect()
}

impl Query {
    /// `PromQL`, for samples of so long a time before the instant of evaluation.
    pub(super) fn expression(&self, range: Duration) -> String {
        let Self { selector, groups, .. } = self;
        if self.by_steps() {
            return format!("sum by ({groups}) ({selector})");
        }
        format!("{selector}[{}ms]", range.as_millis())
    }

    /// Evaluated at steps; otherwise for the samples themselves.
    pub(super) fn by_steps(&self) -> bool {
        self.subject == Subject::Processes
    }

    /// Whether a round without its answer has failed.
    pub(super) fn is_essential(&self) -> bool {
        self.subject == Subject::Nodes
    }

    pub(super) const fn subject(&self) -> &'static str {
        match self.subject {
            Subject::Nodes => "nodes",
            Subject::Machines => "CPU times of nodes",
            Subject::Pods => "pods",
            Subject::Processes => "pods of Scaphandre",
        }
    }
}

impl Subject {
    /// Anchored at both ends by Prometheus. Colons are of recording rules.
    const fn names(self, exporter: Exporter) -> Option<&'static str> {
        match (self, exporter) {
            (Self::Nodes, Exporter::Alumet) => Some("([^:]*_)?(rapl_consumed_energy|nvml_energy_consumption)(_[^:]*)?"),
            (Self::Nodes, Exporter::Kepler) => Some(
                "kepler_node_(cpu_joules_total|cpu_idle_joules_total|cpu_watts|cpu_usage_ratio|gpu_joules_total)|\
                 kepler_platform_watts",
            ),
            (Self::Nodes, Exporter::KeplerLegacy) => Some("kepler_node_(package|dram|platform|other|gpu)_joules_total"),
            (Self::Nodes, Exporter::Scaphandre) => Some("scaph_(socket|domain|host)_energy_microjoules"),
            (Self::Machines, Exporter::Alumet) => Some("([^:]*_)?(kernel_cpu_time|estimated_consumed_energy)(_[^:]*)?"),
            (Self::Pods, Exporter::Alumet) => Some("([^:]*_)?(attributed|cpu_percent)(_[^:]*)?"),
            (Self::Pods, Exporter::Kepler) => Some("kepler_pod_(cpu|gpu)_joules_total"),
            (Self::Pods, Exporter::KeplerLegacy) => Some("kepler_container(_dram)?_joules_total"),
            (Self::Processes, Exporter::Scaphandre) => {
                Some("scaph_process_(power_consumption_microwatts|cpu_usage_percentage)")
            }
            (Self::Machines | Self::Processes, _) | (Self::Pods, Exporter::Scaphandre) => None,
        }
    }

    fn selector(self, names: &str, matchers: &str) -> String {
        let mut selector = format!("{{__name__=~\"{names}\"");
        if self == Self::Machines {
            selector.push_str(",resource_kind=\"local_machine\"");
        }
        let further = matchers.trim().trim_matches(',').trim();
        if !further.is_empty() {
            let _ = write!(selector, ",{further}");
        }
        selector.push('}');
        selector
    }
}

#[cfg(test)]
mod tests;
