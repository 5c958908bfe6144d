//! What scenarios of the Green HPA share: an installed adapter with the rights of its manifests, a grid whose intensity a test
//! sets, and in a namespace of its own a workload with demand, policy and autoscaler.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::Api;
use kube_sci_e2e::adapter_process::{self, API, AdapterProcess};
use kube_sci_e2e::aggregation::{Aggregation, GroupVersion, lead_to_host};
use kube_sci_e2e::control_plane::{ControlPlane, client_from};
use kube_sci_e2e::grid_file::GridFile;
use kube_sci_e2e::load_world::{LoadWorld, POD_RANGE, SHARE};
use kube_sci_e2e::own_program::ADDRESS;
use kube_sci_e2e::wait::eventually;
use kube_sci_e2e::world::{World, deployment, node, pod};
use serde_json::{Value, json};

/// Namespace of the installation.
const NAMESPACE: &str = "kube-sci";
/// Of the account, the Service and the program.
const ACCOUNT: &str = "kube-sci-metrics-adapter";
const MANIFESTS: &str = "manifests/metrics-adapter";
/// For policies that read pages of pods, which is not everybody's right.
const LOAD_PODS: &str = "manifests/components/adapter-load-pods";
/// Two rounds of the autoscaler, its downscale window, the adapter's and the file's pace, and a busy machine.
pub const SOON: Duration = Duration::from_mins(1);
pub const WORKLOAD: &str = "web";

/// A control plane with an adapter.
pub struct Site<'p> {
    pub plane: &'p ControlPlane,
    pub adapter: AdapterProcess,
    grid: GridFile,
    zones: Mutex<BTreeMap<String, f64>>,
}

/// One scenario's namespace, with a grid zone of the same name.
pub struct AdapterStage {
    pub world: World,
    pub load: LoadWorld,
    name: &'static str,
}

impl<'p> Site<'p> {
    /// Installs the adapter as it is shipped and starts it with the rights that it gets there.
    pub async fn install(plane: &'p ControlPlane) -> Result<Self> {
        let grid = GridFile::create(plane.folder(), "grid", &[])?;
        let config = format!(
            "server:\n  address: {ADDRESS}\napi:\n  address: {API}\n  certificate:\n    selfSigned: {{}}\n{}",
            grid.quick_config()
        );
        apply(plane, MANIFESTS, 0).await?;
        apply(plane, LOAD_PODS, 0).await?;
        let options = adapter_process::options(adapter_process::shipped_binary()?, plane).config(config);
        let options = options.kubeconfig(plane.kubeconfig_of_account(NAMESPACE, ACCOUNT).await?);
        let mut adapter = AdapterProcess::spawn(plane.group(), plane.folder(), options)?;
        apply(plane, MANIFESTS, adapter.api_address().port()).await?;
        adapter.wait_ready().await?;
        let site = Self { plane, adapter, grid, zones: Mutex::default() };
        site.wait_available().await?;
        Ok(site)
    }

    /// Waits until the API server reaches all APIs of the adapter.
    pub async fn wait_available(&self) -> Result<()> {
        let aggregation = Aggregation::new(self.plane.client());
        for version in GroupVersion::of_metrics() {
            aggregation.wait_available(&version).await?;
        }
        Ok(())
    }

    /// A namespace of its own with a node in a grid zone of the same name, and a workload with these replicas.
    pub async fn stage(&self, name: &'static str, replicas: i32) -> Result<AdapterStage> {
        // Not the plane's own client: that one ends with the runtime of the test that came first.
        let world = World::new(client_from(self.plane.kubeconfig_path()).await?).create_namespace(name, &[]).await?;
        let node_name = format!("{name}-node");
        let big = node(&node_name).capacity("1k", "1Ti").max_pods(1_000).pod_range(POD_RANGE);
        world.create_nodes([big.annotation("kube-sci.dev/grid-zone", name)]).await?;
        let load = LoadWorld::start(world.client(), name).await?;
        world.create_deployment(deployment(replicas, pod(WORKLOAD).on_node(&node_name))).await?;
        Ok(AdapterStage { world, load, name })
    }

    /// Sets the intensity of a scenario's zone, in gCO2e/kWh.
    pub fn set_intensity(&self, stage: &AdapterStage, grams_per_kwh: f64) -> Result<()> {
        let mut zones = self.zones.lock().unwrap_or_else(PoisonError::into_inner);
        zones.insert(stage.name.to_owned(), grams_per_kwh);
        let rows: Vec<(&str, f64)> = zones.iter().map(|(zone, value)| (zone.as_str(), *value)).collect();
        Ok(self.grid.set(&rows)?)
    }
}

