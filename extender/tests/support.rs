//! A cluster in memory, and the extender's state on it.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use kube_sci_cluster::{
    assess::Model,
    index::{Index, ObjectKind},
    snapshot::{Snapshot, SnapshotHandle},
};
use kube_sci_extender::{
    config::ExtenderConfig,
    decisions::{self, Recorder},
    events::{self, Notice},
    metrics::{Metrics, state::LastCall},
    prioritize::prioritize,
    state::{Parts, State},
};
use kube_sci_server::{config::parse_yaml, metrics::MetricsRegistry};
use sci_core::{
    intensity::{Quality, Series, Signal, Slot, Zone},
    quantity::GramsPerKwh,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// Straight curves and no embodied carbon, so that grams can be worked out by hand.
pub const CONFIG: &str = "
grid: { annualFallback: false, freshFor: 1h, staleAfter: 3h }
score: { embodiedWeight: 0 }
nodes:
  defaultPue: 1.0
  hardwareClasses:
    small: { idleWatts: 100, fullWatts: 300, embodiedKilograms: 1000 }
    convex: { idleWatts: 100, fullWatts: 300, embodiedKilograms: 1000, points: [{ utilization: 0.5, watts: 120 }] }
    thirsty: { idleWatts: 200, fullWatts: 1000, embodiedKilograms: 1000 }
";

pub fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

/// A cluster to be described in a few words. Nodes have 10 cores and 40 GB.
#[derive(Clone)]
pub struct Cluster {
    pub config: ExtenderConfig,
    nodes: Vec<Value>,
    pods: Vec<Value>,
    namespaces: Vec<Value>,
    series: Vec<Series>,
    listed: bool,
}

/// The extender on a cluster. The recorder does not run unless a test takes and runs it.
pub struct Harness {
    pub state: Arc<State>,
    pub recorder: Option<Recorder>,
    pub notices: mpsc::Receiver<Notice>,
    pub registry: MetricsRegistry,
}

impl Cluster {
    pub fn new() -> Self {
        Self::configured("")
    }

    /// [`CONFIG`] with more YAML behind it.
    pub fn configured(yaml: &str) -> Self {
        Self {
            config: parse_yaml("test", &format!("{CONFIG}{yaml}")).unwrap(),
            nodes: Vec::new(),
            pods: Vec::new(),
            namespaces: Vec::new(),
            series: Vec::new(),
            listed: true,
        }
    }

    /// A zone whose intensity covers the present.
    pub fn zone(self, zone: &str, grams_per_kwh: f64) -> Self {
        self.zone_ended(zone, grams_per_kwh, Duration::ZERO)
    }

    /// A zone whose last slot ended `ago`.
    pub fn zone_ended(mut self, zone: &str, grams_per_kwh: f64, ago: Duration) -> Self {
        let duration = Duration::from_hours(1);
        let end = if ago.is_zero() { now() + Duration::from_mins(30) } else { now() - ago };
        let slot = Slot { start: end - duration, duration, value: GramsPerKwh::new(grams_per_kwh).unwrap() };
        let zone = Zone::new(zone).unwrap();
        self.series.push(Series::new(zone, Signal::default(), Quality::Measured, "test", vec![slot]).unwrap());
        self
    }

    /// A node of class `small` in a zone.
    pub fn node(self, name: &str, zone: &str) -> Self {
        self.node_of_class(name, zone, "small")
    }

    pub fn node_of_class(self, name: &str, zone: &str, class: &str) -> Self {
        let annotations = json!({ "kube-sci.dev/grid-zone": zone, "kube-sci.dev/hardware-class": class });
        self.raw_node(&json!({ "name": name, "annotations": annotations }), "10", "40G")
    }

    pub fn raw_node(mut self, metadata: &Value, cpu: &str, memory: &str) -> Self {
        let resources = json!({ "cpu": cpu, "memory": memory });
        self.nodes.push(json!({ "metadata": metadata, "status": { "capacity": resources, "allocatable": resources } }));
        self
    }

    /// A pod that already runs on a node.
    pub fn running(mut self, node: &str, cpu: &str) -> Self {
        let name = format!("running-{}", self.pods.len());
        let mut pod = pod(&name, cpu);
        pod["spec"]["nodeName"] = node.into();
        pod["status"] = json!({ "phase": "Running" });
        self.pods.push(pod);
        self
    }

    pub fn namespace(mut self, metadata: &Value) -> Self {
        self.namespaces.push(json!({ "metadata": metadata }));
        self
    }

    /// The API server has not listed anything yet.
    pub fn unlisted(mut self) -> Self {
        self.listed = false;
        self
    }

    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot_after(|_| ())
    }

    /// The snapshot after something more was told to the index.
    pub fn snapshot_after(&self, more: impl FnOnce(&mut Index)) -> Arc<Snapshot> {
        let mut index = Index::new(&self.config.model()).unwrap();
        // A list that begins and ends around the objects, as the watch sends it.
        for kind in ObjectKind::ALL {
            index.begin_list(kind);
        }
        for node in views(&self.nodes) {
            index.apply_node(&node, now());
        }
        for pod in views(&self.pods) {
            index.apply_pod(&pod);
        }
        for namespace in views(&self.namespaces) {
            index.apply_namespace(&namespace);
        }
        index.replace_series(0, self.series.clone(), now());
        for kind in ObjectKind::ALL.into_iter().filter(|_| self.listed) {
            index.end_list(kind);
        }
        more(&mut index);
        index.publish(now()).unwrap()
    }

    pub fn start(&self) -> Harness {
        self.start_on(self.snapshot())
    }

    /// A further replica on a snapshot that another one reads too.
    pub fn start_on(&self, snapshot: Arc<Snapshot>) -> Harness {
        let config = &self.config;
        let registry = MetricsRegistry::new("test", "0");
        let metrics = Arc::new(Metrics::register(&registry, config.mode));
        let (notices_in, notices) = events::channel();
        let (handle, recorder) =
            decisions::channels(config.decisions.max_candidates, metrics.clone(), Some(notices_in.clone()));
        let model = Model::new(SnapshotHandle::new(snapshot), &config.model());
        let last_call = LastCall::new(now());
        let parts = Parts { model, metrics, last_call, recorder: handle, notices: Some(notices_in) };
        Harness {
            state: Arc::new(State::new(config, parts).with_clock(now)),
            recorder: Some(recorder),
            notices,
            registry,
        }
    }
}

