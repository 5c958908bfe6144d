//! The adapter dies and comes back.

use anyhow::Result;
use kube_sci_e2e::control_plane::Options;
use kube_sci_e2e::testing;
use serde_json::json;

use super::site::Site;

const TARGET: u32 = 100;
const GUARD: u32 = 200;

#[tokio::test]
async fn replicas_follow_load_and_carbon_and_stay_while_the_adapter_is_dead() -> Result<()> {
    let plane = testing::control_plane_with(Options::fast_autoscaler()).await?;
    let mut site = Site::install(&plane).await?;
    let stage = site.stage("outage", 4).await?;
    site.set_intensity(&stage, 100.0)?;
    stage.load.set(super::stage::WORKLOAD, 1_000.0);
    let curve = json!({ "steps": [{ "atOrAbove": 300, "factor": 0.6 }, { "atOrAbove": 600, "factor": 0.2 }] });
    stage.policy(&plane, curve, TARGET, GUARD).await?;
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
    assert_eq!(stage.load.demand(super::stage::WORKLOAD), Some(1_000.0));
    Ok(())
}
