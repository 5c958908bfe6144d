//! The release binary with exactly the rights that it is installed with, behind the real aggregator. What it asks the API
//! server is taken from the audit log: nothing is refused, and no right is there for nothing.

mod certificates;
mod installed;
mod loads;
mod people;

use std::time::Duration;

use anyhow::Result;
use kube_sci_e2e::adapter_manifests::FOLDER;
use kube_sci_e2e::aggregation::Aggregation;
use kube_sci_e2e::control_plane::{ControlPlane, Kubectl};
use kube_sci_e2e::wait::eventually;
use kube_sci_e2e::world::{deployment, node, pod};
use serde_json::{Value, json};

use self::installed::{Audited, Installed};
use super::{Installation, adapter_samples, list_of};

const SHOP: &str = "shop";
const DEADLINE: Duration = Duration::from_mins(2);

fn default_selection() -> Installation {
    Installation { folder: FOLDER, components: Vec::new() }
}

/// A namespace with a workload in Sweden.
async fn workload(plane: &ControlPlane) -> Result<()> {
    plane.world().create_nodes([node("green").aws("eu-north-1", "m5.xlarge")]).await?;
    let shop = plane.world().create_namespace(SHOP, &[]).await?;
    shop.create_deployment(deployment(2, pod("web").on_node("green"))).await?;
    Ok(())
}

/// Policy and autoscaler of the first guide, but for the guard: nobody measures CPU here.
async fn first_policy(kubectl: &Kubectl) -> Result<()> {
    let (policy, mut autoscaler) = adapter_samples::first_policy()?;
    let guard = autoscaler.pointer_mut("/spec/metrics/1");
    *guard.unwrap_or(&mut Value::Null) = json!({
        "type": "Object",
        "object": {
            "describedObject": { "apiVersion": "kube-sci.dev/v1alpha1", "kind": "GreenScalingPolicy", "name": "web" },
            "metric": { "name": "load" },
            "target": { "type": "AverageValue", "averageValue": "136" },
        },
    });
    apply(kubectl, &[policy, autoscaler]).await
}

async fn apply(kubectl: &Kubectl, objects: &[Value]) -> Result<()> {
    kubectl.run_with_input(&["apply", "--server-side", "--filename=-"], list_of(objects)).await?;
    Ok(())
}

async fn wait_ready(kubectl: &Kubectl, policy: &str) -> Result<()> {
    let policy = format!("greenscalingpolicy/{policy}");
    kubectl.run(&["wait", &policy, "--namespace", SHOP, "--for=condition=Ready", "--timeout=120s"]).await?;
    Ok(())
}

#[tokio::test]
async fn the_adapter_serves_the_real_autoscaler_with_exactly_its_rights() -> Result<()> {
    let audited = Audited::start().await?;
    let (plane, kubectl) = (&audited.plane, audited.plane.kubectl());
    let installed = Installed::new(plane, &default_selection()).await?;
    Aggregation::new(plane.client()).wait_metrics_available().await?;
    workload(plane).await?;
    first_policy(&kubectl).await?;
    let budget = json!({
        "apiVersion": "kube-sci.dev/v1alpha1",
        "kind": "CarbonBudget",
        "metadata": { "name": "budget", "namespace": SHOP },
        "spec": { "gramsPerMonth": 40_000 },
    });
    apply(&kubectl, &[budget]).await?;

    // 1,000 at 100 each.
    let replicas = ["get", "deployment", "web", "--namespace", SHOP, "--output=jsonpath={.spec.replicas}"];
    eventually(DEADLINE, "ten replicas", async || {
        let replicas = kubectl.run(&replicas).await.map_err(|error| error.to_string())?;
        if replicas == "10" { Ok(()) } else { Err(format!("{replicas} replicas")) }
    })
    .await?;
    wait_ready(&kubectl, "web").await?;

    // An autoscaler that was sound and is not any more is told of in an Event.
    let off = json!([{ "op": "replace", "path": "/spec/metrics/0/object/target/averageValue", "value": "90" }]);
    kubectl.run(&["patch", "hpa/web", "--namespace", SHOP, "--type=json", "--patch", &off.to_string()]).await?;
    let events = ["get", "events", "--namespace", SHOP, "--field-selector=reason=TargetMismatch", "--output=name"];
    eventually(DEADLINE, "an Event", async || {
        let events = kubectl.run(&events).await.map_err(|error| error.to_string())?;
        if events.trim().is_empty() { Err("none".to_owned()) } else { Ok(()) }
    })
    .await?;

    // Somebody with a token is looked up, and told that they may not.
    let stranger = plane.token_of_account(SHOP, "default").await?;
    assert_eq!(installed.answers(plane, &stranger, "/explain").await?, 403);

    let granted = installed.granted();
    eventually(DEADLINE, "every right used, and no more", async || {
        let (answered, refused) = audited.asked().map_err(|error| error.to_string())?;
        let missing: Vec<&String> = granted.difference(&answered).collect();
        let beyond: Vec<&String> = answered.difference(&granted).collect();
        if refused.is_empty() && missing.is_empty() && beyond.is_empty() {
            return Ok(());
        }
        Err(format!("refused {refused:?}, never used {missing:?}, granted to everybody {beyond:?}"))
    })
    .await?;
    Ok(())
}
