//! The cluster, Prometheus and a thousand workloads in both.

use std::{collections::BTreeSet, fmt::Debug, time::Duration};

use anyhow::Context as _;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::{
    api::{
        autoscaling::v2::HorizontalPodAutoscaler,
        core::v1::{Pod, ServiceAccount},
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api,
    api::{ListParams, PostParams},
    core::{NamespaceResourceScope, Resource},
};
use kube_sci_e2e::{
    aggregation::Aggregation,
    control_plane::{ControlPlane, Options},
    pki::Authority,
    prometheus::{Prometheus, PrometheusOptions},
    wait::eventually,
    world::node,
};
use kube_sci_metrics_adapter::policy::{GreenScalingPolicy, crds};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::objects::{self, NODES, POLICIES, Workload, workloads};

/// Where adapters run.
pub const NAMESPACE: &str = "kube-sci";

const WITHIN: Duration = Duration::from_mins(2);
/// Requests under way at once while the cluster is filled.
const WRITERS: usize = 48;
/// Who asks for metrics of autoscalers.
const AUTOSCALER: (&str, &str) = ("kube-system", "horizontal-pod-autoscaler");

/// Everything that adapters work on; ends when dropped.
#[derive(Debug)]
pub struct Stage {
    /// Signs what adapters serve with.
    pub authority: Authority,
    /// Where their APIs are registered.
    pub aggregation: Aggregation,
    /// Has a series for every workload.
    pub prometheus: Prometheus,
    /// The token of the autoscaler's account.
    pub token: String,
    /// The cluster. Its controller manager is frozen: no autoscaler but the benchmark asks anything.
    pub plane: ControlPlane,
}

impl Stage {
    /// Starts and fills everything.
    ///
    /// # Errors
    /// Where a program does not start or the cluster refuses an object.
    pub async fn set() -> anyhow::Result<Self> {
        let mut plane = ControlPlane::start(Options::default()).await?;
        let world = plane.world();
        install_kinds(&plane).await?;
        for namespace in objects::namespaces().chain([NAMESPACE.to_owned()]) {
            world.create_namespace(&namespace, &[]).await?;
        }
        let nodes = (0..NODES).map(objects::node_name).map(|name| node(name).aws(objects::REGION, "m5.xlarge"));
        world.create_nodes(nodes).await?;
        let token = autoscaler_token(&plane).await?;
        // From here on it would remove pods whose owner is not there, and autoscalers would act.
        plane.controller_manager().suspend()?;
        fill::<Pod>(&plane, Workload::pod).await?;
        fill::<GreenScalingPolicy>(&plane, Workload::policy).await?;
        fill::<HorizontalPodAutoscaler>(&plane, Workload::autoscaler).await?;
        wait_running(&plane).await?;
        let prometheus = Prometheus::start(PrometheusOptions::default().rules(objects::rules())).await?;
        let all = format!("count({})", objects::SERIES);
        let wanted = POLICIES.to_string().parse()?;
        prometheus
            .wait_for(&all, |series: &[_]| {
                series.first().and_then(|series| series.points.last()).is_some_and(|point| point.value >= wanted)
            })
            .await?;
        let aggregation = Aggregation::new(plane.client());
        Ok(Self { authority: Authority::new("adapters-ca")?, aggregation, prometheus, token, plane })
    }
}

async fn install_kinds(plane: &ControlPlane) -> anyhow::Result<()> {
    let api: Api<CustomResourceDefinition> = Api::all(plane.client());
    for kind in crds()? {
        let created = api.create(&PostParams::default(), &kind).await.context("create a CRD")?;
        let name = created.metadata.name.unwrap_or_default();
        eventually(WITHIN, format!("{name} established"), async || {
            let found = api.get(&name).await.map_err(|error| error.to_string())?;
            let conditions = found.status.and_then(|status| status.conditions).unwrap_or_default();
            let established =
                conditions.iter().any(|condition| condition.type_ == "Established" && condition.status == "True");
            if established { Ok(()) } else { Err("not yet".to_owned()) }
        })
        .await?;
    }
    Ok(())
}

async fn autoscaler_token(plane: &ControlPlane) -> anyhow::Result<String> {
    let (namespace, name) = AUTOSCALER;
    let accounts: Api<ServiceAccount> = Api::namespaced(plane.client(), namespace);
    eventually(WITHIN, format!("account {name}"), async || accounts.get(name).await).await?;
    Ok(plane.token_of_account(namespace, name).await?)
}

async fn fill<K>(plane: &ControlPlane, object: fn(Workload) -> Value) -> anyhow::Result<()>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Serialize
        + DeserializeOwned
        + Debug
        + Send
        + Sync,
{
    let client = plane.client();
    let writes = workloads().map(|workload| {
        let api: Api<K> = Api::namespaced(client.clone(), &workload.namespace());
        async move {
            let object: K = serde_json::from_value(object(workload))?;
            api.create(&PostParams::default(), &object).await.with_context(|| format!("create {}", workload.name()))?;
            anyhow::Ok(())
        }
    });
    let writes: Vec<_> = writes.collect();
    stream::iter(writes).buffer_unordered(WRITERS).try_for_each(|()| async { Ok(()) }).await
}

async fn wait_running(plane: &ControlPlane) -> anyhow::Result<()> {
    let pods: Api<Pod> = Api::all(plane.client());
    let running = ListParams::default().fields("status.phase=Running");
    eventually(WITHIN, format!("{POLICIES} pods running"), async || {
        let found = pods.list_metadata(&running).await.map_err(|error| error.to_string())?.items;
        let names: BTreeSet<_> = found.into_iter().filter_map(|pod| pod.metadata.name).collect();
        if names.len() >= POLICIES { Ok(()) } else { Err(format!("{} run", names.len())) }
    })
    .await?;
    Ok(())
}
