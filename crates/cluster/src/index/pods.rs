//! Pods that hold resources on a node, in a few dozen bytes each.

use std::mem;

use rustc_hash::FxHashMap;

use super::{
    PodChange,
    nodes::{NodeTable, Part},
};
use crate::objects::{DefaultRequests, PodOwner, PodUid, PodView};

#[derive(Debug, Default)]
pub(super) struct PodTable {
    bound: FxHashMap<PodUid, BoundPod>,
}

#[derive(Debug, Clone, Copy)]
struct BoundPod {
    part: Part,
    node: u32,
    seen: bool,
}

impl PodTable {
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
        let known = self.bound.get_mut(&uid).map(|known| {
            known.seen = true;
            *known
        });
        match known {
            Some(known) if known.part == part && nodes.is_named(known.node, node_name) => return PodChange::None,
            Some(known) => nodes.remove_pod(known.node, known.part),
            None => {}
        }
        let slot = nodes.add_pod(node_name, part);
        self.bound.insert(uid, BoundPod { part, node: slot.index, seen: true });
        if known.is_some() { PodChange::Changed } else { PodChange::Bound(slot) }
    }

    pub(super) fn delete(&mut self, uid: PodUid, nodes: &mut NodeTable) -> bool {
        let removed = self.bound.remove(&uid);
        if let Some(pod) = removed {
            nodes.remove_pod(pod.node, pod.part);
        }
        removed.is_some()
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
        let before = self.bound.len();
        self.bound.retain(|_, pod| {
            let seen = mem::take(&mut pod.seen);
            if !seen {
                nodes.remove_pod(pod.node, pod.part);
            }
            seen
        });
        before != self.bound.len()
    }
}
