//! The metrics adapter as it is installed: the API server takes every selection without a warning, and takes nothing from
//! another adapter.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use kube_sci_e2e::adapter_manifests::FOLDER;
use kube_sci_e2e::control_plane::{ControlPlane, ControlPlaneError, Kubectl};
use kube_sci_e2e::testing;
use kube_sci_e2e::wait::eventually;
use serde_json::{Value, json};

use super::admission::{MONITORING, create_namespaces, dry_run, names_its_namespace_and_pins_its_images};
use super::{Installation, NAMESPACE, items, list_of, read_yaml, text};

const DEADLINE: Duration = Duration::from_mins(1);
/// Custom resources of cert-manager, which a cluster may lack.
const CERT_MANAGER: &str = "cert-manager.io/v1";

/// Components for every installation of the adapter.
const OPTIONS: [&str; 8] = [
    "adapter-grafana-dashboard",
    "adapter-keda",
    "adapter-load-metrics",
    "adapter-load-pods",
    "adapter-load-prometheus",
    "adapter-load-resource",
    "adapter-prometheus-rules",
    "adapter-service-monitor",
];

/// What is shipped, with each option and with all of them, and the adapter beside the extender.
fn installations() -> Vec<Installation> {
    let folders = [
        FOLDER,
        "manifests/overlays/adapter-cert-manager",
        "manifests/overlays/adapter-mounted-certificate",
        "manifests/overlays/adapter-shadow",
        "kind-config/metrics-adapter",
    ];
    let plain = folders.map(|folder| Installation { folder, components: Vec::new() });
    let optional = OPTIONS.map(|name| Installation { folder: FOLDER, components: vec![name] });
    let all = Installation { folder: FOLDER, components: OPTIONS.to_vec() };
    plain.into_iter().chain(optional).chain([all]).collect()
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> impl Iterator<Item = &'a Value> {
    objects.iter().filter(move |object| text(object, "/kind") == kind)
}

async fn apply(kubectl: &Kubectl, objects: &[Value]) -> Result<String, ControlPlaneError> {
    let arguments = ["apply", "--server-side", "--warnings-as-errors", "--filename=-"];
    kubectl.run_with_input(&arguments, list_of(objects)).await
}

/// Installs a selection; its objects.
pub(super) async fn install(plane: &ControlPlane, components: Vec<&'static str>) -> Result<Vec<Value>> {
    let objects = Installation { folder: FOLDER, components }.objects(&plane.kubectl()).await?;
    apply(&plane.kubectl(), &objects).await?;
    Ok(objects)
}

#[tokio::test]
async fn every_selection_of_the_adapter_passes_a_strict_dry_run_without_a_warning() -> Result<()> {
    let plane = testing::control_plane().await?;
    let kubectl = plane.kubectl();
    let (mut known, mut custom) = (Vec::new(), BTreeSet::new());
    for installation in installations() {
        let objects = installation.objects(&kubectl).await?;
        registers_its_apis(&objects).with_context(|| format!("{installation:?}"))?;
        let names: BTreeSet<String> = objects.iter().map(identity).collect();
        assert_eq!(names.len(), objects.len(), "{installation:?} has an object twice");
        for object in objects {
            if [MONITORING, CERT_MANAGER].contains(&text(&object, "/apiVersion")) {
                custom.insert(text(&object, "/kind").to_owned());
            } else if !known.contains(&object) {
                known.push(object);
            }
        }
    }
    let expected = ["Certificate", "Issuer", "PrometheusRule", "ServiceMonitor"];
    assert_eq!(custom, expected.map(str::to_owned).into());
    // The extender of the kind cluster is on the host network, for which its namespace is opened; that is tried elsewhere.
    known.retain(|object| text(object, "/metadata/labels/pod-security.kubernetes.io~1enforce") != "privileged");
    known.retain(|object| object.pointer("/spec/template/spec/hostNetwork").is_none());
    known.iter().for_each(names_its_namespace_and_pins_its_images_unless_for_kind);
    create_namespaces(&kubectl, &known).await?;
    let accepted = dry_run(&kubectl, &known).await?;
    assert_eq!(accepted.lines().count(), known.len(), "{accepted}");
    Ok(())
}

fn identity(object: &Value) -> String {
    let part = |pointer| text(object, pointer);
    [part("/apiVersion"), part("/kind"), part("/metadata/namespace"), part("/metadata/name")].join(" ")
}

/// The image of the kind cluster is the one that was just built.
fn names_its_namespace_and_pins_its_images_unless_for_kind(object: &Value) {
    if text(object, "/spec/template/spec/containers/0/imagePullPolicy") != "Never" {
        names_its_namespace_and_pins_its_images(object);
    }
}

/// All its APIs by its own Service, and no way around the certificate.
fn registers_its_apis(objects: &[Value]) -> Result<()> {
    let service = of_kind(objects, "Service")
        .find(|service| text(service, "/metadata/name") == "kube-sci-metrics-adapter")
        .context("the service")?;
    let mut registered = BTreeSet::new();
    let [service, port] = ["/metadata", "/spec/ports/0/port"].map(|part| service.pointer(part));
    for api in of_kind(objects, "APIService") {
        assert!(api.pointer("/spec/insecureSkipTLSVerify").is_none(), "{api}");
        let pinned = api.pointer("/spec/caBundle");
        assert!(pinned.is_none(), "whoever applies this would overwrite what is trusted now: {api}");
        for part in ["name", "namespace"] {
            let named = api.pointer(&format!("/spec/service/{part}"));
            assert_eq!(named, service.and_then(|metadata| metadata.get(part)), "{api}");
        }
        assert_eq!(api.pointer("/spec/service/port"), port);
        let priority = api.pointer("/spec/versionPriority").and_then(Value::as_u64);
        registered.insert((text(api, "/metadata/name"), priority));
    }
    let expected = [
        ("v1beta1.custom.metrics.k8s.io", Some(100)),
        ("v1beta1.external.metrics.k8s.io", Some(100)),
        ("v1beta2.custom.metrics.k8s.io", Some(200)),
    ];
    assert_eq!(registered, expected.into());
    Ok(())
}

