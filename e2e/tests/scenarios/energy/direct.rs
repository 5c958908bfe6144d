//! Agents are found through the API server and read without a Prometheus.

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::ContainerPort;
use kube::api::{Patch, PatchParams, PostParams};
use kube_sci_e2e::wait::eventually;
use serde_json::json;

use super::super::signals_stage::MeteredStage;
use super::super::stage::SOON;

const AGENT: &str = "energy-agent";

#[tokio::test]
async fn agents_found_through_the_api_server_are_measured_without_prometheus() -> Result<()> {
    let metered = MeteredStage::honest("direct", ["n1", "n2"]).await?;
    let stage = &metered.stage;
    let route = format!(
        "    scrape: {{ labelSelector: \"{AGENT}=kepler\", namespace: {}, port: metrics, timeout: 1s }}\n",
        stage.name()
    );
    let (extender, _scheduler) = stage.green(&metered.config(&route)?).await?;
    let partial = metered.wait_source(&extender, "partial").await?;
    assert!(partial["partial"].as_str().is_some_and(|text| text.contains("no running pod")), "{partial}");

    run_agent(&metered, "n1").await?;
    let node = metered.wait_measured(&extender, "n1").await?;
    assert_eq!(node["power"]["source"], json!("kepler by scrape (meters)"));
    metered.wait_source(&extender, "ok").await?;
    let other = metered.wait_quality(&extender, "n2", "modelled").await?;
    assert_eq!(other.get("silentSince"), None, "nobody ever measured it: {other}");

    run_agent(&metered, "n2").await?;
    metered.wait_measured(&extender, "n2").await?;
    stage.world.delete_pod("agent-n1").await?;
    metered.wait_quality(&extender, "n1", "modelled").await?;
    stage.place(stage.pod("p")).await?;
    Ok(())
}

/// A pod of an agent on its node. The simulator gives it an address of nowhere; the page is on loopback.
async fn run_agent(metered: &MeteredStage, short: &str) -> Result<()> {
    let (stage, name) = (&metered.stage, format!("agent-{short}"));
    let builder = stage.pod(&name).label(AGENT, "kepler").annotation("prometheus.io/path", &metered.path(short));
    let mut pod = builder.on_node(&stage.full(short)).build();
    let container = pod.spec.as_mut().and_then(|spec| spec.containers.first_mut()).context("a container")?;
    let container_port = i32::from(metered.pages().port());
    container.ports =
        Some(vec![ContainerPort { name: Some("metrics".to_owned()), container_port, ..ContainerPort::default() }]);
    let pods = stage.world.pods();
    pods.create(&PostParams::default(), &pod).await?;
    eventually(SOON, format!("{name} running"), async || {
        let status = pods.get(&name).await.map_err(|error| error.to_string())?.status.unwrap_or_default();
        if status.phase.as_deref() == Some("Running") { Ok(()) } else { Err(format!("{:?}", status.phase)) }
    })
    .await?;
    let ip = metered.pages().ip().to_string();
    let address = json!({ "status": { "podIP": ip, "podIPs": [{ "ip": ip }] } });
    pods.patch_status(&name, &PatchParams::default(), &Patch::Merge(address)).await?;
    Ok(())
}
