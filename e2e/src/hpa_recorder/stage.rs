//! Deployments and pods in the state that a case wants.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, PodCondition};
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource};
use sci_core::scaling::hpa::{self, ConditionStatus, PodPhase, Ready};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::run::RecordError;
use super::{Case, Extra, objects};
use crate::wait::eventually;

const DEADLINE: Duration = Duration::from_mins(2);
/// Objects created or changed at once.
pub(super) const CONCURRENCY: usize = 16;

/// The namespace of one batch of cases.
pub(super) struct Stage {
    pub(super) client: Client,
    pub(super) namespace: String,
}

impl Stage {
    pub(super) fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Creates what the cases need, and returns the pods of each in their order, as they are then.
    pub(super) async fn build(&self, cases: &[Case]) -> Result<BTreeMap<String, Vec<Pod>>, RecordError> {
        let owner = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": objects::NODE } });
        let owner: ConfigMap = create(&self.api(), &serde_json::from_value(owner)?).await?;
        let uid = owner.metadata.uid.unwrap_or_default();
        let deployments = cases.iter().map(objects::deployment).collect::<Result<Vec<_>, _>>()?;
        let extras = cases.iter().flat_map(|case| {
            let extras = case.extras.iter().enumerate();
            extras.map(|(place, kind)| objects::extra(case, place, *kind, &uid)).collect::<Vec<_>>()
        });
        let extras = extras.collect::<Result<Vec<_>, _>>()?;
        create_all::<Deployment>(&self.api(), &deployments).await?;
        create_all::<Pod>(&self.api(), &extras).await?;
        let pods = self.wait(cases, "running", |pod| is_running(pod) && is_ready(pod)).await?;
        self.spoil(cases, &pods).await?;
        self.wait_counted(cases).await?;
        self.wait(cases, "in the wanted state", |_any| true).await
    }

    /// Waits until every deployment knows of its pods: the controller reads their number there.
    async fn wait_counted(&self, cases: &[Case]) -> Result<(), RecordError> {
        let api = self.api::<Deployment>();
        eventually(DEADLINE, "deployments that have counted their pods", async || {
            let found = api.list(&ListParams::default()).await.map_err(|error| error.to_string())?.items;
            for case in cases {
                let own = found.iter().find(|deployment| deployment.metadata.name.as_ref() == Some(&case.name));
                let status = own.and_then(|own| own.status.as_ref());
                let ready = usize::try_from(case.replicas).unwrap_or_default().saturating_sub(case.unready);
                let seen = status
                    .map(|status| (status.replicas.unwrap_or_default(), status.ready_replicas.unwrap_or_default()));
                if seen != Some((case.replicas, i32::try_from(ready).unwrap_or_default())) {
                    return Err(format!("{}: {seen:?}", case.name));
                }
            }
            Ok(())
        })
        .await?;
        Ok(())
    }

    /// Waits until every case has all its pods, and those with a node are as wanted; by case, in their order.
    async fn wait(
        &self,
        cases: &[Case],
        what: &str,
        wanted: impl Fn(&Pod) -> bool,
    ) -> Result<BTreeMap<String, Vec<Pod>>, RecordError> {
        let api = self.api::<Pod>();
        let found = eventually(DEADLINE, format!("pods {what}"), async || {
            let pods = api.list(&ListParams::default()).await.map_err(|error| error.to_string())?.items;
            let mut by_case: BTreeMap<String, Vec<Pod>> = BTreeMap::new();
            for pod in pods {
                by_case.entry(label(&pod).to_owned()).or_default().push(pod);
            }
            for case in cases {
                let own = by_case.entry(case.name.clone()).or_default();
                let count = usize::try_from(case.replicas).unwrap_or_default() + case.extras.len();
                if own.len() != count {
                    return Err(format!("{} has {} pods", case.name, own.len()));
                }
                if let Some(pod) = own.iter().find(|pod| is_placed(pod) && !wanted(pod)) {
                    return Err(format!("{:?}: {:?}", pod.metadata.name, pod.status));
                }
                own.sort_by_key(|pod| (is_extra(pod), pod.metadata.name.clone()));
            }
            Ok(by_case)
        });
        Ok(found.await?)
    }

