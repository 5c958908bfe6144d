//! What was learned of workloads.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rustc_hash::FxHashMap;
use sci_core::{
    quantity::WorkloadFactor,
    workload::{ProfileOptions, WorkloadProfile, WorkloadSample},
};

use crate::objects::WorkloadKey;

/// A workload that is not seen for this long is forgotten.
const FORGET: SignedDuration = SignedDuration::from_hours(14 * 24);
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

impl ProfileTable {
    /// The factors of one workload, if anything was learned of it.
    pub fn factors(&self, workload: WorkloadKey) -> Option<&WorkloadFactors> {
        self.profiles.get(&workload).map(|remembered| &remembered.factors)
    }

    /// Pods of a workload did something on a class of hardware.
    pub(crate) fn learn(
        &mut self,
        workload: WorkloadKey,
        options: ProfileOptions,
        at: Timestamp,
        class: &Arc<str>,
        sample: &WorkloadSample,
    ) {
        if self.profiles.len() >= MAX_WORKLOADS && !self.profiles.contains_key(&workload) {
            return;
        }
        let known = self.profiles.entry(workload).or_insert_with(|| Arc::new(Remembered::new(options, at)));
        let known = Arc::make_mut(known);
        known.last = at;
        if known.profile.observe(at, class, sample) {
            known.factors = WorkloadFactors::of(&known.profile, at);
        }
    }

    /// Whether a workload has not been seen for long.
    pub(crate) fn has_old(&self, now: Timestamp) -> bool {
        self.profiles.values().any(|remembered| remembered.is_old(now))
    }

    /// Forgets workloads that have not been seen for long.
    pub(crate) fn forget_old(&mut self, now: Timestamp) {
        self.profiles.retain(|_, remembered| !remembered.is_old(now));
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

impl Remembered {
    fn new(options: ProfileOptions, now: Timestamp) -> Self {
        Self { profile: WorkloadProfile::new(options), factors: WorkloadFactors::default(), last: now }
    }

    fn is_old(&self, now: Timestamp) -> bool {
        now.duration_since(self.last) > FORGET
    }
}
