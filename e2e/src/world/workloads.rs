//! Pods and deployments.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec};
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec, PodTemplateSpec, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

/// The label a deployment finds its pods by.
const APP: &str = "app";

/// A pod in the making: 100 millicores, 128 MiB, the default scheduler.
#[derive(Debug, Clone)]
pub struct PodBuilder {
    name: String,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    requests: BTreeMap<String, Quantity>,
    spec: PodSpec,
}

/// Several equal pods in the making.
#[derive(Debug, Clone)]
pub struct DeploymentBuilder {
    replicas: i32,
    template: PodBuilder,
}

/// Starts a pod.
pub fn pod(name: impl Into<String>) -> PodBuilder {
    let builder = PodBuilder {
        name: name.into(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        requests: BTreeMap::new(),
        spec: PodSpec::default(),
    };
    builder.cpu("100m").memory("128Mi")
}

/// Starts a deployment; name, requests and the rest come from the pod.
pub fn deployment(replicas: i32, template: PodBuilder) -> DeploymentBuilder {
    DeploymentBuilder { replicas, template }
}

impl PodBuilder {
    /// Requested cores as a Kubernetes quantity, for example `"500m"`.
    #[must_use]
    pub fn cpu(self, quantity: &str) -> Self {
        self.request("cpu", quantity)
    }

    #[must_use]
    pub fn memory(self, quantity: &str) -> Self {
        self.request("memory", quantity)
    }

    #[must_use]
    pub fn request(mut self, resource: &str, quantity: &str) -> Self {
        self.requests.insert(resource.to_owned(), Quantity(quantity.to_owned()));
        self
    }

    #[must_use]
    pub fn scheduler(mut self, name: &str) -> Self {
        self.spec.scheduler_name = Some(name.to_owned());
        self
    }

    #[must_use]
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.labels.insert(key.to_owned(), value.to_owned());
        self
    }

    #[must_use]
    pub fn annotation(mut self, key: &str, value: &str) -> Self {
        self.annotations.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Binds the pod past every scheduler.
    #[must_use]
    pub fn on_node(mut self, node: &str) -> Self {
        self.spec.node_name = Some(node.to_owned());
        self
    }

    #[must_use]
    pub fn node_selector(mut self, key: &str, value: &str) -> Self {
        self.spec.node_selector.get_or_insert_default().insert(key.to_owned(), value.to_owned());
        self
    }

    /// Changes whatever has no method of its own.
    #[must_use]
    pub fn spec(mut self, change: impl FnOnce(&mut PodSpec)) -> Self {
        change(&mut self.spec);
        self
    }

    pub fn build(self) -> Pod {
        let mut pod = Pod { spec: Some(spec_with_container(self.spec, self.requests)), ..Pod::default() };
        pod.metadata.name = Some(self.name);
        pod.metadata.labels = Some(self.labels);
        pod.metadata.annotations = Some(self.annotations);
        pod
    }
}

impl DeploymentBuilder {
    pub fn build(self) -> Deployment {
        let name = self.template.name.clone();
        let pod = self.template.label(APP, &name).build();
        let mut template = PodTemplateSpec { spec: pod.spec, ..PodTemplateSpec::default() };
        let mut meta = pod.metadata;
        meta.name = None;
        template.metadata = Some(meta);
        let selector = LabelSelector {
            match_labels: Some(BTreeMap::from([(APP.to_owned(), name.clone())])),
            ..LabelSelector::default()
        };
        let mut deployment = Deployment {
            spec: DeploymentSpec { replicas: Some(self.replicas), selector, template, ..DeploymentSpec::default() },
            ..Deployment::default()
        };
        deployment.metadata.name = Some(name);
        deployment
    }
}

fn spec_with_container(mut spec: PodSpec, requests: BTreeMap<String, Quantity>) -> PodSpec {
    spec.containers.push(Container {
        name: "main".to_owned(),
        // Never pulled: the nodes are simulated.
        image: Some("example.invalid/work".to_owned()),
        resources: Some(ResourceRequirements { requests: Some(requests), ..ResourceRequirements::default() }),
        ..Container::default()
    });
    spec
}

pub(super) fn node_of(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref().filter(|node| !node.is_empty())
}

pub(super) fn name_of(pod: &Pod) -> &str {
    pod.metadata.name.as_deref().unwrap_or_default()
}

/// What the scheduler says about a pod it could not bind.
pub(super) fn pending_reason(pod: &Pod) -> String {
    pod.status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten())
        .find(|condition| condition.type_ == "PodScheduled" && condition.status == "False")
        .map_or_else(
            || "no scheduler has looked at it".to_owned(),
            |condition| {
                let part = |text: &Option<String>| text.clone().unwrap_or_default();
                format!("{}: {}", part(&condition.reason), part(&condition.message))
            },
        )
}

pub(super) fn bindings(pods: &[Pod]) -> BTreeMap<String, String> {
    pods.iter().filter_map(|pod| Some((name_of(pod).to_owned(), node_of(pod)?.to_owned()))).collect()
}