    /// Takes readiness or life from pods that are to have none.
    async fn spoil(&self, cases: &[Case], pods: &BTreeMap<String, Vec<Pod>>) -> Result<(), RecordError> {
        let mut patches = Vec::new();
        for case in cases {
            let own = pods.get(&case.name).map(Vec::as_slice).unwrap_or_default();
            let (replicas, extras) = own.split_at(own.len().saturating_sub(case.extras.len()));
            let unready = replicas.iter().rev().take(case.unready).map(|pod| (pod, Extra::Unready));
            let extras = extras.iter().zip(case.extras.iter().copied());
            patches.extend(unready.chain(extras).filter_map(|(pod, kind)| patch(pod, kind)));
        }
        let api = self.api::<Pod>();
        let changes = patches.into_iter().map(|(name, patch)| {
            let api = &api;
            async move {
                let changed = api.patch_status(&name, &PatchParams::default(), &Patch::Merge(patch)).await;
                changed.map(drop).map_err(|error| RecordError::kube(format!("change pod {name}"), error))
            }
        });
        futures::stream::iter(changes).buffer_unordered(CONCURRENCY).try_collect().await
    }
}

pub(super) async fn create<K>(api: &Api<K>, object: &K) -> Result<K, RecordError>
where
    K: Resource<DynamicType = ()> + Serialize + DeserializeOwned + Clone + Debug,
{
    let created = api.create(&PostParams::default(), object).await;
    created.map_err(|error| RecordError::kube(format!("create {:?}", object.meta().name), error))
}

pub(super) async fn create_all<K>(api: &Api<K>, objects: &[K]) -> Result<(), RecordError>
where
    K: Resource<DynamicType = ()> + Serialize + DeserializeOwned + Clone + Debug,
{
    let created = objects.iter().map(async |object| create(api, object).await.map(drop));
    futures::stream::iter(created).buffer_unordered(CONCURRENCY).try_collect().await
}

/// A pod as the model sees it.
pub(super) fn modelled(pod: &Pod, name: &str, request_milli: Option<i64>) -> hpa::Pod {
    let ready = conditions(pod).find(|condition| condition.type_ == "Ready");
    hpa::Pod {
        name: name.into(),
        phase: match phase(pod) {
            "Running" => PodPhase::Running,
            "Succeeded" => PodPhase::Succeeded,
            "Failed" => PodPhase::Failed,
            "Unknown" => PodPhase::Unknown,
            _pending => PodPhase::Pending,
        },
        deleting: pod.metadata.deletion_timestamp.is_some(),
        started_at: pod.status.as_ref().and_then(|status| status.start_time.as_ref()).map(|time| time.0),
        ready: ready.and_then(|ready| {
            let status = match ready.status.as_str() {
                "True" => ConditionStatus::True,
                "False" => ConditionStatus::False,
                _unknown => ConditionStatus::Unknown,
            };
            Some(Ready { status, since: ready.last_transition_time.as_ref()?.0 })
        }),
        request_milli,
    }
}

fn patch(pod: &Pod, kind: Extra) -> Option<(String, serde_json::Value)> {
    let name = pod.metadata.name.clone()?;
    let status = match kind {
        Extra::Pending => return None,
        Extra::Failed => json!({ "phase": "Failed" }),
        Extra::Unready => {
            let conditions = conditions(pod).cloned().map(|mut condition| {
                if condition.type_ == "Ready" {
                    "False".clone_into(&mut condition.status);
                }
                condition
            });
            json!({ "conditions": conditions.collect::<Vec<_>>() })
        }
    };
    Some((name, json!({ "status": status })))
}

fn conditions(pod: &Pod) -> impl Iterator<Item = &PodCondition> {
    pod.status.iter().flat_map(|status| status.conditions.iter().flatten())
}

fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

fn is_running(pod: &Pod) -> bool {
    phase(pod) == "Running"
}

fn is_ready(pod: &Pod) -> bool {
    conditions(pod).any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn is_placed(pod: &Pod) -> bool {
    pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some())
}

fn label(pod: &Pod) -> &str {
    let labels = pod.metadata.labels.as_ref();
    labels.and_then(|labels| labels.get("app")).map(String::as_str).unwrap_or_default()
}

/// The deployment's own pods belong to a replica set.
fn is_extra(pod: &Pod) -> bool {
    pod.metadata.owner_references.iter().flatten().any(|owner| owner.kind == "ConfigMap")
}
