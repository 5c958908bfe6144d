//! Faults of the carbon intensity.

use std::time::Duration;

use anyhow::Result;
use kube_sci_e2e::control_plane::Options;
use kube_sci_e2e::testing;
use kube_sci_e2e::wait::eventually;
use serde_json::json;

use super::faults::wait_false;
use super::fewest::Fewest;
use super::site::Site;
use super::stage::{SOON, WORKLOAD};
use super::usual::{FLOOR, GUARD, LOAD, PLAIN, TARGET, policy};

const FLAP: Duration = Duration::from_millis(200);
/// What the adapter holds at present; a status tells it up to a minute later.
const INTENSITY: &str = "intensity_grams_per_kwh";
/// The file is looked at ten times a second: within so many refusals the autoscaler looks more than once.
const REFUSALS: f64 = 50.0;

#[tokio::test]
async fn intensity_that_is_stale_absurd_or_flapping_never_undercuts_the_guard() -> Result<()> {
    let plane = testing::control_plane_with(Options::fast_autoscaler()).await?;
    let site = Site::install(&plane).await?;
    let stage = site.stage("carbon", PLAIN).await?;
    stage.load.set(WORKLOAD, LOAD);
    site.set_intensity(&stage, 100.0)?;
    let mut spec = policy(0.6, GUARD);
    spec["carbonStaleAfter"] = json!("1m");
    stage.policy_of(&plane, WORKLOAD, spec).await?;
    stage.autoscaler(&plane, TARGET, GUARD).await?;
    stage.wait_replicas(PLAIN).await?;
    let fewest = Fewest::watch(&stage);

    let mut flaps = tokio::time::interval(FLAP);
    for flap in 0..60 {
        flaps.tick().await;
        site.set_intensity(&stage, if flap % 2 == 0 { 600.0 } else { 100.0 })?;
    }
    // 0.2 of the load, were it not for the guard.
    site.set_intensity(&stage, 900.0)?;
    site.wait_figure(&stage, INTENSITY, 900.0).await?;
    stage.wait_replicas(FLOOR).await?;
    for grams_per_kwh in [-50.0, 1e9] {
        let before = refused(&site).await?;
        site.set_intensity(&stage, grams_per_kwh)?;
        eventually(SOON, format!("{grams_per_kwh} is refused"), async || {
            let refused = refused(&site).await.map_err(|error| format!("{error:#}"))? - before;
            if refused >= REFUSALS { Ok(()) } else { Err(format!("{refused} refusals")) }
        })
        .await?;
        let held = site.figure(&stage, INTENSITY).await?;
        assert_eq!(held, Some(900.0), "the last value that can be meant holds");
        assert_eq!(stage.replicas().await?, FLOOR);
    }

    site.set_intensity_since(&stage, 900.0, Duration::from_hours(30))?;
    wait_false(&stage, &plane, WORKLOAD, ("CarbonFresh", "Stale")).await?;
    site.wait_figure(&stage, "effective_factor", 1.0).await?;
    stage.wait_replicas(PLAIN).await?;
    assert_eq!(fewest.take(WORKLOAD), Some(FLOOR));
    Ok(())
}

/// How often the file of the grid was refused as a whole.
async fn refused(site: &Site) -> Result<f64> {
    let labels = [("source", "grid.csv"), ("reason", "malformed")];
    Ok(site.adapter.metric("kube_sci_grid_source_failures_total", &labels).await?.unwrap_or_default())
}
