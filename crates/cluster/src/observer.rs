//! The tasks that keep the snapshot current.
//!
//! | task | does |
//! | --- | --- |
//! | `watch-nodes`, `watch-pods`, `watch-namespaces` | list and watch; what cannot be read is skipped and counted |
//! | `grid` | asks every source of intensities at its own pace |
//! | `energy` | asks every source of energy at its own pace |
//! | `snapshot` | the one writer: drains what the others sent, then publishes once |
//!
//! No task ends by itself. Whoever spawns them treats the end of one as the end of the process.

mod hooks;
mod sources;
mod watch;
mod writer;

use std::sync::Arc;

use futures::{FutureExt, future::BoxFuture};
use kube::Client;
use kube_sci_signals::{
    energy::{EnergyAnswer, NodeDirectory},
    grid::{self, Answer},
};
use tokio::sync::mpsc;

pub use self::hooks::{
    EventKind, NoMetrics, ObserverHooks, ObserverMetrics, PodBound, PollOutcome, Published, SourceKind,
};
use crate::{
    assess::Model,
    config::{ConfigError, ModelConfig},
    index::{Index, ObjectKind},
    objects::{NamespaceView, NodeView, PodView},
    snapshot::SnapshotHandle,
};

/// The writer drains the channel far faster than an API server fills it.
const CHANNEL: usize = 1_024;

/// Names of the tasks, for supervision and health.
pub mod task {
    /// Watches nodes.
    pub const NODES: &str = "watch-nodes";
    /// Watches pods.
    pub const PODS: &str = "watch-pods";
    /// Watches namespaces.
    pub const NAMESPACES: &str = "watch-namespaces";
    /// Asks sources of intensities.
    pub const GRID: &str = "grid";
    /// Asks sources of energy.
    pub const ENERGY: &str = "energy";
    /// Writes snapshots.
    pub const SNAPSHOT: &str = "snapshot";
    /// Every task.
    pub const ALL: [&str; 6] = [NODES, PODS, NAMESPACES, GRID, ENERGY, SNAPSHOT];
}

/// A future to be spawned; it ends only if the process is going down.
pub struct ObserverTask {
    /// One of [`task::ALL`].
    pub name: &'static str,
    /// What to run.
    pub future: BoxFuture<'static, ()>,
}

/// The model, and the tasks that feed it.
#[derive(Debug)]
pub struct Observer {
    /// What to answer with.
    pub model: Model,
    /// What to spawn.
    pub tasks: Vec<ObserverTask>,
}

/// What the writer is told.
#[derive(Debug)]
enum Message {
    Node(Change<NodeView>),
    Pod(Change<PodView>),
    Namespace(Change<NamespaceView>),
    /// A source spoke, or was asked in vain.
    Source(usize, Option<Answer>),
    /// A source of energy answered, or did not.
    Energy(usize, Result<EnergyAnswer, String>),
}

/// One step of a list or watch. Keys are names; those of pods are UIDs.
#[derive(Debug)]
enum Change<T> {
    Begin,
    Apply(T),
    /// The object exists but cannot be read.
    Keep(String),
    Delete(String),
    End,
}

impl Observer {
    /// Prepares the model and the tasks; nothing runs until the tasks are spawned.
    pub fn start(client: &Client, config: &ModelConfig, hooks: ObserverHooks) -> Result<Self, ConfigError> {
        let ObserverHooks { metrics, heartbeat, clock, bound, directory, wanted, sources: further, energy_sources } =
            hooks;
        let mut index = Index::new(config)?;
        index.also_know(wanted);
        if directory {
            index.keep_directory();
        }
        let mut sources = grid::sources(&config.grid, index.zone_demand(), index.learned_history(), Some(client))?;
        sources.extend(further);
        let grid_sources = sources.iter().filter_map(|source| source.status()).collect();
        let learned = index.learned_history().clone();
        let model = Model { grid_sources, learned, ..Model::new(SnapshotHandle::default(), config) };
        let directory = NodeDirectory::default();
        let mut energy = kube_sci_signals::energy::sources(&config.energy, client, &directory)?;
        energy.extend(energy_sources);
        let (sender, receiver) = mpsc::channel(CHANNEL);
        let context = Context { sender, metrics, heartbeat, clock };
        let writer = writer::Writer::new(index, &model, directory, receiver, bound, &context);
        let tasks = vec![
            ObserverTask::new(task::NODES, watch::run::<NodeView>(client.clone(), task::NODES, context.clone())),
            ObserverTask::new(task::PODS, watch::run::<PodView>(client.clone(), task::PODS, context.clone())),
            ObserverTask::new(
                task::NAMESPACES,
                watch::run::<NamespaceView>(client.clone(), task::NAMESPACES, context.clone()),
            ),
            ObserverTask::new(task::GRID, sources::run(sources, task::GRID, context.clone())),
            ObserverTask::new(task::ENERGY, sources::run(energy, task::ENERGY, context)),
            ObserverTask::new(task::SNAPSHOT, writer.run()),
        ];
        Ok(Self { model, tasks })
    }
}

impl ObserverTask {
    fn new(name: &'static str, future: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { name, future: future.boxed() }
    }
}

impl std::fmt::Debug for ObserverTask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ObserverTask").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What every task has.
#[derive(Clone)]
struct Context {
    sender: mpsc::Sender<Message>,
    metrics: Arc<dyn ObserverMetrics>,
    heartbeat: hooks::HeartbeatFn,
    clock: hooks::ClockFn,
}
