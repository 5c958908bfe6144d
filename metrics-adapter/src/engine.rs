//! The one writer: what the API server, the sources of loads and the cluster's picture say, and what follows.
//!
//! ```text
//! GreenScalingPolicies, CarbonBudgets, HorizontalPodAutoscalers --watch--\
//! loads of policies -------------------------------------------reports----> engine --publish--> PolicyTable
//! Snapshot (zones, nodes, pods, accounts), learned past --------read------/
//! ```
//!
//! | module | holds |
//! | --- | --- |
//! | `core` | the state and every decision: synchronous, with the clock as a parameter |
//! | `places` | where pods of a workload run |
//! | `intensity` | from there to one carbon intensity |
//! | `past` | the past that quantile curves compare it with |
//! | `autoscalers` | autoscalers by target and by the policy they read |
//! | `watches` | what the API server says, and what to do where a kind is missing |
//! | `savings` | what a replica costs that is there although nothing needs it |
//!
//! Nothing is decided before the cluster is known: a restarted adapter is silent for a moment, and an autoscaler that
//! gets no answer keeps its replicas.

mod autoscalers;
mod core;
mod intensity;
mod past;
mod places;
mod savings;
mod watches;

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use jiff::Timestamp;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::Client;
use kube_sci_cluster::{assess::Model, wanted::WantedZones, watch::Step};
use sci_core::scaling::{Tolerance, savings::FreedRoom};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval},
};

#[cfg(test)]
pub(crate) use self::core::tests::stage;
use self::watches::{Wiring, watch_task};
pub use self::{
    core::{Core, World},
    watches::MissingKinds,
};
use crate::{
    load::{LoadClients, LoadReport, Pollers},
    policy::{CarbonBudget, GreenScalingPolicy},
    table::PolicyTableHandle,
};

/// How soon after a change everything is decided anew, where deciding is quick.
const SOON: Duration = Duration::from_millis(250);
/// Where nothing changed, or deciding is slow: that many times [`SOON`].
const LATEST: u32 = 4;
/// Deciding takes at most one part of so many of the time, as long as [`LATEST`] allows it.
const PARTS: u32 = 200;
/// Steps of watches that may wait.
const WAITING: usize = 1_024;
/// Steps applied before the clock is looked at again.
const BATCH: usize = 1_024;

/// Names of the tasks, for supervision and health.
pub mod task {
    /// Decides.
    pub const ENGINE: &str = "engine";
    /// Watches policies.
    pub const POLICIES: &str = "watch-policies";
    /// Watches budgets.
    pub const BUDGETS: &str = "watch-budgets";
    /// Watches autoscalers.
    pub const AUTOSCALERS: &str = "watch-autoscalers";
    /// Every task.
    pub const ALL: [&str; 4] = [ENGINE, POLICIES, BUDGETS, AUTOSCALERS];
}

/// Called by a task, with its name, whenever it is alive.
pub type HeartbeatFn = Arc<dyn Fn(&'static str) + Send + Sync>;
/// The present.
pub type ClockFn = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How the engine decides.
#[derive(Debug, Clone, Copy)]
pub struct EngineOptions {
    /// No policy acts, whatever its mode says.
    pub shadow: bool,
    /// What becomes of the room that replicas leave.
    pub freed: FreedRoom,
    /// Deviation that autoscalers tolerate which do not say it themselves.
    pub tolerance: Tolerance,
}

/// What the engine is given.
pub struct EngineParts {
    /// The API server.
    pub client: Client,
    /// The cluster.
    pub model: Model,
    /// Zones that policies name.
    pub wanted: WantedZones,
    /// How loads are asked for.
    pub loads: LoadClients,
    /// Where the decisions go.
    pub table: PolicyTableHandle,
    /// Whether this replica writes statuses at present.
    pub leading: Arc<dyn Fn() -> bool + Send + Sync>,
    /// Hears of everything worth counting.
    pub metrics: Arc<dyn EngineMetrics>,
    /// Kinds that are not installed.
    pub missing: MissingKinds,
    /// Called by each task at least every five seconds.
    pub heartbeat: HeartbeatFn,
    /// The clock.
    pub clock: ClockFn,
}

/// A future to be spawned; it ends only if the process is going down, or with an error.
pub struct EngineTask {
    /// One of [`task::ALL`].
    pub name: &'static str,
    /// What to run.
    pub future: BoxFuture<'static, Result<(), EngineError>>,
}

/// Why the engine ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// A task that asks for loads panicked.
    #[error("asking for a load failed: {0}")]
    Poller(String),
    /// Nobody watches any more.
    #[error("the watches of the engine ended")]
    Closed,
}

