//! The API server takes every object, and takes it without a warning.

use std::collections::BTreeSet;

use anyhow::Result;
use kube_sci_e2e::control_plane::{ControlPlaneError, Kubectl};
use kube_sci_e2e::testing;
use serde_json::Value;

use super::{Installation, items, list_of, text};

/// Custom resources of the Prometheus operator, which a cluster may lack.
pub(super) const MONITORING: &str = "monitoring.coreos.com/v1";

/// Kinds of objects that are in no namespace.
const CLUSTER_WIDE: [&str; 6] =
    ["APIService", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "Namespace", "PriorityClass"];

/// Agents and what finds them: independent of each other and of all others.
const SIGNALS: [&str; 6] = ["alumet", "kepler", "scaphandre", "energy-scrape", "agent-monitor", "carbon-config-map"];

/// Every selection of components on every folder they are made for; those for signals one by one and all together.
fn installations() -> Vec<Installation> {
    let for_all = ["events", "service-monitor", "prometheus-rules", "grafana-dashboard"];
    let for_second_scheduler = ["filter", "events", "service-monitor", "prometheus-rules", "grafana-dashboard"];
    let second = ["manifests/base", "manifests/overlays/shadow"];
    let second = second.into_iter().flat_map(|folder| selections(folder, &for_second_scheduler));
    let own = selections("manifests/overlays/own-scheduler", &for_all);
    let energy = ["manifests/base", "manifests/overlays/own-scheduler"].into_iter().flat_map(|folder| {
        let alone = SIGNALS.iter().map(|&name| vec![name]);
        let all = [SIGNALS.as_slice(), &for_all].concat();
        alone.chain([all]).map(move |components| Installation { folder, components })
    });
    second.chain(own).chain(energy).collect()
}

fn selections(folder: &'static str, components: &[&'static str]) -> Vec<Installation> {
    let selected = |bits: usize| {
        let chosen = components.iter().enumerate().filter(|(place, _)| bits >> place & 1 == 1);
        Installation { folder, components: chosen.map(|(_, &name)| name).collect() }
    };
    (0..1 << components.len()).map(selected).collect()
}

/// Strict server-side dry run that takes a warning, of pod security for example, as an error.
pub(super) async fn dry_run(kubectl: &Kubectl, objects: &[Value]) -> Result<String, ControlPlaneError> {
    let arguments =
        ["apply", "--server-side", "--dry-run=server", "--validate=strict", "--warnings-as-errors", "--filename=-"];
    kubectl.run_with_input(&arguments, list_of(objects)).await
}

/// Objects of a namespace are refused, and its pod security is not looked at, until it exists.
pub(super) async fn create_namespaces(kubectl: &Kubectl, objects: &[Value]) -> Result<()> {
    let namespaces: Vec<Value> =
        objects.iter().filter(|object| text(object, "/kind") == "Namespace").cloned().collect();
    anyhow::ensure!(!namespaces.is_empty(), "no namespace");
    kubectl.run_with_input(&["apply", "--server-side", "--filename=-"], list_of(&namespaces)).await?;
    Ok(())
}

#[tokio::test]
async fn every_selection_of_components_passes_a_strict_dry_run_without_a_warning() -> Result<()> {
    let plane = testing::control_plane().await?;
    let kubectl = plane.kubectl();
    // Selections have most objects in common: each is tried once.
    let (mut known, mut custom) = (Vec::new(), BTreeSet::new());
    for installation in installations() {
        for object in installation.objects(&kubectl).await? {
            if text(&object, "/apiVersion") == MONITORING {
                custom.insert(text(&object, "/kind").to_owned());
            } else if !known.contains(&object) {
                known.push(object);
            }
        }
    }
    assert_eq!(custom, BTreeSet::from(["PodMonitor", "PrometheusRule", "ServiceMonitor"].map(str::to_owned)));
    known.iter().for_each(names_its_namespace_and_pins_its_images);
    create_namespaces(&kubectl, &known).await?;
    let accepted = dry_run(&kubectl, &known).await?;
    assert_eq!(accepted.lines().count(), known.len(), "{accepted}");

    // The extender of the kind cluster is on the host network, which only its own namespace admits without a warning.
    let kind = Installation { folder: "kind-config/extender", components: Vec::new() }.objects(&kubectl).await?;
    let refused = dry_run(&kubectl, &kind).await.unwrap_err();
    assert!(refused.to_string().contains("host namespaces (hostNetwork=true)"), "{refused}");
    create_namespaces(&kubectl, &kind).await?;
    dry_run(&kubectl, &kind).await?;

    let mut misspelt = kind;
    misspelt[0]["metadata"]["lables"] = misspelt[0]["metadata"]["labels"].take();
    let refused = dry_run(&kubectl, &misspelt).await.unwrap_err();
    assert!(refused.to_string().contains("lables"), "{refused}");
    Ok(())
}

/// An object without a namespace would land in that of whoever applies it.
pub(super) fn names_its_namespace_and_pins_its_images(object: &Value) {
    let cluster_wide = CLUSTER_WIDE.contains(&text(object, "/kind"));
    assert_eq!(text(object, "/metadata/namespace").is_empty(), cluster_wide, "{object}");
    for container in items(object, "/spec/template/spec/containers") {
        let tag = text(container, "/image").rsplit_once(':').map_or("", |(_, tag)| tag);
        assert!(tag.trim_start_matches('v').starts_with(|first: char| first.is_ascii_digit()), "{container}");
    }
}
