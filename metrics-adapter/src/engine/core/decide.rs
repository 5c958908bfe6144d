//! From what is known of one policy to its state.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use sci_core::{
    quantity::Pue,
    scaling::{
        Carbon, Inputs, Load, LoadError, Mode, NoCarbon, Policy, Replicas, Tightening,
        batch::PlanReason,
        savings::{FreedRoom, Saving, saving},
    },
};

use super::{
    World,
    entry::{Beginning, Entry},
};
use crate::{
    budget::Budgets,
    engine::{
        intensity::{Weights, Zones},
        past::Pasts,
        places::Places,
        savings,
    },
    policy::{BatchPlan, Plan, Work},
    table::{BatchDecision, BudgetShare, IntensityProblem, IntensityState, Outcome, PlacementBasis, PolicyState},
};

/// A factor that an earlier process decided is not given up while the sources of carbon are asked for the first time.
const SETTLING: SignedDuration = SignedDuration::from_secs(60);
/// A new policy waits for its zone as long: its first decision holds for the whole dwell time.
const SETTLING_NEW: SignedDuration = SignedDuration::from_secs(10);
/// Without carbon a queue is worked off in a minute, or as fast as it can be.
const PLAIN_BATCH_SECONDS: f64 = 60.0;
/// What a replica costs is looked at this often.
const OVERHEAD_EVERY: SignedDuration = SignedDuration::from_secs(15);

/// What all policies share.
pub(super) struct Context<'a> {
    pub zones: Zones<'a>,
    pub world: &'a World<'a>,
    pub places: &'a Places,
    pub pasts: &'a mut Pasts,
    pub budgets: &'a Budgets,
    pub freed: FreedRoom,
    /// Whether enough of the cluster is known.
    pub decides: bool,
}

/// Every policy's state.
pub(super) fn all<'e>(entries: impl Iterator<Item = &'e mut Entry>, mut context: Context<'_>) -> Vec<Arc<PolicyState>> {
    entries.map(|entry| Arc::new(context.state(entry))).collect()
}