/// Hears of everything worth counting. Every method does nothing unless it is overridden.
#[allow(unused_variables)] // names say more than underscores in a trait of notices
pub trait EngineMetrics: Send + Sync {
    /// A source of this kind was asked for a load; `problem` is a word of [`LoadFault::KINDS`](crate::load::LoadFault::KINDS).
    fn load_asked(&self, source: &'static str, problem: Option<&'static str>, took: Duration) {}
    /// A watch of this kind of object failed and will be tried again.
    fn watch_failed(&self, kind: &'static str) {}
    /// An object of this kind could not be read.
    fn malformed(&self, kind: &'static str) {}
    /// Everything was decided anew.
    fn decided(&self, policies: usize, took: Duration) {}
}

/// Counts nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoMetrics;

impl EngineMetrics for NoMetrics {}

/// What the engine is told.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "an object is as large as it is, and moves twice")]
enum Input {
    Policy(Step<GreenScalingPolicy>),
    Budget(Step<CarbonBudget>),
    Autoscaler(Step<HorizontalPodAutoscaler>),
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self { shadow: false, freed: FreedRoom::Unknown, tolerance: Tolerance::CLUSTER_DEFAULT }
    }
}

/// The tasks; nothing runs until they are spawned.
pub fn tasks(parts: EngineParts, options: EngineOptions) -> Vec<EngineTask> {
    let (sender, inputs) = mpsc::channel(WAITING);
    let (pollers, reports) = Pollers::new(parts.loads, Arc::clone(&parts.clock));
    let teller = |task| Wiring {
        task,
        sender: sender.clone(),
        heartbeat: Arc::clone(&parts.heartbeat),
        metrics: Arc::clone(&parts.metrics),
        missing: parts.missing.clone(),
    };
    let watches = [
        watch_task(&parts.client, teller(task::POLICIES), Input::Policy),
        watch_task(&parts.client, teller(task::BUDGETS), Input::Budget),
        watch_task(&parts.client, teller(task::AUTOSCALERS), Input::Autoscaler),
    ];
    let engine = Engine {
        core: Core::new(options, parts.model.options.freshness),
        model: parts.model,
        wanted: parts.wanted,
        table: parts.table,
        leading: parts.leading,
        pollers,
        metrics: parts.metrics,
        heartbeat: parts.heartbeat,
        clock: parts.clock,
    };
    let engine = EngineTask { name: task::ENGINE, future: Box::pin(engine.run(inputs, reports)) };
    std::iter::once(engine).chain(watches).collect()
}

struct Engine {
    core: Core,
    model: Model,
    wanted: WantedZones,
    table: PolicyTableHandle,
    leading: Arc<dyn Fn() -> bool + Send + Sync>,
    pollers: Pollers,
    metrics: Arc<dyn EngineMetrics>,
    heartbeat: HeartbeatFn,
    clock: ClockFn,
}

impl Engine {
    async fn run(
        mut self,
        mut inputs: mpsc::Receiver<Input>,
        mut reports: mpsc::Receiver<LoadReport>,
    ) -> Result<(), EngineError> {
        let mut ticks = interval(SOON);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut waited, mut changed, mut pause) = (0, true, 1);
        loop {
            tokio::select! {
                input = inputs.recv() => {
                    let mut next = Some(input.ok_or(EngineError::Closed)?);
                    for _ in 0..BATCH {
                        let Some(input) = next.take() else { break };
                        self.apply(input);
                        next = inputs.try_recv().ok();
                    }
                    if let Some(input) = next {
                        self.apply(input);
                    }
                    changed = true;
                }
                Some(report) = reports.recv() => {
                    self.report(report);
                    changed = true;
                }
                problem = self.pollers.failed() => return Err(EngineError::Poller(problem)),
                _ = ticks.tick() => {
                    waited += 1;
                    if waited >= if changed { pause } else { LATEST } {
                        let started = Instant::now();
                        self.tick();
                        (waited, changed, pause) = (0, false, pause_after(started.elapsed()));
                    }
                    (self.heartbeat)(task::ENGINE);
                }
            }
        }
    }

    fn apply(&mut self, input: Input) {
        let now = (self.clock)();
        match input {
            Input::Policy(step) => self.core.policy(step, now),
            Input::Budget(step) => self.core.budget(step, now),
            Input::Autoscaler(step) => self.core.autoscaler(step),
        }
        for key in self.core.stopped() {
            self.pollers.stop(&key);
        }
        for started in self.core.started() {
            self.pollers.start(&started.key, started.revision, &started.spec, &started.plan.load);
        }
    }

    fn report(&mut self, report: LoadReport) {
        let problem = report.result.as_ref().err().map(crate::load::LoadFault::kind);
        if let Some(source) = self.core.load(&report.key, report.revision, report.result, (self.clock)()) {
            self.metrics.load_asked(source, problem, report.took);
        }
    }

    fn tick(&mut self) {
        let started = Instant::now();
        let snapshot = self.model.snapshot.load_full();
        let world = World {
            snapshot: &snapshot,
            learned: &self.model.learned.hours(),
            wanted: &self.wanted,
            leading: (self.leading)(),
            now: (self.clock)(),
        };
        let table = self.core.tick(&world);
        self.metrics.decided(table.len(), started.elapsed());
        self.table.publish(table);
    }
}

/// How many times [`SOON`] until everything is decided anew where something changed. Of many policies, some load is new at
/// any time.
fn pause_after(took: Duration) -> u32 {
    let pauses = (took * PARTS).as_nanos().div_ceil(SOON.as_nanos());
    u32::try_from(pauses).unwrap_or(LATEST).clamp(1, LATEST)
}

impl std::fmt::Debug for EngineTask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineTask").field("name", &self.name).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for EngineParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineParts").field("loads", &self.loads).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_engine_decides_less_often_but_every_second() {
        let pauses = [0, 500, 1_250, 1_260, 4_000, 1_000_000].map(|micros| pause_after(Duration::from_micros(micros)));
        assert_eq!(pauses, [1, 1, 1, 2, 4, LATEST]);
        assert_eq!(SOON * LATEST, Duration::from_secs(1));
    }
}
