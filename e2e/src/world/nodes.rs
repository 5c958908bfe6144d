//! Simulated nodes.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Node, NodeSpec, NodeStatus};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

const REGION: &str = "topology.kubernetes.io/region";
const ZONE: &str = "topology.kubernetes.io/zone";
const INSTANCE_TYPE: &str = "node.kubernetes.io/instance-type";
const NOT_READY: &str = "node.kubernetes.io/not-ready";

/// A node in the making: 4 cores, 16 GiB, 110 pods, nowhere in particular.
#[derive(Debug, Clone)]
pub struct NodeBuilder {
    name: String,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    provider_id: Option<String>,
    pod_range: Option<String>,
    cpu: String,
    memory: String,
    pods: u32,
}

/// Starts a node.
pub fn node(name: impl Into<String>) -> NodeBuilder {
    let name = name.into();
    NodeBuilder {
        labels: BTreeMap::from([("kubernetes.io/hostname".to_owned(), name.clone())]),
        annotations: BTreeMap::new(),
        provider_id: None,
        pod_range: None,
        cpu: "4".to_owned(),
        memory: "16Gi".to_owned(),
        pods: 110,
        name,
    }
}

impl NodeBuilder {
    /// An EC2 instance in the first zone of a region. Its capacity is not derived: see [`Self::capacity`].
    #[must_use]
    pub fn aws(self, region: &str, instance_type: &str) -> Self {
        let zone = format!("{region}a");
        let id = format!("aws:///{zone}/i-{}", self.name);
        self.provider_id(id).region(region).zone(&zone).instance_type(instance_type)
    }

    /// A virtual machine of Azure.
    #[must_use]
    pub fn azure(self, region: &str, instance_type: &str) -> Self {
        let machine = format!("resourceGroups/group/providers/Microsoft.Compute/virtualMachines/{}", self.name);
        self.provider_id(format!("azure:///subscriptions/00000000-0000-0000-0000-000000000000/{machine}"))
            .region(region)
            .zone(&format!("{region}-1"))
            .instance_type(instance_type)
    }

    /// A Compute Engine instance of Google.
    #[must_use]
    pub fn gcp(self, region: &str, instance_type: &str) -> Self {
        let zone = format!("{region}-a");
        let id = format!("gce://project/{zone}/{}", self.name);
        self.provider_id(id).region(region).zone(&zone).instance_type(instance_type)
    }

    #[must_use]
    pub fn provider_id(mut self, id: impl Into<String>) -> Self {
        self.provider_id = Some(id.into());
        self
    }

    #[must_use]
    pub fn region(self, region: &str) -> Self {
        self.label(REGION, region)
    }

    #[must_use]
    pub fn zone(self, zone: &str) -> Self {
        self.label(ZONE, zone)
    }

    #[must_use]
    pub fn instance_type(self, instance_type: &str) -> Self {
        self.label(INSTANCE_TYPE, instance_type)
    }

    /// Cores and memory as Kubernetes quantities, for example `"16"` and `"64Gi"`.
    #[must_use]
    pub fn capacity(mut self, cpu: &str, memory: &str) -> Self {
        cpu.clone_into(&mut self.cpu);
        memory.clone_into(&mut self.memory);
        self
    }

    /// Where the addresses of its pods come from, for example `127.64.0.0/16`: then something on this machine can answer
    /// for them. Without one they are of nowhere.
    #[must_use]
    pub fn pod_range(mut self, range: &str) -> Self {
        self.pod_range = Some(range.to_owned());
        self
    }

    /// How many pods fit.
    #[must_use]
    pub fn max_pods(mut self, pods: u32) -> Self {
        self.pods = pods;
        self
    }

    #[must_use]
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.labels.insert(key.to_owned(), value.to_owned());
        self
    }

    #[must_use]
    pub fn annotation(mut self, key: &str, value: &str) -> Self {
        self.annotations.insert(key.to_owned(), value.to_owned());
        self
    }

    /// The Node object; the simulator adds conditions and addresses.
    pub fn build(self) -> Node {
        let resources = BTreeMap::from([
            ("cpu".to_owned(), Quantity(self.cpu)),
            ("memory".to_owned(), Quantity(self.memory)),
            ("pods".to_owned(), Quantity(self.pods.to_string())),
        ]);
        let mut node = Node {
            spec: Some(NodeSpec {
                provider_id: self.provider_id,
                pod_cidrs: self.pod_range.clone().map(|range| vec![range]),
                pod_cidr: self.pod_range,
                ..NodeSpec::default()
            }),
            status: Some(NodeStatus {
                allocatable: Some(resources.clone()),
                capacity: Some(resources),
                ..NodeStatus::default()
            }),
            ..Node::default()
        };
        node.metadata.name = Some(self.name);
        node.metadata.labels = Some(self.labels);
        node.metadata.annotations = Some(self.annotations);
        node
    }
}

/// Ready, and the controller manager has taken away the taint that every new node gets.
pub(super) fn is_usable(node: &Node) -> bool {
    let conditions = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let mut taints = node.spec.iter().flat_map(|spec| spec.taints.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
        && !taints.any(|taint| taint.key == NOT_READY)
}
