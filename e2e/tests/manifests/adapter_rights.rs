//! The release binary with exactly the rights that it is installed with, behind the real aggregator. What it asks the API
//! server is taken from the audit log: nothing is refused, and no right is there for nothing.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use kube_sci_e2e::adapter_process::{self, AdapterProcess};
use kube_sci_e2e::aggregation::{Aggregation, GroupVersion, lead_to_host};
use kube_sci_e2e::control_plane::{ControlPlane, Kubectl, Options};
use kube_sci_e2e::own_program::ADDRESS;
use kube_sci_e2e::ports::free_address;
use kube_sci_e2e::testing::{self, SlottedControlPlane};
use kube_sci_e2e::wait::eventually;
use kube_sci_e2e::world::{deployment, node, pod};
use serde_json::{Value, json};
use tempfile::TempDir;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::adapter_admission::FOLDER;
use super::{Installation, NAMESPACE, items, list_of, read_yaml, text};

const ACCOUNT: &str = "kube-sci-metrics-adapter";
const SHOP: &str = "shop";
const DEADLINE: Duration = Duration::from_mins(2);
/// What the roles that the cluster itself brings contain, for those that are bound.
const OF_THE_CLUSTER: [&str; 5] = [
    "create subjectaccessreviews.authorization.k8s.io",
    "create tokenreviews.authentication.k8s.io",
    "get configmaps",
    "list configmaps",
    "watch configmaps",
];

/// An installed adapter, and what it asks.
struct Installed {
    api: SocketAddr,
    _adapter: AdapterProcess,
    objects: Vec<Value>,
    audit: PathBuf,
    plane: SlottedControlPlane,
    _prometheus: MockServer,
    _folder: TempDir,
}

impl Installed {
    /// The shipped manifests with the shipped configuration; only addresses differ, and there is a Prometheus.
    async fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let (policy, audit) = (folder.path().join("policy.yaml"), folder.path().join("audit.log"));
        let user = format!("system:serviceaccount:{NAMESPACE}:{ACCOUNT}");
        let rules = json!([{ "level": "Metadata", "users": [user] }, { "level": "None" }]);
        let rules = json!({ "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": rules });
        std::fs::write(&policy, rules.to_string())?;
        let options = Options::fast_autoscaler()
            .apiserver_argument(format!("--audit-policy-file={}", policy.display()))
            .apiserver_argument(format!("--audit-log-path={}", audit.display()));
        let plane = testing::control_plane_with(options).await?;

        let api = free_address()?;
        let mut objects = Installation { folder: FOLDER, components: Vec::new() }.objects(&plane.kubectl()).await?;
        objects.iter_mut().for_each(|object| lead_to_host(object, ACCOUNT, api.port()));
        let arguments = ["apply", "--server-side", "--filename=-"];
        plane.kubectl().run_with_input(&arguments, list_of(&objects)).await?;
        work(&plane).await?;

        let prometheus = prometheus_that_says(1_000).await;
        let mut config = read_yaml("manifests/metrics-adapter/adapter.yaml")?;
        config["server"] = json!({ "address": ADDRESS });
        config["api"]["address"] = json!(api);
        config["loads"] = json!({ "prometheus": { "default": { "url": prometheus.uri() } } });
        let options = adapter_process::options(adapter_process::shipped_binary()?, &plane)
            .kubeconfig(plane.kubeconfig_of_account(NAMESPACE, ACCOUNT).await?)
            .config(config.to_string());
        let adapter = AdapterProcess::start(&plane, options).await?;
        let aggregation = Aggregation::new(plane.client());
        for version in GroupVersion::of_metrics() {
            aggregation.wait_available(&version).await?;
        }
        Ok(Self { api, _adapter: adapter, objects, audit, plane, _prometheus: prometheus, _folder: folder })
    }

    fn plane(&self) -> &ControlPlane {
        &self.plane
    }

    /// What its roles grant.
    fn granted(&self) -> BTreeSet<String> {
        let roles = self.objects.iter().filter(|object| {
            text(object, "/kind").ends_with("Role") && text(object, "/metadata/name").starts_with(ACCOUNT)
        });
        let mut granted: BTreeSet<String> = OF_THE_CLUSTER.map(str::to_owned).into();
        for rule in roles.flat_map(|role| items(role, "/rules")) {
            let words = |key| items(rule, key).iter().filter_map(Value::as_str);
            for resource in words("/resources") {
                let group = words("/apiGroups").next().unwrap_or_default();
                granted.extend(words("/verbs").map(|verb| right(verb, resource, group)));
            }
        }
        granted
    }

    /// Metrics as an administrator reads them, through the aggregator.
    async fn metric(&self, kubectl: &Kubectl, path: &str) -> Result<Value> {
        let url = format!("/apis/custom.metrics.k8s.io/v1beta2/namespaces/{SHOP}/{path}");
        Ok(serde_json::from_str(&kubectl.run(&["get", "--raw", &url]).await?)?)
    }
}

fn right(verb: &str, resource: &str, group: &str) -> String {
    let dot = if group.is_empty() { "" } else { "." };
    format!("{verb} {resource}{dot}{group}")
}

