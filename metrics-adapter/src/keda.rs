//! The value of a policy for KEDA's scaler `metrics-api`: plain JSON, `valueLocation: value`.
//!
//! It is served by the aggregated API server, to whoever may `get` the path, and on a plain port of its own where
//! `keda.address` is set: KEDA can send a token, but not every installation gives it one.

use aggregated_apiserver::Status;
use jiff::Timestamp;
use serde::Serialize;

use crate::table::PolicyState;

/// What KEDA reads.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    /// `carbon_adjusted_load`.
    value: f64,
    /// The load without the factor.
    load: f64,
    /// Its unit.
    unit: String,
    /// The instant that it speaks of.
    at: Timestamp,
    /// What to give as `targetValue`.
    target_per_replica: f64,
}

impl Document {
    /// Of a policy.
    ///
    /// # Errors
    /// 404 with the cause where there is no value: KEDA keeps the replicas then, or falls back as it is told to.
    pub fn new(policy: &PolicyState, now: Timestamp) -> Result<Self, Status> {
        let absent =
            |cause| Status::not_found(format!("no {} of {}: {cause}", crate::names::CARBON_ADJUSTED_LOAD, policy.key));
        let served = policy.adjusted_load(now).map_err(absent)?;
        let load = policy.plain_load(now).map_err(absent)?;
        let plan = policy.plan.as_ref().map_err(|problem| absent(problem.to_string()))?;
        Ok(Self {
            value: served.value,
            load: load.value,
            unit: plan.load.unit.to_string(),
            at: served.at,
            target_per_replica: plan.target().get(),
        })
    }
}
