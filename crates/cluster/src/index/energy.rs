//! Measured energy joined with what is known of the cluster: who used it, what a node's power curve really is, which
//! hardware suits which workload.
//!
//! ```text
//! windows of joules --choice of meter--> one answer per node --sharing out--> accounts of pods, workloads, nodes
//!                                                    \--learning--> power curves --> NodeRecord::hardware
//!                                                    \--learning--> workload profiles
//! ```
//!
//! Part of the single writer's state: pure and synchronous. Where no meter answers, energy is modelled from the node's
//! requests and its power curve, and kept apart from what was measured.

mod choice;
mod learning;
mod share;

use std::{mem, sync::Arc, time::Duration};

use jiff::Timestamp;
use kube_sci_signals::{
    config::EnergyConfig,
    energy::{EnergyAnswer, NodeWindow, RefusedMeter},
    grid::ZoneTable,
};
use rustc_hash::FxHashMap;
use sci_core::{
    power::Hardware,
    quantity::{GramsPerKwh, WallFactor},
};

use self::{
    choice::{Board, Choice},
    learning::Learning,
    share::{NodeShare, Split},
};
use super::pods::PodsByNode;
use crate::{
    energy::{Accounts, EnergySourceStatus, Latest, NodeMeters, ProfileTable},
    snapshot::NodeRecord,
};

/// One handle for the names of nodes in maps.
type NodeName = Arc<str>;

/// How often modelled energy is added to the accounts.
const MODELLED_EVERY: Duration = Duration::from_mins(1);

/// The single writer's knowledge of energy.
#[derive(Debug)]
pub(super) struct EnergyBook {
    choice: Choice,
    nodes: FxHashMap<NodeName, NodeState>,
    learning: Learning,
    accounts: Arc<Accounts>,
    sources: Arc<Vec<EnergySourceStatus>>,
    modelled_until: Option<Timestamp>,
    /// Whether accounts have changed with time alone since this was asked.
    accounted: bool,
    wall_factor: WallFactor,
}

/// One node's meters.
#[derive(Debug, Default)]
struct NodeState {
    board: Board,
    meters: Arc<NodeMeters>,
}

/// What the join looks things up in.
pub(super) struct World<'a> {
    pub pods: PodsByNode<'a>,
    pub zones: &'a ZoneTable,
    pub now: Timestamp,
}

/// The time that a share-out is of, beside its length.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    end: Timestamp,
    /// Whether a meter answered for it.
    measured: bool,
}

/// What a node's record is to hold from now on.
pub(super) struct Update {
    pub hardware: Arc<Hardware>,
    pub meters: Arc<NodeMeters>,
}

impl EnergyBook {
    pub(super) fn new(config: &EnergyConfig) -> Self {
        Self {
            choice: Choice::new(config),
            nodes: FxHashMap::default(),
            learning: Learning::new(config),
            accounts: Arc::new(Accounts::new(config.max_exported_pods)),
            sources: Arc::new(config.sources.iter().map(EnergySourceStatus::new).collect()),
            modelled_until: None,
            accounted: false,
            wall_factor: config.wall_factor(),
        }
    }

    pub(super) fn accounts(&self) -> &Arc<Accounts> {
        &self.accounts
    }

    pub(super) fn profiles(&self) -> &Arc<ProfileTable> {
        self.learning.profiles()
    }

    pub(super) fn sources(&self) -> &Arc<Vec<EnergySourceStatus>> {
        &self.sources
    }

    /// A source did not answer: what its meters said stays until it is stale.
    pub(super) fn failed(&mut self, source: usize, problem: &str, now: Timestamp) {
        if let Some(status) = Arc::make_mut(&mut self.sources).get_mut(source) {
            status.failed(problem, now);
        }
    }