/// What was asked by the audit log: with an answer, and refused.
fn asked(audit: &Path) -> Result<(BTreeSet<String>, BTreeSet<String>)> {
    let (mut answered, mut refused) = (BTreeSet::new(), BTreeSet::new());
    for line in std::fs::read_to_string(audit)?.lines() {
        let event: Value = serde_json::from_str(line)?;
        let part = |name: &str| text(&event, &format!("/objectRef/{name}"));
        let code = event.pointer("/responseStatus/code").and_then(Value::as_u64).unwrap_or_default();
        if part("resource").is_empty() {
            continue;
        }
        let slash = if part("subresource").is_empty() { "" } else { "/" };
        let resource = [part("resource"), slash, part("subresource")].concat();
        let right = right(text(&event, "/verb"), &resource, part("apiGroup"));
        if code == 403 {
            refused.insert(right)
        } else {
            answered.insert(right)
        };
    }
    Ok((answered, refused))
}

/// A Prometheus that knows one number, and knows it now.
async fn prometheus_that_says(number: u32) -> MockServer {
    let server = MockServer::start().await;
    let answer = move |_: &Request| {
        let point = json!([Timestamp::now().as_second(), number.to_string()]);
        let data = json!({ "resultType": "vector", "result": [{ "metric": {}, "value": point }] });
        ResponseTemplate::new(200).set_body_json(json!({ "status": "success", "data": data }))
    };
    Mock::given(path("/api/v1/query")).respond_with(answer).mount(&server).await;
    server
}

/// A workload in Sweden, its policy and its autoscaler as in the first guide, but for the guard: nobody measures CPU here.
async fn work(plane: &ControlPlane) -> Result<()> {
    plane.world().create_nodes([node("green").aws("eu-north-1", "m5.xlarge")]).await?;
    let shop = plane.world().create_namespace(SHOP, &[]).await?;
    shop.create_deployment(deployment(2, pod("web").on_node("green"))).await?;
    let (policy, mut autoscaler) = super::adapter_samples::first_policy()?;
    let guard = &mut autoscaler["spec"]["metrics"][1];
    *guard = autoscaler_metric("load", "136");
    let budget = json!({
        "apiVersion": "kube-sci.dev/v1alpha1",
        "kind": "CarbonBudget",
        "metadata": { "name": "budget", "namespace": SHOP },
        "spec": { "gramsPerMonth": 40_000 },
    });
    let arguments = ["apply", "--server-side", "--filename=-"];
    plane.kubectl().run_with_input(&arguments, list_of(&[policy, autoscaler, budget])).await?;
    Ok(())
}

fn autoscaler_metric(name: &str, target: &str) -> Value {
    json!({
        "type": "Object",
        "object": {
            "describedObject": { "apiVersion": "kube-sci.dev/v1alpha1", "kind": "GreenScalingPolicy", "name": "web" },
            "metric": { "name": name },
            "target": { "type": "AverageValue", "averageValue": target },
        },
    })
}

#[tokio::test]
async fn the_adapter_serves_the_real_autoscaler_with_exactly_its_rights() -> Result<()> {
    let installed = Installed::new().await?;
    let kubectl = installed.plane().kubectl();
    let values = installed.metric(&kubectl, "greenscalingpolicies.kube-sci.dev/web/carbon_adjusted_load").await?;
    assert_eq!(values["items"][0]["describedObject"]["name"], "web", "{values}");

    // 1,000 at 100 each.
    let replicas = ["get", "deployment", "web", "--namespace", SHOP, "--output=jsonpath={.spec.replicas}"];
    eventually(DEADLINE, "ten replicas", async || {
        let replicas = kubectl.run(&replicas).await.map_err(|error| error.to_string())?;
        if replicas == "10" { Ok(()) } else { Err(format!("{replicas} replicas")) }
    })
    .await?;
    let ready = ["wait", "greenscalingpolicy/web", "--namespace", SHOP, "--for=condition=Ready", "--timeout=60s"];
    kubectl.run(&ready).await?;

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
    let stranger = kubectl.run(&["create", "token", "default", "--namespace", SHOP]).await?;
    assert_eq!(explained(&installed, stranger.trim()).await?, 403);

    let granted = installed.granted();
    let what = "every right used, and no more";
    eventually(DEADLINE, what, async || {
        let (answered, refused) = asked(&installed.audit).map_err(|error| error.to_string())?;
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

/// Status of an explanation for whoever has the token, straight from the adapter.
async fn explained(installed: &Installed, token: &str) -> Result<u16> {
    let version = &GroupVersion::of_metrics()[0];
    let authorities = Aggregation::new(installed.plane().client()).authorities(version).await?;
    let trusted = reqwest::Certificate::from_pem_bundle(authorities.as_bytes())?;
    let name = format!("{ACCOUNT}.{NAMESPACE}.svc");
    let http = reqwest::Client::builder().no_proxy().tls_certs_only(trusted).resolve(&name, installed.api).build()?;
    let url = format!("https://{name}:{}/explain", installed.api.port());
    Ok(http.get(url).bearer_auth(token).send().await?.status().as_u16())
}
