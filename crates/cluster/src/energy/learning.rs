//! What measurements teach: the power curve of every class of hardware, how each node differs from its class, what each
//! workload draws on which hardware.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use kube_sci_signals::{config::EnergyConfig, energy::NodeWindow};
use rustc_hash::FxHashMap;
use sci_core::{
    power::{
        Hardware,
        fit::{FitOptions, LearnedCurve, LearnedScale, NodeScale, PowerFit, PowerObservation, learned_hardware},
    },
    quantity::{Utilization, WallFactor, WorkloadFactor},
    workload::{Pace, ProfileOptions, WorkloadProfile, WorkloadSample, expected_energy},
};

use super::{
    meters::NodeName,
    share::{NodeShare, PodShare},
};
use crate::{objects::WorkloadKey, snapshot::NodeRecord};

/// A workload that is not seen for this long is forgotten.
const FORGET_WORKLOADS: SignedDuration = SignedDuration::from_hours(14 * 24);
/// A curve that no observation has changed is looked at again after this time.
const FADE_STEP: SignedDuration = SignedDuration::from_hours(1);
/// Workloads that are remembered; more only where something makes new ones without end.
const MAX_WORKLOADS: usize = 20_000;

/// What was learned of workloads. Immutable once published.
#[derive(Debug, Clone, Default)]
pub struct ProfileTable {
    profiles: FxHashMap<WorkloadKey, Arc<Remembered>>,
}

#[derive(Debug, Clone)]
struct Remembered {
    profile: WorkloadProfile,
    factors: WorkloadFactors,
    last: Timestamp,
}

/// The factors of one workload as of its last observation, ready for decisions.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WorkloadFactors {
    by_class: Vec<(Arc<str>, WorkloadFactor)>,
    elsewhere: Option<WorkloadFactor>,
}

/// The state that learns.
#[derive(Debug)]
pub(super) struct Learning {
    classes: FxHashMap<ClassKey, Class>,
    scales: FxHashMap<NodeName, NodeScale>,
    profiles: Arc<ProfileTable>,
    class_options: FitOptions,
    node_options: FitOptions,
    profile_options: ProfileOptions,
    stale_after: Duration,
}

/// Nodes of one shape: the class's name and its table's idle and full power, which differ with the node's size.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct ClassKey(Arc<str>, u64, u64);

#[derive(Debug)]
struct Class {
    fit: PowerFit,
    /// Worked out again when something was observed since.
    curve: Option<(LearnedCurve, Timestamp)>,
}

impl ProfileTable {
    /// What was learned of one workload.
    pub fn get(&self, workload: WorkloadKey) -> Option<&WorkloadProfile> {
        self.profiles.get(&workload).map(|remembered| &remembered.profile)
    }

    /// Its factors, ready for decisions.
    pub fn factors(&self, workload: WorkloadKey) -> Option<&WorkloadFactors> {
        self.profiles.get(&workload).map(|remembered| &remembered.factors)
    }

    /// Workloads that something was learned of.
    pub fn len(&self) -> usize {
        self.profiles.len()
    }

    /// Nothing was learned of any.
    pub fn is_empty(&self) -> bool {
        self.profiles.is_empty()
    }
}

impl WorkloadFactors {
    fn of(profile: &WorkloadProfile, now: Timestamp) -> Self {
        let by_class = profile.classes(now).map(|known| (known.class, known.factor.ratio)).collect();
        // No class has an empty name: this is the factor where the workload never ran.
        Self { by_class, elsewhere: profile.factor("", now).map(|factor| factor.ratio) }
    }

    /// The factor on a class of hardware.
    pub fn on(&self, class: &Arc<str>) -> WorkloadFactor {
        // Nodes of a class mostly share its name: then a look at the pointers will do.
        let shared = self.by_class.iter().find(|(known, _)| Arc::ptr_eq(known, class));
        let known = shared.or_else(|| self.by_class.iter().find(|(known, _)| known == class));
        known.map(|(_, factor)| *factor).or(self.elsewhere).unwrap_or(WorkloadFactor::EXPECTED)
    }
}

impl Learning {
    pub(super) fn new(config: &EnergyConfig) -> Self {
        let one_observation = config.window.get();
        Self {
            classes: FxHashMap::default(),
            scales: FxHashMap::default(),
            profiles: Arc::default(),
            class_options: FitOptions { one_observation, ..FitOptions::CLASS },
            node_options: FitOptions { one_observation, ..FitOptions::NODE },
            profile_options: ProfileOptions { one_observation, ..ProfileOptions::default() },
            stale_after: config.stale_after.get(),
        }
    }

    pub(super) fn profiles(&self) -> &Arc<ProfileTable> {
        &self.profiles
    }

