//! What one policy decides at present, and why.

use std::{fmt, sync::Arc, time::Duration};

use jiff::Timestamp;
use sci_core::{
    intensity::Zone,
    quantity::{GramsPerKwh, Share},
    scaling::{Carbon, Decision, GreenFactor, Load, LoadError, LoadSample, Replicas, batch, savings::Saving},
};

use super::PolicyKey;
use crate::{
    autoscaler::AutoscalerReport,
    policy::{GreenScalingPolicySpec, Plan, PolicyStatus},
};

/// One policy at one instant.
#[derive(Debug, Clone)]
pub struct PolicyState {
    /// Namespace and name.
    pub key: PolicyKey,
    /// UID of the object.
    pub uid: Arc<str>,
    /// Its generation.
    pub generation: i64,
    /// As written; `None` where it cannot even be read.
    pub spec: Option<Arc<GreenScalingPolicySpec>>,
    /// As checked, or why it cannot work as it is written.
    pub plan: Result<Arc<Plan>, Arc<str>>,
    /// The load.
    pub load: LoadState,
    /// The intensity where the workload runs, or why there is none.
    pub intensity: Result<Arc<IntensityState>, IntensityProblem>,
    /// What follows; `None` where the plan is none.
    pub outcome: Option<Arc<Outcome>>,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// Who reads the policy, and how.
    pub autoscaler: Arc<AutoscalerReport>,
    /// Replicas there are, where anybody says.
    pub replicas: Option<u32>,
    /// What the namespace's budget does to it.
    pub budget: Option<BudgetShare>,
    /// What following carbon saves at present, where a thing is known.
    pub saving: Option<Saving>,
    /// The status as the API server has it.
    pub stored: Arc<PolicyStatus>,
}

/// A load, and what went wrong since.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LoadState {
    /// The last value; it may be too old to use.
    pub reading: Option<LoadReading>,
    /// Why the last question brought none.
    pub problem: Option<Problem>,
}

/// A load as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadReading {
    /// Value and instant.
    pub sample: LoadSample,
    /// Who said so.
    pub source: Arc<str>,
    /// What the source said beside it.
    pub warning: Option<Arc<str>>,
}

/// Something that is wrong, since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// A fixed word for metrics.
    pub kind: &'static str,
    /// What is wrong.
    pub text: Arc<str>,
    /// Since when.
    pub since: Timestamp,
}

/// The intensity where a workload runs.
#[derive(Debug, Clone, PartialEq)]
pub struct IntensityState {
    /// Value, quality, confidence and age; of several zones the mean, the worst and the oldest.
    pub carbon: Carbon,
    /// The zones, largest share first.
    pub zones: Vec<ZoneShare>,
    /// How it is known which zones count.
    pub basis: PlacementBasis,
    /// The least value that is forecast from now on, where one is.
    pub forecast_min: Option<(Timestamp, GramsPerKwh)>,
}

/// A zone's part in an intensity.
#[derive(Debug, Clone, PartialEq)]
pub struct ZoneShare {
    /// Which one.
    pub zone: Zone,
    /// Its weight.
    pub share: Share,
    /// Its value.
    pub intensity: GramsPerKwh,
    /// Which link of the chain of sources answered.
    pub link: &'static str,
    /// How the value came to be.
    pub quality: &'static str,
    /// Who said so.
    pub source: Arc<str>,
    /// How far it is from speaking of the present.
    pub age: Duration,
}

/// How it is known which zones count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PlacementBasis {
    /// The policy names one.
    Named,
    /// The nodes of the workload's pods.
    Pods,
    /// The nodes of the last pods it had.
    LastPods,
    /// It has no pods and had none: all nodes.
    Nodes,
}

/// Why there is no intensity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IntensityProblem {
    /// The cluster is not known yet.
    NotSynced,
    /// No node stands in a known zone.
    ZoneUnknown,
    /// Too many of the pods run on nodes whose zone or intensity is not known.
    TooFewKnown,
    /// No source knows the zone.
    Missing,
    /// What is known is too old.
    Stale,
}

/// What follows from load and intensity.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The load times a factor.
    Service(Decision),
    /// The rate that a queue needs.
    Batch(BatchDecision),
}

/// The rate that a queue needs.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchDecision {
    /// Since when the queue has not been empty.
    pub waiting_since: Option<Timestamp>,
    /// By when it has to be.
    pub deadline: Option<Timestamp>,
    /// The plan, or why there is none.
    pub plan: Result<batch::Plan, LoadError>,
    /// What is served: the plan's rate, or in shadow the rate without carbon.
    pub served: Result<Load, LoadError>,
    /// Replicas without carbon, with it, and at least.
    pub replicas: Option<Replicas>,
}

/// What a namespace's budget does to a policy.
#[derive(Debug, Clone, PartialEq)]
pub struct BudgetShare {
    /// Name of the budget.
    pub name: Arc<str>,
    /// What the policy's factor is multiplied by.
    pub factor: GreenFactor,
}

/// A value to serve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Served {
    /// The value.
    pub value: f64,
    /// The instant that it speaks of.
    pub at: Timestamp,
}

