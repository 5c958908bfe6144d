//! An adapter as it is installed: shipped manifests, shipped configuration, release binary, the token of its account.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use jiff::Timestamp;
use kube_sci_e2e::adapter_manifests::{self, ACCOUNT};
use kube_sci_e2e::adapter_process::{self, AdapterProcess};
use kube_sci_e2e::aggregation::{Aggregation, GroupVersion};
use kube_sci_e2e::control_plane::{ControlPlane, Options};
use kube_sci_e2e::own_program::ADDRESS;
use kube_sci_e2e::ports::free_address;
use kube_sci_e2e::testing::{self, SlottedControlPlane};
use serde_json::{Value, json};
use tempfile::TempDir;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::manifests::{Installation, NAMESPACE, items, list_of, read_yaml, text};

/// What the roles that the cluster itself brings contain, for those that are bound.
const OF_THE_CLUSTER: [&str; 5] = [
    "create subjectaccessreviews.authorization.k8s.io",
    "create tokenreviews.authentication.k8s.io",
    "get configmaps",
    "list configmaps",
    "watch configmaps",
];

/// A control plane that notes what the adapter asks it.
pub(super) struct Audited {
    pub(super) plane: SlottedControlPlane,
    log: PathBuf,
    _folder: TempDir,
}

/// An installed adapter.
pub(super) struct Installed {
    /// Where its API listens.
    pub(super) api: SocketAddr,
    objects: Vec<Value>,
    _adapter: AdapterProcess,
    _prometheus: MockServer,
}

impl Audited {
    pub(super) async fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let (policy, log) = (folder.path().join("policy.yaml"), folder.path().join("audit.log"));
        let user = format!("system:serviceaccount:{NAMESPACE}:{ACCOUNT}");
        let rules = json!([{ "level": "Metadata", "users": [user] }, { "level": "None" }]);
        let rules = json!({ "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": rules });
        std::fs::write(&policy, rules.to_string())?;
        let options = Options::fast_autoscaler()
            .apiserver_argument(format!("--audit-policy-file={}", policy.display()))
            .apiserver_argument(format!("--audit-log-path={}", log.display()));
        Ok(Self { plane: testing::control_plane_with(options).await?, log, _folder: folder })
    }

    /// What the adapter asked: with an answer, and refused.
    pub(super) fn asked(&self) -> Result<(BTreeSet<String>, BTreeSet<String>)> {
        let (mut answered, mut refused) = (BTreeSet::new(), BTreeSet::new());
        let text_of_log = std::fs::read_to_string(&self.log)?;
        // The last line may be half written.
        for event in text_of_log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
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
}

/// The objects of a selection, with the API on this machine.
pub(super) async fn apply(plane: &ControlPlane, selection: &Installation, api: SocketAddr) -> Result<Vec<Value>> {
    let objects = adapter_manifests::led(plane, selection, api.port()).await?;
    let arguments = ["apply", "--server-side", "--filename=-"];
    plane.kubectl().run_with_input(&arguments, list_of(&objects)).await?;
    Ok(objects)
}

/// The program with a shipped configuration, in which only addresses are replaced and `change` is applied.
pub(super) async fn run(
    plane: &ControlPlane,
    config: &str,
    api: SocketAddr,
    change: impl FnOnce(&mut Value),
) -> Result<AdapterProcess> {
    let mut config = read_yaml(config)?;
    *config.pointer_mut("/server").context("server")? = json!({ "address": ADDRESS });
    *config.pointer_mut("/api/address").context("api.address")? = json!(api);
    change(&mut config);
    let options = adapter_process::options(adapter_process::shipped_binary()?, plane)
        .kubeconfig(plane.kubeconfig_of_account(NAMESPACE, ACCOUNT).await?)
        .config(config.to_string());
    Ok(AdapterProcess::start(plane, options).await?)
}

impl Installed {
    /// A selection with `adapter.yaml` as it is shipped, and a Prometheus that says 1,000 whatever it is asked.
    pub(super) async fn new(plane: &ControlPlane, selection: &Installation) -> Result<Self> {
        let api = free_address()?;
        let objects = apply(plane, selection, api).await?;
        let prometheus = prometheus_that_says(1_000).await;
        let url = prometheus.uri();
        let adapter = run(plane, "manifests/metrics-adapter/adapter.yaml", api, |config| {
            if let Some(config) = config.as_object_mut() {
                config.insert("loads".to_owned(), json!({ "prometheus": { "default": { "url": url } } }));
            }
        });
        Ok(Self { api, objects, _adapter: adapter.await?, _prometheus: prometheus })
    }

    /// What the roles of the selection grant, in words as those of the audit log.
    pub(super) fn granted(&self) -> BTreeSet<String> {
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

    /// Status of a path for whoever has the token, straight from the adapter.
    pub(super) async fn answers(&self, plane: &ControlPlane, token: &str, path: &str) -> Result<u16> {
        let version = GroupVersion::of_metrics().into_iter().next().context("a version")?;
        let authorities = Aggregation::new(plane.client()).authorities(&version).await?;
        Ok(adapter_manifests::ask(self.api, &authorities, token, path).await?.as_u16())
    }
}

fn right(verb: &str, resource: &str, group: &str) -> String {
    let dot = if group.is_empty() { "" } else { "." };
    format!("{verb} {resource}{dot}{group}")
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
