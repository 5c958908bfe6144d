//! Everything that runs: machines, both deployments, the adapter, the autoscalers.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use k8s_openapi::api::apps::v1::Deployment;
use kube::{Api, api::ListParams};
use kube_sci_e2e::{
    adapter_manifests,
    adapter_process::{self, AdapterProcess},
    aggregation::{Aggregation, GroupVersion, HostService},
    control_plane::{ControlPlane, Options},
    grid_file::GridFile,
    manifests::Installation,
    pki::Subject,
    wait::eventually,
};
use serde_json::Value;

use super::{
    day::{self, Clock},
    ledger::{Look, Replicas},
    shop,
    traffic::Traffic,
    twins::Twins,
};
use crate::progress::Progress;

/// What is being done when it fails.
const INTENSITY: &str = "write the intensity of the hour";
const SETTLED_WITHIN: Duration = Duration::from_mins(1);

/// How often an autoscaler looks.
pub const ROUND: Duration = Duration::from_millis(500);

/// The running scene. It ends when dropped.
#[derive(Debug)]
pub struct Stage {
    pub clock: Arc<Clock>,
    deployments: Api<Deployment>,
    grid: GridFile,
    adapter: AdapterProcess,
    caller: reqwest::Client,
    _traffic: Traffic,
}

/// What the control plane has to be told for this act.
pub fn options(options: Options) -> Options {
    let round = format!("--horizontal-pod-autoscaler-sync-period={}ms", ROUND.as_millis());
    options.controller_manager_argument(round)
}

impl Stage {
    /// Starts everything and returns when both autoscalers have settled on what midnight needs.
    pub async fn start(plane: &mut ControlPlane, progress: &Progress) -> anyhow::Result<Self> {
        progress.say("adding machines and a shop on them, twice, and starting the metrics adapter");
        let clock = Arc::new(Clock::default());
        let traffic = Traffic::start(Arc::clone(&clock)).await?;
        let grid = GridFile::create(plane.folder(), "intensity", &[at(0.0)]).context(INTENSITY)?;
        install(plane).await?;
        // It looks for new kinds every half minute only.
        plane.restart_controller_manager().await?;
        let plane = &*plane;
        let (shop, adapter) = tokio::join!(open_shop(plane), start_adapter(plane, &traffic, &grid));
        shop?;
        let (adapter, caller) = adapter?;
        progress.say("giving each an autoscaler: a plain one, and one with a policy");
        let list = shop::objects().to_string();
        plane.kubectl().run_with_input(&["apply", "--server-side", "-f", "-"], list).await.context("add the policy")?;
        let deployments = Api::namespaced(plane.client(), shop::NAMESPACE);
        let stage = Self { clock, deployments, grid, adapter, caller, _traffic: traffic };
        stage.settled().await?;
        Ok(stage)
    }

    /// Makes the grid emit what it emits at this hour.
    pub fn set_intensity(&self, hour: f64) -> anyhow::Result<()> {
        self.grid.set(&[at(hour)]).context(INTENSITY)
    }

    /// What there is now.
    pub async fn look(&self) -> anyhow::Result<Look> {
        let replicas = self.replicas().await?;
        let hour = self.clock.hour();
        Ok(Look { hour, requests: day::requests(hour), intensity: day::intensity(hour), replicas })
    }

    /// Why the policy serves what it serves.
    pub async fn explain(&self) -> anyhow::Result<Value> {
        let url = self.adapter.api_url(&explanation_path());
        let answer = async { self.caller.get(&url).send().await?.error_for_status()?.json().await };
        answer.await.with_context(|| format!("ask {url}"))
    }

    async fn replicas(&self) -> anyhow::Result<Twins<Replicas>> {
        let found = self.deployments.list(&ListParams::default()).await.context("list the deployments")?.items;
        let of = |name: &str| {
            let deployment = found.iter().find(|deployment| deployment.metadata.name.as_deref() == Some(name));
            let wanted = deployment.and_then(|deployment| deployment.spec.replicas);
            let ready = deployment.and_then(|deployment| deployment.status.as_ref()?.ready_replicas);
            let [wanted, ready] = [wanted, ready].map(|count| u32::try_from(count.unwrap_or(0)).unwrap_or(0));
            // One that is on its way out is not counted on.
            Replicas { wanted, ready: ready.min(wanted) }
        };
        Ok(shop::DEPLOYMENTS.map(of))
    }

