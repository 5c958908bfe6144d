//! The adapter dies and comes back.

use std::sync::Arc;

use anyhow::Result;
use kube_sci_e2e::control_plane::Options;
use kube_sci_e2e::scripted_metrics::ScriptedMetrics;
use kube_sci_e2e::testing;
use serde_json::json;

use super::fewest::Fewest;
use super::site::Site;
use super::stage::{WORKLOAD, of_policy};
use super::usage::Usage;
use super::usual::{GUARD, TARGET, policy};

#[tokio::test]
async fn replicas_follow_load_and_carbon_and_stay_while_the_adapter_is_dead() -> Result<()> {
    let plane = testing::control_plane_with(Options::fast_autoscaler()).await?;
    let mut site = Site::install(&plane).await?;
    let stage = site.stage("outage", 4).await?;
    site.set_intensity(&stage, 100.0)?;
    stage.load.set(WORKLOAD, 1_000.0);
    stage.policy_of(&plane, WORKLOAD, policy(0.6, GUARD)).await?;
    stage.autoscaler(&plane, TARGET, GUARD).await?;
    // 1,000 / 100, with clean electricity.
    stage.wait_replicas(10).await?;
    site.set_intensity(&stage, 400.0)?;
    // 0.6 x 1,000 / 100.
    stage.wait_replicas(6).await?;

    site.adapter.kill()?;
    site.set_intensity(&stage, 900.0)?;
    stage.wait_active(false).await?;
    assert_eq!(stage.replicas().await?, 6, "nothing is scaled down because of missing data");
    site.adapter.restart().await?;
    site.wait_available().await?;
    // 0.2 x 1,000 / 100 would be 2, the guard asks for 1,000 / 200.
    stage.wait_replicas(5).await?;
    assert_eq!(stage.load.demand(WORKLOAD), Some(1_000.0));
    Ok(())
}

#[tokio::test]
async fn a_guard_that_is_not_the_adapters_scales_up_while_the_adapter_is_dead() -> Result<()> {
    let plane = testing::control_plane_with(Options::fast_autoscaler()).await?;
    let mut site = Site::install(&plane).await?;
    let stage = site.stage("independent", 10).await?;
    // A request takes a thousandth of a core's second.
    let cpu = Usage::start(Arc::new(ScriptedMetrics::start_usage(&plane).await?), &stage, 1_000);
    stage.load.set(WORKLOAD, 1_000.0);
    site.set_intensity(&stage, 400.0)?;
    stage.policy_of(&plane, WORKLOAD, policy(0.6, GUARD)).await?;
    let guard = json!({ "type": "Resource",
        "resource": { "name": "cpu", "target": { "type": "AverageValue", "averageValue": format!("{GUARD}m") } } });
    let metrics = json!({ "metrics": [of_policy(WORKLOAD, "carbon_adjusted_load", TARGET), guard] });
    stage.autoscaler_with(&plane, WORKLOAD, metrics).await?;
    stage.wait_replicas(6).await?;
    let fewest = Fewest::watch(&stage);

    site.adapter.kill()?;
    // The guard alone would have 5, but the other metric might want more.
    stage.wait_active(false).await?;
    fewest.held(WORKLOAD, 6).await?;
    stage.load.set(WORKLOAD, 2_000.0);
    cpu.set(2_000);
    // 2,000 / 200.
    stage.wait_replicas(10).await?;
    cpu.set(400);
    stage.wait_active(false).await?;
    fewest.held(WORKLOAD, 6).await?;
    assert_eq!(stage.replicas().await?, 10, "nothing is scaled down because of missing data");

    site.adapter.restart().await?;
    site.wait_available().await?;
    // 0.6 x 2,000 / 100.
    stage.wait_replicas(12).await
}
