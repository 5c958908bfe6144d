//! The single writer's state: what the API server and the grid sources said, and the snapshot that follows.
//!
//! Pure and synchronous. Sums are kept in integers, so the order of events leaves no trace: an index that saw a
//! thousand changes equals one that was built from the final objects.

mod directory;
mod energy;
mod nodes;
mod pods;

use std::{mem, sync::Arc};

use jiff::Timestamp;
use kube_sci_signals::{
    energy::{EnergyAnswer, NodeNames},
    grid::{DemandedZone, Grid, LearnedHistory, ZoneDemand, providers::CloudRegion},
};
use rustc_hash::{FxHashMap, FxHashSet};
use sci_core::intensity::Series;

use self::{
    directory::DirectoryBook,
    energy::{EnergyBook, Update, World},
    nodes::NodeTable,
    pods::PodTable,
};
use crate::{
    config::{ConfigError, ModelConfig},
    identity::{RefusedAnnotation, Resolver},
    objects::{DefaultRequests, NamespaceView, NodeView, PodUid, PodView},
    snapshot::{Slot, Snapshot},
    wanted::WantedZones,
};

/// What is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ObjectKind {
    /// Nodes.
    Node,
    /// Pods.
    Pod,
    /// Namespaces.
    Namespace,
}

impl ObjectKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Node, Self::Pod, Self::Namespace];

    /// As in metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Pod => "pod",
            Self::Namespace => "namespace",
        }
    }
}

/// What a pod event meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodChange {
    /// Nothing that is kept has changed.
    None,
    /// The pod was not on any node before and is now on this one.
    Bound(Slot),
    /// Its request or its node changed.
    Changed,
    /// It was deleted or has finished.
    Gone,
}

/// The state. One task owns it.
#[derive(Debug)]
pub struct Index {
    resolver: Resolver,
    defaults: DefaultRequests,
    nodes: NodeTable,
    pods: PodTable,
    namespaces: Namespaces,
    grid: Grid,
    /// Zones that nodes stand in, for sources that are asked by zone.
    demand: ZoneDemand,
    energy: EnergyBook,
    directory: Option<DirectoryBook>,
    /// Zones to know beside those of nodes.
    wanted: WantedZones,
    /// What sources call too much for a node, as a multiple of its full power.
    max_power_factor: f64,
    names_changed: bool,
    listed: [bool; 3],
    /// By grid source: whether it has spoken, or failed to.
    asked: Vec<bool>,
    generation: u64,
    dirty: bool,
}

/// Namespaces that opted out, and whether the list in progress has named them.
#[derive(Debug)]
struct Namespaces {
    configured: FxHashSet<Arc<str>>,
    opted_out: FxHashMap<Arc<str>, bool>,
    published: Arc<FxHashSet<Arc<str>>>,
}

impl Index {
    /// Empty, with the configuration's rules.
    pub fn new(config: &ModelConfig) -> Result<Self, ConfigError> {
        let configured: FxHashSet<Arc<str>> =
            config.opt_out.namespaces.iter().map(|name| Arc::from(name.as_str())).collect();
        Ok(Self {
            resolver: Resolver::new(config)?,
            defaults: config.score.default_requests(),
            nodes: NodeTable::default(),
            pods: PodTable::default(),
            namespaces: Namespaces {
                published: Arc::new(configured.clone()),
                configured,
                opted_out: FxHashMap::default(),
            },
            grid: Grid::new(&config.grid),
            demand: ZoneDemand::default(),
            energy: EnergyBook::new(&config.energy),
            directory: None,
            wanted: WantedZones::default(),
            max_power_factor: config.energy.max_power_factor,
            names_changed: false,
            listed: [false; 3],
            asked: vec![false; config.grid.source_count()],
            generation: 0,
            dirty: true,
        })
    }

    /// From now on snapshots have a [`Directory`](crate::snapshot::Directory). Call it before anything is applied.
    pub fn keep_directory(&mut self) {
        self.directory = Some(DirectoryBook::default());
    }

    /// From now on the zones of `wanted` are known too.
    pub fn also_know(&mut self, wanted: WantedZones) {
        self.wanted = wanted;
    }

    /// A node was added or changed. Returns annotations that could not be used, unless they were reported before.
    pub fn apply_node(&mut self, node: &NodeView, now: Timestamp) -> Vec<RefusedAnnotation> {
        let Some(name) = node.metadata.name.as_deref() else { return Vec::new() };
        self.list(|directory| directory.apply_node(name, node));
        let mut identity = self.resolver.resolve(node);
        if let Some((zone, index)) = identity.zone.as_ref().map(|zone| self.grid.place(zone, now)) {
            identity.zone = Some(zone);
            identity.zone_index = index;
        }
        let (changed, refused) = self.nodes.apply(name, identity);
        if changed {
            self.node_changed(name, now);
        }
        refused
    }

    fn node_changed(&mut self, name: &str, now: Timestamp) {
        self.dirty = true;
        self.names_changed = true;
        self.refresh_energy([name], now);
    }

