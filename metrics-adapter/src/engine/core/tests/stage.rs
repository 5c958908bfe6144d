//! A small cluster, one policy, and a clock that stands still until it is moved.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use kube_sci_cluster::{
    config::ModelConfig,
    index::{Index, ObjectKind},
    objects::{NodeView, PodView},
    snapshot::Snapshot,
    wanted::WantedZones,
    watch::Step,
};
use kube_sci_signals::grid::LearnedHours;
use sci_core::{
    intensity::{Quality, Series, Signal, Slot, Zone},
    quantity::GramsPerKwh,
    scaling::LoadSample,
};
use serde_json::{Value, json};

use crate::{
    engine::{Core, EngineOptions, World},
    load::LoadFault,
    table::{LoadReading, PolicyKey, PolicyState, PolicyTable, Served},
};

pub struct Stage {
    pub index: Index,
    pub core: Core,
    pub now: Timestamp,
    pub uid: String,
    pub status: Value,
    pub wanted: WantedZones,
    leading: bool,
    generation: i64,
    snapshot: Arc<Snapshot>,
}

pub fn number(served: Result<Served, String>) -> f64 {
    served.unwrap().value
}

/// An autoscaler of the policy's target with these metrics.
pub fn autoscaler(metrics: &[&str]) -> Value {
    let metric = |name: &&str| match *name {
        "cpu" => json!({ "type": "Resource", "resource": {
            "name": "cpu", "target": { "type": "Utilization", "averageUtilization": 85 } } }),
        name => json!({ "type": "Object", "object": {
            "describedObject": { "apiVersion": "kube-sci.dev/v1alpha1", "kind": "GreenScalingPolicy", "name": "web" },
            "metric": { "name": name }, "target": { "type": "AverageValue", "averageValue": "100" } } }),
    };
    json!({
        "metadata": { "namespace": "shop", "name": "web" },
        "spec": {
            "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "web" },
            "maxReplicas": 20, "metrics": metrics.iter().map(metric).collect::<Vec<_>>(),
        },
        "status": { "currentReplicas": 6, "desiredReplicas": 6, "conditions": [] },
    })
}

fn config() -> ModelConfig {
    // What no source says is not known.
    let config =
        json!({ "grid": { "typicalFallback": false, "annualFallback": false, "forecast": { "enabled": false } } });
    serde_json::from_value(config).unwrap()
}

impl Stage {
    /// Two nodes in DE with four pods of the Deployment `web`; all of it listed.
    pub fn ready(intensity: f64) -> Self {
        let mut stage = Self::unlisted(intensity);
        for kind in ObjectKind::ALL {
            stage.index.begin_list(kind);
            if kind == ObjectKind::Node {
                stage.nodes();
            }
            if kind == ObjectKind::Pod {
                stage.pods();
            }
            stage.index.end_list(kind);
        }
        stage.relist(&[]);
        stage
    }

    pub fn unlisted(intensity: f64) -> Self {
        let mut stage = Self {
            index: Index::new(&config()).unwrap(),
            core: Core::new(EngineOptions::default(), config().grid.freshness()),
            now: "2026-01-31T12:00:00Z".parse().unwrap(),
            uid: "uid".into(),
            status: Value::Null,
            wanted: WantedZones::default(),
            leading: true,
            generation: 0,
            snapshot: Arc::default(),
        };
        stage.index.keep_directory();
        stage.index.also_know(stage.wanted.clone());
        stage.nodes();
        stage.pods();
        stage.intensities(&[("DE", intensity)]);
        stage
    }

    pub fn in_shadow(mut self) -> Self {
        let options = EngineOptions { shadow: true, ..EngineOptions::default() };
        self.core = Core::new(options, config().grid.freshness());
        self.relist(&[]);
        self
    }

    pub fn without_intensity(mut self) -> Self {
        self.intensities(&[]);
        self
    }

    fn nodes(&mut self) {
        self.node("a", "DE");
        self.node("b", "DE");
    }

    fn pods(&mut self) {
        for (n, node) in ["a", "a", "b", "b"].into_iter().enumerate() {
            self.pod("web", n, node);
        }
    }

    pub fn node(&mut self, name: &str, zone: &str) {
        let amounts = json!({ "cpu": "8", "memory": "32Gi" });
        let node = json!({
            "metadata": { "name": name, "uid": name, "annotations": { "kube-sci.dev/grid-zone": zone } },
            "status": { "capacity": amounts, "allocatable": amounts },
        });
        let node: NodeView = serde_json::from_value(node).unwrap();
        self.index.apply_node(&node, self.now);
    }

    pub fn pod(&mut self, deployment: &str, number: usize, node: &str) {
        let pod = json!({
            "metadata": {
                "namespace": "shop", "name": format!("{deployment}-{number}"), "uid": format!("{deployment}-{number}"),
                "ownerReferences": [{ "kind": "ReplicaSet", "controller": true, "name": format!("{deployment}-7d9c6b5f4") }],
            },
            "spec": { "nodeName": node, "containers": [{ "resources": { "requests": { "cpu": "1" } } }] },
            "status": { "phase": "Running" },
        });
        self.index.apply_pod(&serde_json::from_value::<PodView>(pod).unwrap());
    }

