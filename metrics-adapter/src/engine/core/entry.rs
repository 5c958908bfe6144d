//! One policy, with all that is remembered of it.

use std::sync::Arc;

use jiff::Timestamp;
use sci_core::scaling::{Governor, Mode, savings::ReplicaOverhead};

use crate::{
    autoscaler::AutoscalerReport,
    engine::{EngineOptions, intensity::Weights, places::TargetKeys},
    load::LoadFault,
    policy::{GreenScalingPolicySpec, Plan, PolicyStatus, Work},
    table::{LoadReading, LoadState, PolicyKey, Problem},
};

/// One policy, with all that is remembered of it.
#[derive(Debug)]
pub(super) struct Entry {
    pub key: PolicyKey,
    pub uid: Arc<str>,
    pub generation: i64,
    pub spec: Option<Arc<GreenScalingPolicySpec>>,
    pub plan: Result<Arc<Plan>, Arc<str>>,
    /// Which version of its load is asked for.
    pub revision: u64,
    pub load: LoadState,
    pub governor: Governor,
    pub beginning: Beginning,
    /// Since when this process knows it.
    pub since: Timestamp,
    pub waiting_since: Option<Timestamp>,
    pub last_weights: Option<Weights>,
    pub target: Option<TargetKeys>,
    pub autoscaler: Arc<AutoscalerReport>,
    pub relint: bool,
    /// What a replica costs, as of an instant.
    pub overhead: Option<(Timestamp, Option<ReplicaOverhead>)>,
    /// The status as the API server has it.
    pub stored: Arc<PolicyStatus>,
    pub seen: bool,
}

/// What a policy began with in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beginning {
    /// With nothing; it has decided nothing yet.
    New,
    /// With what an earlier process decided, which it goes on from; it has decided nothing yet.
    Resumed,
    /// It has decided since.
    Over,
}

impl Entry {
    /// Goes on from the status that an earlier process wrote.
    pub(super) fn new(key: PolicyKey, uid: &str, status: &PolicyStatus, now: Timestamp) -> Self {
        let remembered = status.governor.as_ref();
        let governor = remembered.map_or_else(Governor::new, |known| Governor::resume(known.state()));
        Self {
            key,
            uid: uid.into(),
            generation: -1,
            spec: None,
            plan: Err("not read yet".into()),
            revision: 0,
            load: LoadState::default(),
            beginning: if governor.state().factor.throttles() { Beginning::Resumed } else { Beginning::New },
            governor,
            since: now,
            waiting_since: remembered.and_then(|known| known.waiting_since.as_ref()).map(|time| time.0),
            last_weights: None,
            target: None,
            autoscaler: Arc::default(),
            relint: true,
            overhead: None,
            stored: Arc::default(),
            seen: true,
        }
    }

    /// Takes a version of the object. Whether its load is to be asked for in another way from now on.
    pub(super) fn change(
        &mut self,
        generation: i64,
        spec: Result<Arc<GreenScalingPolicySpec>, Arc<str>>,
        options: EngineOptions,
    ) -> bool {
        if self.generation == generation && self.spec.as_ref() == spec.as_ref().ok() && self.spec.is_some() {
            return false;
        }
        let before =
            self.plan.as_ref().ok().zip(self.spec.as_ref()).map(|(plan, spec)| (Arc::clone(plan), Arc::clone(spec)));
        self.generation = generation;
        self.relint = true;
        self.plan = match &spec {
            Ok(spec) => {
                let plan = Plan::with_tolerance(spec, options.tolerance);
                plan.map(|plan| Arc::new(in_mode(plan, options.shadow))).map_err(|error| error.to_string().into())
            }
            Err(problem) => Err(Arc::clone(problem)),
        };
        self.spec = spec.ok();
        self.target = self.spec.as_ref().map(|spec| TargetKeys::of(&self.key.namespace, &spec.target_ref));
        let same_load = match (&before, &self.plan, &self.spec) {
            (Some((plan, spec)), Ok(new_plan), Some(new_spec)) => {
                plan.load == new_plan.load && spec.target_ref == new_spec.target_ref
            }
            _ => false,
        };
        if !same_load {
            // A load in another unit, or of another workload, is none.
            self.load = LoadState::default();
            self.last_weights = None;
            self.overhead = None;
        }
        !same_load
    }

    /// What came of asking for the load. What was known stays until it is stale.
    pub(super) fn loaded(&mut self, result: Result<LoadReading, LoadFault>, now: Timestamp) {
        match result {
            Ok(reading) => self.load = LoadState { reading: Some(reading), problem: None },
            Err(fault) => {
                let known = self.load.problem.take();
                let since = known.filter(|known| known.kind == fault.kind()).map_or(now, |known| known.since);
                self.load.problem = Some(Problem { kind: fault.kind(), text: fault.to_string().into(), since });
            }
        }
    }
}

/// A program in shadow mode has no policy that acts.
fn in_mode(mut plan: Plan, shadow: bool) -> Plan {
    if shadow {
        match &mut plan.work {
            Work::Service(policy) => policy.mode = Mode::Shadow,
            Work::Batch(batch) => batch.mode = Mode::Shadow,
        }
    }
    plan
}
