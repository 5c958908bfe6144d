//! One pod on one node: the number that extender, explanations and reports all show.

use std::sync::Arc;

use arc_swap::Guard;
use jiff::Timestamp;
use kube_sci_signals::grid::{LearnedHistory, StatusHandle, ZoneValue};
use sci_core::{
    intensity::Freshness,
    node::{
        Cost, EmbodiedWeight, Footprint, NeutralReason, NodeInput, NodeLoad, PodDemand, PodInput, marginal_footprint,
    },
    quantity::{Share, WorkloadFactor},
};

use crate::{
    assumptions::{Assumptions, Ledger},
    config::ModelConfig,
    energy::WorkloadFactors,
    objects::{PodUid, WorkloadKey},
    snapshot::{NodeRecord, Slot, Snapshot, SnapshotHandle},
};

/// What a program keeps to answer with.
#[derive(Debug, Clone)]
pub struct Model {
    /// The cluster.
    pub snapshot: SnapshotHandle,
    /// What was decided but not seen yet.
    pub assumptions: Arc<Assumptions>,
    /// How numbers are made.
    pub options: AssessOptions,
    /// How sources of intensities fare.
    pub grid_sources: Arc<[StatusHandle]>,
    /// What was learned of the past of grid zones.
    pub learned: LearnedHistory,
}

/// How numbers are made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AssessOptions {
    /// How a value loses its weight with age.
    pub freshness: Freshness,
    /// How much of the hardware's embodied carbon counts.
    pub embodied_weight: EmbodiedWeight,
}

/// The state of one moment, held for the length of one request.
pub struct ModelRead {
    ledger: Guard<Arc<Ledger>>,
    snapshot: Guard<Arc<Snapshot>>,
    options: AssessOptions,
}

/// Everything that an assessment depends on.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The cluster.
    pub snapshot: &'a Snapshot,
    /// What was decided but not seen yet.
    pub ledger: &'a Ledger,
    /// The present.
    pub now: Timestamp,
    /// How numbers are made.
    pub options: &'a AssessOptions,
}

/// The pod that is asked about.
#[derive(Debug, Clone, Copy)]
pub struct PodSubject<'a> {
    /// Its UID: what is assumed of it is left out.
    pub uid: PodUid,
    /// What it asks for.
    pub demand: PodDemand,
    /// What was learned of its workload.
    pub factors: Option<&'a WorkloadFactors>,
}

/// What one pod costs on one node.
#[derive(Debug, Clone, Copy)]
pub struct Assessment<'a> {
    /// The node, unless it has left.
    pub node: Option<&'a NodeRecord>,
    /// Its load, with what is assumed on it.
    pub load: NodeLoad,
    /// Intensity of its grid zone with source, slot, link and confidence.
    pub intensity: Option<ZoneValue<'a>>,
    /// Every term, or why there is no number.
    pub footprint: Result<Footprint, NeutralReason>,
}

impl AssessOptions {
    /// As configured.
    pub fn new(config: &ModelConfig) -> Self {
        Self { freshness: config.grid.freshness(), embodied_weight: config.score.embodied_weight() }
    }
}

impl Model {
    /// On what is published through `snapshot`.
    pub fn new(snapshot: SnapshotHandle, config: &ModelConfig) -> Self {
        Self {
            snapshot,
            assumptions: Arc::new(Assumptions::new(config.score.assume_for.get())),
            options: AssessOptions::new(config),
            grid_sources: Arc::default(),
            learned: LearnedHistory::default(),
        }
    }

    /// Holds the present state. Assumptions are loaded first, see [`Assumptions::load`].
    pub fn read(&self) -> ModelRead {
        let ledger = self.assumptions.load();
        ModelRead { ledger, snapshot: self.snapshot.load(), options: self.options }
    }
}

impl ModelRead {
    /// The cluster.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Everything an assessment at `now` depends on.
    pub fn view(&self, now: Timestamp) -> View<'_> {
        View { snapshot: &self.snapshot, ledger: &self.ledger, now, options: &self.options }
    }
}

impl std::fmt::Debug for ModelRead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ModelRead").field("generation", &self.snapshot.generation()).finish_non_exhaustive()
    }
}

impl<'a> PodSubject<'a> {
    /// A pod whose workload nothing was learned of.
    pub fn new(uid: PodUid, demand: PodDemand) -> Self {
        Self { uid, demand, factors: None }
    }

    /// The same pod as one of `workload`.
    #[must_use]
    pub fn of_workload(self, workload: WorkloadKey, snapshot: &'a Snapshot) -> Self {
        Self { factors: snapshot.workload_factors(workload), ..self }
    }
}

impl Assessment<'_> {
    /// How far the number may move a score.
    pub fn confidence(&self) -> Share {
        self.intensity.map_or(Share::NONE, |intensity| intensity.confidence)
    }

    /// What nodes are compared by.
    pub fn cost(&self) -> Option<Cost> {
        let footprint = self.footprint.ok()?;
        Some(Cost { per_core_hour: footprint.per_core_hour, confidence: self.confidence() })
    }

    fn neutral(reason: NeutralReason) -> Self {
        Self { node: None, load: NodeLoad::default(), intensity: None, footprint: Err(reason) }
    }
}

/// What a pod costs on the node at `slot`.
///
/// Combines the snapshot's load with what is assumed of other pods, and the zone's intensity at `view.now`. Copies
/// and allocates nothing.
pub fn assess<'a>(view: &View<'a>, slot: Slot, pod: &PodSubject<'_>) -> Assessment<'a> {
    let Some(node) = view.snapshot.node(slot) else { return Assessment::neutral(NeutralReason::NodeUnknown) };
    let load = match view.ledger.load_for(slot, pod.uid) {
        Some(assumed) => NodeLoad {
            requested: node.load.requested + assumed.requested,
            workload_pods: node.load.workload_pods + assumed.workload_pods,
        },
        None => node.load,
    };
    let zone = node.identity.zone_index.and_then(|index| view.snapshot.zone(index));
    let intensity = match zone {
        Some(zone) => zone.at(view.now, &view.options.freshness),
        None => Err(NeutralReason::ZoneUnknown),
    };
    let footprint = intensity.and_then(|intensity| {
        let identity = &*node.identity;
        let input = NodeInput {
            hardware: &node.hardware,
            capacity: identity.capacity,
            allocatable: identity.allocatable,
            load,
            intensity: intensity.reading.value,
            pue: identity.pue,
        };
        let workload_factor = pod.factors.map_or(WorkloadFactor::EXPECTED, |factors| factors.on(&node.hardware.class));
        let pod = PodInput { demand: pod.demand, workload_factor };
        marginal_footprint(&pod, &input, view.options.embodied_weight)
    });
    Assessment { node: Some(node), load, intensity: intensity.ok(), footprint }
}

/// As [`assess`], for a node by name.
pub fn assess_named<'a>(view: &View<'a>, name: &str, pod: &PodSubject<'_>) -> Assessment<'a> {
    match view.snapshot.slot(name) {
        Some(slot) => assess(view, slot, pod),
        None => Assessment::neutral(NeutralReason::NodeUnknown),
    }
}