impl Context<'_> {
    fn state(&mut self, entry: &mut Entry) -> PolicyState {
        let now = self.world.now;
        let intensity = self.intensity(entry);
        let budget = self.budgets.tightening(&entry.key.namespace);
        let plan = entry.plan.clone();
        let outcome = plan.as_ref().ok().filter(|_| self.decides).and_then(|plan| match &plan.work {
            Work::Service(policy) => {
                self.service(entry, policy, &intensity, budget.as_ref().map_or(Tightening::NONE, |(_, known)| *known))
            }
            Work::Batch(batch) => Some(Outcome::Batch(self.batch(entry, batch, &intensity))),
        });
        let saving = outcome.as_ref().and_then(|outcome| self.saving(entry, outcome, intensity.as_ref().ok()?));
        PolicyState {
            key: entry.key.clone(),
            uid: Arc::clone(&entry.uid),
            generation: entry.generation,
            spec: entry.spec.clone(),
            plan,
            load: entry.load.clone(),
            intensity: intensity.map(Arc::new),
            outcome: outcome.map(Arc::new),
            decided_at: now,
            replicas: self.replicas(entry),
            autoscaler: Arc::clone(&entry.autoscaler),
            budget: budget.and_then(|(name, tightening)| {
                let Work::Service(policy) = &entry.plan.as_ref().ok()?.work else { return None };
                Some(BudgetShare { name, factor: tightening.of(policy.criticality) })
            }),
            saving,
            stored: Arc::clone(&entry.stored),
        }
    }

    fn intensity(&mut self, entry: &mut Entry) -> Result<IntensityState, IntensityProblem> {
        if !self.decides {
            return Err(IntensityProblem::NotSynced);
        }
        let named = entry.plan.as_ref().ok().and_then(|plan: &Arc<Plan>| plan.zone.as_ref());
        if let Some(zone) = named {
            // Sources are asked for it from now on.
            self.world.wanted.want(zone, self.world.now);
            let weights = Weights::named(zone);
            let mean = self.zones.mean(&weights, PlacementBasis::Named);
            entry.last_weights = Some(weights);
            return mean;
        }
        let pods = entry.target.map(|target| self.places.of(target)).unwrap_or_default();
        if let Some(weights) = self.zones.of_pods(pods) {
            let mean = self.zones.mean(&weights, PlacementBasis::Pods);
            entry.last_weights = Some(weights);
            return mean;
        }
        if let Some(weights) = &entry.last_weights {
            return self.zones.mean(weights, PlacementBasis::LastPods);
        }
        let weights = self.zones.of_nodes().clone();
        self.zones.mean(&weights, PlacementBasis::Nodes)
    }

    fn service(
        &mut self,
        entry: &mut Entry,
        policy: &Policy,
        intensity: &Result<IntensityState, IntensityProblem>,
        tightening: Tightening,
    ) -> Option<Outcome> {
        let now = self.world.now;
        let carbon = carbon(intensity);
        let settling = match entry.beginning {
            Beginning::New => Some(SETTLING_NEW),
            Beginning::Resumed => Some(SETTLING),
            Beginning::Over => None,
        };
        if carbon.is_err() && settling.is_some_and(|settling| now.duration_since(entry.since) < settling) {
            return None;
        }
        entry.beginning = Beginning::Over;
        let past = policy.curve.needs_history().then(|| {
            let weights = entry.last_weights.as_ref().unwrap_or_else(|| self.zones.of_nodes());
            self.pasts.of(weights)
        });
        let inputs = Inputs {
            now,
            load: entry.load.reading.as_ref().map(|reading| reading.sample).ok_or(LoadError::Missing),
            carbon,
            history: past.as_deref(),
            tightening,
        };
        Some(Outcome::Service(entry.governor.decide(policy, &inputs)))
    }

    fn batch(
        &self,
        entry: &mut Entry,
        batch: &BatchPlan,
        intensity: &Result<IntensityState, IntensityProblem>,
    ) -> BatchDecision {
        let now = self.world.now;
        let sample = entry.load.reading.as_ref().map(|reading| reading.sample).ok_or(LoadError::Missing);
        let work = sample.and_then(|sample| sample.load(now, batch.stale_after));
        match work {
            Ok(work) if work == Load::ZERO => entry.waiting_since = None,
            Ok(_) => drop(entry.waiting_since.get_or_insert(now)),
            // What is not known has not been worked off.
            Err(_) => {}
        }
        let since = entry.waiting_since.unwrap_or(now);
        let forecast = intensity.as_ref().map(|state| self.zones.forecast(&state.zones)).unwrap_or_default();
        let plan = work.map(|work| batch.backlog(work, since).plan(now, &forecast));
        let full = f64::from(batch.max_replicas) * batch.rate_per_replica.get();
        let plain = work.and_then(|work| Load::new((work.get() / PLAIN_BATCH_SECONDS).min(full)));
        let served = match batch.mode {
            Mode::Enforce => plan.as_ref().map(|plan| plan.rate).map_err(|error| *error),
            Mode::Shadow => plain,
        };
        let replicas = plan.as_ref().ok().zip(plain.ok()).map(|(plan, plain)| {
            let urgent = matches!(plan.reason, PlanReason::DeadlineNear | PlanReason::TooLate);
            let plain = replicas(plain.get() / batch.rate_per_replica.get()).min(batch.max_replicas);
            Replicas { plain, green: plan.replicas, floor: if urgent { plan.replicas } else { 0 } }
        });
        BatchDecision {
            waiting_since: entry.waiting_since,
            deadline: entry.waiting_since.map(|since| batch.deadline(since)),
            plan,
            served,
            replicas,
        }
    }

    /// By the autoscaler, else by counting.
    fn replicas(&self, entry: &Entry) -> Option<u32> {
        let counted = || {
            let pods = self.places.of(entry.target?);
            u32::try_from(pods.len()).ok().filter(|_| self.decides)
        };
        entry.autoscaler.current_replicas.or_else(counted)
    }

    fn saving(&self, entry: &mut Entry, outcome: &Outcome, intensity: &IntensityState) -> Option<Saving> {
        let Outcome::Service(decision) = outcome else { return None };
        let replicas = decision.demand.ok()?.replicas;
        let pods = self.places.of(entry.target?);
        let snapshot = self.world.snapshot;
        let (_, overhead) = match entry.overhead {
            Some(known) if is_young(known.0, self.world.now) => known,
            _ => *entry.overhead.insert((self.world.now, savings::overhead(snapshot, &entry.key.namespace, pods))),
        };
        let pue = savings::pue(snapshot, pods).unwrap_or(Pue::IDEAL);
        Some(saving(replicas, &overhead.unwrap_or(savings::UNKNOWN), self.freed, intensity.carbon.intensity, pue))
    }
}

fn is_young(at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(at) < OVERHEAD_EVERY
}

fn carbon(intensity: &Result<IntensityState, IntensityProblem>) -> Result<Carbon, NoCarbon> {
    intensity.as_ref().map(|state| state.carbon).map_err(|_| NoCarbon::Missing)
}

/// The smallest whole number that is not less, rounding errors aside.
fn replicas(count: f64) -> u32 {
    let whole = (count - 1e-9).ceil().max(0.0);
    // The standard library's only checked way from a float to an integer.
    let seconds = std::time::Duration::try_from_secs_f64(whole).map_or(u64::MAX, |duration| duration.as_secs());
    u32::try_from(seconds).unwrap_or(u32::MAX)
}
