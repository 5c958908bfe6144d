//! APIs that processes on this machine serve as a part of the cluster's.
//!
//! The API server reaches them through a Service of type `ExternalName` that leads to `localhost`: pods of the simulator run
//! nothing. All else is as in any cluster: an `APIService`, a certificate for `NAME.NAMESPACE.svc`, probes of availability.

use std::net::SocketAddr;
use std::time::Duration;

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::{APIService, APIServiceCondition};
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::wait::{Late, eventually};

/// An API becomes available within seconds of its first probe.
const DEADLINE: Duration = Duration::from_mins(1);
const MANAGER: &str = "kube-sci-e2e";
const HOST: &str = "localhost";

/// An aggregated API could not be registered, or did not become what it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AggregationError {
    #[error("{action}")]
    Kube { action: String, source: Box<kube::Error> },
    #[error(transparent)]
    Late(#[from] Late),
}

/// A version of an API group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupVersion {
    pub group: String,
    pub version: String,
    /// The version with the highest one is the group's preferred.
    pub version_priority: i32,
}

/// The Service behind which a process of this machine stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostService {
    pub namespace: String,
    pub name: String,
    pub port: u16,
}

/// What the cluster knows of aggregated APIs.
#[derive(Clone)]
pub struct Aggregation {
    client: Client,
}

impl std::fmt::Debug for Aggregation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Aggregation").finish_non_exhaustive()
    }
}

impl GroupVersion {
    pub fn new(group: &str, version: &str, version_priority: i32) -> Self {
        Self { group: group.to_owned(), version: version.to_owned(), version_priority }
    }

    /// The groups that an autoscaler asks: Object and Pods metrics in two versions, and External metrics.
    pub fn of_metrics() -> Vec<Self> {
        vec![
            Self::new("custom.metrics.k8s.io", "v1beta2", 200),
            Self::new("custom.metrics.k8s.io", "v1beta1", 100),
            Self::new("external.metrics.k8s.io", "v1beta1", 100),
        ]
    }

    /// The name of the `APIService`.
    pub fn name(&self) -> String {
        format!("{}.{}", self.version, self.group)
    }
}

impl HostService {
    pub fn new(namespace: &str, name: &str, address: SocketAddr) -> Self {
        Self { namespace: namespace.to_owned(), name: name.to_owned(), port: address.port() }
    }

    /// What the serving certificate has to be for.
    pub fn server_name(&self) -> String {
        format!("{}.{}.svc", self.name, self.namespace)
    }
}

impl Aggregation {
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Creates or changes the Service. The namespace must be there.
    pub async fn serve(&self, service: &HostService) -> Result<(), AggregationError> {
        let api: Api<Service> = Api::namespaced(self.client.clone(), &service.namespace);
        let object = json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": { "name": service.name },
            "spec": { "type": "ExternalName", "externalName": HOST },
        });
        self.applied(&api, &service.name, object).await
    }

    /// Creates or changes the `APIService`; `authority` is the PEM of who vouches for the server. `None` leaves the field as
    /// it is, for a server that writes it itself.
    pub async fn register(
        &self,
        version: &GroupVersion,
        service: &HostService,
        authority: Option<&str>,
    ) -> Result<(), AggregationError> {
        let api: Api<APIService> = Api::all(self.client.clone());
        let name = version.name();
        let mut object = json!({
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": { "name": name },
            "spec": {
                "group": version.group,
                "version": version.version,
                "groupPriorityMinimum": 100,
                "versionPriority": version.version_priority,
                "service": { "namespace": service.namespace, "name": service.name, "port": service.port },
            },
        });
        if let (Some(authority), Some(spec)) = (authority, object.get_mut("spec").and_then(Value::as_object_mut)) {
            let bundle = k8s_openapi::ByteString(authority.as_bytes().to_vec());
            spec.insert("caBundle".to_owned(), json!(bundle));
        }
        self.applied(&api, &name, object).await
    }

    /// Leads an `APIService` to another port of its Service, and leaves all else as it is.
    pub async fn lead(&self, version: &GroupVersion, port: u16) -> Result<(), AggregationError> {
        let api: Api<APIService> = Api::all(self.client.clone());
        let name = version.name();
        let change = json!({ "spec": { "service": { "port": port } } });
        let patched = api.patch(&name, &PatchParams::default(), &Patch::Merge(change)).await;
        patched.map(drop).map_err(failed(format!("lead {name} to port {port}")))
    }

    /// Takes an `APIService` away; one that is not there is gone already.
    pub async fn unregister(&self, version: &GroupVersion) -> Result<(), AggregationError> {
        let api: Api<APIService> = Api::all(self.client.clone());
        let name = version.name();
        match api.delete(&name, &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            deleted => deleted.map(drop).map_err(failed(format!("delete {name}"))),
        }
    }

    /// The authorities that an `APIService` trusts, as PEM; empty where it names none.
    pub async fn authorities(&self, version: &GroupVersion) -> Result<String, AggregationError> {
        let api: Api<APIService> = Api::all(self.client.clone());
        let name = version.name();
        let found = api.get(&name).await.map_err(failed(format!("get {name}")))?;
        let bundle = found.spec.and_then(|spec| spec.ca_bundle);
        Ok(bundle.map(|bundle| String::from_utf8_lossy(&bundle.0).into_owned()).unwrap_or_default())
    }

    /// Waits until the API server has found the API available.
    pub async fn wait_available(&self, version: &GroupVersion) -> Result<(), AggregationError> {
        self.wait_for(version, "True", "").await.map(drop)
    }

    /// The same for all APIs that an autoscaler asks.
    pub async fn wait_metrics_available(&self) -> Result<(), AggregationError> {
        for version in GroupVersion::of_metrics() {
            self.wait_available(&version).await?;
        }
        Ok(())
    }

    /// Waits until the API server has found the API not available for this reason, such as `FailedDiscoveryCheck`.
    pub async fn wait_unavailable(&self, version: &GroupVersion, reason: &str) -> Result<String, AggregationError> {
        self.wait_for(version, "False", reason).await
    }

    /// The message of the condition, once it is as wanted.
    async fn wait_for(&self, version: &GroupVersion, status: &str, reason: &str) -> Result<String, AggregationError> {
        let api: Api<APIService> = Api::all(self.client.clone());
        let name = version.name();
        let seen = eventually(DEADLINE, format!("{name} Available={status} {reason}"), async || {
            let found = api.get(&name).await.map_err(|error| error.to_string())?;
            let conditions = found.status.and_then(|status| status.conditions).unwrap_or_default();
            let condition = conditions.iter().find(|condition| condition.type_ == "Available");
            match condition {
                Some(condition) if condition.status == status && told(condition).contains(reason) => {
                    Ok(told(condition))
                }
                Some(condition) => Err(format!("{}: {}", condition.status, told(condition))),
                None => Err("not looked at yet".to_owned()),
            }
        });
        Ok(seen.await?)
    }

    async fn applied<K>(&self, api: &Api<K>, name: &str, object: Value) -> Result<(), AggregationError>
    where
        K: Clone + serde::de::DeserializeOwned + std::fmt::Debug,
    {
        let parameters = PatchParams::apply(MANAGER).force();
        let applied = api.patch(name, &parameters, &Patch::Apply(object)).await;
        applied.map(drop).map_err(failed(format!("apply {name}")))
    }
}

