//! What a policy would have done: a governor and an autoscaler on loads and intensities of the past, or made up.
//!
//! Two autoscalers run side by side through the same rounds: a green one with the adjusted load at T and, if asked
//! for, the guard at S, and a plain one with the load itself at T. What differs is the policy's doing.
//!
//! The workload is a simple one: pods are ready a fixed time after they were asked for, the youngest leave first,
//! ready pods share the load evenly, and a load that is too much for them waits nowhere.

mod workload;

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use self::workload::{Workload, initial};
use super::{
    Carbon, Decision, Governor, GreenFactor, Inputs, IntensityHistory, Load, LoadError, LoadSample, NoCarbon, Policy,
    Replicas, Tightening,
    hpa::{Autoscaler, Behavior, Controller, MetricSpec, Spec, Target},
    savings::{FreedRoom, ReplicaOverhead, SavingNote, saving},
};
use crate::quantity::{GramsCo2e, GramsPerKwh, Pue};

/// What to replay.
#[derive(Debug, Clone)]
pub struct Scenario<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// Fewest replicas of both autoscalers.
    pub min_replicas: i32,
    /// Most replicas of both autoscalers.
    pub max_replicas: i32,
    /// Behaviour of both autoscalers.
    pub behavior: Option<Behavior>,
    /// Flags of their controller.
    pub controller: Controller,
    /// Whether the green autoscaler has the guard metric, as it should.
    pub guard_metric: bool,
    /// Time from round to round; the controller's is 15 s. Zero counts as a second.
    pub sync: Duration,
    /// Time from asking for a pod until it carries load.
    pub pod_start: Duration,
    /// The zone's past; only quantile curves look at it.
    pub history: Option<&'a IntensityHistory>,
    /// What a replica draws by itself.
    pub overhead: ReplicaOverhead,
    /// What becomes of the room that replicas leave.
    pub freed: FreedRoom,
    /// Of the site.
    pub pue: Pue,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// With the policy.
    pub green: Run,
    /// Without it.
    pub plain: Run,
    /// How often the level of the factor changed.
    pub level_changes: u32,
    /// How often the phase changed.
    pub phase_changes: u32,
    /// Rounds in which no load was known.
    pub rounds_without_load: u32,
    /// Rounds in which no intensity was known.
    pub rounds_without_carbon: u32,
    /// Saved by the policy, in grams, as far as it can be claimed; negative where it cost some.
    pub saved_grams: f64,
    /// How far to believe it.
    pub note: SavingNote,
}

/// What one of the autoscalers did.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// How often the number of replicas changed.
    pub scale_events: u32,
    /// Replicas by hours.
    pub replica_hours: f64,
    /// Fewest replicas.
    pub fewest: u32,
    /// Most replicas.
    pub most: u32,
    /// Time during which ready replicas carried more than S each.
    pub seconds_above_guard: f64,
    /// The most that a ready replica carried, over S; infinite where there was load and no replica.
    pub worst_over_guard: f64,
    /// Grams of the replicas' overhead, by what is known of it.
    pub overhead: GramsCo2e,
}

/// One round, for drawing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frame<'a> {
    /// The decision behind it.
    pub decision: &'a Decision,
    /// Replicas of the green autoscaler after it.
    pub green: u32,
    /// Replicas of the plain one.
    pub plain: u32,
}

