//! What the adapter writes into a policy.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use sci_core::scaling::{GovernorState, GreenFactor, Phase};
use serde::{Deserialize, Serialize};

/// Types of conditions.
pub mod condition {
    /// The adapter serves a value.
    pub const READY: &str = "Ready";
    /// The load is known and fresh.
    pub const LOAD_AVAILABLE: &str = "LoadAvailable";
    /// Carbon intensity is known and fresh. Where it is not, the factor is 1.
    pub const CARBON_FRESH: &str = "CarbonFresh";
    /// An autoscaler reads the policy as it is meant.
    pub const AUTOSCALER_SOUND: &str = "AutoscalerSound";
    /// The autoscaler has a metric that holds replicas up whatever the carbon does.
    pub const GUARD_PRESENT: &str = "GuardPresent";
    /// Carbon asks for fewer replicas at present than the plain load would.
    pub const THROTTLING: &str = "Throttling";
    /// Of a budget: how much of it is left.
    pub const WITHIN_BUDGET: &str = "WithinBudget";

    /// Every condition of a policy, in the order of its status.
    pub const OF_POLICIES: [&str; 6] =
        [READY, LOAD_AVAILABLE, CARBON_FRESH, AUTOSCALER_SOUND, GUARD_PRESENT, THROTTLING];
}

/// Reasons of conditions that more than one place knows.
pub mod reason {
    /// The object cannot work as it is written.
    pub const INVALID: &str = "InvalidSpec";
    /// Nothing was said yet.
    pub const PENDING: &str = "Pending";
}

/// What the adapter sees and does.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PolicyStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// How it stands.
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// All of it in one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explanation: Option<String>,
    /// The load that was read last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load: Option<LoadStatus>,
    /// The carbon intensity that counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intensity: Option<IntensityStatus>,
    /// What the curve says to it, after windows, budget and hysteresis.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub green_factor: Option<f64>,
    /// The same, not below what the guard allows: what the load is multiplied by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effective_factor: Option<f64>,
    /// What is served as `carbon_adjusted_load`, in the unit of the load.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adjusted_load: Option<f64>,
    /// What decided the factor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clamp: Option<String>,
    /// Replicas by several rules, before the limits of the autoscaler.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<ReplicaStatus>,
    /// What following carbon saves at present.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saved: Option<SavedStatus>,
    /// Name of the autoscaler that reads the policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autoscaler: Option<String>,
    /// What a restarted adapter goes on from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub governor: Option<GovernorStatus>,
}

/// The load that was read last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoadStatus {
    /// The sum over all replicas.
    pub value: f64,
    /// Its unit.
    pub unit: String,
    /// Both, for people.
    pub text: String,
    /// When it was so.
    pub at: Time,
    /// Who said so.
    pub source: String,
}

/// The carbon intensity that counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IntensityStatus {
    /// In gCO2e/kWh; of several zones the mean, weighted by pods.
    pub grams_per_kwh: f64,
    /// Names of the zones.
    pub zone: String,
    /// Which link of the chain of sources answered.
    pub link: String,
    /// How the value came to be.
    pub quality: String,
    /// How far it is from the present, in seconds, as of the writing of this status.
    pub age_seconds: i64,
}

/// Replicas by several rules, before the limits of the autoscaler.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplicaStatus {
    /// As the plain load asks for: load / T.
    pub plain: u32,
    /// As the adjusted load asks for.
    pub green: u32,
    /// As the guard asks for: load / S.
    pub floor: u32,
    /// How many there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<u32>,
}

/// What following carbon saves at present. An estimate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SavedStatus {
    /// In gCO2e per hour, by what is known.
    pub grams_per_hour: f64,
    /// In addition, in gCO2e per hour, where the machines that replicas leave go away too.
    #[serde(default)]
    pub grams_per_hour_if_machines_leave: f64,
    /// What the numbers are worth.
    pub note: String,
}

/// What a restarted adapter goes on from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct GovernorStatus {
    /// The factor that holds or is on its way to `level`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub factor: Option<f64>,
    /// When it last moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stepped_at: Option<Time>,
    /// Where the factor is, or on its way to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<f64>,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level_since: Option<Time>,
    /// What the workload is in for: `full`, `throttled`, `carbonUnknown` or `neverThrottle`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// Of a batch: since when its queue has not been empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_since: Option<Time>,
}

impl GovernorStatus {
    /// From what a governor remembers.
    pub fn of(state: &GovernorState) -> Self {
        Self {
            factor: Some(state.factor.get()),
            stepped_at: state.stepped_at.map(Time),
            level: Some(state.level.get()),
            level_since: state.level_since.map(Time),
            phase: state.phase.map(|phase| phase.as_str().to_owned()),
            waiting_since: None,
        }
    }

    /// What a governor goes on from. What cannot be meant is as good as forgotten: the factor is 1 then.
    pub fn state(&self) -> GovernorState {
        let factor = |factor: Option<f64>| factor.and_then(|factor| GreenFactor::new(factor).ok()).unwrap_or_default();
        let known = [Phase::Full, Phase::Throttled, Phase::CarbonUnknown, Phase::NeverThrottle];
        GovernorState {
            level: factor(self.level),
            level_since: self.level_since.as_ref().map(|time| time.0),
            factor: factor(self.factor),
            stepped_at: self.stepped_at.as_ref().map(|time| time.0),
            phase: known.into_iter().find(|phase| Some(phase.as_str()) == self.phase.as_deref()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_governor_survives_its_status() {
        let mut state = GovernorState::at(GreenFactor::new(0.75).unwrap(), "2026-01-01T00:00:00Z".parse().unwrap());
        state.phase = Some(Phase::NeverThrottle);
        let written = serde_json::to_string(&GovernorStatus::of(&state)).unwrap();
        assert_eq!(serde_json::from_str::<GovernorStatus>(&written).unwrap().state(), state);
    }

    #[test]
    fn what_cannot_be_meant_throttles_nothing() {
        let status = GovernorStatus { factor: Some(f64::NAN), level: Some(-3.0), ..GovernorStatus::default() };
        assert_eq!(status.state(), GovernorState::default());
        assert_eq!(GovernorState::default().factor, GreenFactor::ONE);
    }
}