#[test]
fn the_name_in_certificates_is_the_one_that_the_aggregator_asks_for() -> Result<()> {
    let service = read_yaml("manifests/components/metrics-adapter/service.yaml")?;
    let name = format!("{}.{}.svc", text(&service, "/metadata/name"), text(&service, "/metadata/namespace"));
    let issued = super::read("manifests/components/adapter-cert-manager/certificates.yaml")?;
    let issued = super::documents(&issued)?;
    let serving = issued
        .iter()
        .find(|object| text(object, "/spec/secretName") == "kube-sci-metrics-adapter-tls")
        .context("the serving certificate")?;
    assert_eq!(serving["spec"]["dnsNames"], json!([name]));
    let script = super::read("manifests/overlays/adapter-mounted-certificate/make-certificate")?;
    assert!(script.contains(&format!("subjectAltName=DNS:{name}\"")), "{name}");
    Ok(())
}

#[tokio::test]
async fn applying_takes_no_api_from_another_adapter_and_no_authority_from_its_own() -> Result<()> {
    let plane = testing::control_plane().await?;
    let kubectl = plane.kubectl();
    let mut objects = Installation { folder: FOLDER, components: Vec::new() }.objects(&kubectl).await?;
    let name = "v1beta1.external.metrics.k8s.io";
    let ours = objects.iter().find(|object| text(object, "/metadata/name") == name).context("an API")?;
    let mut theirs = ours.clone();
    theirs["metadata"] = json!({ "name": name });
    theirs["spec"]["service"] = json!({ "namespace": "keda", "name": "keda-operator-metrics-apiserver", "port": 443 });
    let as_helm = ["apply", "--server-side", "--field-manager=helm", "--filename=-"];
    kubectl.run_with_input(&as_helm, theirs.to_string()).await?;

    let refused = apply(&kubectl, &objects).await.unwrap_err().to_string();
    assert!(refused.contains("conflicts with \"helm\"") && refused.contains(".spec.service.name"), "{refused}");
    let owner = ["get", "apiservice", name, "--output=jsonpath={.spec.service.namespace}"];
    assert_eq!(kubectl.run(&owner).await?, "keda");

    // Without that API all else is there, and what the adapter writes into the others is left alone by whoever applies.
    objects.retain(|object| text(object, "/metadata/name") != name);
    let own = "v1beta1.custom.metrics.k8s.io";
    let patch = json!({ "spec": { "caBundle": "YXV0aG9yaXR5" } }).to_string();
    kubectl.run(&["patch", "apiservice", own, "--type=merge", "--patch", &patch]).await?;
    apply(&kubectl, &objects).await?;
    let bundle = ["get", "apiservice", own, "--output=jsonpath={.spec.caBundle}"];
    assert_eq!(kubectl.run(&bundle).await?, "YXV0aG9yaXR5");
    Ok(())
}

/// The controller manager makes the pods, so pod security and priority are judged for real.
#[tokio::test]
async fn pods_of_the_adapter_are_admitted_and_people_get_rights_to_policies() -> Result<()> {
    let plane = testing::control_plane().await?;
    install(&plane, Vec::new()).await?;
    let pods: Api<Pod> = Api::namespaced(plane.client(), NAMESPACE);
    let admitted = eventually(DEADLINE, "the pods of the deployment", async || {
        let found = pods.list(&ListParams::default()).await.map_err(|error| error.to_string())?.items;
        if found.len() == 2 { Ok(found) } else { Err(format!("{} pods", found.len())) }
    });
    for pod in admitted.await? {
        let spec = pod.spec.context("a spec")?;
        assert_eq!(spec.priority, Some(1_000_000_000));
        assert_eq!(spec.service_account_name.as_deref(), Some("kube-sci-metrics-adapter"));
    }
    for (role, verb, kind, may) in [
        ("view", "list", "greenscalingpolicies", true),
        ("view", "list", "carbonbudgets", true),
        ("view", "create", "greenscalingpolicies", false),
        ("edit", "create", "greenscalingpolicies", true),
        ("edit", "create", "carbonbudgets", false),
        ("admin", "create", "carbonbudgets", true),
    ] {
        let what = format!("{role} may {verb} {kind}: {may}");
        eventually(DEADLINE, what, async || {
            let rules = plane.kubectl().run(&["get", "clusterrole", role, "--output=json"]).await;
            let rules = rules.map_err(|error| error.to_string())?;
            let role: Value = serde_json::from_str(&rules).map_err(|error| error.to_string())?;
            let has = |rule: &Value, key, word| items(rule, key).iter().any(|found| found == word);
            let granted = items(&role, "/rules").iter().any(|rule| {
                has(rule, "/apiGroups", "kube-sci.dev") && has(rule, "/resources", kind) && has(rule, "/verbs", verb)
            });
            // The controller that adds up roles is done once the right to read is there.
            let done = items(&role, "/rules").iter().any(|rule| has(rule, "/resources", "greenscalingpolicies"));
            if done && granted == may { Ok(()) } else { Err(format!("aggregated: {done}, granted: {granted}")) }
        })
        .await?;
    }
    Ok(())
}