    pub fn no_pods(&mut self) {
        self.index.begin_list(ObjectKind::Pod);
        self.index.end_list(ObjectKind::Pod);
    }

    /// What the one source says of the hour to come.
    pub fn intensities(&mut self, zones: &[(&str, f64)]) {
        let series = zones.iter().map(|(zone, value)| {
            let value = GramsPerKwh::new(*value).unwrap();
            let slot = Slot { start: self.now, duration: Duration::from_hours(1), value };
            Series::new(Zone::new(zone).unwrap(), Signal::default(), Quality::Measured, "test", vec![slot]).unwrap()
        });
        let series = series.collect();
        self.index.replace_series(0, series, self.now);
    }

    pub fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    fn spec(change: &Value) -> Value {
        let mut spec = json!({
            "targetRef": { "name": "web" },
            "load": { "prometheus": { "query": "sum(rate(http_requests_total[2m]))" } },
            "targetPerReplica": 100,
            "sloGuardPerReplica": 125,
            "curve": { "steps": [{ "atOrAbove": 300, "factor": 0.9 }, { "atOrAbove": 400, "factor": 0.8 }] },
        });
        for (key, value) in change.as_object().unwrap() {
            if value.is_null() {
                spec.as_object_mut().unwrap().remove(key);
            } else {
                spec[key] = value.clone();
            }
        }
        spec
    }

    fn object(&self, name: &str, change: &Value) -> crate::policy::GreenScalingPolicy {
        let mut policy = json!({
            "apiVersion": "kube-sci.dev/v1alpha1", "kind": "GreenScalingPolicy",
            "metadata": { "namespace": "shop", "name": name, "uid": self.uid, "generation": self.generation },
            "spec": Self::spec(change),
        });
        if !self.status.is_null() {
            policy["status"] = self.status.clone();
        }
        serde_json::from_value(policy).unwrap()
    }

    /// The policy appears, and its load of 1,000 is read.
    pub fn policy(&mut self, change: Value) -> Arc<PolicyState> {
        self.apply(change);
        self.load(1_000.0);
        self.state()
    }

    #[expect(clippy::needless_pass_by_value, reason = "reads better in tests")]
    pub fn apply(&mut self, change: Value) {
        self.generation += 1;
        let policy = self.object("web", &change);
        self.core.policy(Step::Applied(policy), self.now);
    }

    /// The policy changes; its load is not read again.
    pub fn edit(&mut self, change: Value) -> Arc<PolicyState> {
        self.apply(change);
        self.state()
    }

    pub fn delete(&mut self) {
        let policy = self.object("web", &json!({}));
        self.core.policy(Step::Deleted(Box::new(policy.metadata)), self.now);
    }

    pub fn relist(&mut self, names: &[&str]) {
        self.core.policy(Step::Begin, self.now);
        for name in names {
            let policy = self.object(name, &json!({}));
            self.core.policy(Step::Listed(policy), self.now);
        }
        self.core.policy(Step::End, self.now);
    }

    pub fn autoscalers(&mut self, all: &[Value]) {
        self.core.autoscaler(Step::Begin);
        for autoscaler in all {
            self.core.autoscaler(Step::Listed(serde_json::from_value(autoscaler.clone()).unwrap()));
        }
        self.core.autoscaler(Step::End);
    }

    #[expect(clippy::needless_pass_by_value, reason = "reads better in tests")]
    pub fn budget(&mut self, status: Value) {
        let budget = json!({
            "apiVersion": "kube-sci.dev/v1alpha1", "kind": "CarbonBudget",
            "metadata": { "namespace": "shop", "name": "month", "uid": "b", "generation": 1 },
            "spec": { "gramsPerMonth": 1000 }, "status": status,
        });
        self.core.budget(Step::Applied(serde_json::from_value(budget).unwrap()), self.now);
        self.core.budget(Step::End, self.now);
    }

    pub fn no_budgets(&mut self) {
        self.core.budget(Step::Begin, self.now);
        self.core.budget(Step::End, self.now);
    }

    /// Another replica leads for a moment.
    pub fn follow(&mut self) {
        self.leading = false;
        self.tick();
        self.leading = true;
    }

    pub fn revision(&self) -> u64 {
        self.core.policies[&key()].revision
    }

    pub fn load(&mut self, value: f64) {
        self.load_of(self.revision(), Ok(value));
    }

    pub fn load_of(&mut self, revision: u64, result: Result<f64, LoadFault>) {
        let at = self.now;
        let reading = |value| LoadReading { sample: LoadSample { value, at }, source: "test".into(), warning: None };
        self.core.load(&key(), revision, result.map(reading), self.now);
    }

    pub fn tick(&mut self) -> PolicyTable {
        self.index.tick(self.now);
        if let Some(snapshot) = self.index.publish(self.now) {
            self.snapshot = snapshot;
        }
        let learned = LearnedHours::default();
        let world = World {
            snapshot: &self.snapshot,
            learned: &learned,
            wanted: &self.wanted,
            leading: self.leading,
            now: self.now,
        };
        self.core.tick(&world)
    }

    pub fn state(&mut self) -> Arc<PolicyState> {
        Arc::clone(self.tick().get("shop", "web").unwrap())
    }
}

fn key() -> PolicyKey {
    PolicyKey::new("shop", "web")
}
