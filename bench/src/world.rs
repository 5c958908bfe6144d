//! The cluster that in-process benchmarks run in: nodes of many regions and types, pods on all of them.

use anyhow::Context as _;
use jiff::Timestamp;
use kube_sci_cluster::{
    config::ModelConfig,
    index::{Index, ObjectKind},
    objects::{NodeView, PodView},
};
use serde_json::json;

use crate::request::node_name;

/// Pods that run on each node of a measured cluster.
pub const PODS_PER_NODE: usize = 10;

const PLACES: [(&str, &str, &str); 6] = [
    ("aws:///eu-north-1a/i-1", "eu-north-1", "m5.2xlarge"),
    ("aws:///us-east-1a/i-1", "us-east-1", "m6i.2xlarge"),
    ("aws:///eu-central-1a/i-1", "eu-central-1", "c5.2xlarge"),
    ("azure:///subscriptions/s/vm", "francecentral", "Standard_D8s_v3"),
    ("azure:///subscriptions/s/vm", "polandcentral", "Standard_D8s_v5"),
    ("gce://project/us-central1-a/vm", "us-central1", "n2-standard-8"),
];

/// A node of the benchmark's cluster.
///
/// # Errors
/// Never for the values here; the reader of the views checks them.
pub fn node(index: usize) -> anyhow::Result<NodeView> {
    let (provider_id, region, instance_type) = PLACES.get(index % PLACES.len()).context("no place")?;
    let size = json!({"cpu": "8", "memory": "32Gi"});
    Ok(serde_json::from_value(json!({
        "metadata": {"name": node_name(index), "labels": {
            "topology.kubernetes.io/region": region, "node.kubernetes.io/instance-type": instance_type}},
        "spec": {"providerID": provider_id},
        "status": {"capacity": size, "allocatable": size},
    }))?)
}

/// A bound pod of the benchmark's cluster.
///
/// # Errors
/// As [`node`].
pub fn bound_pod(index: usize, nodes: usize) -> anyhow::Result<PodView> {
    let (uid, name) = pod_names(index);
    Ok(serde_json::from_value(json!({
        "metadata": {"name": name, "namespace": "default", "uid": uid},
        "spec": {"nodeName": node_name(index % nodes),
            "containers": [{"resources": {"requests": {"cpu": "100m", "memory": "128Mi"}}}]},
        "status": {"phase": "Running"},
    }))?)
}

/// UID and name of a [`bound_pod`].
pub fn pod_names(index: usize) -> (String, String) {
    (format!("00000000-0000-4000-8000-{index:012x}"), format!("pod-{index}"))
}

/// An index that has listed everything.
///
/// # Errors
/// As [`node`].
pub fn index(nodes: usize, pods: usize, now: Timestamp) -> anyhow::Result<Index> {
    index_with(&ModelConfig::default(), nodes, pods, now)
}

/// The same with a configuration.
///
/// # Errors
/// As [`node`], and where the configuration is refused.
pub fn index_with(config: &ModelConfig, nodes: usize, pods: usize, now: Timestamp) -> anyhow::Result<Index> {
    let mut index = Index::new(config)?;
    for kind in ObjectKind::ALL {
        index.begin_list(kind);
    }
    for number in 0..nodes {
        index.apply_node(&node(number)?, now);
    }
    for number in 0..pods {
        index.apply_pod(&bound_pod(number, nodes)?);
    }
    for kind in ObjectKind::ALL {
        index.end_list(kind);
    }
    index.evaluate_zones(now);
    Ok(index)
}