    /// A source answered. Returns the names of the nodes whose record changes.
    pub(super) fn apply<'r>(
        &mut self,
        source: usize,
        mut answer: EnergyAnswer,
        world: &World<'_>,
        record: impl Fn(&str) -> Option<&'r NodeRecord>,
    ) -> Vec<NodeName> {
        let (refused, unplaced) =
            mem::take(&mut answer.refused).into_iter().partition(|meter| record(&meter.node).is_some());
        if let Some(status) = Arc::make_mut(&mut self.sources).get_mut(source) {
            status.answered(&answer, world.now);
            status.unplaced = unplaced;
        }
        let mut changed = self.refuse(source, refused);
        for gap in answer.gaps.into_iter().filter(|gap| record(&gap.node).is_some()) {
            let node = Arc::clone(&gap.node);
            Arc::make_mut(&mut self.state(&node).meters).add_gap(gap);
            changed.push(node);
        }
        for window in answer.windows {
            if let Some(record) = record(&window.node) {
                self.window(source, &window, record, world);
                changed.push(Arc::clone(&record.name));
            }
        }
        changed.sort_unstable();
        changed.dedup();
        changed
    }

    fn state(&mut self, node: &NodeName) -> &mut NodeState {
        self.nodes.entry(Arc::clone(node)).or_default()
    }

    /// `refused` is all that this source refuses at present.
    fn refuse(&mut self, source: usize, refused: Vec<RefusedMeter>) -> Vec<NodeName> {
        let Some(name) = self.sources.get(source).map(|status| Arc::clone(&status.name)) else { return Vec::new() };
        let mut changed = Vec::new();
        for (node, state) in &mut self.nodes {
            if state.meters.refused.iter().any(|known| known.meter.source == name) {
                Arc::make_mut(&mut state.meters).refused.retain(|known| known.meter.source != name);
                changed.push(Arc::clone(node));
            }
        }
        for meter in refused {
            let rank = self.choice.rank(source, meter.meter.exporter);
            let node = Arc::clone(&meter.node);
            let state = self.state(&node);
            state.board.refuse(rank);
            Arc::make_mut(&mut state.meters).refused.push(meter);
            changed.push(node);
        }
        changed
    }

    fn window(&mut self, source: usize, window: &NodeWindow, record: &NodeRecord, world: &World<'_>) {
        let rank = self.choice.rank(source, window.meter.exporter);
        let state = self.nodes.entry(Arc::clone(&record.name)).or_default();
        if !state.board.hear(&self.choice, rank, window, world.now) {
            return;
        }
        let Some(share) = NodeShare::of_window(window, record, &world.pods, self.wall_factor) else { return };
        let unaccounted = state.board.take_unaccounted(window.start, window.end);
        let since = state.board.since(rank).unwrap_or(window.start);
        let meters = Arc::make_mut(&mut state.meters);
        meters.power = Some(share.metered(window, since));
        meters.silent_since = None;
        self.learning.learn(window, &share, record);
        // What the exporter only modelled is not measured because an exporter says it.
        let stretch = Stretch { end: window.end, measured: !window.modelled };
        self.enter(&share.scaled(unaccounted), record, world, stretch);
    }

    /// Adds a share-out to the accounts.
    fn enter(&mut self, share: &NodeShare<'_>, record: &NodeRecord, world: &World<'_>, stretch: Stretch) {
        let Stretch { end, measured } = stretch;
        let rates = Split::new(record, intensity(record, world.zones), share.length);
        let accounts = Arc::make_mut(&mut self.accounts);
        for pod in &share.pods {
            let latest = Latest { tally: rates.pod(pod), length: share.length, end, measured };
            accounts.add_pod(&pod.entry(), &latest, world.now);
        }
        let (node, system, unallocated) = rates.node(share);
        accounts.add_node(&record.name, &node, &system, &unallocated, measured);
    }

    /// Time has passed: meters may be stale, modelled energy is due. Returns the names of nodes whose record changes.
    pub(super) fn tick<'r>(
        &mut self,
        now: Timestamp,
        records: impl Iterator<Item = &'r NodeRecord>,
        world: impl FnOnce() -> World<'r>,
    ) -> Vec<NodeName> {
        let changed = self.fall_silent(now);
        let due = self.modelled_until.is_none_or(|until| now.duration_since(until) >= signed(MODELLED_EVERY));
        if due {
            let start = self.modelled_until.replace(now);
            if let Some(start) = start {
                let world = world();
                for record in records {
                    self.model(record, start, &world);
                }
            }
            Arc::make_mut(&mut self.accounts).close_old(now);
            self.learning.forget_old(now);
        }
        changed
    }

    /// Whether accounts have changed with time alone since this was asked last.
    pub(super) fn take_accounted(&mut self) -> bool {
        std::mem::take(&mut self.accounted)
    }

    fn fall_silent(&mut self, now: Timestamp) -> Vec<NodeName> {
        let mut changed = Vec::new();
        for (name, state) in &mut self.nodes {
            if state.meters.power.is_some() && state.board.chosen(&self.choice, now).is_none() {
                let meters = Arc::make_mut(&mut state.meters);
                meters.power = None;
                meters.silent_since = Some(now);
                changed.push(Arc::clone(name));
            }
        }
        changed
    }

    /// Energy of a node that no meter answered for since `start`.
    fn model(&mut self, record: &NodeRecord, start: Timestamp, world: &World<'_>) {
        let state = self.nodes.entry(Arc::clone(&record.name)).or_default();
        if state.meters.power.is_some() {
            return;
        }
        let unaccounted = state.board.take_unaccounted(start, world.now);
        let length: Duration = world.now.duration_since(start).try_into().unwrap_or(Duration::ZERO);
        let share = NodeShare::modelled(record, &world.pods, length).scaled(unaccounted);
        self.enter(&share, record, world, Stretch { end: world.now, measured: false });
        self.accounted = true;
    }

    /// What the record of a node is to hold.
    pub(super) fn update(&mut self, record: &NodeRecord, now: Timestamp) -> Update {
        let meters = self.nodes.get(&record.name).map(|state| Arc::clone(&state.meters)).unwrap_or_default();
        Update { hardware: self.learning.hardware(record, now), meters }
    }

    pub(super) fn remove_node(&mut self, name: &str) {
        self.nodes.remove(name);
        self.learning.remove_node(name);
        Arc::make_mut(&mut self.accounts).remove_node(name);
    }
}

fn intensity(record: &NodeRecord, zones: &ZoneTable) -> Option<GramsPerKwh> {
    let zone = record.identity.zone_index.and_then(|index| zones.get(index))?;
    zone.value.as_ref().ok().map(|chosen| chosen.reading.value)
}

fn signed(duration: Duration) -> jiff::SignedDuration {
    jiff::SignedDuration::try_from(duration).unwrap_or(jiff::SignedDuration::MAX)
}
