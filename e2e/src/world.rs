//! What lives in the cluster: simulated nodes, pods, and waiting for what becomes of them.

mod nodes;
mod workloads;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Event, Namespace, Node, Pod, ServiceAccount};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

pub use self::nodes::{NodeBuilder, node};
pub use self::workloads::{DeploymentBuilder, PodBuilder, deployment, pod};
use crate::wait::{Late, eventually};

const NAMESPACE: &str = "default";
const DEADLINE: Duration = Duration::from_mins(1);
/// Objects created at once.
const CONCURRENCY: usize = 16;

/// The cluster refused something or did not reach a state in time.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorldError {
    #[error("{action}")]
    Kube { action: String, source: Box<kube::Error> },
    #[error(transparent)]
    Late(#[from] Late),
}

/// The objects of one namespace, and the nodes.
#[derive(Clone)]
pub struct World {
    client: Client,
    namespace: String,
    deadline: Duration,
}

impl Debug for World {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("World").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

impl World {
    /// The namespace `default`, with a deadline of one minute on every wait.
    pub fn new(client: Client) -> Self {
        Self { client, namespace: NAMESPACE.to_owned(), deadline: DEADLINE }
    }

    /// The client behind it.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The same with another deadline.
    #[must_use]
    pub fn within(&self, deadline: Duration) -> Self {
        Self { deadline, ..self.clone() }
    }

