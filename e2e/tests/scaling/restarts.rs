//! Everything is started again, one after the other.

use anyhow::{Result, ensure};
use kube_sci_e2e::adapter_manifests::ask;
use kube_sci_e2e::control_plane::{ControlPlane, Options};
use kube_sci_e2e::testing;

use super::fewest::Fewest;
use super::poller::Poller;
use super::site::{AUTOSCALER, Site, custom_metrics};
use super::stage::{AdapterStage, WORKLOAD};
use super::usual::{FLOOR, GUARD, LOAD, PLAIN, THROTTLED, begin, policy};

/// Clients that ask at the same time.
const CLIENTS: usize = 8;

#[tokio::test]
async fn nothing_is_scaled_down_by_restarts_and_everybody_goes_on_afterwards() -> Result<()> {
    let mut plane = testing::control_plane_with(Options::fast_autoscaler()).await?;
    let mut site = Site::install(&plane).await?;
    let (stage, fewest) = begin(&plane, &site, "restarts", (100.0, PLAIN)).await?;

    adapter(&plane, &mut site, &stage, &fewest).await?;
    api_server(&mut plane, &site, &stage, &fewest).await?;
    controller_manager(&mut plane, &site, &stage, &fewest).await
}

/// It is told to end while it is asked by many, load falls and the grid turns dirty; then it starts again.
async fn adapter(plane: &ControlPlane, site: &mut Site, stage: &AdapterStage, fewest: &Fewest) -> Result<()> {
    let poller = Poller::start(plane, &vec![stage.adjusted_load(WORKLOAD); CLIENTS])?;
    poller.wait_answers(100 * CLIENTS).await?;
    let ended = site.adapter.process().stop().await?;
    ensure!(ended.success(), "told to end, it ends with {ended}");
    stage.load.set(WORKLOAD, LOAD / 2.0);
    site.set_intensity(stage, 400.0)?;
    stage.wait_active(false).await?;
    ensure!(!poller.failures().is_empty(), "nobody has missed it");
    // 5 by the load, 3 with carbon, were they known.
    fewest.held(WORKLOAD, PLAIN).await?;
    stage.load.set(WORKLOAD, LOAD);
    site.adapter.restart().await?;
    site.wait_available().await?;
    poller.wait_answers(CLIENTS).await?;
    stage.wait_replicas(THROTTLED).await?;
    fewest.held(WORKLOAD, THROTTLED).await
}

/// It starts again while the grid turns dirty. What the adapter watches and whom it asks about callers is all behind it.
async fn api_server(plane: &mut ControlPlane, site: &Site, stage: &AdapterStage, fewest: &Fewest) -> Result<()> {
    plane.apiserver().stop().await?;
    site.set_intensity(stage, 900.0)?;
    ensure!(stage.replicas().await.is_err(), "the API server still answers");
    plane.restart_apiserver().await?;
    site.wait_available().await?;
    stage.wait_replicas(FLOOR).await?;

    // A token that it has not seen, and so has to ask about.
    let (api, path) = (site.adapter.api_address(), stage.adjusted_load(WORKLOAD));
    let (namespace, account) = AUTOSCALER;
    let token = plane.token_of_account(namespace, account).await?;
    let authorities = site.aggregation.authorities(&custom_metrics()).await?;
    let status = ask(api, &authorities, &token, &path).await?;
    ensure!(status.is_success(), "a caller with a new token gets {status}");
    let status = ask(api, &authorities, "nobody's", &path).await?;
    ensure!(status == http::StatusCode::UNAUTHORIZED, "a caller with no token of the cluster gets {status}");
    // A change that it only sees if it watches again.
    stage.policy_of(plane, WORKLOAD, policy(0.9, GUARD)).await?;
    site.set_intensity(stage, 400.0)?;
    stage.wait_replicas(9).await?;
    fewest.held(WORKLOAD, FLOOR).await
}

/// It forgets what it recommended before, and starts again while the grid turns dirty.
async fn controller_manager(
    plane: &mut ControlPlane,
    site: &Site,
    stage: &AdapterStage,
    fewest: &Fewest,
) -> Result<()> {
    let before = plane.controller_manager().id();
    plane.controller_manager().stop().await?;
    site.set_intensity(stage, 900.0)?;
    site.wait_figure(stage, "effective_factor", 0.5).await?;
    fewest.held(WORKLOAD, 9).await?;
    plane.restart_controller_manager().await?;
    ensure!(plane.controller_manager().id() != before, "it still runs");
    stage.wait_replicas(FLOOR).await?;
    site.set_intensity(stage, 100.0)?;
    stage.wait_replicas(PLAIN).await?;
    fewest.held(WORKLOAD, FLOOR).await
}
