//! Slim views of Kubernetes objects: only the fields that the model needs are parsed and kept.
//!
//! The views are deserialised straight from the API server's answer, so a Node of 16 KB costs a few hundred bytes.
//! Pods from kube-scheduler's requests go through the same [`PodSpec`], hence the same numbers.

mod labels;
mod meta;
mod namespace;
mod node;
mod pod;
mod quantity;
mod uid;
mod workload;

use sci_core::{
    node::Resources,
    quantity::{Bytes, Cores},
};
use serde::Deserialize;

pub use self::{
    labels::Labels,
    meta::{annotation, display_name, label},
    namespace::NamespaceView,
    node::{NodeAddress, NodeSpec, NodeStatus, NodeView},
    pod::{Container, DefaultRequests, PodOwner, PodSpec, PodStatus, PodView, Requests, Requirements},
    quantity::{CpuMillis, MemoryBytes, QuantityError},
    uid::PodUid,
    workload::{Controller, Workload, WorkloadKey},
};

/// CPU and memory of a Kubernetes resource list; other resources are skipped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct ResourceList {
    /// CPU, if named.
    #[serde(default)]
    pub cpu: Option<CpuMillis>,
    /// Memory, if named.
    #[serde(default)]
    pub memory: Option<MemoryBytes>,
}

impl ResourceList {
    /// In the model's units; what is not named is nothing.
    pub fn resources(&self) -> Resources {
        resources(self.cpu.unwrap_or_default(), self.memory.unwrap_or_default())
    }
}

/// Whole units in the model's units. Amounts beyond the model's range end at its edge.
pub(crate) fn resources(cpu: CpuMillis, memory: MemoryBytes) -> Resources {
    Resources {
        cpu: Cores::new(float(cpu.0) / 1_000.0).unwrap_or(Cores::MAX),
        memory: Bytes::new(float(memory.0)).unwrap_or(Bytes::MAX),
    }
}

/// The nearest float: exact up to 2^53, which is 9 PB.
pub fn float(value: u64) -> f64 {
    const HALF: f64 = 4_294_967_296.0;
    let high = u32::try_from(value >> 32).unwrap_or(u32::MAX);
    let low = u32::try_from(value & u64::from(u32::MAX)).unwrap_or(u32::MAX);
    f64::from(high) * HALF + f64::from(low)
}