    /// Creates a namespace with these labels and returns its world, as soon as pods can be created in it.
    pub async fn create_namespace(&self, name: &str, labels: &[(&str, &str)]) -> Result<Self, WorldError> {
        let mut namespace = Namespace::default();
        namespace.metadata.name = Some(name.to_owned());
        namespace.metadata.labels = Some(owned(labels));
        create(&Api::all(self.client.clone()), &namespace).await?;
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), name);
        let what = format!("service account of namespace {name}");
        eventually(self.deadline, what, async || accounts.get("default").await).await?;
        Ok(Self { namespace: name.to_owned(), ..self.clone() })
    }

    /// Creates nodes and waits until pods can be bound to all of them.
    pub async fn create_nodes(&self, nodes: impl IntoIterator<Item = NodeBuilder>) -> Result<(), WorldError> {
        let nodes: Vec<Node> = nodes.into_iter().map(NodeBuilder::build).collect();
        let names: BTreeSet<String> = nodes.iter().filter_map(|node| node.metadata.name.clone()).collect();
        create_all(&Api::all(self.client.clone()), &nodes).await?;
        self.wait_nodes_ready(&names).await
    }

    /// Waits until these nodes are Ready and free of the taint that new nodes carry.
    pub async fn wait_nodes_ready(&self, names: &BTreeSet<String>) -> Result<(), WorldError> {
        let api: Api<Node> = Api::all(self.client.clone());
        eventually(self.deadline, format!("{} nodes ready", names.len()), async || {
            let ready: BTreeSet<String> = list(&api, &ListParams::default())
                .await?
                .into_iter()
                .filter(nodes::is_usable)
                .filter_map(|node| node.metadata.name)
                .collect();
            let waiting: Vec<&str> = names.difference(&ready).map(String::as_str).collect();
            match waiting.first() {
                None => Ok(()),
                Some(first) => Err(format!("{} not ready, {first} first", waiting.len())),
            }
        })
        .await?;
        Ok(())
    }

    /// Changes annotations of a node; an empty value removes one.
    pub async fn annotate_node(&self, name: &str, annotations: &[(&str, &str)]) -> Result<(), WorldError> {
        let values: BTreeMap<&str, Option<&str>> =
            annotations.iter().map(|&(key, value)| (key, Some(value).filter(|value| !value.is_empty()))).collect();
        let patch = json!({ "metadata": { "annotations": values } });
        let api: Api<Node> = Api::all(self.client.clone());
        let patched = api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await;
        patched.map(drop).map_err(failed(format!("annotate node {name}")))
    }

    pub async fn create_pod(&self, pod: PodBuilder) -> Result<(), WorldError> {
        create(&self.pods(), &pod.build()).await
    }

    pub async fn create_pods(&self, pods: impl IntoIterator<Item = PodBuilder>) -> Result<(), WorldError> {
        let pods: Vec<Pod> = pods.into_iter().map(PodBuilder::build).collect();
        create_all(&self.pods(), &pods).await
    }

    pub async fn create_deployment(&self, deployment: DeploymentBuilder) -> Result<(), WorldError> {
        create(&Api::namespaced(self.client.clone(), &self.namespace), &deployment.build()).await
    }

    /// Removes all deployments and pods of the namespace and waits until they are gone.
    pub async fn clear(&self) -> Result<(), WorldError> {
        let deployments: Api<Deployment> = Api::namespaced(self.client.clone(), &self.namespace);
        let now = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::background() };
        let everything = ListParams::default();
        deployments.delete_collection(&now, &everything).await.map_err(failed("delete the deployments"))?;
        let pods = self.pods();
        eventually(self.deadline, "all pods gone", async || {
            // Again each time: a controller that has not yet seen its deployment go may still add one.
            pods.delete_collection(&now, &everything).await.map_err(|error| error.to_string())?;
            match list(&pods, &everything).await?.len() {
                0 => Ok(()),
                left => Err(format!("{left} left")),
            }
        })
        .await?;
        Ok(())
    }

    pub async fn delete_pod(&self, name: &str) -> Result<(), WorldError> {
        let now = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
        self.pods().delete(name, &now).await.map(drop).map_err(failed(format!("delete pod {name}")))
    }

    /// Waits until the pod is bound and returns its node.
    pub async fn wait_bound(&self, pod: &str) -> Result<String, WorldError> {
        let api = self.pods();
        let bound = eventually(self.deadline, format!("pod {pod} bound"), async || {
            let found = api.get(pod).await.map_err(|error| error.to_string())?;
            workloads::node_of(&found).map(str::to_owned).ok_or_else(|| workloads::pending_reason(&found))
        });
        Ok(bound.await?)
    }

    /// Waits until the namespace holds at least `count` pods and all of them are bound; returns pod to node.
    pub async fn wait_all_bound(&self, count: usize) -> Result<BTreeMap<String, String>, WorldError> {
        let api = self.pods();
        let bound = eventually(self.deadline, format!("{count} pods bound"), async || {
            let pods = list(&api, &ListParams::default()).await?;
            match pods.iter().find(|pod| workloads::node_of(pod).is_none()) {
                Some(open) => Err(format!("{}: {}", workloads::name_of(open), workloads::pending_reason(open))),
                None if pods.len() < count => Err(format!("{} pods exist", pods.len())),
                None => Ok(workloads::bindings(&pods)),
            }
        });
        Ok(bound.await?)
    }

    /// Waits until the scheduler has given up on the pod for now, with a message that contains `text`; returns the message.
    pub async fn wait_pending_with_reason(&self, pod: &str, text: &str) -> Result<String, WorldError> {
        let api = self.pods();
        let pending = eventually(self.deadline, format!("pod {pod} pending with {text:?}"), async || {
            let found = api.get(pod).await.map_err(|error| error.to_string())?;
            let reason = workloads::pending_reason(&found);
            match workloads::node_of(&found) {
                Some(node) => Err(format!("bound to {node}")),
                None if reason.contains(text) => Ok(reason),
                None => Err(reason),
            }
        });
        Ok(pending.await?)
    }

    /// Pods that are bound now, with their nodes.
    pub async fn bindings(&self) -> Result<BTreeMap<String, String>, WorldError> {
        let pods = self.pods().list(&ListParams::default()).await.map_err(failed("list pods"))?;
        Ok(workloads::bindings(&pods.items))
    }

    /// How many pods each node has got; nodes without one are missing.
    pub async fn pods_per_node(&self) -> Result<BTreeMap<String, usize>, WorldError> {
        let mut counts = BTreeMap::new();
        for node in self.bindings().await?.into_values() {
            *counts.entry(node).or_insert(0) += 1;
        }
        Ok(counts)
    }

    /// Events of a pod as `Reason: message`, in no order.
    pub async fn events_of(&self, pod: &str) -> Result<Vec<String>, WorldError> {
        let api: Api<Event> = Api::namespaced(self.client.clone(), &self.namespace);
        let selector = ListParams::default().fields(&format!("involvedObject.kind=Pod,involvedObject.name={pod}"));
        let events = api.list(&selector).await.map_err(failed(format!("list events of pod {pod}")))?;
        let line =
            |event: Event| format!("{}: {}", event.reason.unwrap_or_default(), event.message.unwrap_or_default());
        Ok(events.items.into_iter().map(line).collect())
    }

    /// Waits for an event of the pod that contains `text`.
    pub async fn wait_event(&self, pod: &str, text: &str) -> Result<String, WorldError> {
        let seen = eventually(self.deadline, format!("event of pod {pod} with {text:?}"), async || {
            let events = self.events_of(pod).await.map_err(|error| error.to_string())?;
            events.iter().find(|event| event.contains(text)).cloned().ok_or_else(|| events.join("; "))
        });
        Ok(seen.await?)
    }

    /// The pods of the namespace.
    pub fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }
}

async fn list<K>(api: &Api<K>, params: &ListParams) -> Result<Vec<K>, String>
where
    K: Clone + DeserializeOwned + Debug,
{
    api.list(params).await.map(|found| found.items).map_err(|error| error.to_string())
}

async fn create<K>(api: &Api<K>, object: &K) -> Result<(), WorldError>
where
    K: Resource<DynamicType = ()> + Clone + Serialize + DeserializeOwned + Debug,
{
    let name = object.meta().name.as_deref().unwrap_or_default();
    let action = format!("create {} {name}", K::kind(&()));
    api.create(&PostParams::default(), object).await.map(drop).map_err(failed(action))
}

async fn create_all<K>(api: &Api<K>, objects: &[K]) -> Result<(), WorldError>
where
    K: Resource<DynamicType = ()> + Clone + Serialize + DeserializeOwned + Debug,
{
    // The futures are made first: a closure over borrowed items in a stream does not prove `Send` to the compiler.
    let creations: Vec<_> = objects.iter().map(|object| create(api, object)).collect();
    futures::stream::iter(creations).buffer_unordered(CONCURRENCY).try_collect().await
}

fn failed(action: impl Into<String>) -> impl FnOnce(kube::Error) -> WorldError {
    |source| WorldError::Kube { action: action.into(), source: Box::new(source) }
}

fn owned(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
}
