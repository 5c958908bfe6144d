//! What every program reads: one immutable picture of the cluster, replaced as a whole.

mod chunked;

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use jiff::Timestamp;
use kube_sci_signals::grid::{ZoneIndex, ZoneState, ZoneTable};
use rustc_hash::{FxHashMap, FxHashSet};
use sci_core::node::NodeLoad;

pub use self::chunked::ChunkedVec;
use crate::identity::NodeIdentity;

/// The place of a node in the snapshot. A place that a later node took over has another epoch, so an old slot
/// finds nothing rather than the wrong node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot {
    pub(crate) index: u32,
    pub(crate) epoch: u32,
}

impl Slot {
    pub(crate) fn position(self) -> usize {
        usize::try_from(self.index).unwrap_or(usize::MAX)
    }
}

/// One node.
#[derive(Debug, Clone)]
pub struct NodeRecord {
    /// Where it stands.
    pub slot: Slot,
    /// Its name.
    pub name: Arc<str>,
    /// What it is: changes rarely.
    pub identity: Arc<NodeIdentity>,
    /// What runs on it: changes with every pod.
    pub load: NodeLoad,
}

/// The picture. Never changes; a newer one has a higher [`generation`](Self::generation).
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    pub(crate) generation: u64,
    pub(crate) synced: bool,
    pub(crate) published_at: Timestamp,
    pub(crate) names: Arc<FxHashMap<Arc<str>, Slot>>,
    pub(crate) nodes: ChunkedVec<Option<NodeRecord>>,
    pub(crate) zones: Arc<ZoneTable>,
    pub(crate) opted_out: Arc<FxHashSet<Arc<str>>>,
    pub(crate) pods: usize,
}

impl Snapshot {
    /// Counts the snapshots of this process; 0 is the empty one from before the first publication.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether nodes, pods and namespaces were all listed once, and every grid file was looked at.
    pub fn synced(&self) -> bool {
        self.synced
    }

    /// When it was published.
    pub fn published_at(&self) -> Timestamp {
        self.published_at
    }

    /// Known nodes.
    pub fn node_count(&self) -> usize {
        self.names.len()
    }

    /// Bound, unfinished pods, on unknown nodes too.
    pub fn pod_count(&self) -> usize {
        self.pods
    }

    /// The place of a node by name.
    pub fn slot(&self, name: &str) -> Option<Slot> {
        self.names.get(name).copied()
    }

    /// The node at a place; `None` where the node has left, even if another took its place.
    pub fn node(&self, slot: Slot) -> Option<&NodeRecord> {
        self.nodes.get(slot.position())?.as_ref().filter(|node| node.slot == slot)
    }

    /// The node of this name.
    pub fn node_named(&self, name: &str) -> Option<&NodeRecord> {
        self.node(self.slot(name)?)
    }

    /// All nodes, in no meaningful order.
    pub fn nodes(&self) -> impl Iterator<Item = (Slot, &NodeRecord)> {
        self.nodes.iter().flatten().map(|node| (node.slot, node))
    }

    /// A grid zone that at least one node stands or stood in.
    pub fn zone(&self, index: ZoneIndex) -> Option<&ZoneState> {
        self.zones.get(index)
    }

    /// All grid zones.
    pub fn zones(&self) -> &ZoneTable {
        &self.zones
    }

    /// Whether pods of this namespace get neutral answers.
    pub fn namespace_opted_out(&self, namespace: &str) -> bool {
        self.opted_out.contains(namespace)
    }
}

/// Where the newest snapshot is found: one writer, any number of readers, no lock.
#[derive(Debug, Clone, Default)]
pub struct SnapshotHandle {
    current: Arc<ArcSwap<Snapshot>>,
}

impl SnapshotHandle {
    /// Starts with the given snapshot.
    pub fn new(snapshot: Arc<Snapshot>) -> Self {
        Self { current: Arc::new(ArcSwap::new(snapshot)) }
    }

    /// The newest snapshot. The guard is meant for the length of one request, not longer.
    pub fn load(&self) -> Guard<Arc<Snapshot>> {
        self.current.load()
    }

    /// The newest snapshot, to keep.
    pub fn load_full(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Replaces the snapshot. Only the writer does.
    pub fn publish(&self, snapshot: Arc<Snapshot>) {
        self.current.store(snapshot);
    }
}