    /// Both have the replicas that the adapter says they need.
    async fn settled(&self) -> anyhow::Result<()> {
        let settled = eventually(SETTLED_WITHIN, "both autoscalers settled", async || {
            let explanation = self.explain().await.map_err(|error| format!("{error:#}"))?;
            let count = |pointer: &str| explanation.pointer(pointer).and_then(Value::as_u64).map(u32::try_from);
            let needed = Twins { plain: count("/replicas/plain"), green: count("/replicas/green") };
            let replicas = self.replicas().await.map_err(|error| format!("{error:#}"))?;
            let there = replicas.map(|Replicas { wanted, ready }| (wanted == ready).then_some(Ok(ready)));
            if needed == there { Ok(()) } else { Err(format!("{replicas:?} in place of {needed:?}: {explanation}")) }
        });
        Ok(settled.await?)
    }
}

/// The path that explains the policy.
pub fn explanation_path() -> String {
    format!("/explain/namespaces/{}/greenscalingpolicies/{}", shop::NAMESPACE, shop::POLICY)
}

/// What is shipped but for the pods: kinds, account, rights, Service.
async fn install(plane: &ControlPlane) -> anyhow::Result<()> {
    let shipped = Installation { folder: adapter_manifests::FOLDER, components: Vec::new() };
    adapter_manifests::install(plane, &shipped, None).await.context("install the metrics adapter")?;
    let kind = ["wait", "--for=condition=Established", "--timeout=60s", "crd/greenscalingpolicies.kube-sci.dev"];
    plane.kubectl().run(&kind).await.map(drop).context("wait for the kind of policies")
}

/// The machines, and both deployments as midnight needs them.
async fn open_shop(plane: &ControlPlane) -> anyhow::Result<()> {
    let world = plane.world();
    world.create_nodes([shop::machine()]).await?;
    let shop = world.create_namespace(shop::NAMESPACE, &[]).await?;
    let replicas = shop::replicas_for(day::requests(0.0));
    for name in shop::DEPLOYMENTS.both() {
        shop.create_deployment(shop::deployment(name, replicas)).await?;
    }
    Ok(())
}

/// The adapter behind the API server, and a client that may ask it for explanations.
async fn start_adapter(
    plane: &ControlPlane,
    traffic: &Traffic,
    grid: &GridFile,
) -> anyhow::Result<(AdapterProcess, reqwest::Client)> {
    let (namespace, name) = (adapter_manifests::NAMESPACE, adapter_manifests::ACCOUNT);
    let (authority, folder) = (plane.authority(), plane.folder());
    let server = format!("{name}.{namespace}.svc");
    let serving = authority.issue(folder, "metrics-adapter", &Subject::server(&server, &[&server]))?;
    let viewer = authority.issue(folder, "viewer", &Subject::client("viewer", Some("system:masters")))?;
    let caller = authority.https_client(Some(&viewer))?;

    let options = adapter_process::options(adapter_process::shipped_binary()?, plane);
    let options = options.kubeconfig(plane.kubeconfig_of_account(namespace, name).await?);
    let certificate = format!(
        "  certificate: {{files: {{certFile: {}, keyFile: {}}}}}",
        serving.certificate.display(),
        serving.key.display()
    );
    let options =
        options.config_lines(&certificate).config_lines(&shop::configuration(&traffic.url(), &grid.quick_config()));
    let adapter = AdapterProcess::start(plane, options).await?;

    let aggregation = Aggregation::new(plane.client());
    let service = HostService::new(namespace, name, adapter.api_address());
    for version in GroupVersion::of_metrics() {
        aggregation.register(&version, &service, Some(&authority.pem())).await?;
    }
    aggregation.wait_metrics_available().await?;
    Ok((adapter, caller))
}

fn at(hour: f64) -> (&'static str, f64) {
    (shop::ZONE, day::intensity(hour).get())
}
