//! What the observer of the cluster and of the grid counts.

use std::sync::Arc;

use kube_sci_cluster::{
    annotations,
    assumptions::Confirmation,
    index::ObjectKind,
    observer::{EventKind, ObserverMetrics, PollOutcome, Published, SourceKind},
};
use kube_sci_server::{
    health::Gate,
    metrics::{MetricsRegistry, Spec, Unit},
};
use kube_sci_signals::energy::{EnergyAnswer, SampleCounts};
use prometheus_client::metrics::{
    counter::Counter,
    family::Family,
    histogram::{Histogram, exponential_buckets},
};

use crate::set::{CounterSet, Register};

type SourceLabels = [(&'static str, String); 1];
type PollLabels = [(&'static str, String); 2];

/// Counts what the observer reports, and opens a gate once the cluster is known.
#[derive(Debug)]
pub struct ObservedMetrics {
    synced: Gate,
    objects: [CounterSet; 3],
    malformed: CounterSet,
    relists: CounterSet,
    failures: CounterSet,
    annotations: CounterSet,
    build_seconds: Histogram,
    polls: Family<PollLabels, Counter>,
    energy_polls: Family<PollLabels, Counter>,
    refused_rows: Family<SourceLabels, Counter>,
    energy_samples: Family<PollLabels, Counter>,
    energy_gaps: Family<PollLabels, Counter>,
    energy_windows: Family<SourceLabels, Counter>,
    confirmations: CounterSet,
    expired: Counter,
    notices_dropped: Counter,
}

const EVENTS: [EventKind; 3] = [EventKind::Listed, EventKind::Applied, EventKind::Deleted];

impl ObservedMetrics {
    /// Creates every metric and adds it to `registry`; `synced` is opened with the first complete snapshot.
    pub fn register(registry: &MetricsRegistry, synced: Gate) -> Arc<Self> {
        let on = Register::on(registry);
        let kinds = ObjectKind::ALL.map(ObjectKind::as_str);
        let by_resource = |name, help| on.counters(name, &["resource"], &kinds, help);
        let by_event = |name, help| on.counters(name, &["event"], &EVENTS.map(EventKind::as_str), help);
        let build = build_seconds();
        registry.register(BUILD_SPEC, build.clone());
        Arc::new(Self {
            synced,
            objects: [
                by_event("kube_sci_watch_nodes", "Nodes listed, changed and deleted"),
                by_event("kube_sci_watch_pods", "Pods listed, changed and deleted"),
                by_event("kube_sci_watch_namespaces", "Namespaces listed, changed and deleted"),
            ],
            malformed: by_resource(
                "kube_sci_watch_malformed_objects",
                "Objects that could not be read and were skipped",
            ),
            relists: by_resource("kube_sci_watch_relists", "Full lists begun"),
            failures: by_resource("kube_sci_watch_failures", "Lists and watches that failed and were tried again"),
            annotations: on.counters(
                "kube_sci_refused_annotations",
                &["annotation"],
                &annotations::ALL.map(|doc| doc.key),
                "Annotations of nodes that could not be used",
            ),
            build_seconds: build,
            polls: on.family(POLLS_SPEC),
            energy_polls: on.family(ENERGY_POLLS_SPEC),
            refused_rows: on.family(ROWS_SPEC),
            energy_samples: on.family(SAMPLES_SPEC),
            energy_gaps: on.family(GAPS_SPEC),
            energy_windows: on.family(WINDOWS_SPEC),
            confirmations: on.counters(
                "kube_sci_assumptions_confirmed",
                &["outcome"],
                &Confirmation::ALL.map(Confirmation::as_str),
                "Bound pods, by whether they are on a node that they were assumed on",
            ),
            expired: on.counter("kube_sci_assumptions_expired", "Decided pods not seen on any node in time"),
            notices_dropped: on.counter("kube_sci_bound_notices_dropped", "Bindings the recorder had no room for"),
        })
    }
}

const BUILD_SPEC: Spec = Spec {
    name: "kube_sci_snapshot_build",
    unit: Some(Unit::Seconds),
    labels: &[],
    help: "Time to apply a batch of events and to build the snapshot",
};
const POLLS_SPEC: Spec = Spec {
    name: "kube_sci_grid_source_polls",
    unit: None,
    labels: &["source", "outcome"],
    help: "Questions to sources of intensities, by outcome",
};
const ENERGY_POLLS_SPEC: Spec = Spec {
    name: "kube_sci_energy_source_polls",
    unit: None,
    labels: &["source", "outcome"],
    help: "Questions to sources of energy, by outcome",
};
const ROWS_SPEC: Spec = Spec {
    name: "kube_sci_grid_source_refused_rows",
    unit: None,
    labels: &["source"],
    help: "Rows of sources of intensities that were left out",
};

const SAMPLES_SPEC: Spec = Spec {
    name: "kube_sci_energy_samples",
    unit: None,
    labels: &["source", "outcome"],
    help: "Samples of sources of energy: parsed, skipped because nobody wants them, malformed",
};
const GAPS_SPEC: Spec = Spec {
    name: "kube_sci_energy_gaps",
    unit: None,
    labels: &["source", "reason"],
    help: "Stretches of a meter's time that have no value, by reason",
};
const WINDOWS_SPEC: Spec = Spec {
    name: "kube_sci_energy_windows",
    unit: None,
    labels: &["source"],
    help: "Windows of energy of nodes that were received",
};

fn build_seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.000_01, 4.0, 9))
}

impl ObserverMetrics for ObservedMetrics {
    fn event(&self, kind: ObjectKind, event: EventKind) {
        let [nodes, pods, namespaces] = &self.objects;
        let counters = match kind {
            ObjectKind::Node => nodes,
            ObjectKind::Pod => pods,
            ObjectKind::Namespace => namespaces,
        };
        counters.inc(event.as_str());
    }

    fn malformed(&self, kind: ObjectKind) {
        self.malformed.inc(kind.as_str());
    }

    fn relisted(&self, kind: ObjectKind) {
        self.relists.inc(kind.as_str());
    }

    fn watch_failed(&self, kind: ObjectKind) {
        self.failures.inc(kind.as_str());
    }

    fn annotation_refused(&self, key: &'static str) {
        self.annotations.inc(key);
    }

    fn published(&self, snapshot: &Published) {
        self.build_seconds.observe(snapshot.took.as_secs_f64());
        if snapshot.synced {
            self.synced.open();
        }
    }

    fn source_polled(&self, kind: SourceKind, source: &str, outcome: PollOutcome) {
        let labels = [("source", source.to_owned()), ("outcome", outcome.as_str().to_owned())];
        let polls = match kind {
            SourceKind::Grid => &self.polls,
            SourceKind::Energy => &self.energy_polls,
        };
        polls.get_or_create_owned(&labels).inc();
    }

    fn rows_refused(&self, source: &str, rows: usize) {
        let refused = self.refused_rows.get_or_create_owned(&[("source", source.to_owned())]);
        refused.inc_by(u64::try_from(rows).unwrap_or(u64::MAX));
    }

    fn energy_answered(&self, source: &str, answer: &EnergyAnswer) {
        let labels = |second: (&'static str, &str)| [("source", source.to_owned()), (second.0, second.1.to_owned())];
        let SampleCounts { parsed, skipped, malformed } = answer.counts;
        for (outcome, samples) in [("parsed", parsed), ("skipped", skipped), ("malformed", malformed)] {
            self.energy_samples.get_or_create_owned(&labels(("outcome", outcome))).inc_by(samples);
        }
        for gap in &answer.gaps {
            self.energy_gaps.get_or_create_owned(&labels(("reason", gap.reason.as_str()))).inc();
        }
        let windows = self.energy_windows.get_or_create_owned(&[("source", source.to_owned())]);
        windows.inc_by(u64::try_from(answer.windows.len()).unwrap_or(u64::MAX));
    }

    fn confirmed(&self, confirmation: Confirmation) {
        self.confirmations.inc(confirmation.as_str());
    }

    fn assumptions_expired(&self, pods: usize) {
        self.expired.inc_by(u64::try_from(pods).unwrap_or(u64::MAX));
    }

    fn bound_dropped(&self) {
        self.notices_dropped.inc();
    }
}
