//! The engine's state and every decision: synchronous, with the clock as a parameter.

mod decide;
mod entry;
#[cfg(test)]
pub(crate) mod tests;

use std::{collections::BTreeMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::core::ObjectMeta;
use kube_sci_cluster::{snapshot::Snapshot, wanted::WantedZones, watch::Step};
use kube_sci_signals::grid::LearnedHours;
use sci_core::intensity::Freshness;

use self::entry::Entry;
use super::{EngineOptions, autoscalers::Autoscalers, intensity::Zones, past::Pasts, places::Places};
use crate::{
    autoscaler::{Autoscaler, AutoscalerReport, Linted, lint},
    budget::Budgets,
    load::LoadFault,
    policy::{CarbonBudget, GreenScalingPolicy, GreenScalingPolicySpec, Plan},
    table::{LoadReading, PolicyKey, PolicyTable},
};

/// After this long the cluster is taken as it is known, complete or not.
const LONGEST_START: SignedDuration = SignedDuration::from_secs(60);

/// All that the engine knows. One task owns it.
#[derive(Debug)]
pub struct Core {
    options: EngineOptions,
    freshness: Freshness,
    policies: BTreeMap<PolicyKey, Entry>,
    budgets: Budgets,
    autoscalers: Autoscalers,
    places: Places,
    pasts: Pasts,
    listed: Listed,
    revisions: u64,
    started: Vec<Started>,
    stopped: Vec<PolicyKey>,
    generation: u64,
    born: Option<Timestamp>,
}

/// Which kinds were listed once.
#[derive(Debug, Default, Clone, Copy)]
struct Listed {
    policies: bool,
    budgets: bool,
    autoscalers: bool,
}

/// What the engine looks at.
#[derive(Debug, Clone, Copy)]
pub struct World<'a> {
    /// The cluster.
    pub snapshot: &'a Arc<Snapshot>,
    /// The past of grid zones.
    pub learned: &'a LearnedHours,
    /// Zones that policies name.
    pub wanted: &'a WantedZones,
    /// Whether this replica writes statuses.
    pub leading: bool,
    /// The present.
    pub now: Timestamp,
}

/// A policy whose load is to be asked for from now on.
#[derive(Debug, Clone)]
pub struct Started {
    /// Which one.
    pub key: PolicyKey,
    /// Which version of it.
    pub revision: u64,
    /// As written.
    pub spec: Arc<GreenScalingPolicySpec>,
    /// As checked.
    pub plan: Arc<Plan>,
}

impl Core {
    /// Knows nothing.
    pub fn new(options: EngineOptions, freshness: Freshness) -> Self {
        Self {
            options,
            freshness,
            policies: BTreeMap::new(),
            budgets: Budgets::default(),
            autoscalers: Autoscalers::default(),
            places: Places::default(),
            pasts: Pasts::default(),
            listed: Listed::default(),
            revisions: 0,
            started: Vec::new(),
            stopped: Vec::new(),
            generation: 0,
            born: None,
        }
    }

    /// One step of the watch of policies.
    pub fn policy(&mut self, step: Step<GreenScalingPolicy>, now: Timestamp) {
        match step {
            Step::Begin => self.policies.values_mut().for_each(|entry| entry.seen = false),
            Step::Listed(policy) | Step::Applied(policy) => {
                let status = policy.status.unwrap_or_default();
                self.apply_policy(&policy.metadata, Ok(Arc::new(policy.spec)), status, now);
            }
            Step::Malformed(unreadable) => {
                let problem = Err(unreadable.problem.as_str().into());
                self.apply_policy(&unreadable.metadata, problem, crate::policy::PolicyStatus::default(), now);
            }
            Step::Deleted(metadata) => {
                if let Some(key) = key(&metadata) {
                    self.delete_policy(&key);
                }
            }
            Step::End => {
                self.listed.policies = true;
                let gone = self.policies.iter().filter(|(_, entry)| !entry.seen);
                let gone: Vec<PolicyKey> = gone.map(|(key, _)| key.clone()).collect();
                for key in gone {
                    self.delete_policy(&key);
                }
            }
        }
    }

    /// One step of the watch of budgets.
    pub fn budget(&mut self, step: Step<CarbonBudget>, now: Timestamp) {
        self.listed.budgets |= matches!(step, Step::End);
        self.budgets.apply(step, now);
    }

    /// One step of the watch of autoscalers.
    pub fn autoscaler(&mut self, step: Step<HorizontalPodAutoscaler>) {
        match step {
            Step::Begin => self.autoscalers.begin(),
            Step::Listed(object) | Step::Applied(object) => {
                if let Some(autoscaler) = Autoscaler::of(&object) {
                    self.autoscalers.apply(autoscaler);
                }
            }
            Step::Malformed(unreadable) => {
                if let Some(key) = key(&unreadable.metadata) {
                    self.autoscalers.keep(&key.namespace, &key.name);
                }
            }
            Step::Deleted(metadata) => {
                if let Some(key) = key(&metadata) {
                    self.autoscalers.remove(&key.namespace, &key.name);
                }
            }
            Step::End => {
                self.listed.autoscalers = true;
                self.autoscalers.end();
            }
        }
    }

