//! The APIs of the adapter lead elsewhere at times, or are gone.

use anyhow::{Result, ensure};
use kube_sci_e2e::aggregation::GroupVersion;
use kube_sci_e2e::control_plane::{ControlPlane, Options};
use kube_sci_e2e::ports::free_address;
use kube_sci_e2e::testing;
use kube_sci_e2e::wait::eventually;

use super::fewest::Fewest;
use super::site::{self, Site};
use super::stage::{AdapterStage, SOON, WORKLOAD};
use super::usual::{FLOOR, LOAD, PLAIN, THROTTLED, begin};

const FLAPS: u32 = 3;
/// Looks of the autoscaler that find nobody to ask.
const ROUNDS: usize = 3;

#[tokio::test]
async fn replicas_stay_while_the_apis_flap_or_are_gone_and_follow_afterwards() -> Result<()> {
    let plane = testing::control_plane_with(Options::fast_autoscaler()).await?;
    let site = Site::install(&plane).await?;
    let (stage, fewest) = begin(&plane, &site, "registration", (400.0, THROTTLED)).await?;

    flaps(&site, &stage, &fewest).await?;
    gone(&plane, &site, &stage, &fewest).await
}

/// Again and again nobody listens where the API server is led.
async fn flaps(site: &Site, stage: &AdapterStage, fewest: &Fewest) -> Result<()> {
    let (nowhere, adapter) = (free_address()?.port(), site.adapter.api_address().port());
    for flap in 0..FLAPS {
        for version in GroupVersion::of_metrics() {
            site.aggregation.lead(&version, nowhere).await?;
        }
        for version in GroupVersion::of_metrics() {
            site.aggregation.wait_unavailable(&version, "FailedDiscoveryCheck").await?;
        }
        if flap == 1 {
            site.set_intensity(stage, 900.0)?;
        }
        for version in GroupVersion::of_metrics() {
            site.aggregation.lead(&version, adapter).await?;
        }
        site.wait_available().await?;
    }
    stage.wait_replicas(FLOOR).await?;
    fewest.held(WORKLOAD, FLOOR).await
}

/// Somebody deletes them, and only later they are installed again.
async fn gone(plane: &ControlPlane, site: &Site, stage: &AdapterStage, fewest: &Fewest) -> Result<()> {
    site.set_intensity(stage, 100.0)?;
    stage.wait_replicas(PLAIN).await?;
    fewest.held(WORKLOAD, FLOOR).await?;
    for version in GroupVersion::of_metrics() {
        site.aggregation.unregister(&version).await?;
    }
    stage.wait_active(false).await?;
    site.set_intensity(stage, 900.0)?;
    stage.load.set(WORKLOAD, LOAD * 0.4);
    site.wait_figure(stage, "adjusted_load", LOAD * 0.2).await?;
    wait_rounds(plane, stage).await?;
    let listed = plane.kubectl().run(&["get", "apiservices", "--output=name"]).await?;
    ensure!(!listed.contains("metrics.k8s.io"), "{listed}");
    fewest.held(WORKLOAD, PLAIN).await?;

    site::install(plane, Some(site.adapter.api_address().port())).await?;
    site.wait_available().await?;
    stage.wait_active(true).await?;
    // 0.4 x `FLOOR`.
    stage.wait_replicas(2).await?;
    fewest.held(WORKLOAD, 2).await
}

/// Waits until the autoscaler has looked so often in vain.
async fn wait_rounds(plane: &ControlPlane, stage: &AdapterStage) -> Result<()> {
    let workload = format!("{}/{WORKLOAD}", stage.name);
    let failed = || {
        let log = plane.controller_manager_log();
        log.lines().filter(|line| line.contains("failed to compute desired number") && line.contains(&workload)).count()
    };
    let before = failed();
    eventually(SOON, format!("{ROUNDS} rounds in vain"), async || {
        let further = failed() - before;
        if further >= ROUNDS { Ok(()) } else { Err(format!("{further}")) }
    })
    .await?;
    Ok(())
}