impl PolicyState {
    /// `carbon_adjusted_load`: what the autoscaler is to read.
    ///
    /// # Errors
    /// The cause in words, with ages; it is never answered with a number then.
    pub fn adjusted_load(&self, now: Timestamp) -> Result<Served, String> {
        let reading = self.fresh_load(now)?;
        let adjusted = match self.outcome()? {
            Outcome::Service(decision) => decision.demand.map(|demand| demand.adjusted),
            Outcome::Batch(batch) => batch.served,
        };
        let value = adjusted.map_err(|error| self.load_problem(error))?.get();
        Ok(Served { value, at: reading.sample.at })
    }

    /// `load`: the load as it is.
    ///
    /// # Errors
    /// As [`adjusted_load`](Self::adjusted_load).
    pub fn plain_load(&self, now: Timestamp) -> Result<Served, String> {
        let reading = self.fresh_load(now)?;
        Ok(Served { value: reading.sample.value, at: reading.sample.at })
    }

    /// `green_factor`: the factor that is applied.
    ///
    /// # Errors
    /// The cause in words.
    pub fn green_factor(&self) -> Result<Served, String> {
        match self.outcome()? {
            Outcome::Service(decision) => Ok(Served { value: decision.effective.get(), at: decision.at }),
            Outcome::Batch(_) => Err("a batch has no factor: it plans on the forecast".to_owned()),
        }
    }

    /// `carbon_intensity`, in gCO2e/kWh.
    ///
    /// # Errors
    /// The cause in words.
    pub fn carbon_intensity(&self) -> Result<Served, String> {
        let intensity = self.intensity.as_ref().map_err(ToString::to_string)?;
        Ok(Served { value: intensity.carbon.intensity.get(), at: self.decided_at })
    }

    /// `forecast_min_intensity`, in gCO2e/kWh.
    ///
    /// # Errors
    /// The cause in words.
    pub fn forecast_min_intensity(&self) -> Result<Served, String> {
        let intensity = self.intensity.as_ref().map_err(ToString::to_string)?;
        let (_, least) = intensity.forecast_min.ok_or("there is no forecast for the zones of this workload")?;
        Ok(Served { value: least.get(), at: self.decided_at })
    }

    /// Replicas without carbon, with it, and at least.
    ///
    /// # Errors
    /// As [`adjusted_load`](Self::adjusted_load).
    pub fn replicas_by_rule(&self, now: Timestamp) -> Result<Replicas, String> {
        self.fresh_load(now)?;
        let replicas = match self.outcome()? {
            Outcome::Service(decision) => decision.demand.map(|demand| demand.replicas),
            Outcome::Batch(batch) => batch.replicas.ok_or(LoadError::Missing),
        };
        replicas.map_err(|error| self.load_problem(error))
    }

    /// The decision of a policy that is no batch.
    pub fn decision(&self) -> Option<&Decision> {
        match self.outcome.as_deref() {
            Some(Outcome::Service(decision)) => Some(decision),
            _ => None,
        }
    }

    /// The load, where it is fresh at `now`, which may be a moment later than the decision.
    ///
    /// # Errors
    /// The cause in words, with ages.
    pub fn fresh_load(&self, now: Timestamp) -> Result<&LoadReading, String> {
        let plan =
            self.plan.as_ref().map_err(|problem| format!("the policy cannot work as it is written: {problem}"))?;
        let Some(reading) = &self.load.reading else { return Err(self.load_problem(LoadError::Missing)) };
        let checked = plan.checked(&reading.sample, now);
        checked.map(|_| reading).map_err(|error| self.load_problem(error))
    }

    /// Why there is no load: the error, and what its source said last.
    pub fn load_problem(&self, error: LoadError) -> String {
        match &self.load.problem {
            Some(problem) => format!("{error}: {}", problem.text),
            None if self.load.reading.is_none() => format!("{error}: its source was not asked yet"),
            None => error.to_string(),
        }
    }

    fn outcome(&self) -> Result<&Outcome, String> {
        self.outcome.as_deref().ok_or_else(|| match &self.plan {
            Err(problem) => format!("the policy cannot work as it is written: {problem}"),
            Ok(_) => "nothing was decided yet".to_owned(),
        })
    }
}

impl IntensityState {
    /// Names of the zones, joined.
    pub fn zone_names(&self) -> String {
        self.zones.iter().map(|zone| zone.zone.as_str()).collect::<Vec<_>>().join(",")
    }
}

impl PlacementBasis {
    /// As in explanations.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Named => "named",
            Self::Pods => "pods",
            Self::LastPods => "lastPods",
            Self::Nodes => "nodes",
        }
    }
}

impl IntensityProblem {
    /// As in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotSynced => "not_synced",
            Self::ZoneUnknown => "zone_unknown",
            Self::TooFewKnown => "too_few_known",
            Self::Missing => "missing",
            Self::Stale => "stale",
        }
    }
}

impl fmt::Display for IntensityProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotSynced => "the cluster is not known yet",
            Self::ZoneUnknown => "no node of this workload stands in a known grid zone",
            Self::TooFewKnown => "more than a fifth of the pods run where no carbon intensity is known",
            Self::Missing => "no source knows the carbon intensity of the zone",
            Self::Stale => "the carbon intensity of the zone is too old",
        })
    }
}