impl Harness {
    /// The scores of an answer, by node.
    pub fn scores(&self, pod: &Value, nodes: &[&str]) -> Vec<(String, u64)> {
        scores(&prioritize(&self.state, &body(pod, nodes), now()).unwrap())
    }

    /// The value of a sample on the metrics page; 0 where there is none.
    pub fn sample(&self, name_and_labels: &str) -> f64 {
        let page = self.registry.encode().unwrap();
        let found = page.lines().find_map(|line| line.strip_prefix(name_and_labels)?.strip_prefix(' '));
        found.map_or(0.0, |value| value.parse().unwrap())
    }
}

fn views<T: DeserializeOwned>(objects: &[Value]) -> impl Iterator<Item = T> {
    objects.iter().map(|object| serde_json::from_value(object.clone()).unwrap())
}

/// A pod that asks for CPU and 1 GB.
pub fn pod(name: &str, cpu: &str) -> Value {
    json!({
        "metadata": { "name": name, "namespace": "default", "uid": format!("uid-{name}") },
        "spec": { "containers": [{ "name": "c", "resources": { "requests": { "cpu": cpu, "memory": "1G" } } }] },
    })
}

/// The same pod with an annotation of ours.
pub fn annotated(mut pod: Value, key: &str, value: &str) -> Value {
    pod["metadata"]["annotations"][format!("kube-sci.dev/{key}")] = value.into();
    pod
}

/// `ExtenderArgs` with `nodeCacheCapable: true`.
pub fn body(pod: &Value, nodes: &[&str]) -> Vec<u8> {
    json!({ "Pod": pod, "Nodes": null, "NodeNames": nodes }).to_string().into_bytes()
}

/// Host and score of each entry, after checking that there is nothing else.
pub fn scores(answer: &[u8]) -> Vec<(String, u64)> {
    let entries: Vec<serde_json::Map<String, Value>> = serde_json::from_slice(answer).unwrap();
    let read = |entry: serde_json::Map<String, Value>| {
        assert_eq!(entry.len(), 2);
        (entry["Host"].as_str().unwrap().to_owned(), entry["Score"].as_u64().unwrap())
    };
    entries.into_iter().map(read).collect()
}
