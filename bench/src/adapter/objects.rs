//! A thousand workloads: what each of them is in the cluster and in Prometheus.

use jiff::{SignedDuration, Timestamp};
use sci_core::forecast::Hour;
use serde_json::{Value, json};

/// Workloads, each with a policy, an autoscaler, a pod and a series.
pub const POLICIES: usize = 1_000;
/// Namespaces that they are spread over.
pub const NAMESPACES: usize = 10;
/// Nodes that their pods run on.
pub const NODES: usize = 20;
/// Load of every workload, in requests per second.
pub const LOAD: u32 = 700;
/// [`LOAD`] times the factor of the only step of every curve.
pub const ADJUSTED_LOAD: u32 = 560;
/// Name of the load in Prometheus.
pub const SERIES: &str = "demand_requests_per_second";
/// Name of the metric that autoscalers read.
pub const METRIC: &str = "carbon_adjusted_load";

/// Where the nodes stand.
pub const REGION: &str = "eu-central-1";
/// The grid zone of [`REGION`].
pub const ZONE: &str = "DE";
/// Its intensity, in gCO2e/kWh: above the only step of every curve.
pub const INTENSITY: f64 = 450.0;

const DIRTY: f64 = 400.0;
const UNIT: &str = "requests_per_second";
const FACTOR: f64 = 0.8;
const TARGET: &str = "100";
const GUARD: &str = "130";

/// One of the workloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workload(pub usize);

/// All of them.
pub fn workloads() -> impl Iterator<Item = Workload> {
    (0..POLICIES).map(Workload)
}

/// Names of the namespaces.
pub fn namespaces() -> impl Iterator<Item = String> {
    (0..NAMESPACES).map(|number| format!("shop-{number}"))
}

/// Name of a node.
pub fn node_name(number: usize) -> String {
    format!("node-{number}")
}

impl Workload {
    /// Its namespace.
    pub fn namespace(self) -> String {
        format!("shop-{}", self.0 % NAMESPACES)
    }

    /// The name of everything that it is.
    pub fn name(self) -> String {
        format!("web-{}", self.0)
    }

    /// Where an autoscaler reads its metric.
    pub fn path(self) -> String {
        let (namespace, name) = (self.namespace(), self.name());
        format!(
            "/apis/custom.metrics.k8s.io/v1beta2/namespaces/{namespace}/greenscalingpolicies.kube-sci.dev/{name}/{METRIC}"
        )
    }

    fn query(self) -> String {
        format!("sum({SERIES}{{namespace=\"{}\",policy=\"{}\"}})", self.namespace(), self.name())
    }

    /// Its policy.
    pub fn policy(self) -> Value {
        json!({
            "apiVersion": "kube-sci.dev/v1alpha1",
            "kind": "GreenScalingPolicy",
            "metadata": { "name": self.name(), "namespace": self.namespace() },
            "spec": {
                "targetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": self.name() },
                "load": { "unit": UNIT, "prometheus": { "query": self.query() } },
                "targetPerReplica": TARGET,
                "sloGuardPerReplica": GUARD,
                "curve": { "steps": [{ "atOrAbove": DIRTY, "factor": FACTOR }] },
            },
        })
    }

    /// Its autoscaler, as the guide has it.
    pub fn autoscaler(self) -> Value {
        json!({
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": { "name": self.name(), "namespace": self.namespace() },
            "spec": {
                "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": self.name() },
                "minReplicas": 1,
                "maxReplicas": 20,
                "metrics": [
                    { "type": "Object", "object": {
                        "describedObject":
                            { "apiVersion": "kube-sci.dev/v1alpha1", "kind": "GreenScalingPolicy", "name": self.name() },
                        "metric": { "name": METRIC },
                        "target": { "type": "AverageValue", "averageValue": TARGET } } },
                    { "type": "Pods", "pods": {
                        "metric": { "name": UNIT },
                        "target": { "type": "AverageValue", "averageValue": GUARD } } },
                ],
            },
        })
    }

    /// A pod of its Deployment.
    pub fn pod(self) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": format!("{}-7d9c6b5f4-x2k4q", self.name()),
                "namespace": self.namespace(),
                "labels": { "app": self.name(), "pod-template-hash": "7d9c6b5f4" },
                "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "ReplicaSet", "controller": true,
                    "name": format!("{}-7d9c6b5f4", self.name()),
                    "uid": format!("0c1d2e3f-0000-4000-8000-{:012x}", self.0) }],
            },
            "spec": {
                "nodeName": node_name(self.0 % NODES),
                "containers": [{ "name": "web", "image": "web",
                    "resources": { "requests": { "cpu": "50m", "memory": "64Mi" } } }],
            },
        })
    }

    /// The rule that makes its series.
    fn rule(self) -> Value {
        json!({
            "record": SERIES,
            "expr": format!("vector({LOAD})"),
            "labels": { "namespace": self.namespace(), "policy": self.name() },
        })
    }
}

