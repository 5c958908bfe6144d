//! Loads that other APIs of the cluster serve, with the rights of the components for them.

use std::collections::BTreeSet;

use anyhow::Result;
use kube_sci_e2e::scripted_metrics::{Question, Said, Sample, ScriptedMetrics};
use kube_sci_e2e::wait::eventually;
use serde_json::{Value, json};

use super::installed::{Audited, Installed};
use super::{DEADLINE, SHOP, apply, default_selection, wait_ready, workload};
use crate::manifests::Installation;

/// A policy with this load.
fn policy(name: &str, load: &Value) -> Value {
    json!({
        "apiVersion": "kube-sci.dev/v1alpha1",
        "kind": "GreenScalingPolicy",
        "metadata": { "name": name, "namespace": SHOP },
        "spec": {
            "targetRef": { "name": "web" },
            "load": load,
            "targetPerReplica": 100,
            "hardLimitPerReplica": 150,
            "curve": { "steps": [{ "atOrAbove": 250, "factor": 0.8 }] },
        },
    })
}

fn metric(kind: &str, name: &str) -> Value {
    json!({ "metric": { "type": kind, "name": name }, "period": "1s" })
}

#[tokio::test]
async fn loads_of_other_adapters_need_their_components_and_nothing_more() -> Result<()> {
    let audited = Audited::start().await?;
    let (plane, kubectl) = (&audited.plane, audited.plane.kubectl());
    // All three APIs are another adapter's: ours serves none of them, and reads them.
    let _installed = Installed::new(plane, &default_selection()).await?;
    let others = ScriptedMetrics::start(plane).await?;
    workload(plane).await?;
    let owned = str::to_owned;
    let namespace = || owned(SHOP);
    let object = Question::Object {
        namespace: namespace(),
        resource: owned("services"),
        name: owned("front"),
        metric: owned("requests"),
    };
    others.set(object, Said::Samples(vec![Sample::of(500_000)]));
    let external = Question::External { namespace: namespace(), metric: owned("queue") };
    others.set(external, Said::Samples(vec![Sample::of(700_000)]));
    let names = names_of_pods(plane).await?;
    let each = |sample: fn(String) -> Sample| Said::Samples(names.iter().cloned().map(sample).collect());
    let per_pod = Question::Pods { namespace: namespace(), metric: owned("requests") };
    others.set(per_pod, each(|pod| Sample::of_pod(pod, 300_000)));
    let usage = Question::Usage { namespace: namespace(), app: owned("web") };
    others.set(usage, each(|pod| Sample::usage(pod, "cpu", 900)));

    let mut of_object = metric("Object", "requests");
    of_object["metric"]["describedObject"] = json!({ "apiVersion": "v1", "kind": "Service", "name": "front" });
    let policies = [
        policy("object", &of_object),
        policy("external", &metric("External", "queue")),
        policy("pods", &metric("Pods", "requests")),
        policy("cpu", &metric("Resource", "cpu")),
    ];
    apply(&kubectl, &policies).await?;
    let every_right = BTreeSet::from(
        [
            "get deployments/scale.apps",
            "get pods/requests.custom.metrics.k8s.io",
            "get services/requests.custom.metrics.k8s.io",
            "list pods.metrics.k8s.io",
            "list queue.external.metrics.k8s.io",
        ]
        .map(str::to_owned),
    );
    eventually(DEADLINE, "refusals without the components", async || {
        let (_, refused) = audited.asked().map_err(|error| error.to_string())?;
        let still: Vec<&String> = every_right.difference(&refused).filter(|right| !is_behind_scale(right)).collect();
        if still.is_empty() { Ok(()) } else { Err(format!("not refused: {still:?}")) }
    })
    .await?;

    let components = vec!["adapter-load-metrics", "adapter-load-resource", "adapter-load-pods"];
    let with_components = Installation { components, ..default_selection() };
    let roles: Vec<Value> = with_components.objects(&kubectl).await?;
    let roles: Vec<Value> = roles
        .into_iter()
        .filter(|object| crate::manifests::text(object, "/metadata/name").starts_with("kube-sci-metrics-adapter-load"))
        .collect();
    apply(&kubectl, &roles).await?;
    for policy in ["object", "external", "pods", "cpu"] {
        wait_ready(&kubectl, policy).await?;
    }
    let (answered, _) = audited.asked()?;
    let missing: Vec<&String> = every_right.difference(&answered).collect();
    assert!(missing.is_empty(), "{missing:?} of {answered:?}");
    Ok(())
}

/// Asked only after the workload has said which pods are its.
fn is_behind_scale(right: &str) -> bool {
    right.contains("pods")
}

async fn names_of_pods(plane: &kube_sci_e2e::control_plane::ControlPlane) -> Result<Vec<String>> {
    let kubectl = plane.kubectl();
    let arguments = ["get", "pods", "--namespace", SHOP, "--output=jsonpath={.items[*].metadata.name}"];
    let names = eventually(DEADLINE, "two pods", async || {
        let names = kubectl.run(&arguments).await.map_err(|error| error.to_string())?;
        let names: Vec<String> = names.split_whitespace().map(str::to_owned).collect();
        if names.len() == 2 { Ok(names) } else { Err(format!("{names:?}")) }
    });
    Ok(names.await?)
}
