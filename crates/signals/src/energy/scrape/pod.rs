//! What is kept of a pod that may be an agent.

use std::borrow::Cow;

use jiff::Timestamp;
use kube::{
    Resource,
    core::{NamespaceResourceScope, ObjectMeta},
};
use serde::{Deserialize, Deserializer};

const PORT_NAMES: [&str; 2] = ["metrics", "http"];
const PORT_ANNOTATION: &str = "prometheus.io/port";
const PATH_ANNOTATION: &str = "prometheus.io/path";
const SCHEME_ANNOTATION: &str = "prometheus.io/scheme";

/// A pod without what nobody needs for finding its page.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct AgentPod {
    pub metadata: ObjectMeta,
    #[serde(default)]
    pub spec: Spec,
    #[serde(default)]
    pub status: Status,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Spec {
    #[serde(deserialize_with = "null_as_default")]
    pub node_name: String,
    #[serde(deserialize_with = "null_as_default")]
    pub containers: Vec<Container>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Container {
    #[serde(deserialize_with = "null_as_default")]
    pub ports: Vec<Port>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Port {
    #[serde(deserialize_with = "null_as_default")]
    pub name: String,
    #[serde(rename = "containerPort", deserialize_with = "null_as_default")]
    pub number: u16,
    #[serde(deserialize_with = "null_as_default")]
    pub protocol: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    #[serde(deserialize_with = "null_as_default")]
    pub phase: String,
    #[serde(rename = "podIP", deserialize_with = "null_as_default")]
    pub pod_ip: String,
}

/// Which port has the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PortChoice {
    Number(u16),
    Named(String),
    /// The exporters' usual ports, in the order of the configuration.
    Guess(Vec<u16>),
}

impl PortChoice {
    pub(super) fn new(configured: &str, usual: Vec<u16>) -> Self {
        match configured.parse() {
            Ok(number) => Self::Number(number),
            Err(_) if configured.is_empty() => Self::Guess(usual),
            Err(_) => Self::Named(configured.to_owned()),
        }
    }

    /// The port of a pod. Where pods are chosen `by_port`, it must be one of its containers'.
    pub(super) fn of(&self, pod: &AgentPod, by_port: bool) -> Option<u16> {
        let ports = || pod.spec.containers.iter().flat_map(|container| &container.ports).filter(|port| port.is_tcp());
        let named = |name: &str| ports().find(|port| port.name == name).map(|port| port.number);
        match self {
            Self::Number(number) => (!by_port || ports().any(|port| port.number == *number)).then_some(*number),
            Self::Named(name) => named(name),
            Self::Guess(usual) => {
                let mut all = ports().map(|port| port.number);
                let only = all.next().filter(|_| all.next().is_none());
                let declared = |port: &&u16| ports().any(|declared| declared.number == **port);
                let said = || pod.annotation(PORT_ANNOTATION).and_then(|port| port.parse().ok());
                let sole = || if let [port] = usual.as_slice() { Some(*port) } else { None };
                let by_name = PORT_NAMES.into_iter().find_map(named);
                by_name.or(only).or_else(said).or_else(|| usual.iter().find(declared).copied()).or_else(sole)
            }
        }
    }
}

impl AgentPod {
    /// Where the page is. Words of the pod itself count where the configuration has none of its own.
    pub(super) fn url(&self, port: u16, scheme: &str, path: &str) -> String {
        let host = &self.status.pod_ip;
        let host = if host.contains(':') { Cow::from(format!("[{host}]")) } else { Cow::from(host) };
        let said = |name| self.annotation(name).filter(|said| !said.is_empty());
        let scheme = said(SCHEME_ANNOTATION).filter(|said| scheme == "http" && *said == "https").unwrap_or(scheme);
        let path = said(PATH_ANNOTATION).filter(|_| path == "/metrics").unwrap_or(path);
        format!("{scheme}://{host}:{port}/{}", path.trim_start_matches('/'))
    }

    /// On a node, with an address, and not about to end.
    pub(super) fn is_running(&self) -> bool {
        self.status.phase == "Running"
            && !self.status.pod_ip.is_empty()
            && !self.spec.node_name.is_empty()
            && self.metadata.deletion_timestamp.is_none()
    }

    /// Pods with the same controller stand in for each other.
    pub(super) fn controller(&self) -> &str {
        let owners = self.metadata.owner_references.iter().flatten();
        let controller = owners.filter(|owner| owner.controller == Some(true)).map(|owner| owner.uid.as_str()).next();
        controller.or(self.metadata.uid.as_deref()).unwrap_or_default()
    }

    pub(super) fn created_at(&self) -> Option<Timestamp> {
        self.metadata.creation_timestamp.as_ref().map(|time| time.0)
    }

    fn annotation(&self, name: &str) -> Option<&str> {
        self.metadata.annotations.as_ref()?.get(name).map(String::as_str)
    }
}

impl Port {
    fn is_tcp(&self) -> bool {
        self.protocol.is_empty() || self.protocol == "TCP"
    }
}

impl Resource for AgentPod {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        "Pod".into()
    }

    fn group((): &()) -> Cow<'_, str> {
        "".into()
    }

    fn version((): &()) -> Cow<'_, str> {
        "v1".into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        "pods".into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// Go writes absent lists as `null`.
fn null_as_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests;
