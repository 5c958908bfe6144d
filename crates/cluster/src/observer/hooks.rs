//! What a program hands to the observer, and hears from it.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use kube_sci_signals::{
    energy::{EnergyAnswer, EnergySource},
    grid::IntensitySource,
};
use tokio::sync::mpsc;

use super::ObjectKind;
use crate::{assumptions::Confirmation, wanted::WantedZones};

/// Called by a task, with its name, whenever it is alive.
pub type HeartbeatFn = Arc<dyn Fn(&'static str) + Send + Sync>;
/// The present.
pub type ClockFn = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What a program hands to the observer.
pub struct ObserverHooks {
    /// Hears of everything worth counting.
    pub metrics: Arc<dyn ObserverMetrics>,
    /// Called by each task at least every five seconds.
    pub heartbeat: HeartbeatFn,
    /// The clock.
    pub clock: ClockFn,
    /// Hears of every pod that got a node. Full: the notice is dropped and counted.
    pub bound: Option<mpsc::Sender<PodBound>>,
    /// Whether snapshots have a directory of pods and nodes with their labels.
    pub directory: bool,
    /// Grid zones to know beside those of nodes.
    pub wanted: WantedZones,
    /// Sources of intensities behind the configured files.
    pub sources: Vec<Box<dyn IntensitySource>>,
    /// Sources of energy behind the configured ones.
    pub energy_sources: Vec<Box<dyn EnergySource>>,
}

impl Default for ObserverHooks {
    fn default() -> Self {
        Self {
            metrics: Arc::new(NoMetrics),
            heartbeat: Arc::new(|_| ()),
            clock: Arc::new(Timestamp::now),
            bound: None,
            directory: false,
            wanted: WantedZones::default(),
            sources: Vec::new(),
            energy_sources: Vec::new(),
        }
    }
}

impl std::fmt::Debug for ObserverHooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ObserverHooks").field("sources", &self.sources.len()).finish_non_exhaustive()
    }
}

/// A pod got a node. Sent after the snapshot that counts it was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodBound {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID as the API server writes it.
    pub uid: String,
    /// Its node.
    pub node: String,
    /// Whether the node is one it was assumed on.
    pub confirmation: Confirmation,
}

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// Named by a full list.
    Listed,
    /// Added or changed.
    Applied,
    /// Deleted.
    Deleted,
}

impl EventKind {
    /// As in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Listed => "listed",
            Self::Applied => "applied",
            Self::Deleted => "deleted",
        }
    }
}

/// What a source knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SourceKind {
    /// Intensities of grid zones.
    Grid,
    /// Energy of nodes and pods.
    Energy,
}

/// What came of asking a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PollOutcome {
    /// New series.
    Changed,
    /// Nothing new.
    Unchanged,
    /// No answer; the old series stay.
    Failed,
}

impl PollOutcome {
    /// As in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::Failed => "failed",
        }
    }
}

/// A snapshot was published.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Published {
    /// Its generation.
    pub generation: u64,
    /// When.
    pub at: Timestamp,
    /// How long applying the batch and building it took.
    pub took: Duration,
    /// Messages in the batch.
    pub messages: usize,
    /// Nodes in it.
    pub nodes: usize,
    /// Pods counted in it.
    pub pods: usize,
    /// Whether everything was listed once.
    pub synced: bool,
}

/// Hears of everything worth counting. Every method does nothing unless it is overridden.
#[allow(unused_variables)] // names say more than underscores in a trait of notices
pub trait ObserverMetrics: Send + Sync {
    /// An object was listed, changed or deleted.
    fn event(&self, kind: ObjectKind, event: EventKind) {}
    /// An object could not be read and was skipped.
    fn malformed(&self, kind: ObjectKind) {}
    /// A full list began.
    fn relisted(&self, kind: ObjectKind) {}
    /// A list or watch failed and will be tried again.
    fn watch_failed(&self, kind: ObjectKind) {}
    /// A node's annotation could not be used.
    fn annotation_refused(&self, key: &'static str) {}
    /// A snapshot was published.
    fn published(&self, snapshot: &Published) {}
    /// A source was asked.
    fn source_polled(&self, kind: SourceKind, source: &str, outcome: PollOutcome) {}
    /// Rows of a source were left out.
    fn rows_refused(&self, source: &str, rows: usize) {}
    /// A source of energy answered: windows, gaps, refused meters, samples.
    fn energy_answered(&self, source: &str, answer: &EnergyAnswer) {}
    /// A pod got a node.
    fn confirmed(&self, confirmation: Confirmation) {}
    /// Assumptions ended by time.
    fn assumptions_expired(&self, pods: usize) {}
    /// Nobody took the notice of a bound pod.
    fn bound_dropped(&self) {}
}

/// Counts nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoMetrics;

impl ObserverMetrics for NoMetrics {}