impl AdapterStage {
    /// A policy for the workload, whose load is what its own pods tell, with a curve of steps
    /// (`[{atOrAbove, factor}]`), target T and guard S.
    pub async fn policy(&self, plane: &ControlPlane, curve: Value, target: u32, guard: u32) -> Result<()> {
        let load = json!({ "period": "1s", "staleAfter": "10s",
            "pods": { "port": self.load.port(), "metric": SHARE, "kind": "value" } });
        let spec = json!({
            "targetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": WORKLOAD },
            "load": load, "curve": curve, "zone": { "name": self.name },
            "targetPerReplica": target, "sloGuardPerReplica": guard,
            // Shipped policies dwell for minutes.
            "hysteresis": { "minDwell": "0s" },
        });
        self.apply(plane, "kube-sci.dev/v1alpha1", "GreenScalingPolicy", spec).await
    }

    /// An autoscaler with two metrics of the policy: the adjusted load at T, and the load itself at S.
    pub async fn autoscaler(&self, plane: &ControlPlane, target: u32, guard: u32) -> Result<()> {
        let policy = json!({ "apiVersion": "kube-sci.dev/v1alpha1", "kind": "GreenScalingPolicy", "name": WORKLOAD });
        let metric = |name: &str, value: u32| {
            let average = json!({ "type": "AverageValue", "averageValue": value.to_string() });
            json!({ "type": "Object", "object": { "describedObject": policy, "metric": { "name": name }, "target": average } })
        };
        let spec = json!({
            "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": WORKLOAD },
            "minReplicas": 1, "maxReplicas": 50,
            "metrics": [metric("carbon_adjusted_load", target), metric("load", guard)],
        });
        self.apply(plane, "autoscaling/v2", "HorizontalPodAutoscaler", spec).await
    }

    /// What the workload is asked to have now.
    pub async fn replicas(&self) -> Result<i32> {
        let api: Api<Deployment> = Api::namespaced(self.world.client(), self.name);
        api.get(WORKLOAD).await?.spec.replicas.context("replicas")
    }

    pub async fn wait_replicas(&self, wanted: i32) -> Result<()> {
        eventually(SOON, format!("{wanted} replicas"), async || match self.replicas().await {
            Ok(replicas) if replicas == wanted => Ok(()),
            Ok(replicas) => Err(format!("{replicas}; {}", self.seen_by_autoscaler().await)),
            Err(error) => Err(format!("{error:#}")),
        })
        .await?;
        Ok(())
    }

    /// Waits until the autoscaler says whether it gets its metrics.
    pub async fn wait_active(&self, wanted: bool) -> Result<()> {
        let wanted = if wanted { "ScalingActive=True" } else { "ScalingActive=False" };
        eventually(SOON, wanted, async || {
            let seen = self.seen_by_autoscaler().await;
            if seen.contains(wanted) { Ok(()) } else { Err(seen) }
        })
        .await?;
        Ok(())
    }

    /// Conditions of the autoscaler, in words.
    async fn seen_by_autoscaler(&self) -> String {
        let api: Api<HorizontalPodAutoscaler> = Api::namespaced(self.world.client(), self.name);
        let Ok(found) = api.get(WORKLOAD).await else { return "no autoscaler".to_owned() };
        let conditions = found.status.and_then(|status| status.conditions).unwrap_or_default();
        let said = conditions.iter().map(|condition| {
            format!("{}={} {}", condition.type_, condition.status, condition.message.as_deref().unwrap_or_default())
        });
        said.collect::<Vec<_>>().join("; ")
    }

    async fn apply(&self, plane: &ControlPlane, version: &str, kind: &str, spec: Value) -> Result<()> {
        let metadata = json!({ "name": WORKLOAD, "namespace": self.name });
        let object = json!({ "apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec });
        plane.kubectl().run_with_input(&["apply", "--server-side", "--filename=-"], object.to_string()).await?;
        Ok(())
    }
}

/// A folder of manifests without its pods, whose place a process takes. Objects without a namespace to go to are the
/// component's own.
async fn apply(plane: &ControlPlane, folder: &str, port: u16) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the repository")?;
    let kubectl = plane.kubectl();
    let folder = root.join(folder);
    let rendered = if folder.join("rbac.yaml").exists() {
        std::fs::read_to_string(folder.join("rbac.yaml"))?
    } else {
        kubectl.run(&["kustomize".as_ref(), folder.as_os_str()]).await?
    };
    let mut objects: Vec<Value> = serde_saphyr::from_multiple(&rendered)?;
    let kind = |object: &Value| object.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    // Before the program listens nobody is sent to it.
    objects.retain(|object| kind(object) != "Deployment" && (port != 0 || kind(object) != "APIService"));
    for object in &mut objects {
        lead_to_host(object, ACCOUNT, port);
    }
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects });
    kubectl.run_with_input(&["apply", "--server-side", "--force-conflicts", "--filename=-"], list.to_string()).await?;
    Ok(())
}
