//! What is kept of a Node.

use kube::core::{ClusterResourceScope, ObjectMeta};
use serde::Deserialize;

use super::{ResourceList, meta};

/// A Node without the 90 % that nobody here reads (images, conditions, managed fields).
#[derive(Debug, Clone, Deserialize)]
pub struct NodeView {
    /// Name, labels and annotations.
    #[serde(default, deserialize_with = "meta::described")]
    pub metadata: ObjectMeta,
    /// Where it runs.
    #[serde(default)]
    pub spec: NodeSpec,
    /// What it has.
    #[serde(default)]
    pub status: NodeStatus,
}

/// The part of `spec` that is read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct NodeSpec {
    /// `aws:///eu-west-1a/i-1`, `azure://...`, `gce://...`.
    #[serde(rename = "providerID")]
    pub provider_id: Option<String>,
}

/// The part of `status` that is read. A node that just joined has none: its amounts are zero.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct NodeStatus {
    /// What the machine has.
    #[serde(default)]
    pub capacity: ResourceList,
    /// What pods may request of it.
    #[serde(default)]
    pub allocatable: ResourceList,
    /// Host names and IP addresses: meters know the node by them.
    #[serde(default)]
    pub addresses: Vec<NodeAddress>,
}

/// One address of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct NodeAddress {
    /// Host name or IP address.
    pub address: String,
}

meta::core_resource!(NodeView, "Node", "nodes", ClusterResourceScope);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::objects::{CpuMillis, MemoryBytes};

    #[test]
    fn a_node_is_read_without_its_noise() {
        let node: NodeView = serde_json::from_value(json!({
            "kind": "Node", "apiVersion": "v1",
            "metadata": { "name": "n1", "labels": { "a": "b" }, "managedFields": [{ "manager": "kubelet" }] },
            "spec": { "providerID": "aws:///eu-west-1a/i-1", "taints": [] },
            "status": {
                "capacity": { "cpu": "4", "memory": "16Gi", "pods": "110" },
                "allocatable": { "cpu": "3920m", "memory": "15Gi" },
                "addresses": [{ "type": "InternalIP", "address": "10.0.0.7" }],
                "images": [{ "names": ["x"] }]
            }
        }))
        .unwrap();
        assert_eq!(node.metadata.managed_fields, None);
        assert_eq!(meta::label(&node.metadata, "a"), Some("b"));
        assert_eq!(node.spec.provider_id.as_deref(), Some("aws:///eu-west-1a/i-1"));
        assert_eq!(node.status.allocatable.cpu, Some(CpuMillis(3_920)));
        assert_eq!(node.status.addresses.first().unwrap().address, "10.0.0.7");
        assert_eq!(node.status.capacity.memory, Some(MemoryBytes(16 << 30)));
    }

    #[test]
    fn a_node_without_status_has_nothing() {
        let node: NodeView = serde_json::from_value(json!({ "metadata": { "name": "n1" } })).unwrap();
        assert_eq!(node.status, NodeStatus::default());
    }
}