    /// What came of asking for a load. The kind of its source; `None` where nobody wants to know any more.
    pub fn load(
        &mut self,
        key: &PolicyKey,
        revision: u64,
        result: Result<LoadReading, LoadFault>,
        now: Timestamp,
    ) -> Option<&'static str> {
        let entry = self.policies.get_mut(key).filter(|entry| entry.revision == revision)?;
        entry.loaded(result, now);
        entry.plan.as_ref().ok().map(|plan| plan.load.source.kind())
    }

    /// Policies whose load is to be asked for, since this was asked last.
    pub fn started(&mut self) -> Vec<Started> {
        std::mem::take(&mut self.started)
    }

    /// Policies whose load is not to be asked for any more. Stop these before starting others.
    pub fn stopped(&mut self) -> Vec<PolicyKey> {
        std::mem::take(&mut self.stopped)
    }

    /// Decides everything anew.
    pub fn tick(&mut self, world: &World<'_>) -> PolicyTable {
        let now = world.now;
        let born = *self.born.get_or_insert(now);
        self.places.refresh(world.snapshot);
        self.pasts.refresh(world.learned);
        self.lint();
        self.budgets.tick(world.snapshot, world.leading, now);
        let ready = world.snapshot.synced() && self.listed.policies;
        let context = decide::Context {
            zones: Zones::new(world.snapshot, self.freshness, now),
            world,
            places: &self.places,
            pasts: &mut self.pasts,
            budgets: &self.budgets,
            freed: self.options.freed,
            decides: ready || now.duration_since(born) > LONGEST_START,
        };
        let states = decide::all(self.policies.values_mut(), context);
        self.generation += 1;
        let mut table = PolicyTable::new(self.generation, now, states, self.budgets.states());
        table.synced = ready && self.listed.budgets && self.listed.autoscalers;
        table.leading = world.leading;
        table
    }

    fn apply_policy(
        &mut self,
        metadata: &ObjectMeta,
        spec: Result<Arc<GreenScalingPolicySpec>, Arc<str>>,
        status: crate::policy::PolicyStatus,
        now: Timestamp,
    ) {
        let Some(key) = key(metadata) else { return };
        let uid = metadata.uid.as_deref().unwrap_or_default();
        // One of the same name that came in its place has no past.
        if self.policies.get(&key).is_some_and(|known| *known.uid != *uid) {
            self.delete_policy(&key);
        }
        let entry = self.policies.entry(key.clone()).or_insert_with(|| Entry::new(key.clone(), uid, &status, now));
        entry.seen = true;
        entry.stored = Arc::new(status);
        if !entry.change(metadata.generation.unwrap_or(0), spec, self.options) {
            return;
        }
        self.revisions += 1;
        entry.revision = self.revisions;
        match (&entry.plan, &entry.spec) {
            (Ok(plan), Some(spec)) => {
                let (spec, plan) = (Arc::clone(spec), Arc::clone(plan));
                self.started.retain(|started| started.key != key);
                self.started.push(Started { key, revision: self.revisions, spec, plan });
            }
            _ => self.stop(&key),
        }
    }

    fn delete_policy(&mut self, key: &PolicyKey) {
        if self.policies.remove(key).is_some() {
            self.stop(key);
        }
    }

    fn stop(&mut self, key: &PolicyKey) {
        self.started.retain(|started| started.key != *key);
        self.stopped.push(key.clone());
    }

    /// Reports on autoscalers, where one of them or the policy changed.
    fn lint(&mut self) {
        let touched = self.autoscalers.touched();
        for (key, entry) in &mut self.policies {
            let (Ok(plan), Some(spec)) = (&entry.plan, &entry.spec) else {
                entry.autoscaler = Arc::default();
                continue;
            };
            if !std::mem::take(&mut entry.relint) && !touched.concerns(key, &spec.target_ref) {
                continue;
            }
            // Before all are known none is missing.
            if !self.listed.autoscalers {
                entry.relint = true;
                entry.autoscaler = Arc::new(AutoscalerReport::default());
                continue;
            }
            let about = self.autoscalers.about(key, &spec.target_ref);
            let tolerance = self.options.tolerance;
            let linted = Linted { name: &key.name, target: &spec.target_ref, plan, tolerance };
            entry.autoscaler = Arc::new(lint(&linted, about.iter().map(AsRef::as_ref)));
        }
    }
}

fn key(metadata: &ObjectMeta) -> Option<PolicyKey> {
    Some(PolicyKey::new(metadata.namespace.as_deref()?, metadata.name.as_deref()?))
}
