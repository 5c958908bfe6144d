//! The real kube-scheduler runs with every configuration that is shipped, and asks the extender that is shipped with it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use kube_sci_e2e::control_plane::ControlPlane;
use kube_sci_e2e::extender_process::{self, ADDRESS, ExtenderProcess, shipped_binary};
use kube_sci_e2e::pki::{Authority, KeyPairFiles, Subject};
use kube_sci_e2e::ports::free_address;
use kube_sci_e2e::process::{Process, Program};
use kube_sci_e2e::testing;
use kube_sci_e2e::wait::eventually;
use kube_sci_e2e::world::{node, pod};
use serde_json::{Value, json};

use super::{items, read_yaml};

const DEADLINE: Duration = Duration::from_mins(1);

/// A shipped `extender.yaml`, and what a test puts in the place of the installation's paths.
pub(super) struct Shipped {
    file: &'static str,
    kubeconfig: PathBuf,
    https: Option<reqwest::Client>,
    changes: Vec<(&'static str, Value)>,
}

impl Shipped {
    pub(super) fn new(file: &'static str, kubeconfig: &Path) -> Self {
        Self { file, kubeconfig: kubeconfig.to_owned(), https: None, changes: Vec::new() }
    }

    /// Sets one key of a section.
    pub(super) fn set(mut self, section: &'static str, key: &str, value: impl Into<Value>) -> Self {
        self.changes.push((section, json!({ key: value.into() })));
        self
    }

    fn https(mut self, client: reqwest::Client) -> Self {
        self.https = Some(client);
        self
    }