/// The rule file of Prometheus with a series for every workload.
pub fn rules() -> Value {
    let rules: Vec<Value> = workloads().map(Workload::rule).collect();
    json!({ "groups": [{ "name": "demand", "interval": "5s", "rules": rules }] })
}

/// Intensity of all nodes in this hour and the one before, as a file for the adapter.
pub fn grid_file(now: Timestamp) -> String {
    let hour = Hour::containing(now).start();
    let row = |start| format!("{ZONE},{start},1h,{INTENSITY}\n");
    format!("zone,start,duration,value\n{}{}", row(hour - SignedDuration::from_hours(1)), row(hour))
}

/// What tells prometheus-adapter to serve the series under the same path as ours.
pub fn prometheus_adapter_config() -> Value {
    json!({ "rules": [{
        "seriesQuery": format!("{SERIES}{{namespace!=\"\",policy!=\"\"}}"),
        "resources": { "overrides": {
            "namespace": { "resource": "namespace" },
            "policy": { "group": "kube-sci.dev", "resource": "greenscalingpolicy" },
        } },
        "name": { "as": METRIC },
        "metricsQuery": "sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)",
    }] })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use k8s_openapi::api::{autoscaling::v2::HorizontalPodAutoscaler, core::v1::Pod};
    use kube_sci_metrics_adapter::policy::{GreenScalingPolicySpec, Plan};

    use super::*;

    #[test]
    fn every_workload_has_a_path_of_its_own_in_a_namespace_that_is_made() {
        let paths: BTreeSet<String> = workloads().map(Workload::path).collect();
        assert_eq!(paths.len(), POLICIES);
        let made: BTreeSet<String> = namespaces().collect();
        assert_eq!(workloads().map(Workload::namespace).collect::<BTreeSet<_>>(), made);
    }

    #[test]
    fn objects_are_what_the_cluster_takes() {
        let workload = Workload(7);
        let spec: GreenScalingPolicySpec = serde_json::from_value(workload.policy()["spec"].clone()).unwrap();
        Plan::new(&spec).unwrap();
        serde_json::from_value::<HorizontalPodAutoscaler>(workload.autoscaler()).unwrap();
        serde_json::from_value::<Pod>(workload.pod()).unwrap();
    }

    #[test]
    fn the_present_is_in_the_file_of_the_grid() {
        let file = grid_file("2026-11-28T01:14:11Z".parse().unwrap());
        assert!(file.ends_with("DE,2026-11-28T01:00:00Z,1h,450\n"), "{file}");
        assert_eq!(file.lines().count(), 3);
    }

    #[test]
    fn the_adjusted_load_is_the_load_times_the_factor() {
        assert!((f64::from(LOAD) * FACTOR - f64::from(ADJUSTED_LOAD)).abs() < 1e-9);
    }
}
