//! Small objects and a clock that stands still.

use jiff::Timestamp;
use kube_sci_cluster::{
    config::ModelConfig,
    objects::{NamespaceView, NodeView, PodUid, PodView},
};
use serde_json::{Value, json};

pub fn noon() -> Timestamp {
    "2026-01-31T12:00:00Z".parse().unwrap()
}

pub fn config(value: &Value) -> ModelConfig {
    serde_json::from_value(value.clone()).unwrap()
}

/// A node of 8 CPUs and 32 GiB in a grid zone.
pub fn node_json(name: &str, zone: &str) -> Value {
    let amounts = json!({ "cpu": "8", "memory": "32Gi" });
    json!({
        "metadata": {
            "name": name, "uid": format!("uid-{name}"), "resourceVersion": "1",
            "annotations": { "kube-sci.dev/grid-zone": zone }
        },
        "status": { "capacity": amounts, "allocatable": amounts }
    })
}

/// A pod that asks for CPU; bound if `node` is not empty.
pub fn pod_json(name: &str, node: &str, cpu: &str) -> Value {
    json!({
        "metadata": { "namespace": "default", "name": name, "uid": format!("uid-{name}"), "resourceVersion": "1" },
        "spec": {
            "nodeName": node,
            "containers": [{ "name": "c", "resources": { "requests": { "cpu": cpu, "memory": "1Gi" } } }]
        },
        "status": { "phase": "Running" }
    })
}

pub fn namespace_json(name: &str, opted_out: bool) -> Value {
    json!({ "metadata": {
        "name": name, "uid": format!("uid-{name}"), "resourceVersion": "1",
        "labels": { "kube-sci.dev/opt-out": opted_out.to_string() }
    } })
}

pub fn node(name: &str, zone: &str) -> NodeView {
    serde_json::from_value(node_json(name, zone)).unwrap()
}

pub fn pod(name: &str, node: &str, cpu: &str) -> PodView {
    serde_json::from_value(pod_json(name, node, cpu)).unwrap()
}

pub fn namespace(name: &str, opted_out: bool) -> NamespaceView {
    serde_json::from_value(namespace_json(name, opted_out)).unwrap()
}

pub fn uid(name: &str) -> PodUid {
    PodUid::new(&format!("uid-{name}"))
}
