//! The workload whose load is asked for: its kind at the API server, its replicas, its pods' labels.

use std::time::Duration;

use k8s_openapi::api::autoscaling::v1::Scale;
use kube::{
    Client,
    core::{ApiResource, GroupVersionKind},
    discovery,
};
use tokio::time::Instant;

use super::{LoadFault, shortened};
use crate::policy::TargetRef;

/// A workload's selector changes with a new workload of its name only.
const KEPT: Duration = Duration::from_secs(30);
/// Kinds whose names in addresses everybody knows.
const WELL_KNOWN: [(&str, &str); 3] =
    [("Deployment", "deployments"), ("StatefulSet", "statefulsets"), ("ReplicaSet", "replicasets")];

/// A workload.
pub(super) struct Target {
    client: Client,
    namespace: String,
    reference: TargetRef,
    resource: Option<ApiResource>,
    known: Option<(Instant, Selected)>,
}

/// What its scale subresource says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selected {
    /// Label selector of its pods.
    pub selector: String,
    /// How many there are.
    pub replicas: usize,
}

impl Target {
    pub(super) fn new(client: Client, namespace: &str, target: &TargetRef) -> Self {
        Self { client, namespace: namespace.to_owned(), reference: target.clone(), resource: None, known: None }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The labels of its pods, and how many there are. Asked again now and then.
    pub(super) async fn selected(&mut self) -> Result<Selected, LoadFault> {
        if let Some((at, known)) = &self.known
            && at.elapsed() < KEPT
        {
            return Ok(known.clone());
        }
        let TargetRef { kind, name, api_version } = &self.reference;
        let resource = match &self.resource {
            Some(resource) => resource.clone(),
            None => resource_of(&self.client, api_version, kind).await?,
        };
        let path = format!("{}/{name}/scale", resource_path(&resource, &self.namespace));
        let scale: Scale = get(&self.client, &path)
            .await
            .map_err(|fault| LoadFault::Target(format!("{kind} {name} cannot be read: {fault}")))?;
        self.resource = Some(resource);
        let status = scale.status.unwrap_or_default();
        let selector = status.selector.filter(|selector| !selector.is_empty());
        let selected = Selected {
            selector: selector
                .ok_or_else(|| LoadFault::Target(format!("{kind} {name} does not say which pods are its")))?,
            replicas: usize::try_from(status.replicas).unwrap_or(0),
        };
        self.known = Some((Instant::now(), selected.clone()));
        Ok(selected)
    }
}

/// Asks the API server.
pub(super) async fn get<T: serde::de::DeserializeOwned>(client: &Client, path: &str) -> Result<T, LoadFault> {
    let request = http::Request::get(path).body(Vec::new());
    let request = request.map_err(|error| LoadFault::Malformed(shortened(&error.to_string())))?;
    client.request(request).await.map_err(|error| match error {
        kube::Error::SerdeError(error) => LoadFault::Malformed(shortened(&error.to_string())),
        other => LoadFault::of_kube(&other),
    })
}

/// How a kind is called in addresses.
pub(super) async fn resource_of(client: &Client, api_version: &str, kind: &str) -> Result<ApiResource, LoadFault> {
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    let wanted = GroupVersionKind::gvk(group, version, kind);
    if let Some((_, plural)) = WELL_KNOWN.iter().find(|(known, _)| *known == kind && group == "apps") {
        return Ok(ApiResource::from_gvk_with_plural(&wanted, plural));
    }
    let found = discovery::pinned_kind(client, &wanted).await;
    found.map(|(resource, _)| resource).map_err(|error| {
        LoadFault::Target(format!(
            "the API server does not know {kind} of {api_version}: {}",
            LoadFault::of_kube(&error)
        ))
    })
}

fn resource_path(resource: &ApiResource, namespace: &str) -> String {
    let ApiResource { group, version, plural, .. } = resource;
    if group.is_empty() {
        format!("/api/{version}/namespaces/{namespace}/{plural}")
    } else {
        format!("/apis/{group}/{version}/namespaces/{namespace}/{plural}")
    }
}