    fn config(&self, probes: SocketAddr) -> Result<Value> {
        let mut config = read_yaml(self.file)?;
        merge(&mut config, &json!({ "server": { "address": ADDRESS, "probeAddress": probes } }));
        for (section, change) in &self.changes {
            let nested = section.rsplit('/').fold(change.clone(), |inner, key| json!({ key: inner }));
            merge(&mut config, &nested);
        }
        Ok(config)
    }
}

/// Starts the shipped binary with a shipped configuration; the address is where it answers probes.
pub(super) async fn shipped_extender(plane: &ControlPlane, shipped: &Shipped) -> Result<(ExtenderProcess, SocketAddr)> {
    let probes = free_address()?;
    let mut options = extender_process::options(shipped_binary()?, plane)
        .kubeconfig(shipped.kubeconfig.clone())
        .config(shipped.config(probes)?.to_string());
    options.https.clone_from(&shipped.https);
    Ok((ExtenderProcess::start(plane, options).await?, probes))
}

/// Starts kube-scheduler with a shipped configuration, in which only the kubeconfig and the extender's place are replaced,
/// and waits until it is ready.
pub(super) async fn shipped_scheduler(
    plane: &ControlPlane,
    mut config: Value,
    extender: &Value,
    kubeconfig: &Path,
) -> Result<Process> {
    merge(&mut config, &json!({ "clientConnection": { "kubeconfig": kubeconfig } }));
    let entries = config.get_mut("extenders").and_then(Value::as_array_mut).context("extenders")?;
    for entry in entries {
        merge(entry, extender);
    }
    let file = plane.folder().join("shipped-scheduler.yaml");
    std::fs::write(&file, config.to_string())?;
    let names = ["localhost"];
    let serving =
        plane.authority().issue(plane.folder(), "shipped-scheduler", &Subject::server("scheduler", &names))?;
    let address = free_address()?;
    let program = Program::new("shipped-scheduler", plane.binaries().program("kube-scheduler"))
        .file("config", &file)
        .file("authentication-kubeconfig", kubeconfig)
        .file("authorization-kubeconfig", kubeconfig)
        .flag("bind-address", address.ip())
        .flag("secure-port", address.port())
        .file("tls-cert-file", &serving.certificate)
        .file("tls-private-key-file", &serving.key);
    let mut scheduler = Process::start(program, plane.group(), plane.folder())?;
    let authority = reqwest::Certificate::from_pem(plane.authority().pem().as_bytes())?;
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([authority]).build()?;
    let url = format!("https://{address}/readyz");
    scheduler.ready(DEADLINE, async || http.get(&url).send().await?.error_for_status().map(drop)).await?;
    Ok(scheduler)
}

/// One green and one brown node, and a pod for `scheduler`; returns where it went.
pub(super) async fn schedule_one(plane: &ControlPlane, scheduler: &str) -> Result<String> {
    let world = plane.world();
    let nodes = [node("green").aws("eu-north-1", "m5.xlarge"), node("brown").aws("ap-south-1", "m5.xlarge")];
    world.create_nodes(nodes).await?;
    world.create_pod(pod("web").cpu("500m").scheduler(scheduler)).await?;
    Ok(world.wait_bound("web").await?)
}

/// Waits until the extender has counted an answer.
pub(super) async fn answered(extender: &ExtenderProcess, metric: &str, outcome: &str) -> Result<()> {
    let seen = eventually(DEADLINE, format!("{metric} {outcome}"), async || {
        let count = extender.metric(metric, &[("outcome", outcome)]).await.map_err(|error| error.to_string())?;
        count.filter(|&count| count > 0.0).ok_or_else(|| format!("{count:?}"))
    });
    seen.await.map(drop).map_err(Into::into)
}

/// RFC 7386 for what is needed here: objects merge, everything else replaces.
fn merge(target: &mut Value, change: &Value) {
    match (target, change) {
        (Value::Object(target), Value::Object(change)) => {
            for (key, value) in change {
                merge(target.entry(key).or_insert(Value::Null), value);
            }
        }
        (target, change) => *target = change.clone(),
    }
}

const SCORED: (&str, &str) = ("kube_sci_extender_prioritize_requests_total", "scored");
const FILTERED: (&str, &str) = ("kube_sci_extender_filter_requests_total", "kept_all");

#[tokio::test]
async fn scheduler_of_the_filter_component_asks_for_both() -> Result<()> {
    let plane = testing::control_plane().await?;
    // Its lease lies in the namespace of the installation.
    plane.world().create_namespace(super::NAMESPACE, &[]).await?;
    let shipped = Shipped::new("manifests/base/extender.yaml", plane.kubeconfig_path());
    let (extender, _probes) = shipped_extender(&plane, &shipped).await?;
    let config = read_yaml("manifests/components/filter/scheduler-config.yaml")?;
    let place = json!({ "urlPrefix": extender.url_prefix() });
    let mut scheduler = shipped_scheduler(&plane, config, &place, plane.kubeconfig_path()).await?;
    schedule_one(&plane, "kube-sci").await?;
    for (metric, outcome) in [SCORED, FILTERED] {
        answered(&extender, metric, outcome).await?;
    }
    Ok(scheduler.check()?)
}

#[tokio::test]
async fn scheduler_of_the_kind_cluster_asks_for_both() -> Result<()> {
    let plane = testing::control_plane().await?;
    let shipped = Shipped::new("kind-config/extender/extender.yaml", plane.kubeconfig_path());
    let (extender, _probes) = shipped_extender(&plane, &shipped).await?;
    let config = read_yaml("kind-config/scheduler-config.yaml")?;
    let place = json!({ "urlPrefix": extender.url_prefix() });
    let kubeconfig = plane.folder().join("scheduler.kubeconfig");
    let mut scheduler = shipped_scheduler(&plane, config, &place, &kubeconfig).await?;
    schedule_one(&plane, "default-scheduler").await?;
    for (metric, outcome) in [SCORED, FILTERED] {
        answered(&extender, metric, outcome).await?;
    }
    Ok(scheduler.check()?)
}

#[tokio::test]
async fn own_scheduler_and_extender_trust_each_other_by_certificates_only() -> Result<()> {
    let plane = testing::control_plane().await?;
    let authority = Authority::new("extender-ca")?;
    let ca = authority.write(plane.folder())?;
    let names = ["kube-sci-extender.kube-sci.svc"];
    let server = authority.issue(plane.folder(), "extender-tls", &Subject::server("kube-sci-extender", &names))?;
    let client = authority.issue(plane.folder(), "extender-client", &Subject::client("system:kube-scheduler", None))?;
    let shipped = Shipped::new("manifests/overlays/own-scheduler/extender.yaml", plane.kubeconfig_path())
        .set("server/tls", "certFile", path(&server.certificate))
        .set("server/tls", "keyFile", path(&server.key))
        .set("server/tls", "clientCaFile", path(&ca))
        .https(https(&authority, Some(&client))?);
    let (extender, probes) = shipped_extender(&plane, &shipped).await?;

    let config = read_yaml("manifests/overlays/own-scheduler/control-plane/scheduler-config.yaml")?;
    let tls = json!({ "caFile": ca, "certFile": client.certificate, "keyFile": client.key });
    let place = json!({ "urlPrefix": extender.url_prefix(), "tlsConfig": tls });
    let kubeconfig = plane.folder().join("scheduler.kubeconfig");
    let mut scheduler = shipped_scheduler(&plane, config, &place, &kubeconfig).await?;
    schedule_one(&plane, "default-scheduler").await?;
    answered(&extender, SCORED.0, SCORED.1).await?;
    scheduler.check()?;

    // The kubelet has no certificate: it is answered on the other address, and everybody else nowhere.
    let stranger = https(&authority, None)?;
    assert!(stranger.get(extender.url("/livez")).send().await.is_err());
    let probe = stranger.get(format!("http://{probes}/readyz")).send().await?;
    assert!(probe.status().is_success(), "{}", probe.status());
    Ok(())
}

#[test]
fn the_filter_component_adds_one_entry_and_changes_nothing_else() -> Result<()> {
    let base = read_yaml("manifests/base/scheduler-config.yaml")?;
    let mut with_filter = read_yaml("manifests/components/filter/scheduler-config.yaml")?;
    let entries = with_filter.get_mut("extenders").and_then(Value::as_array_mut).context("extenders")?;
    let added = entries.pop().context("an entry")?;
    assert_eq!(with_filter, base);
    assert_eq!(added["filterVerb"], "filter");
    assert!(added.get("prioritizeVerb").is_none());
    Ok(())
}

#[test]
fn no_shipped_extender_entry_can_block_scheduling_or_skip_verification() -> Result<()> {
    for file in [
        "manifests/base/scheduler-config.yaml",
        "manifests/components/filter/scheduler-config.yaml",
        "manifests/overlays/own-scheduler/control-plane/scheduler-config.yaml",
        "kind-config/scheduler-config.yaml",
    ] {
        let config = read_yaml(file)?;
        assert!(!items(&config, "/extenders").is_empty(), "{file}");
        for entry in items(&config, "/extenders") {
            assert_eq!(entry["ignorable"], true, "{file}");
            assert_eq!(entry["httpTimeout"], "200ms", "{file}");
            assert_eq!(entry["nodeCacheCapable"], true, "{file}");
            for verb in ["bindVerb", "preemptVerb"] {
                assert!(entry.get(verb).is_none(), "{file}: {verb}");
            }
            let url = super::text(entry, "/urlPrefix");
            if url.starts_with("https:") {
                assert_eq!(entry["enableHTTPS"], true, "{file}");
                assert!(
                    entry["tlsConfig"]["caFile"].is_string() && entry["tlsConfig"]["serverName"].is_string(),
                    "{file}"
                );
            } else {
                assert!(url.starts_with("http://127.0.0.1:"), "{file}: {url}");
            }
        }
    }
    Ok(())
}

fn https(authority: &Authority, client: Option<&KeyPairFiles>) -> Result<reqwest::Client> {
    let trusted = reqwest::Certificate::from_pem(authority.pem().as_bytes())?;
    let mut builder = reqwest::Client::builder().no_proxy().tls_certs_only([trusted]);
    if let Some(client) = client {
        let mut identity = std::fs::read(&client.key)?;
        identity.extend(std::fs::read(&client.certificate)?);
        builder = builder.identity(reqwest::Identity::from_pem(&identity)?);
    }
    Ok(builder.build()?)
}

fn path(file: &Path) -> Value {
    json!(file)
}
