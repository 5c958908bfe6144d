//! What is kept of a Pod, and what it asks for.

use std::collections::BTreeMap;

use kube::core::{NamespaceResourceScope, ObjectMeta};
use sci_core::node::PodDemand;
use serde::{Deserialize, Deserializer};

use super::{Controller, CpuMillis, MemoryBytes, ResourceList, Workload, meta};

/// A Pod without the 95 % that nobody here reads.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "Wire")]
pub struct PodView {
    /// Namespace, name, UID and labels.
    pub metadata: ObjectMeta,
    /// Who made it.
    pub owner: PodOwner,
    /// What it belongs to.
    pub workload: Workload,
    /// Where it runs and what it asks for.
    pub spec: PodSpec,
    /// How far it is.
    pub status: PodStatus,
}

/// Who made a pod, as far as it matters: pods that come with the node do not keep it from being idle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PodOwner {
    /// Work: a `ReplicaSet`, a Job, nobody.
    #[default]
    Workload,
    /// A `DaemonSet`: one per node.
    DaemonSet,
    /// The Node itself: the mirror of a static pod.
    Mirror,
}

/// The part of `spec` that is read; fit for a pod from the API server and from kube-scheduler alike.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodSpec {
    /// Empty until the pod is bound.
    #[serde(deserialize_with = "null_as_default")]
    pub node_name: String,
    /// Containers that run together.
    #[serde(deserialize_with = "null_as_default")]
    pub containers: Vec<Container>,
    /// Containers that run before them, one after the other, or beside them where they restart.
    #[serde(deserialize_with = "null_as_default")]
    pub init_containers: Vec<Container>,
    /// Pod-level resources: stronger than the sum of the containers.
    #[serde(deserialize_with = "null_as_default")]
    pub resources: Requirements,
    /// What the runtime class adds.
    #[serde(deserialize_with = "null_as_default")]
    pub overhead: ResourceList,
}

/// One container's share of a pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Container {
    /// "Always" makes an init container a sidecar.
    #[serde(rename = "restartPolicy", deserialize_with = "restarts_always")]
    pub restarts_always: bool,
    /// What it asks for.
    #[serde(deserialize_with = "null_as_default")]
    pub resources: Requirements,
}

/// Requests without limits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Requirements {
    /// What the scheduler counts.
    #[serde(deserialize_with = "null_as_default")]
    pub requests: ResourceList,
}

/// The part of `status` that is read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct PodStatus {
    /// Running, Succeeded, and so on.
    #[serde(deserialize_with = "null_as_default")]
    pub phase: String,
}

/// What a pod without requests is taken to need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DefaultRequests {
    /// For pods that ask for no CPU.
    pub cpu: CpuMillis,
    /// For pods that ask for no memory.
    pub memory: MemoryBytes,
}

/// What a pod asks for, in whole units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Requests {
    /// CPU.
    pub cpu: CpuMillis,
    /// Memory.
    pub memory: MemoryBytes,
}

/// As the API server writes it: the owner stands inside `metadata`.
#[derive(Deserialize)]
struct Wire {
    metadata: WireMeta,
    #[serde(default)]
    spec: PodSpec,
    #[serde(default)]
    status: PodStatus,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireMeta {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    #[serde(default, deserialize_with = "null_as_default")]
    owner_references: Vec<WireOwner>,
}

#[derive(Deserialize)]
struct WireOwner {
    kind: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    controller: Option<bool>,
}

impl From<Wire> for PodView {
    fn from(Wire { metadata, spec, status }: Wire) -> Self {
        let WireMeta { name, namespace, uid, resource_version, labels, owner_references } = metadata;
        let controller = owner_references.iter().find(|owner| owner.controller == Some(true));
        let owner = PodOwner::controlled_by(controller.map(|owner| owner.kind.as_str()));
        let controller = controller.map(|owner| Controller { kind: &owner.kind, name: &owner.name });
        let workload =
            Workload::of(namespace.as_deref().unwrap_or_default(), name.as_deref().unwrap_or_default(), controller);
        let metadata = ObjectMeta { name, namespace, uid, resource_version, labels, ..ObjectMeta::default() };
        Self { metadata, owner, workload, spec, status }
    }
}

impl PodOwner {
    /// By the kind of the owner that controls the pod.
    pub fn controlled_by(kind: Option<&str>) -> Self {
        match kind {
            Some("DaemonSet") => Self::DaemonSet,
            Some("Node") => Self::Mirror,
            _ => Self::Workload,
        }
    }
}

impl PodView {
    /// Finished, for good or ill: it holds nothing any more.
    pub fn is_terminated(&self) -> bool {
        matches!(self.status.phase.as_str(), "Succeeded" | "Failed")
    }

    /// The node it is bound to.
    pub fn node_name(&self) -> Option<&str> {
        Some(self.spec.node_name.as_str()).filter(|name| !name.is_empty())
    }
}

impl PodSpec {
    /// The effective request, by kube-scheduler's rule: the larger of the running containers' sum and the peak
    /// while init containers run, or the pod-level request; then the overhead. A resource that nobody asks for
    /// gets its default.
    pub fn requests(&self, defaults: &DefaultRequests) -> Requests {
        let cpu = self.effective(|list| list.cpu.map(|cpu| cpu.0));
        let memory = self.effective(|list| list.memory.map(|memory| memory.0));
        Requests {
            cpu: cpu.filter(|&cpu| cpu > 0).map_or(defaults.cpu, CpuMillis),
            memory: memory.filter(|&memory| memory > 0).map_or(defaults.memory, MemoryBytes),
        }
    }