    fn refresh_energy<'n>(&mut self, names: impl IntoIterator<Item = &'n str>, now: Timestamp) {
        for name in names {
            if let Some(record) = self.nodes.named(name) {
                let Update { hardware, meters } = self.energy.update(record, now);
                self.nodes.set_energy(name, hardware, meters);
                self.dirty = true;
            }
        }
    }

    /// A node was deleted. Pods on it are remembered until they are deleted too.
    pub fn delete_node(&mut self, name: &str) {
        self.list(|directory| directory.delete_node(name));
        if self.nodes.delete(name) {
            self.energy.remove_node(name);
            self.dirty = true;
            self.names_changed = true;
        }
    }

    /// A pod was added or changed.
    pub fn apply_pod(&mut self, pod: &PodView) -> PodChange {
        let Some(uid) = pod.metadata.uid.as_deref().map(PodUid::new) else { return PodChange::None };
        self.list(|directory| directory.apply_pod(uid, pod));
        if pod.is_terminated() {
            return self.delete_pod(uid);
        }
        let change = self.pods.apply(uid, pod, &self.defaults, &mut self.nodes);
        self.dirty |= change != PodChange::None;
        change
    }

    /// A pod was deleted. [`PodChange::Gone`] even if it was on no node: it may have been assumed on one.
    pub fn delete_pod(&mut self, uid: PodUid) -> PodChange {
        self.list(|directory| directory.delete_pod(uid));
        self.dirty |= self.pods.delete(uid, &mut self.nodes);
        PodChange::Gone
    }

    /// Whether the pod is known to be on a node.
    pub fn is_bound(&self, uid: PodUid) -> bool {
        self.pods.contains(uid)
    }

    /// A namespace was added or changed.
    pub fn apply_namespace(&mut self, namespace: &NamespaceView) {
        let Some(name) = namespace.metadata.name.as_deref() else { return };
        if namespace.opted_out() {
            let known = self.namespaces.opted_out.insert(name.into(), true);
            self.namespaces_changed(known.is_none());
        } else {
            self.delete_namespace(name);
        }
    }

    /// A namespace was deleted.
    pub fn delete_namespace(&mut self, name: &str) {
        let known = self.namespaces.opted_out.remove(name);
        self.namespaces_changed(known.is_some());
    }

    /// An object of this name (a pod: of this UID) exists but cannot be read: what is known of it stays.
    pub fn keep(&mut self, kind: ObjectKind, name: &str) {
        match kind {
            ObjectKind::Node => {
                self.nodes.keep(name);
                self.list(|directory| directory.keep_node(name));
            }
            ObjectKind::Pod => {
                let uid = PodUid::new(name);
                self.pods.keep(uid);
                self.list(|directory| directory.keep_pod(uid));
            }
            ObjectKind::Namespace => {
                self.namespaces.opted_out.entry(name.into()).and_modify(|seen| *seen = true);
            }
        }
    }

    /// A full list begins.
    pub fn begin_list(&mut self, kind: ObjectKind) {
        match kind {
            ObjectKind::Node => {
                self.nodes.begin_list();
                self.list(DirectoryBook::begin_nodes);
            }
            ObjectKind::Pod => {
                self.pods.begin_list();
                self.list(DirectoryBook::begin_pods);
            }
            ObjectKind::Namespace => self.namespaces.opted_out.values_mut().for_each(|seen| *seen = false),
        }
    }

    /// A full list is complete: what it did not name is gone.
    pub fn end_list(&mut self, kind: ObjectKind) {
        let removed = match kind {
            ObjectKind::Node => self.end_node_list(),
            ObjectKind::Pod => {
                self.list(DirectoryBook::end_pods);
                self.pods.end_list(&mut self.nodes)
            }
            ObjectKind::Namespace => {
                let before = self.namespaces.opted_out.len();
                self.namespaces.opted_out.retain(|_, seen| mem::take(seen));
                let removed = before != self.namespaces.opted_out.len();
                self.namespaces_changed(removed);
                removed
            }
        };
        let position = ObjectKind::ALL.iter().position(|&known| known == kind);
        let listed = position.and_then(|position| self.listed.get_mut(position));
        let first = listed.is_some_and(|listed| !mem::replace(listed, true));
        self.dirty |= removed || first;
    }

    fn end_node_list(&mut self) -> bool {
        self.list(DirectoryBook::end_nodes);
        let vanished = self.nodes.end_list();
        for name in &vanished {
            self.energy.remove_node(name);
        }
        self.names_changed |= !vanished.is_empty();
        !vanished.is_empty()
    }

    /// Whether a full list of this kind was applied once.
    pub fn listed(&self, kind: ObjectKind) -> bool {
        ObjectKind::ALL.iter().zip(self.listed).any(|(&known, listed)| known == kind && listed)
    }

    /// Grid source number `source` spoke; files come first, in the order of the configuration.
    pub fn replace_series(&mut self, source: usize, series: Vec<Series>, now: Timestamp) {
        self.grid.replace(source, series, now);
        self.evaluate_zones(now);
        self.source_asked(source);
    }

    /// A grid source was asked, even if in vain: the first snapshot need not wait for it any longer.
    pub fn source_asked(&mut self, source: usize) {
        self.dirty |= self.asked.get_mut(source).is_some_and(|asked| !mem::replace(asked, true));
    }

    /// A source of energy answered, or did not; in the order of the configuration.
    pub fn apply_energy(&mut self, source: usize, answered: Result<EnergyAnswer, String>, now: Timestamp) {
        self.pods.tick(now);
        match answered {
            Err(problem) => self.energy.failed(source, &problem, now),
            Ok(answer) => {
                let oldest = answer.windows.iter().map(|window| window.start).min().unwrap_or(now);
                let world = World { pods: self.pods.by_node(oldest), zones: self.grid.table(), now };
                let changed = self.energy.apply(source, answer, &world, |name| self.nodes.named(name));
                self.refresh_energy(changed.iter().map(AsRef::as_ref), now);
            }
        }
        self.dirty = true;
    }

    /// Where sources read which zones are wanted; filled with every [`tick`](Self::tick).
    pub fn zone_demand(&self) -> &ZoneDemand {
        &self.demand
    }

    /// Where the grid's past is read by whoever keeps it.
    pub fn learned_history(&self) -> &LearnedHistory {
        self.grid.learned()
    }

    /// Tells the sources in which zones nodes stand. Zones of former nodes keep their place, but cost no calls.
    fn demand_zones(&mut self, now: Timestamp) {
        let before = self.grid.table().iter().count();
        let wanted: Vec<_> = self.wanted.zones(now).iter().map(|zone| self.grid.place(zone, now)).collect();
        self.dirty |= before != self.grid.table().iter().count();
        let mut seen = FxHashSet::default();
        let identities = self.nodes.existing().map(|record| &record.identity);
        let firsts = identities.filter(|identity| identity.zone_index.is_some_and(|index| seen.insert(index)));
        let zones = firsts.filter_map(|identity| {
            let region = identity.provider.zip(identity.region_label.clone());
            let region = region.map(|(provider, name)| CloudRegion { provider, name });
            Some(DemandedZone { zone: identity.zone.clone()?, region })
        });
        let nodes: Vec<DemandedZone> = zones.collect();
        let further = wanted.into_iter().filter(|(_, index)| index.is_some_and(|index| seen.insert(index)));
        self.demand.set(nodes.into_iter().chain(further.map(|(zone, _)| DemandedZone { zone, region: None })));
    }

    /// Time has passed: slots end, meters fall silent, modelled energy is due.
    pub fn tick(&mut self, now: Timestamp) {
        self.demand_zones(now);
        self.evaluate_zones(now);
        self.pods.tick(now);
        let (pods, zones) = (&self.pods, self.grid.table());
        let world = || World { pods: pods.by_node(now), zones, now };
        let changed = self.energy.tick(now, self.nodes.existing(), world);
        self.dirty |= self.energy.take_accounted();
        self.refresh_energy(changed.iter().map(AsRef::as_ref), now);
    }

    /// The nodes as sources of energy know them, if any changed since this was asked last.
    pub fn changed_node_names(&mut self) -> Option<NodeNames> {
        mem::take(&mut self.names_changed)
            .then(|| NodeNames::new(self.nodes.existing().map(|record| record.facts(self.max_power_factor))))
    }

    /// Other slots may be the current ones.
    pub fn evaluate_zones(&mut self, now: Timestamp) {
        self.dirty |= self.grid.evaluate(now);
    }

    /// A snapshot of the present state, if anything changed since the last one.
    pub fn publish(&mut self, now: Timestamp) -> Option<Arc<Snapshot>> {
        if !mem::take(&mut self.dirty) {
            return None;
        }
        self.generation += 1;
        Some(Arc::new(Snapshot {
            generation: self.generation,
            synced: self.listed == [true; 3] && self.asked.iter().all(|&asked| asked),
            published_at: now,
            names: Arc::clone(self.nodes.names()),
            nodes: self.nodes.records().clone(),
            zones: Arc::clone(self.grid.table()),
            opted_out: Arc::clone(&self.namespaces.published),
            pods: self.pods.len(),
            profiles: Arc::clone(self.energy.profiles()),
            accounts: Arc::clone(self.energy.accounts()),
            energy_sources: Arc::clone(self.energy.sources()),
            directory: self.directory.as_mut().map(DirectoryBook::publish).unwrap_or_default(),
        }))
    }

    /// Tells the directory, if there is one.
    fn list(&mut self, tell: impl FnOnce(&mut DirectoryBook)) {
        if let Some(directory) = &mut self.directory {
            tell(directory);
            self.dirty |= directory.changed();
        }
    }

    fn namespaces_changed(&mut self, changed: bool) {
        if changed {
            let all = self.namespaces.configured.iter().chain(self.namespaces.opted_out.keys());
            self.namespaces.published = Arc::new(all.cloned().collect());
            self.dirty = true;
        }
    }
}
