//! What scenarios of the Green HPA share: an installed adapter with the rights of its manifests, a grid whose intensity a test
//! sets, and in a namespace of its own a workload with demand, policy and autoscaler.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
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
    zones: Mutex<BTreeMap<String, (f64, Timestamp)>>,
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

    /// What the adapter says at present of the policy of [`WORKLOAD`], such as `effective_factor`.
    pub async fn figure(&self, stage: &AdapterStage, name: &str) -> Result<Option<f64>> {
        let labels = [("namespace", stage.name), ("policy", WORKLOAD)];
        Ok(self.adapter.metric(&format!("kube_sci_policy_{name}"), &labels).await?)
    }

    /// Waits until it says just this.
    pub async fn wait_figure(&self, stage: &AdapterStage, name: &str, wanted: f64) -> Result<()> {
        eventually(SOON, format!("{name} {wanted} in {}", stage.name), async || {
            let seen = self.figure(stage, name).await.map_err(|error| format!("{error:#}"))?;
            if seen == Some(wanted) { Ok(()) } else { Err(format!("{seen:?}")) }
        })
        .await?;
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
        self.set_intensity_since(stage, grams_per_kwh, Duration::from_hours(1))
    }

    /// The same for the 24 hours that began so long ago.
    pub fn set_intensity_since(&self, stage: &AdapterStage, grams_per_kwh: f64, began: Duration) -> Result<()> {
        let mut zones = self.zones.lock().unwrap_or_else(PoisonError::into_inner);
        zones.insert(stage.name.to_owned(), (grams_per_kwh, Timestamp::now() - began));
        Ok(self.grid.write(zones.iter().map(|(zone, (value, start))| (zone.as_str(), *value, *start)))?)
    }
}

impl AdapterStage {
    /// A policy for the workload, whose load is what its own pods tell, with a curve of steps
    /// (`[{atOrAbove, factor}]`), target T and guard S.
    pub async fn policy(&self, plane: &ControlPlane, curve: Value, target: u32, guard: u32) -> Result<()> {
        self.policy_of(
            plane,
            WORKLOAD,
            json!({ "curve": curve, "targetPerReplica": target, "sloGuardPerReplica": guard }),
        )
        .await
    }

    /// As [`Self::policy`], for another workload, with the curve, T, S and whatever else.
    pub async fn policy_of(&self, plane: &ControlPlane, workload: &str, more: Value) -> Result<()> {
        let load = json!({ "period": "1s", "staleAfter": "10s",
            "pods": { "port": self.load.port(), "metric": SHARE, "kind": "value" } });
        let mut spec = json!({
            "targetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": workload },
            "load": load, "zone": { "name": self.name },
            // Shipped policies dwell for minutes.
            "hysteresis": { "band": 0, "minDwell": "0s", "quantum": 0 },
        });
        let more = more.as_object().context("fields of a spec")?.clone();
        spec.as_object_mut().context("a spec")?.extend(more);
        self.apply(plane, ("kube-sci.dev/v1alpha1", "GreenScalingPolicy"), workload, spec).await
    }

    /// An autoscaler with two metrics of the policy: the adjusted load at T, and the load itself at S.
    pub async fn autoscaler(&self, plane: &ControlPlane, target: u32, guard: u32) -> Result<()> {
        self.autoscaler_of(plane, WORKLOAD, target, guard).await
    }

    /// As [`Self::autoscaler`], for another workload.
    pub async fn autoscaler_of(&self, plane: &ControlPlane, workload: &str, target: u32, guard: u32) -> Result<()> {
        let policy = json!({ "apiVersion": "kube-sci.dev/v1alpha1", "kind": "GreenScalingPolicy", "name": workload });
        let metric = |name: &str, value: u32| {
            let average = json!({ "type": "AverageValue", "averageValue": value.to_string() });
            json!({ "type": "Object", "object": { "describedObject": policy, "metric": { "name": name }, "target": average } })
        };
        let spec = json!({
            "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": workload },
            "minReplicas": 1, "maxReplicas": 50,
            "metrics": [metric("carbon_adjusted_load", target), metric("load", guard)],
        });
        self.apply(plane, ("autoscaling/v2", "HorizontalPodAutoscaler"), workload, spec).await
    }

    /// A further workload on the stage's node.
    pub async fn workload(&self, name: &str, replicas: i32) -> Result<()> {
        let node_name = format!("{}-node", self.name);
        Ok(self.world.create_deployment(deployment(replicas, pod(name).on_node(&node_name))).await?)
    }

    /// The status of a policy.
    pub async fn status(&self, plane: &ControlPlane, workload: &str) -> Result<Value> {
        let name = format!("greenscalingpolicies/{workload}");
        let text = plane.kubectl().run(&["get", &name, "--namespace", self.name, "--output=json"]).await?;
        let object: Value = serde_json::from_str(&text)?;
        Ok(object.get("status").cloned().unwrap_or_default())
    }

    /// What the workload is asked to have now.
    pub async fn replicas(&self) -> Result<i32> {
        self.all_replicas().await?.remove(WORKLOAD).context("replicas")
    }

    /// What all workloads are asked to have now.
    pub async fn all_replicas(&self) -> Result<BTreeMap<String, i32>> {
        replicas_in(self.world.client(), self.name).await
    }

    pub async fn wait_replicas(&self, wanted: i32) -> Result<()> {
        self.wait_replicas_of(WORKLOAD, wanted).await
    }

    pub async fn wait_replicas_of(&self, workload: &str, wanted: i32) -> Result<()> {
        eventually(SOON, format!("{wanted} replicas of {workload}"), async || match self.all_replicas().await {
            Ok(all) if all.get(workload) == Some(&wanted) => Ok(()),
            Ok(all) => Err(format!("{all:?}; {}", self.seen_by_autoscaler().await)),
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

    async fn apply(
        &self,
        plane: &ControlPlane,
        (version, kind): (&str, &str),
        workload: &str,
        spec: Value,
    ) -> Result<()> {
        let metadata = json!({ "name": workload, "namespace": self.name });
        let object = json!({ "apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec });
        plane.kubectl().run_with_input(&["apply", "--server-side", "--filename=-"], object.to_string()).await?;
        Ok(())
    }
}

/// What the workloads of a namespace are asked to have.
pub async fn replicas_in(client: kube::Client, namespace: &str) -> Result<BTreeMap<String, i32>> {
    let api: Api<Deployment> = Api::namespaced(client, namespace);
    let found = api.list(&kube::api::ListParams::default()).await?;
    let count = |one: Deployment| one.metadata.name.zip(one.spec.replicas);
    Ok(found.items.into_iter().filter_map(count).collect())
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
