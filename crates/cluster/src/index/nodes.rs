//! Nodes with the sums of what runs on them.

use std::{mem, sync::Arc};

use rustc_hash::FxHashMap;
use sci_core::{node::NodeLoad, power::Hardware};

use crate::{
    energy::NodeMeters,
    identity::{NodeIdentity, RefusedAnnotation},
    objects::{self, CpuMillis, MemoryBytes},
    snapshot::{ChunkedVec, NodeRecord, Slot},
};

/// A pod's part in its node's load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    pub cpu_millis: u64,
    pub memory_bytes: u64,
    pub workload: bool,
}

/// Places by number. A place is taken by a node that exists, by pods that are bound to a node of that name, or by
/// both; it is free again when neither is left.
#[derive(Debug, Default)]
pub(super) struct NodeTable {
    places: Vec<Place>,
    by_name: FxHashMap<Arc<str>, u32>,
    free: Vec<u32>,
    /// Existing nodes only.
    names: Arc<FxHashMap<Arc<str>, Slot>>,
    records: ChunkedVec<Option<NodeRecord>>,
}

#[derive(Debug, Default)]
struct Place {
    name: Arc<str>,
    epoch: u32,
    exists: bool,
    seen: bool,
    sum: Sum,
}

/// Wide enough for every pod there can be, so that subtraction always undoes addition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sum {
    cpu_millis: u128,
    memory_bytes: u128,
    pods: u32,
    workload_pods: u32,
}

impl Sum {
    fn add(&mut self, part: Part) {
        self.cpu_millis += u128::from(part.cpu_millis);
        self.memory_bytes += u128::from(part.memory_bytes);
        self.pods += 1;
        self.workload_pods += u32::from(part.workload);
    }

    fn remove(&mut self, part: Part) {
        self.cpu_millis = self.cpu_millis.saturating_sub(u128::from(part.cpu_millis));
        self.memory_bytes = self.memory_bytes.saturating_sub(u128::from(part.memory_bytes));
        self.pods = self.pods.saturating_sub(1);
        self.workload_pods = self.workload_pods.saturating_sub(u32::from(part.workload));
    }

    fn load(self) -> NodeLoad {
        let whole = |sum: u128| u64::try_from(sum).unwrap_or(u64::MAX);
        NodeLoad {
            requested: objects::resources(CpuMillis(whole(self.cpu_millis)), MemoryBytes(whole(self.memory_bytes))),
            workload_pods: f64::from(self.workload_pods),
        }
    }
}

impl NodeTable {
    pub(super) fn names(&self) -> &Arc<FxHashMap<Arc<str>, Slot>> {
        &self.names
    }

    pub(super) fn records(&self) -> &ChunkedVec<Option<NodeRecord>> {
        &self.records
    }

    /// Whether anything changed, and annotations refused for the first time.
    pub(super) fn apply(&mut self, name: &str, identity: NodeIdentity) -> (bool, Vec<RefusedAnnotation>) {
        let index = self.place_named(name);
        let Some(place) = self.place(index) else { return (false, Vec::new()) };
        let appeared = !mem::replace(&mut place.exists, true);
        place.seen = true;
        let (slot, name, load) = (Slot { index, epoch: place.epoch }, Arc::clone(&place.name), place.sum.load());
        if appeared {
            Arc::make_mut(&mut self.names).insert(Arc::clone(&name), slot);
        }
        let known = self.records.get(position(index)).and_then(Option::as_ref);
        if known.is_some_and(|known| *known.identity == identity) {
            return (appeared, Vec::new());
        }
        let (hardware, meters) = (Arc::clone(&identity.hardware), Arc::default());
        (true, self.record(NodeRecord { slot, name, identity: Arc::new(identity), load, hardware, meters }))
    }

    fn record(&mut self, record: NodeRecord) -> Vec<RefusedAnnotation> {
        let refused = record.identity.refused.clone();
        let Some(entry) = self.records.entry(record.slot.position()) else { return refused };
        let reported = entry.replace(record).is_some_and(|before| before.identity.refused == refused);
        if reported { Vec::new() } else { refused }
    }

