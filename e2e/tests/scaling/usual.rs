//! What most scenarios begin with: a load, a policy and an autoscaler of which it is known what they come to.

use anyhow::Result;
use kube_sci_e2e::control_plane::ControlPlane;
use serde_json::{Value, json};

use super::fewest::Fewest;
use super::site::Site;
use super::stage::{AdapterStage, WORKLOAD};

pub const TARGET: u32 = 100;
pub const GUARD: u32 = 200;
pub const LOAD: f64 = 1_000.0;
/// `LOAD / TARGET`.
pub const PLAIN: i32 = 10;
/// 0.6 x `LOAD / TARGET`.
pub const THROTTLED: i32 = 6;
/// `LOAD / GUARD`.
pub const FLOOR: i32 = 5;

/// A policy that throttles from 300 gCO2e/kWh on, and from 600 further than the guard lets it.
pub fn policy(factor: f64, guard: u32) -> Value {
    let steps = json!([{ "atOrAbove": 300, "factor": factor }, { "atOrAbove": 600, "factor": 0.2 }]);
    json!({ "curve": { "steps": steps }, "targetPerReplica": TARGET, "sloGuardPerReplica": guard })
}

/// A stage with [`LOAD`], the policy with factor 0.6 and an autoscaler, at this intensity in gCO2e/kWh; from when it has
/// these replicas, fewer are seen.
pub async fn begin(
    plane: &ControlPlane,
    site: &Site,
    name: &'static str,
    (grams_per_kwh, replicas): (f64, i32),
) -> Result<(AdapterStage, Fewest)> {
    let stage = site.stage(name, PLAIN).await?;
    site.set_intensity(&stage, grams_per_kwh)?;
    stage.load.set(WORKLOAD, LOAD);
    stage.policy_of(plane, WORKLOAD, policy(0.6, GUARD)).await?;
    stage.autoscaler(plane, TARGET, GUARD).await?;
    stage.wait_active(true).await?;
    stage.wait_replicas(replicas).await?;
    let fewest = Fewest::watch(&stage);
    Ok((stage, fewest))
}
