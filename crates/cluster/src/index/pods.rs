//! Pods that hold resources on a node, in a few dozen bytes each; and for a while those that just left.

use std::{collections::VecDeque, mem, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use rustc_hash::FxHashMap;

use super::{
    PodChange,
    nodes::{NodeTable, Part},
};
use crate::{
    objects::{DefaultRequests, PodOwner, PodUid, PodView, Workload, WorkloadKey},
    snapshot::Slot,
};

/// Pods that left lately and are still recognised: their last energy is reported after they are gone.
const MAX_DEPARTED: usize = 10_000;
/// Windows are far shorter.
const REMEMBER: SignedDuration = SignedDuration::from_mins(15);

#[derive(Debug, Default)]
pub(super) struct PodTable {
    bound: FxHashMap<PodUid, BoundPod>,
    departed: VecDeque<Departed>,
    /// One copy of the names for all pods of a workload.
    workloads: FxHashMap<WorkloadKey, Arc<Workload>>,
}

/// A pod that is gone.
#[derive(Debug)]
struct Departed {
    uid: PodUid,
    pod: BoundPod,
    /// Unknown until the clock is looked at next.
    at: Option<Timestamp>,
}

/// A pod on a node.
#[derive(Debug, Clone)]
pub(crate) struct BoundPod {
    pub part: Part,
    pub node: u32,
    pub name: Box<str>,
    pub workload: Arc<Workload>,
    pub key: WorkloadKey,
    seen: bool,
}

/// Pods of every node, with those that left after a moment.
#[derive(Debug, Default)]
pub(crate) struct PodsByNode<'a> {
    by_node: FxHashMap<u32, Vec<(PodUid, &'a BoundPod, Presence)>>,
}

/// Whether a pod is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    Here,
    Departed,
}

impl<'a> PodsByNode<'a> {
    /// Pods on the node at a place.
    pub(crate) fn on(&self, slot: Slot) -> &[(PodUid, &'a BoundPod, Presence)] {
        self.by_node.get(&slot.index).map(Vec::as_slice).unwrap_or_default()
    }
}

impl PodTable {
    /// All pods by node, with those that were there after `since`.
    pub(super) fn by_node(&self, since: Timestamp) -> PodsByNode<'_> {
        let mut by_node: FxHashMap<u32, Vec<_>> = FxHashMap::default();
        for (&uid, pod) in &self.bound {
            by_node.entry(pod.node).or_default().push((uid, pod, Presence::Here));
        }
        for (uid, pod) in self.departed(since) {
            by_node.entry(pod.node).or_default().push((uid, pod, Presence::Departed));
        }
        // In one order, whatever that of the map: sums of floats depend on it.
        for pods in by_node.values_mut() {
            pods.sort_unstable_by_key(|(uid, ..)| *uid);
        }
        PodsByNode { by_node }
    }

    pub(super) fn len(&self) -> usize {
        self.bound.len()
    }

    pub(super) fn contains(&self, uid: PodUid) -> bool {
        self.bound.contains_key(&uid)
    }

    /// Pods that are on no node hold nothing and are not kept.
    pub(super) fn apply(
        &mut self,
        uid: PodUid,
        pod: &PodView,
        defaults: &DefaultRequests,
        nodes: &mut NodeTable,
    ) -> PodChange {
        let Some(node_name) = pod.node_name() else {
            let removed = self.delete(uid, nodes);
            return if removed { PodChange::Changed } else { PodChange::None };
        };
        let requests = pod.spec.requests(defaults);
        let part = Part {
            cpu_millis: requests.cpu.0,
            memory_bytes: requests.memory.0,
            workload: pod.owner == PodOwner::Workload,
        };
        if let Some(known) = self.bound.get_mut(&uid) {
            known.seen = true;
            if known.part == part && nodes.is_named(known.node, node_name) {
                return PodChange::None;
            }
            nodes.remove_pod(known.node, known.part);
            known.part = part;
            known.node = nodes.add_pod(node_name, part).index;
            return PodChange::Changed;
        }
        let slot = nodes.add_pod(node_name, part);
        let (key, workload) = self.workload(pod);
        let name = pod.metadata.name.as_deref().unwrap_or_default().into();
        self.bound.insert(uid, BoundPod { part, node: slot.index, name, workload, key, seen: true });
        PodChange::Bound(slot)
    }

    fn workload(&mut self, pod: &PodView) -> (WorkloadKey, Arc<Workload>) {
        let key = pod.workload.key();
        let workload = self.workloads.entry(key).or_insert_with(|| Arc::new(pod.workload.clone()));
        (key, Arc::clone(workload))
    }

    /// Pods that were there at some time after `since` but are gone, oldest first.
    fn departed(&self, since: Timestamp) -> impl Iterator<Item = (PodUid, &BoundPod)> {
        let lately = self.departed.iter().filter(move |departed| departed.at.is_none_or(|at| at > since));
        lately.map(|departed| (departed.uid, &departed.pod))
    }

    /// The clock says `now`: pods that left since it was looked at last left now.
    pub(super) fn tick(&mut self, now: Timestamp) {
        for departed in self.departed.iter_mut().rev().take_while(|departed| departed.at.is_none()) {
            departed.at = Some(now);
        }
        let old = |departed: &Departed| departed.at.is_some_and(|at| now.duration_since(at) > REMEMBER);
        while self.departed.front().is_some_and(old) {
            self.departed.pop_front();
        }
    }

    /// Names of workloads that no pod has any more are given back.
    pub(super) fn forget_workloads(&mut self) {
        self.workloads.retain(|_, workload| Arc::strong_count(workload) > 1);
    }

    pub(super) fn delete(&mut self, uid: PodUid, nodes: &mut NodeTable) -> bool {
        let Some(pod) = self.bound.remove(&uid) else { return false };
        nodes.remove_pod(pod.node, pod.part);
        self.depart(uid, pod);
        true
    }

    pub(super) fn keep(&mut self, uid: PodUid) {
        if let Some(pod) = self.bound.get_mut(&uid) {
            pod.seen = true;
        }
    }

    pub(super) fn begin_list(&mut self) {
        self.bound.values_mut().for_each(|pod| pod.seen = false);
    }

    pub(super) fn end_list(&mut self, nodes: &mut NodeTable) -> bool {
        let vanished: Vec<PodUid> =
            self.bound.iter_mut().filter_map(|(&uid, pod)| (!mem::take(&mut pod.seen)).then_some(uid)).collect();
        for &uid in &vanished {
            self.delete(uid, nodes);
        }
        self.forget_workloads();
        !vanished.is_empty()
    }

    fn depart(&mut self, uid: PodUid, pod: BoundPod) {
        if self.departed.len() >= MAX_DEPARTED {
            self.departed.pop_front();
        }
        self.departed.push_back(Departed { uid, pod, at: None });
    }
}
