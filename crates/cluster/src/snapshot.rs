//! What every program reads: one immutable picture of the cluster, replaced as a whole.

mod chunked;
mod directory;

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use jiff::Timestamp;
use kube_sci_signals::{
    energy::NodeFacts,
    grid::{ZoneIndex, ZoneState, ZoneTable},
};
use rustc_hash::{FxHashMap, FxHashSet};
use sci_core::{
    node::NodeLoad,
    power::Hardware,
    quantity::{Utilization, Watts},
};

pub use self::{
    chunked::ChunkedVec,
    directory::{Directory, PodRecord},
};
use crate::{
    energy::{Accounts, EnergySourceStatus, NodeMeters, PowerQuality, ProfileTable, WorkloadFactors},
    identity::NodeIdentity,
    objects::WorkloadKey,
};

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
    /// Its power and embodied carbon: as identified, or with the power curve that was learned.
    pub hardware: Arc<Hardware>,
    /// What meters say of it.
    pub meters: Arc<NodeMeters>,
}

/// A node's power at present.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NodePower {
    /// The expected value.
    pub watts: Watts,
    /// The true value is expected not to be below.
    pub low: Watts,
    /// The true value is expected not to be above.
    pub high: Watts,
    /// How it is known.
    pub quality: PowerQuality,
}

impl NodeRecord {
    /// What the node draws: by its meter, else by its power curve at what is requested of it.
    pub fn power(&self) -> NodePower {
        let (watts, quality) = if let Some(metered) = &self.meters.power {
            (metered.power, metered.quality)
        } else {
            let utilization = Utilization::of(self.load.requested.cpu, self.identity.capacity.cpu);
            (self.hardware.curve.at(utilization.unwrap_or(Utilization::IDLE)), PowerQuality::Modelled)
        };
        let (low, high) = quality.error_band().unwrap_or(self.hardware.error_band);
        NodePower { watts, low: Watts::clamped(watts.get() * low), high: Watts::clamped(watts.get() * high), quality }
    }

    /// The node as sources of energy know it. What draws more than `max_power_factor` times its hardware's full power,
    /// at the upper end of the hardware's error band, is not this node: hardware that is only guessed gets the more
    /// room, the less is known of it.
    pub fn facts(&self, max_power_factor: f64) -> NodeFacts {
        let hardware = &self.identity.hardware;
        let (_, high) = hardware.error_band;
        NodeFacts {
            name: Arc::clone(&self.name),
            addresses: self.identity.addresses.clone(),
            cores: self.identity.capacity.cpu,
            max_power: Watts::clamped(hardware.curve.full().get() * max_power_factor * high.max(1.0)),
        }
    }
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
    pub(crate) profiles: Arc<ProfileTable>,
    pub(crate) accounts: Arc<Accounts>,
    pub(crate) energy_sources: Arc<Vec<EnergySourceStatus>>,
    pub(crate) directory: Arc<Directory>,
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

    /// Every zone that a node stands in at present, once; the table keeps those of former nodes too.
    pub fn inhabited_zones(&self) -> impl Iterator<Item = &ZoneState> {
        let inhabited: FxHashSet<ZoneIndex> = self.nodes().filter_map(|(_, node)| node.identity.zone_index).collect();
        inhabited.into_iter().filter_map(|index| self.zone(index))
    }

    /// All grid zones.
    pub fn zones(&self) -> &ZoneTable {
        &self.zones
    }

    /// The factors of a workload on classes of hardware, if anything was learned of it.
    pub fn workload_factors(&self, workload: WorkloadKey) -> Option<&WorkloadFactors> {
        self.profiles.factors(workload)
    }

    /// Joules and grams since start.
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// How the configured sources of energy fare.
    pub fn energy_sources(&self) -> &[EnergySourceStatus] {
        &self.energy_sources
    }

    /// Pods and nodes by name, with their labels. Empty unless `ObserverHooks::directory` asked for it.
    pub fn directory(&self) -> &Directory {
        &self.directory
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