impl Scenario<'_> {
    /// From `start` up to but not including `end`, with what was known at each instant. `each` sees every round.
    pub fn replay(
        &self,
        start: Timestamp,
        end: Timestamp,
        load: impl Fn(Timestamp) -> Result<LoadSample, LoadError>,
        carbon: impl Fn(Timestamp) -> Result<Carbon, NoCarbon>,
        mut each: impl FnMut(Frame<'_>),
    ) -> Report {
        let mut governor = Governor::new();
        let known = |now| load(now).and_then(|sample: LoadSample| sample.load(now, self.policy.load_stale_after)).ok();
        let mut green = Track::new(self, true, known(start), start);
        let mut plain = Track::new(self, false, known(start), start);
        let mut report = Report {
            green: Run::default(),
            plain: Run::default(),
            level_changes: 0,
            phase_changes: 0,
            rounds_without_load: 0,
            rounds_without_carbon: 0,
            saved_grams: 0.0,
            note: self.note(),
        };
        let mut level = GreenFactor::ONE;
        let sync = self.sync.max(Duration::from_secs(1));
        let mut now = start;
        while now < end {
            let inputs = Inputs {
                now,
                load: load(now),
                carbon: carbon(now),
                history: self.history,
                tightening: Tightening::NONE,
            };
            let decision = governor.decide(self.policy, &inputs);
            report.level_changes += u32::from(decision.state.level != level);
            report.phase_changes += u32::from(decision.left.is_some());
            report.rounds_without_load += u32::from(decision.demand.is_err());
            report.rounds_without_carbon += u32::from(decision.carbon.is_err());
            level = decision.state.level;

            let demand = decision.demand.ok();
            let (load, adjusted) = (demand.map(|demand| demand.load), demand.map(|demand| demand.adjusted));
            green.round(now, adjusted, load);
            plain.round(now, load, load);
            let intensity = decision.carbon.ok().map(|carbon| carbon.intensity);
            let next = now.checked_add(sync).unwrap_or(end).min(end);
            let time = next.duration_since(now).unsigned_abs();
            green.account(self, now, time, load, intensity);
            plain.account(self, now, time, load, intensity);
            each(Frame { decision: &decision, green: green.workload.replicas(), plain: plain.workload.replicas() });
            now = next;
        }
        report.saved_grams = plain.run.overhead.get() - green.run.overhead.get();
        (report.green, report.plain) = (green.run, plain.run);
        report
    }

    fn spec(&self, green: bool) -> Spec {
        let milli = |load: super::LoadPerReplica| i64::try_from(Load::clamped(load.get()).milli()).unwrap_or(i64::MAX);
        let thresholds = &self.policy.thresholds;
        let target = Target::AverageValueMilli(milli(thresholds.target()));
        let mut metrics = vec![MetricSpec::Object { target }];
        if green && self.guard_metric {
            metrics.push(MetricSpec::Pods { average_value_milli: milli(thresholds.guard()) });
        }
        Spec {
            min_replicas: self.min_replicas,
            max_replicas: self.max_replicas,
            metrics,
            behavior: self.behavior.clone(),
        }
    }

    /// As for one saved replica.
    fn note(&self) -> SavingNote {
        saving(Replicas { plain: 1, green: 0, floor: 0 }, &self.overhead, self.freed, GramsPerKwh::MIN, self.pue).note
    }
}

/// One autoscaler with its workload and what came of them.
struct Track {
    workload: Workload,
    run: Run,
}

impl Track {
    fn new(scenario: &Scenario<'_>, green: bool, load: Option<Load>, start: Timestamp) -> Self {
        let autoscaler = Autoscaler::new(scenario.spec(green), scenario.controller);
        let (min, max) = (scenario.min_replicas, scenario.max_replicas);
        let replicas = initial(load, &scenario.policy.thresholds, min, max);
        let run = Run { fewest: replicas, most: replicas, ..Run::default() };
        Self { workload: Workload::new(autoscaler, replicas, start, scenario.pod_start), run }
    }

    fn round(&mut self, now: Timestamp, served: Option<Load>, load: Option<Load>) {
        self.run.scale_events += u32::from(self.workload.round(now, served, load));
    }

    fn account(
        &mut self,
        scenario: &Scenario<'_>,
        now: Timestamp,
        time: Duration,
        load: Option<Load>,
        intensity: Option<GramsPerKwh>,
    ) {
        let replicas = self.workload.replicas();
        self.run.fewest = self.run.fewest.min(replicas);
        self.run.most = self.run.most.max(replicas);
        self.run.replica_hours += f64::from(replicas) * time.as_secs_f64() / 3_600.0;
        if let Some(load) = load {
            let over = self.workload.per_replica(load, now) / scenario.policy.thresholds.guard().get();
            self.run.worst_over_guard = self.run.worst_over_guard.max(over);
            if over > 1.0 + 1e-9 {
                self.run.seconds_above_guard += time.as_secs_f64();
            }
        }
        if let Some(intensity) = intensity {
            let all = Replicas { plain: replicas, green: 0, floor: 0 };
            let rate = saving(all, &scenario.overhead, scenario.freed, intensity, scenario.pue).grams_per_hour;
            self.run.overhead = self.run.overhead + rate * time;
        }
    }
}