    /// One resource of the whole pod; `None` where nobody asks for it.
    fn effective(&self, of: impl Fn(&ResourceList) -> Option<u64>) -> Option<u64> {
        let asked = |container: &Container| of(&container.resources.requests);
        let mut running = sum(self.containers.iter().map(asked));
        let (mut sidecars, mut peak) = (None, None);
        for container in &self.init_containers {
            if container.restarts_always {
                sidecars = add(sidecars, asked(container));
                running = add(running, asked(container));
                peak = peak.max(sidecars);
            } else {
                peak = peak.max(add(sidecars, asked(container)));
            }
        }
        let containers = running.max(peak);
        let pod = of(&self.resources.requests).or(containers);
        add(pod, of(&self.overhead))
    }
}

impl Requests {
    /// In the model's units.
    pub fn demand(self) -> PodDemand {
        super::resources(self.cpu, self.memory)
    }
}

fn add(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.saturating_add(b)),
        (a, b) => a.or(b),
    }
}

fn sum(parts: impl Iterator<Item = Option<u64>>) -> Option<u64> {
    parts.fold(None, add)
}

fn restarts_always<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.is_some_and(|policy| policy == "Always"))
}

fn null_as_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

meta::core_resource!(PodView, "Pod", "pods", NamespaceResourceScope);

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const DEFAULTS: DefaultRequests = DefaultRequests { cpu: CpuMillis(100), memory: MemoryBytes(128 << 20) };

    fn container(cpu: &str) -> Value {
        json!({ "name": "c", "resources": { "requests": { "cpu": cpu, "memory": "1Gi", "nvidia.com/gpu": "1" } } })
    }

    fn sidecar(cpu: &str) -> Value {
        let mut sidecar = container(cpu);
        sidecar["restartPolicy"] = json!("Always");
        sidecar
    }

    fn cpu_millis(spec: Value) -> u64 {
        serde_json::from_value::<PodSpec>(spec).unwrap().requests(&DEFAULTS).cpu.0
    }

    #[test]
    fn containers_add_up() {
        assert_eq!(cpu_millis(json!({ "containers": [container("100m"), container("2")] })), 2_100);
    }

    #[test]
    fn the_largest_init_container_can_be_the_peak() {
        let spec = json!({ "containers": [container("1")], "initContainers": [container("3"), container("2")] });
        assert_eq!(cpu_millis(spec), 3_000);
        let spec = json!({ "containers": [container("4")], "initContainers": [container("3")] });
        assert_eq!(cpu_millis(spec), 4_000);
    }

    #[test]
    fn sidecars_run_beside_the_containers_and_later_init_containers() {
        let spec = json!({
            "containers": [container("1")],
            "initContainers": [container("2"), sidecar("500m"), container("1800m")]
        });
        // Running: 1 + 0.5; peak: 0.5 + 1.8.
        assert_eq!(cpu_millis(spec), 2_300);
        let spec = json!({ "containers": [container("2")], "initContainers": [container("1"), sidecar("500m")] });
        assert_eq!(cpu_millis(spec), 2_500);
    }

    #[test]
    fn pod_level_requests_replace_the_sum_and_overhead_comes_on_top() {
        let spec = json!({
            "containers": [container("4")],
            "resources": { "requests": { "cpu": "1500m" } },
            "overhead": { "cpu": "250m", "memory": "64Mi" }
        });
        let requests = serde_json::from_value::<PodSpec>(spec).unwrap().requests(&DEFAULTS);
        assert_eq!(requests, Requests { cpu: CpuMillis(1_750), memory: MemoryBytes((1 << 30) + (64 << 20)) });
    }

    #[test]
    fn a_pod_without_requests_gets_the_defaults() {
        for spec in [json!({}), json!({ "containers": [{ "name": "c" }] }), json!({ "containers": null })] {
            let requests = serde_json::from_value::<PodSpec>(spec).unwrap().requests(&DEFAULTS);
            assert_eq!(requests, Requests { cpu: DEFAULTS.cpu, memory: DEFAULTS.memory });
        }
        assert_eq!(cpu_millis(json!({ "containers": [container("0")] })), 100);
    }

    #[test]
    fn amounts_beyond_everything_stay_in_range() {
        let huge = container("9P");
        let spec = json!({ "containers": [huge.clone(), huge.clone(), huge] });
        let requests = serde_json::from_value::<PodSpec>(spec).unwrap().requests(&DEFAULTS);
        assert_eq!(requests.cpu.0, u64::MAX);
        assert_eq!(requests.demand().cpu, sci_core::quantity::Cores::MAX);
    }

    #[test]
    fn the_controlling_owner_tells_what_comes_with_the_node() {
        let owner = |kind: &str, controller: bool| {
            let owners = json!([{ "kind": kind, "controller": controller, "name": "x" }]);
            let pod = json!({ "metadata": { "name": "p", "ownerReferences": owners } });
            serde_json::from_value::<PodView>(pod).unwrap().owner
        };
        assert_eq!(owner("DaemonSet", true), PodOwner::DaemonSet);
        assert_eq!(owner("Node", true), PodOwner::Mirror);
        assert_eq!(owner("ReplicaSet", true), PodOwner::Workload);
        assert_eq!(owner("DaemonSet", false), PodOwner::Workload);
    }

    #[test]
    fn finished_pods_are_told_from_running_ones() {
        for (phase, terminated) in [("Succeeded", true), ("Failed", true), ("Running", false), ("Pending", false)] {
            let pod = json!({ "metadata": { "name": "p" }, "status": { "phase": phase } });
            assert_eq!(serde_json::from_value::<PodView>(pod).unwrap().is_terminated(), terminated, "{phase}");
        }
    }
}
