//! Where the pods of every workload run.

use std::{ptr, sync::Arc};

use kube_sci_cluster::{
    objects::{Controller, Workload, WorkloadKey},
    snapshot::{Directory, PodRecord, Snapshot},
};
use rustc_hash::FxHashMap;

use crate::policy::TargetRef;

/// Kinds whose pods say so themselves, or through a `ReplicaSet` or Job that does.
const PLAIN_KINDS: [&str; 7] = ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod"];

/// Pods by workload, of the newest directory.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Whose directory it is made of; kept so that its address is nobody else's.
    snapshot: Option<Arc<Snapshot>>,
    pods: FxHashMap<WorkloadKey, Vec<Arc<PodRecord>>>,
}

/// A target as pods name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TargetKeys {
    own: WorkloadKey,
    /// Controllers that work through `ReplicaSets` of their own look like a Deployment of their name.
    through_replica_sets: Option<WorkloadKey>,
}

impl TargetKeys {
    pub(super) fn of(namespace: &str, target: &TargetRef) -> Self {
        let key = |kind| Workload::of(namespace, &target.name, Some(Controller { kind, name: &target.name })).key();
        let plain = PLAIN_KINDS.contains(&target.kind.as_str());
        Self { own: key(&target.kind), through_replica_sets: (!plain).then(|| key("Deployment")) }
    }
}

impl Places {
    /// Looks at the newest snapshot. Cheap where no pod came, went or moved.
    pub(super) fn refresh(&mut self, snapshot: &Arc<Snapshot>) {
        let known = self.snapshot.as_ref().map(|known| known.directory());
        if !known.is_some_and(|known| ptr::eq::<Directory>(known, snapshot.directory())) {
            self.pods.clear();
            for pod in snapshot.directory().namespaces().flat_map(|(_, pods)| pods) {
                self.pods.entry(pod.workload.key()).or_default().push(Arc::clone(pod));
            }
        }
        self.snapshot = Some(Arc::clone(snapshot));
    }

    /// Pods of a workload.
    pub(super) fn of(&self, target: TargetKeys) -> &[Arc<PodRecord>] {
        let pods = |key| self.pods.get(&key).map(Vec::as_slice);
        pods(target.own).or_else(|| pods(target.through_replica_sets?)).unwrap_or_default()
    }
}
