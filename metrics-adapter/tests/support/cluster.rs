//! Nodes, pods and grid zones in a few words.

use std::{sync::Arc, time::Duration};

use kube_sci_cluster::{
    config::ModelConfig,
    index::{Index, ObjectKind},
    snapshot::Snapshot,
};
use kube_sci_server::config::parse_yaml;
use sci_core::{
    forecast::Hour,
    intensity::{Quality, Series, Signal, Slot, Zone},
    quantity::GramsPerKwh,
};
use serde_json::{Value, json};

use super::now;

/// Straight curves and no embodied carbon, so that grams can be worked out by hand.
const CONFIG: &str = "
grid: { annualFallback: false, typicalFallback: false, freshFor: 1h, staleAfter: 3h }
score: { embodiedWeight: 0 }
nodes:
  defaultPue: 1.0
  hardwareClasses:
    small: { idleWatts: 100, fullWatts: 300, embodiedKilograms: 0 }
";

#[derive(Clone)]
pub struct Cluster {
    pub config: ModelConfig,
    nodes: Vec<Value>,
    pods: Vec<Value>,
    series: Vec<Series>,
    listed: bool,
    accounted: bool,
}

impl Cluster {
    pub fn new() -> Self {
        Self {
            config: parse_yaml("test", CONFIG).unwrap(),
            nodes: Vec::new(),
            pods: Vec::new(),
            series: Vec::new(),
            listed: true,
            accounted: true,
        }
    }

    /// Four nodes, two of them green, with sixteen pods of which half are of the web: the world of most tests.
    pub fn shop() -> Self {
        let mut cluster = Self::new().zone("A", 100.0).zone("B", 300.0);
        for (name, zone, pool) in [("n1", "A", "green"), ("n2", "A", "green"), ("n3", "B", "grey"), ("n4", "B", "grey")]
        {
            cluster = cluster.node(name, zone, pool);
        }
        for number in 0..16 {
            let node = ["n1", "n2", "n3", "n4"][number % 4];
            let app = if number < 8 { "web" } else { "api" };
            cluster = cluster.pod(&format!("{app}-{number}"), node, app);
        }
        cluster
    }

    /// A zone whose intensity covers the present.
    pub fn zone(self, zone: &str, grams_per_kwh: f64) -> Self {
        self.zone_ended(zone, grams_per_kwh, Duration::ZERO)
    }

    /// A zone whose last slot ended `ago`.
    pub fn zone_ended(mut self, zone: &str, grams_per_kwh: f64, ago: Duration) -> Self {
        let duration = Duration::from_hours(1);
        let end = if ago.is_zero() { now() + Duration::from_mins(30) } else { now() - ago };
        self.series.push(series(zone, Quality::Measured, [(end - duration, grams_per_kwh)]));
        self
    }

    /// Values of the hours from the present one on, said in advance.
    pub fn forecast(mut self, zone: &str, values: &[f64]) -> Self {
        let first = Hour::containing(now());
        let hours = values.iter().zip(0..).map(|(&value, hour)| (first.plus(hour).start(), value));
        self.series.push(series(zone, Quality::Forecast, hours));
        self
    }

    /// A node of 10 cores, 100 W at rest and 300 W at most.
    pub fn node(mut self, name: &str, zone: &str, pool: &str) -> Self {
        let resources = json!({ "cpu": "10", "memory": "40G" });
        self.nodes.push(json!({
            "metadata": {
                "name": name, "labels": { "pool": pool },
                "annotations": { "kube-sci.dev/grid-zone": zone, "kube-sci.dev/hardware-class": "small" }
            },
            "status": { "capacity": resources, "allocatable": resources }
        }));
        self
    }

    /// A pod of one core that runs in namespace `shop`, of the Deployment `app`.
    pub fn pod(mut self, name: &str, node: &str, app: &str) -> Self {
        let owner = json!({ "kind": "ReplicaSet", "name": format!("{app}-7d9c6b5f4"), "controller": true });
        self.pods.push(json!({
            "metadata": {
                "name": name, "namespace": "shop", "uid": format!("uid-{name}"),
                "labels": { "app": app }, "ownerReferences": [owner]
            },
            "spec": {
                "nodeName": node,
                "containers": [{ "name": "c", "resources": { "requests": { "cpu": "1", "memory": "1G" } } }]
            },
            "status": { "phase": "Running" }
        }));
        self
    }

    /// The API server has not listed anything yet.
    pub fn unlisted(mut self) -> Self {
        self.listed = false;
        self
    }

    /// No window of energy is over yet.
    pub fn unaccounted(mut self) -> Self {
        self.accounted = false;
        self
    }

    pub fn snapshot(&self) -> Arc<Snapshot> {
        let mut index = Index::new(&self.config).unwrap();
        index.keep_directory();
        let start = now() - Duration::from_mins(1);
        for kind in ObjectKind::ALL {
            index.begin_list(kind);
        }
        for node in &self.nodes {
            index.apply_node(&serde_json::from_value(node.clone()).unwrap(), start);
        }
        for pod in &self.pods {
            index.apply_pod(&serde_json::from_value(pod.clone()).unwrap());
        }
        index.replace_series(0, self.series.clone(), start);
        for kind in ObjectKind::ALL.into_iter().filter(|_| self.listed) {
            index.end_list(kind);
        }
        if self.accounted {
            index.tick(start);
        }
        index.tick(now());
        index.publish(now()).unwrap()
    }
}

fn series(zone: &str, quality: Quality, slots: impl IntoIterator<Item = (jiff::Timestamp, f64)>) -> Series {
    let slot =
        |(start, value)| Slot { start, duration: Duration::from_hours(1), value: GramsPerKwh::new(value).unwrap() };
    let slots = slots.into_iter().map(slot).collect();
    Series::new(Zone::new(zone).unwrap(), Signal::default(), quality, "test", slots).unwrap()
}
