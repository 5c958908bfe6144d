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
    quantity::{Utilization, WallFactor},
    workload::{Pace, ProfileOptions, WorkloadSample, expected_energy},
};

use super::{
    NodeName,
    share::{NodeShare, PodShare},
};
use crate::{energy::ProfileTable, snapshot::NodeRecord};

/// A curve that no observation has changed is looked at again after this time.
const FADE_STEP: SignedDuration = SignedDuration::from_hours(1);

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
        let class = &record.identity.hardware.class;
        Arc::make_mut(&mut self.profiles).learn(pod.pod.key, self.profile_options, window.end, class, &sample);
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
        if self.profiles.has_old(now) {
            Arc::make_mut(&mut self.profiles).forget_old(now);
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
