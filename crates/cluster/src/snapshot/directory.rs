//! Pods and nodes by name, with their labels: for readers that are asked by selector.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::objects::{Labels, PodUid, Workload};

/// Bound, unfinished pods by namespace, and labels of nodes. Immutable once published.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    pub(crate) namespaces: FxHashMap<Arc<str>, Arc<[Arc<PodRecord>]>>,
    pub(crate) nodes: FxHashMap<Arc<str>, Labels>,
}

/// One pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodRecord {
    /// Its name.
    pub name: Box<str>,
    /// Which of that name it is.
    pub uid: PodUid,
    /// Its labels.
    pub labels: Labels,
    /// Its node.
    pub node: Arc<str>,
    /// What it belongs to.
    pub workload: Arc<Workload>,
}

impl Directory {
    /// Pods of a namespace, by name.
    pub fn pods(&self, namespace: &str) -> &[Arc<PodRecord>] {
        self.namespaces.get(namespace).map(AsRef::as_ref).unwrap_or_default()
    }

    /// A pod by name.
    pub fn pod(&self, namespace: &str, name: &str) -> Option<&PodRecord> {
        let pods = self.pods(namespace);
        pods.get(pods.binary_search_by(|pod| (*pod.name).cmp(name)).ok()?).map(AsRef::as_ref)
    }

    /// Every namespace that has pods, with them, in no order.
    pub fn namespaces(&self) -> impl Iterator<Item = (&Arc<str>, &[Arc<PodRecord>])> {
        self.namespaces.iter().map(|(namespace, pods)| (namespace, &**pods))
    }

    /// Labels of a node.
    pub fn node_labels(&self, name: &str) -> Option<&Labels> {
        self.nodes.get(name)
    }
}