    /// The record of an existing node.
    pub(super) fn named(&self, name: &str) -> Option<&NodeRecord> {
        self.records.get(position(*self.by_name.get(name)?))?.as_ref()
    }

    /// All existing nodes.
    pub(super) fn existing(&self) -> impl Iterator<Item = &NodeRecord> {
        self.records.iter().flatten()
    }

    /// What is known of a node's power has changed.
    pub(super) fn set_energy(&mut self, name: &str, hardware: Arc<Hardware>, meters: Arc<NodeMeters>) {
        let Some(&index) = self.by_name.get(name) else { return };
        if let Some(Some(record)) = self.records.entry(position(index)) {
            record.hardware = hardware;
            record.meters = meters;
        }
    }

    pub(super) fn delete(&mut self, name: &str) -> bool {
        let Some(&index) = self.by_name.get(name) else { return false };
        let existed = self.place(index).is_some_and(|place| mem::take(&mut place.exists));
        if existed {
            Arc::make_mut(&mut self.names).remove(name);
            if let Some(entry) = self.records.entry(position(index)) {
                *entry = None;
            }
            self.free_if_unused(index);
        }
        existed
    }

    pub(super) fn keep(&mut self, name: &str) {
        if let Some(place) = self.by_name.get(name).copied().and_then(|index| self.place(index)) {
            place.seen = true;
        }
    }

    pub(super) fn begin_list(&mut self) {
        self.places.iter_mut().for_each(|place| place.seen = false);
    }

    /// Names of nodes that the list did not name.
    pub(super) fn end_list(&mut self) -> Vec<Arc<str>> {
        let vanished = self.places.iter().filter(|place| place.exists && !place.seen);
        let vanished: Vec<Arc<str>> = vanished.map(|place| Arc::clone(&place.name)).collect();
        for name in &vanished {
            self.delete(name);
        }
        vanished
    }

    /// Counts a pod on a node that may not be known yet. The place stays taken until the pod is removed.
    pub(super) fn add_pod(&mut self, node_name: &str, part: Part) -> Slot {
        let index = self.place_named(node_name);
        self.change_load(index, |sum| sum.add(part))
    }

    pub(super) fn remove_pod(&mut self, index: u32, part: Part) {
        self.change_load(index, |sum| sum.remove(part));
        self.free_if_unused(index);
    }

    pub(super) fn is_named(&self, index: u32, name: &str) -> bool {
        self.places.get(position(index)).is_some_and(|place| &*place.name == name)
    }

    fn change_load(&mut self, index: u32, change: impl FnOnce(&mut Sum)) -> Slot {
        let Some(place) = self.place(index) else { return Slot { index, epoch: 0 } };
        change(&mut place.sum);
        let (slot, exists, load) = (Slot { index, epoch: place.epoch }, place.exists, place.sum.load());
        if exists && let Some(Some(record)) = self.records.entry(position(index)) {
            record.load = load;
        }
        slot
    }

    /// The place of this name, made if need be.
    fn place_named(&mut self, name: &str) -> u32 {
        if let Some(&index) = self.by_name.get(name) {
            return index;
        }
        let name: Arc<str> = name.into();
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place::default());
            u32::try_from(self.places.len() - 1).unwrap_or(u32::MAX)
        });
        if let Some(place) = self.place(index) {
            *place = Place { name: Arc::clone(&name), epoch: place.epoch.wrapping_add(1), ..Place::default() };
        }
        self.by_name.insert(name, index);
        index
    }

    fn free_if_unused(&mut self, index: u32) {
        let Some(place) = self.place(index).filter(|place| !place.exists && place.sum.pods == 0) else { return };
        let name = mem::take(&mut place.name);
        self.by_name.remove(&name);
        self.free.push(index);
    }

    fn place(&mut self, index: u32) -> Option<&mut Place> {
        self.places.get_mut(position(index))
    }
}

fn position(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}
