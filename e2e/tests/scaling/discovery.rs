//! What the API server's own clients make of the adapter's APIs.

use anyhow::Result;
use kube_sci_e2e::control_plane::Options;
use kube_sci_e2e::testing;
use kube_sci_e2e::wait::eventually;

use super::site::Site;
use super::stage::{SOON, WORKLOAD};
use super::usual::{FLOOR, PLAIN, THROTTLED, begin};

#[tokio::test]
async fn kubectl_is_quiet_shows_values_and_deletes_a_namespace_beside_another() -> Result<()> {
    let plane = testing::control_plane_with(Options::fast_autoscaler()).await?;
    let site = Site::install(&plane).await?;
    let (stage, doomed) = begin(&plane, &site, "discovery", (100.0, PLAIN)).await?;
    let kubectl = plane.kubectl();

    // A group that cannot be discovered is an error of the whole command; metrics of objects are subresources, which it
    // leaves out.
    let listed = kubectl.run(&["api-resources", "--cached=false"]).await?;
    assert!(listed.contains("grid_carbon_intensity"), "{listed}");
    eventually(SOON, "values in the list of autoscalers", async || {
        let shown = kubectl.run(&["get", "hpa", WORKLOAD, "--namespace=discovery"]).await;
        let shown = shown.map_err(|error| error.to_string())?;
        if shown.contains("100/100 (avg), 100/200 (avg)") { Ok(()) } else { Err(shown) }
    })
    .await?;

    let (beside, stays) = begin(&plane, &site, "beside", (400.0, THROTTLED)).await?;
    // Both would throttle further than the guard lets them.
    site.set_intensity(&stage, 900.0)?;
    site.set_intensity(&beside, 900.0)?;
    kubectl.run(&["delete", "namespace", "discovery", "--timeout=60s"]).await?;
    let left = kubectl.run(&["get", "namespaces", "--output=name"]).await?;
    assert!(!left.contains("namespace/discovery"), "{left}");
    site.wait_figure(&stage, "effective_factor", None).await?;
    doomed.held(WORKLOAD, FLOOR).await?;
    beside.wait_replicas(FLOOR).await?;
    stays.held(WORKLOAD, FLOOR).await?;
    site.set_intensity(&beside, 100.0)?;
    beside.wait_replicas(PLAIN).await?;
    stays.held(WORKLOAD, FLOOR).await
}
