//! One scenario of the Green HPA: in a namespace of its own a workload with demand, policy and autoscaler, and a grid zone.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::Api;
use kube_sci_e2e::control_plane::{ControlPlane, client_from};
use kube_sci_e2e::load_world::{LoadWorld, POD_RANGE, SHARE};
use kube_sci_e2e::wait::eventually;
use kube_sci_e2e::world::{World, deployment, node, pod};
use serde_json::{Value, json};

/// Two rounds of the autoscaler, its downscale window, the adapter's and the file's pace, and a busy machine.
pub const SOON: Duration = Duration::from_mins(1);
pub const WORKLOAD: &str = "web";

/// One scenario's namespace, with a grid zone of the same name.
pub struct AdapterStage {
    pub world: World,
    pub load: LoadWorld,
    /// Namespace, and grid zone.
    pub name: &'static str,
}

impl AdapterStage {
    /// A namespace with a node in a grid zone of the same name, and a workload with these replicas.
    pub async fn create(kubeconfig: &Path, name: &'static str, replicas: i32) -> Result<Self> {
        let world = World::new(client_from(kubeconfig).await?).create_namespace(name, &[]).await?;
        let node_name = format!("{name}-node");
        let big = node(&node_name).capacity("1k", "1Ti").max_pods(1_000).pod_range(POD_RANGE);
        world.create_nodes([big.annotation("kube-sci.dev/grid-zone", name)]).await?;
        let load = LoadWorld::start(world.client(), name).await?;
        world.create_deployment(deployment(replicas, pod(WORKLOAD).on_node(&node_name))).await?;
        Ok(Self { world, load, name })
    }

    /// A policy whose load is what the workload's own pods tell, with the curve, T, S and whatever else.
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
        let metrics = [of_policy(workload, "carbon_adjusted_load", target), of_policy(workload, "load", guard)];
        self.autoscaler_with(plane, workload, json!({ "metrics": metrics })).await
    }

    /// An autoscaler with these metrics, and whatever else is in its spec.
    pub async fn autoscaler_with(&self, plane: &ControlPlane, workload: &str, more: Value) -> Result<()> {
        let mut spec = json!({
            "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": workload },
            "minReplicas": 1, "maxReplicas": 50,
        });
        let more = more.as_object().context("fields of a spec")?.clone();
        spec.as_object_mut().context("a spec")?.extend(more);
        self.apply(plane, ("autoscaling/v2", "HorizontalPodAutoscaler"), workload, spec).await
    }

    /// A further workload on the stage's node.
    pub async fn workload(&self, name: &str, replicas: i32) -> Result<()> {
        let node_name = format!("{}-node", self.name);
        Ok(self.world.create_deployment(deployment(replicas, pod(name).on_node(&node_name))).await?)
    }

    /// Where the API server serves the adjusted load of a policy.
    pub fn adjusted_load(&self, policy: &str) -> String {
        let namespace = self.name;
        format!(
            "/apis/custom.metrics.k8s.io/v1beta2/namespaces/{namespace}/greenscalingpolicies.kube-sci.dev/{policy}/carbon_adjusted_load"
        )
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
        self.wait_replicas_within(SOON, workload, wanted).await
    }

    pub async fn wait_replicas_within(&self, deadline: Duration, workload: &str, wanted: i32) -> Result<()> {
        eventually(deadline, format!("{wanted} replicas of {workload}"), async || match self.all_replicas().await {
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

/// A metric of a policy, for an autoscaler, with what each replica is to have of it.
pub fn of_policy(policy: &str, name: &str, each: u32) -> Value {
    let object = json!({ "apiVersion": "kube-sci.dev/v1alpha1", "kind": "GreenScalingPolicy", "name": policy });
    let target = json!({ "type": "AverageValue", "averageValue": each.to_string() });
    json!({ "type": "Object", "object": { "describedObject": object, "metric": { "name": name }, "target": target } })
}

/// What the workloads of a namespace are asked to have.
pub async fn replicas_in(client: kube::Client, namespace: &str) -> Result<BTreeMap<String, i32>> {
    let api: Api<Deployment> = Api::namespaced(client, namespace);
    let found = api.list(&kube::api::ListParams::default()).await?;
    let count = |one: Deployment| one.metadata.name.zip(one.spec.replicas);
    Ok(found.items.into_iter().filter_map(count).collect())
}