/// Makes a shipped object lead to a process on this machine: a Service of this name, and every `APIService` behind it. All
/// other objects stay as they are.
pub fn lead_to_host(object: &mut Value, service: &str, port: u16) {
    let named = |pointer: &str, object: &Value| object.pointer(pointer).and_then(Value::as_str) == Some(service);
    match object.get("kind").and_then(Value::as_str) {
        Some("Service") if named("/metadata/name", object) => {
            object["spec"] = json!({ "type": "ExternalName", "externalName": HOST });
        }
        Some("APIService") if named("/spec/service/name", object) => {
            if let Some(reference) = object.pointer_mut("/spec/service").and_then(Value::as_object_mut) {
                reference.insert("port".to_owned(), json!(port));
            }
        }
        _other => {}
    }
}

fn told(condition: &APIServiceCondition) -> String {
    let part = |text: &Option<String>| text.clone().unwrap_or_default();
    format!("{}: {}", part(&condition.reason), part(&condition.message))
}

fn failed(action: impl Into<String>) -> impl FnOnce(kube::Error) -> AggregationError {
    let action = action.into();
    |source| AggregationError::Kube { action, source: Box::new(source) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_named_as_the_cluster_names_them() {
        let names: Vec<String> = GroupVersion::of_metrics().iter().map(GroupVersion::name).collect();
        assert_eq!(
            names,
            ["v1beta2.custom.metrics.k8s.io", "v1beta1.custom.metrics.k8s.io", "v1beta1.external.metrics.k8s.io"]
        );
        let service = HostService::new("kube-sci", "adapter", SocketAddr::from(([127, 0, 0, 1], 6443)));
        assert_eq!(service.server_name(), "adapter.kube-sci.svc");
    }

    #[test]
    fn shipped_objects_lead_to_the_host_and_others_stay() {
        let mut service = json!({ "kind": "Service", "metadata": { "name": "adapter" },
            "spec": { "ports": [{ "port": 443 }], "selector": { "app": "adapter" } } });
        lead_to_host(&mut service, "adapter", 7);
        assert_eq!(service["spec"], json!({ "type": "ExternalName", "externalName": "localhost" }));
        let mut api = json!({ "kind": "APIService", "spec": { "service": { "name": "adapter", "port": 443 } } });
        lead_to_host(&mut api, "adapter", 7);
        assert_eq!(api["spec"]["service"]["port"], json!(7));
        for other in [json!({ "kind": "Service", "metadata": { "name": "other" } }), json!({ "kind": "Deployment" })] {
            let mut object = other.clone();
            lead_to_host(&mut object, "adapter", 7);
            assert_eq!(object, other);
        }
    }
}