    /// A measured window teaches; one from an exporter's model does not.
    pub(super) fn learn(&mut self, window: &NodeWindow, share: &NodeShare<'_>, record: &NodeRecord) {
        if window.modelled {
            return;
        }
        if let Some(utilization) = share.utilization {
            self.learn_power(window, share, record, utilization);
        }
        for pod in &share.pods {
            self.learn_workload(window, pod, share, record);
        }
    }

    fn learn_power(
        &mut self,
        window: &NodeWindow,
        share: &NodeShare<'_>,
        record: &NodeRecord,
        utilization: Utilization,
    ) {
        let observation = PowerObservation {
            at: window.end,
            utilization,
            watts: share.power(),
            time: window.covered,
            // The share-out has seen to it.
            wall_factor: WallFactor::NONE,
        };
        let options = self.class_options;
        let class = self
            .classes
            .entry(ClassKey::of(&record.identity.hardware))
            .or_insert_with(|| Class { fit: PowerFit::new(options), curve: None });
        if class.fit.observe(&observation) {
            class.curve = None;
        }
        let options = self.node_options;
        let scale = self.scales.entry(Arc::clone(&record.name)).or_insert_with(|| NodeScale::new(options));
        scale.observe(&observation);
    }

    /// A pod that no meter spoke of teaches nothing; one that was measured at rest does.
    fn learn_workload(&mut self, window: &NodeWindow, pod: &PodShare<'_>, share: &NodeShare<'_>, record: &NodeRecord) {
        if pod.core_seconds <= 0.0 || !pod.metered {
            return;
        }
        let sample = sample(pod, share, record);
        let profiles = &mut Arc::make_mut(&mut self.profiles).profiles;
        if profiles.len() >= MAX_WORKLOADS && !profiles.contains_key(&pod.pod.key) {
            return;
        }
        let known =
            profiles.entry(pod.pod.key).or_insert_with(|| Arc::new(Remembered::new(self.profile_options, window.end)));
        let known = Arc::make_mut(known);
        known.last = window.end;
        if known.profile.observe(window.end, &record.identity.hardware.class, &sample) {
            known.factors = WorkloadFactors::of(&known.profile, window.end);
        }
    }

    /// The hardware of a node by everything that is known.
    pub(super) fn hardware(&mut self, record: &NodeRecord, now: Timestamp) -> Arc<Hardware> {
        let table = &record.identity.hardware;
        let Some(class) = self.classes.get_mut(&ClassKey::of(table)) else { return Arc::clone(table) };
        // What nobody confirms fades, also where no observation comes any more.
        class.curve.take_if(|(_, learned)| now.duration_since(*learned) > FADE_STEP);
        let (curve, _) = class.curve.get_or_insert_with(|| (class.fit.learn(table, now), now));
        let scale = self.scales.get(&record.name).map_or(LearnedScale::UNSEEN, |scale| scale.learn(&curve.curve, now));
        let learned = learned_hardware(table, curve, &scale, self.stale_after);
        if learned == *record.hardware { Arc::clone(&record.hardware) } else { Arc::new(learned) }
    }

    pub(super) fn forget_old(&mut self, now: Timestamp) {
        let old = |remembered: &Remembered| now.duration_since(remembered.last) > FORGET_WORKLOADS;
        if self.profiles.profiles.values().any(|remembered| old(remembered)) {
            Arc::make_mut(&mut self.profiles).profiles.retain(|_, remembered| !old(remembered));
        }
    }

    pub(super) fn remove_node(&mut self, name: &str) {
        self.scales.remove(name);
    }
}

impl ClassKey {
    fn of(hardware: &Hardware) -> Self {
        let curve = &hardware.curve;
        Self(Arc::clone(&hardware.class), curve.idle().get().to_bits(), curve.full().get().to_bits())
    }
}

/// What a pod did, beside what its requests let expect.
fn sample(pod: &PodShare<'_>, share: &NodeShare<'_>, record: &NodeRecord) -> WorkloadSample {
    let requested = pod.requested();
    let cores = record.identity.capacity.cpu;
    let utilization = share.utilization.unwrap_or(Utilization::IDLE);
    let pace = match &*pod.pod.workload.kind {
        "Job" | "CronJob" => Pace::Hardware,
        _ => Pace::Demand,
    };
    WorkloadSample {
        time: share.length,
        requested,
        active: pod.energy.active,
        dram: pod.dram,
        cpu: pod.cpu,
        expected: expected_energy(&record.hardware, utilization, requested, cores, pace, share.length),
    }
}

impl Remembered {
    fn new(options: ProfileOptions, now: Timestamp) -> Self {
        Self { profile: WorkloadProfile::new(options), factors: WorkloadFactors::default(), last: now }
    }
}
