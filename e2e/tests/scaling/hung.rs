//! Two replicas of the adapter, of which one or the other answers nobody.

use std::time::Duration;

use anyhow::{Context, Result};
use kube_sci_e2e::adapter_process::AdapterProcess;
use kube_sci_e2e::balancer::{Balancer, End};
use kube_sci_e2e::control_plane::Options;
use kube_sci_e2e::testing;
use kube_sci_e2e::wait::eventually;

use super::site::Installed;
use super::stage::{SOON, WORKLOAD};
use super::usual::{FLOOR, PLAIN, THROTTLED, begin};

/// The API server gives a connection up 45 s after its other end last said something; what waits on it fails only then.
const GIVEN_UP: Duration = Duration::from_mins(3);

#[tokio::test]
async fn a_hung_replica_is_left_out_and_the_other_one_serves_and_leads() -> Result<()> {
    let plane = testing::control_plane_with(Options::fast_autoscaler()).await?;
    let installation = Installed::begin(&plane).await?;
    let (first, mut second) = (installation.spawn("adapter-1")?, installation.spawn("adapter-2")?);
    let ends = [&first, &second].map(|one| End { address: one.api_address(), readiness: one.url("/readyz") });
    let balancer = Balancer::start(ends.to_vec()).await?;
    let site = installation.finish(first, balancer.address().port()).await?;
    second.wait_ready().await?;
    let replicas = [&site.adapter, &second];

    let (stage, fewest) = begin(&plane, &site, "hung", (400.0, THROTTLED)).await?;
    wait_ready(&balancer, &[0, 1]).await?;

    // The first one that leads, and then the one that leads instead: the API server's connections end at one of both.
    let mut leader = wait_leader(replicas, &[0, 1]).await?;
    for (intensity, wanted, factor) in [(900.0, FLOOR, 0.5), (100.0, PLAIN, 1.0)] {
        let (hung, other) = (replicas[leader], 1 - leader);
        hung.suspend()?;
        wait_ready(&balancer, &[other]).await?;
        site.set_intensity(&stage, intensity)?;
        stage.wait_replicas_within(GIVEN_UP, WORKLOAD, wanted).await?;
        assert_eq!(wait_leader(replicas, &[other]).await?, other);
        eventually(SOON, format!("a status with factor {factor}"), async || {
            let status = stage.status(&plane, WORKLOAD).await.map_err(|error| format!("{error:#}"))?;
            if status["effectiveFactor"] == factor { Ok(()) } else { Err(status.to_string()) }
        })
        .await?;

        hung.resume()?;
        wait_ready(&balancer, &[0, 1]).await?;
        eventually(SOON, "one leader", async || match leads(hung).await {
            Ok(false) => Ok(()),
            said => Err(format!("{said:?}")),
        })
        .await?;
        assert!(leads(replicas[other]).await?, "who was hung does not take the Lease back");
        fewest.held(WORKLOAD, FLOOR).await?;
        leader = other;
    }
    Ok(())
}

async fn leads(replica: &AdapterProcess) -> Result<bool> {
    Ok(replica.metric("kube_sci_adapter_leading", &[]).await?.context("whether it leads")? > 0.0)
}

/// Waits until one of these leads; which.
async fn wait_leader(replicas: [&AdapterProcess; 2], of: &[usize]) -> Result<usize> {
    let found = eventually(SOON, format!("one of {of:?} leads"), async || {
        for (one, replica) in replicas.into_iter().enumerate().filter(|(one, _)| of.contains(one)) {
            if leads(replica).await.map_err(|error| format!("{error:#}"))? {
                return Ok(one);
            }
        }
        Err("none".to_owned())
    });
    Ok(found.await?)
}

async fn wait_ready(balancer: &Balancer, wanted: &[usize]) -> Result<()> {
    eventually(SOON, format!("{wanted:?} get connections"), async || {
        let ready = balancer.ready();
        if ready == wanted { Ok(()) } else { Err(format!("{ready:?}, {:?} so far", balancer.connections())) }
    })
    .await?;
    Ok(())
}
