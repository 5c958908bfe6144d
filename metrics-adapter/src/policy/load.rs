//! Where the load of a policy comes from, as users write it.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube_sci_signals::config::TextDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits::MAX_QUERY;

/// In names of metrics that say how busy something is.
const BUSY: [&str; 4] = ["cpu_usage", "cpu_seconds", "utilization", "utilisation"];

/// What the workload has to do, as the sum over all its replicas: requests per second, messages that wait. Not how
/// busy the replicas are: that saturates as soon as there are too few of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "[has(self.prometheus), has(self.metric), has(self.pods), has(self.queue)].filter(given, given).size() == 1",
        "message": "give exactly one of prometheus, metric, pods and queue",
    },
    { "rule": "self.period <= self.staleAfter", "message": "make staleAfter at least as long as period" },
]))]
pub struct LoadSpec {
    /// What is counted, for people and for metrics; the functional unit of the workload is this over time.
    #[serde(default = "default_unit")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-zA-Z][a-zA-Z0-9_/-]*$"))]
    pub unit: String,
    /// How often the source is asked.
    #[serde(default = "default_period")]
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "self >= duration('1s') && self <= duration('1h')",
        "message": "make the period 1s to 1h",
    }]))]
    pub period: TextDuration,
    /// A load this old is an error: the autoscaler keeps its replicas, and only the guard can add some.
    #[serde(default = "default_stale_after")]
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "self >= duration('2s') && self <= duration('1h')",
        "message": "make staleAfter 2s to 1h",
    }]))]
    pub stale_after: TextDuration,
    /// A query to Prometheus or to what speaks its API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prometheus: Option<PrometheusSpec>,
    /// A metric that another adapter serves, as an autoscaler would read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<MetricSpec>,
    /// The metrics pages of the workload's own pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pods: Option<PodsSpec>,
    /// The length of a queue, from any of the other sources. The load is then what waits, not what arrives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueSpec>,
}

/// One source of a number.
#[derive(Debug, Clone, PartialEq)]
pub enum SourceSpec {
    /// A query.
    Prometheus(PrometheusSpec),
    /// A metric of another adapter.
    Metric(MetricSpec),
    /// The workload's own pages.
    Pods(PodsSpec),
}

/// A query to Prometheus. Its answer is a scalar, or a vector of exactly one sample.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PrometheusSpec {
    /// Name of a Prometheus in the configuration of the adapter; absent: `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub source: Option<String>,
    /// The query, in PromQL: the sum over the workload, such as `sum(rate(http_requests_total{app="web"}[2m]))`.
    #[schemars(length(min = 1, max = MAX_QUERY))]
    pub query: String,
}

/// A metric that another adapter serves. Metrics of this adapter are refused: they would read themselves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "self.type == 'Object' ? has(self.describedObject) : !has(self.describedObject)",
        "message": "give describedObject for the type Object, and only then",
    },
    { "rule": "self.type != 'Resource' || self.name in ['cpu', 'memory']", "message": "a Resource is cpu or memory" },
    { "rule": "self.type != 'Resource' || !has(self.selector)", "message": "a Resource has no selector" },
]))]
pub struct MetricSpec {
    /// Which API serves it.
    #[serde(rename = "type")]
    pub metric_type: MetricType,
    /// Name of the metric; of a `Resource`: `cpu` (in cores) or `memory` (in bytes).
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Which series of it, as `metric.selector` of an autoscaler.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
    /// The object that an `Object` metric describes, in the namespace of the policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub described_object: Option<DescribedObject>,
}

/// Which API serves a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum MetricType {
    /// What the pods use, by `metrics.k8s.io`, summed up.
    Resource,
    /// One value per pod, by `custom.metrics.k8s.io`, summed up.
    Pods,
    /// One value of one object, by `custom.metrics.k8s.io`.
    Object,
    /// Values of something outside, by `external.metrics.k8s.io`, summed up.
    External,
}

/// The object that a metric describes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "!self.apiVersion.startsWith('kube-sci.dev/')",
    "message": "a policy cannot read its own metrics",
}]))]
pub struct DescribedObject {
    /// Group and version, such as `networking.k8s.io/v1`.
    #[schemars(length(min = 1, max = 253))]
    pub api_version: String,
    /// Kind, such as `Ingress`.
    #[schemars(length(min = 1, max = 63))]
    pub kind: String,
    /// Name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// The metrics pages of the workload's own pods, in the formats of Prometheus.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodsSpec {
    /// Port of the page.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
    /// Path of the page.
    #[serde(default = "default_path")]
    #[schemars(length(min = 1, max = 253), regex(pattern = "^/"))]
    pub path: String,
    /// How the page is asked for. With `https` the certificates of pods are checked against the configured authorities.
    #[serde(default)]
    pub scheme: Scheme,
    /// Name of the samples, with the suffix they have on the page, such as `http_requests_total`.
    #[schemars(length(min = 1, max = 253))]
    pub metric: String,
    /// What the samples are.
    #[serde(default)]
    pub kind: CounterKind,
    /// Only samples with these labels count.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub match_labels: BTreeMap<String, String>,
}

/// How a page is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// Without TLS.
    #[default]
    Http,
    /// With TLS.
    Https,
}

/// What samples are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CounterKind {
    /// Counters: the load is how fast they rise, per second. Restarts are no loss.
    #[default]
    Rate,
    /// Values that count as they are.
    Value,
}

/// The length of a queue: exactly one of `prometheus`, `metric` and `pods`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "[has(self.prometheus), has(self.metric), has(self.pods)].filter(given, given).size() == 1",
    "message": "give exactly one of prometheus, metric and pods",
}]))]
pub struct QueueSpec {
    /// A query to Prometheus or to what speaks its API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prometheus: Option<PrometheusSpec>,
    /// A metric that another adapter serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<MetricSpec>,
    /// The metrics pages of the workload's own pods; give the kind `value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pods: Option<PodsSpec>,
}

impl SourceSpec {
    /// As in metrics: a fixed word.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Prometheus(_) => "prometheus",
            Self::Metric(_) => "metric",
            Self::Pods(_) => "pods",
        }
    }

    /// Whether it says how busy replicas are, and not what they are asked for.
    pub fn saturates(&self) -> bool {
        match self {
            Self::Prometheus(query) => BUSY.iter().any(|busy| query.query.contains(busy)),
            Self::Metric(metric) => metric.metric_type == MetricType::Resource,
            Self::Pods(pods) => BUSY.iter().any(|busy| pods.metric.contains(busy)),
        }
    }
}

impl MetricType {
    /// Whether this adapter serves metrics of the same API.
    pub const fn is_served_here(self) -> bool {
        !matches!(self, Self::Resource)
    }

    /// As in the object.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resource => "Resource",
            Self::Pods => "Pods",
            Self::Object => "Object",
            Self::External => "External",
        }
    }
}

fn default_unit() -> String {
    "requests_per_second".to_owned()
}

const fn default_period() -> TextDuration {
    TextDuration::from_secs(15)
}

const fn default_stale_after() -> TextDuration {
    TextDuration::from_secs(120)
}

fn default_path() -> String {
    "/metrics".to_owned()
}
