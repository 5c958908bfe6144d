//! Metrics that other adapters serve, as an autoscaler would read them.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::{Client, core::Selector};
use kube_sci_cluster::objects::CpuMillis;
use sci_core::scaling::LoadSample;
use serde::Deserialize;

use super::{
    LEAST_COVERAGE, LoadFault, checked,
    target::{Target, get, resource_of},
};
use crate::{
    policy::{DescribedObject, MetricSpec, MetricType, TargetRef},
    table::LoadReading,
};

const CUSTOM_VERSIONS: [&str; 2] = ["v1beta2", "v1beta1"];

/// One metric.
pub(super) struct MetricSource {
    target: Target,
    metric: MetricSpec,
    /// The plural and the group of the described object, once known.
    described: Option<String>,
    /// The version of the custom metrics API that answers.
    version: Option<&'static str>,
    source: Arc<str>,
}

/// Items of either metrics API. Fields that one of them lacks are optional.
#[derive(Deserialize)]
struct Values {
    items: Vec<Value>,
}

#[derive(Deserialize)]
struct Value {
    #[serde(default)]
    timestamp: Option<Timestamp>,
    value: String,
}

/// What `metrics.k8s.io` says of pods.
#[derive(Deserialize)]
struct PodUses {
    items: Vec<PodUse>,
}

#[derive(Deserialize)]
struct PodUse {
    #[serde(default)]
    timestamp: Option<Timestamp>,
    containers: Vec<ContainerUse>,
}

#[derive(Deserialize)]
struct ContainerUse {
    usage: BTreeMap<String, String>,
}

/// What is added up.
#[derive(Debug, Default, PartialEq)]
struct Sum {
    value: f64,
    items: usize,
    oldest: Option<Timestamp>,
}

impl MetricSource {
    pub(super) fn new(client: Client, namespace: &str, target: &TargetRef, metric: &MetricSpec) -> Self {
        Self {
            target: Target::new(client, namespace, target),
            source: format!("{}/{}", metric.metric_type.as_str(), metric.name).into(),
            metric: metric.clone(),
            described: None,
            version: None,
        }
    }

    pub(super) async fn read(&mut self, now: Timestamp) -> Result<LoadReading, LoadFault> {
        let sum = match self.metric.metric_type {
            MetricType::Resource => self.resource().await?,
            MetricType::Pods => self.pods().await?,
            MetricType::Object => self.object().await?,
            MetricType::External => self.external().await?,
        };
        let at = sum.oldest.unwrap_or(now).min(now);
        checked(LoadReading {
            sample: LoadSample { value: sum.value, at },
            source: Arc::clone(&self.source),
            warning: None,
        })
    }

    async fn resource(&mut self) -> Result<Sum, LoadFault> {
        let selected = self.target.selected().await?;
        let query = query(&[("labelSelector", &selected.selector)]);
        let path = format!("/apis/metrics.k8s.io/v1beta1/namespaces/{}/pods{query}", self.target.namespace());
        let uses: PodUses = get(self.target.client(), &path).await?;
        let sum = add_uses(&uses, &self.metric.name)?;
        covered(&sum, selected.replicas)?;
        Ok(sum)
    }

    async fn pods(&mut self) -> Result<Sum, LoadFault> {
        let selected = self.target.selected().await?;
        let metric_selector = selector(self.metric.selector.as_ref())?;
        let query = query(&[("labelSelector", &selected.selector), ("metricLabelSelector", &metric_selector)]);
        let sum = add(&self.custom(&format!("pods/*/{}{query}", segment(&self.metric.name))).await?)?;
        covered(&sum, selected.replicas)?;
        Ok(sum)
    }

    async fn object(&mut self) -> Result<Sum, LoadFault> {
        let object = self.metric.described_object.clone();
        let object = object.ok_or_else(|| LoadFault::Malformed("describedObject is missing".to_owned()))?;
        let resource = self.described(&object).await?;
        let query = query(&[("metricLabelSelector", &selector(self.metric.selector.as_ref())?)]);
        let path = format!("{resource}/{}/{}{query}", segment(&object.name), segment(&self.metric.name));
        let sum = add(&self.custom(&path).await?)?;
        if sum.items == 1 { Ok(sum) } else { Err(LoadFault::Ambiguous(sum.items)) }
    }

    async fn external(&mut self) -> Result<Sum, LoadFault> {
        let query = query(&[("labelSelector", &selector(self.metric.selector.as_ref())?)]);
        let (namespace, name) = (self.target.namespace(), segment(&self.metric.name));
        let path = format!("/apis/external.metrics.k8s.io/v1beta1/namespaces/{namespace}/{name}{query}");
        add(&get(self.target.client(), &path).await?)
    }

    async fn described(&mut self, object: &DescribedObject) -> Result<String, LoadFault> {
        if let Some(known) = &self.described {
            return Ok(known.clone());
        }
        let resource = resource_of(self.target.client(), &object.api_version, &object.kind).await?;
        let dot = if resource.group.is_empty() { "" } else { "." };
        let name = format!("{}{dot}{}", resource.plural, resource.group);
        Ok(self.described.insert(name).clone())
    }

    /// The version that was answered last is asked first; a cluster has one or both.
    async fn custom(&mut self, rest: &str) -> Result<Values, LoadFault> {
        let mut first = None;
        let known = self.version.into_iter();
        for version in known.chain(CUSTOM_VERSIONS.into_iter().filter(|version| Some(*version) != self.version)) {
            let path = format!("/apis/custom.metrics.k8s.io/{version}/namespaces/{}/{rest}", self.target.namespace());
            match get(self.target.client(), &path).await {
                Ok(values) => {
                    self.version = Some(version);
                    return Ok(values);
                }
                // A version that is not served and a metric that does not exist look alike.
                Err(fault @ LoadFault::Refused(_)) => first = first.or(Some(fault)),
                Err(fault) => return Err(fault),
            }
        }
        Err(first.unwrap_or_else(|| LoadFault::Nothing("no version of the custom metrics API answers".to_owned())))
    }
}

fn add(values: &Values) -> Result<Sum, LoadFault> {
    let mut sum = Sum::default();
    for value in &values.items {
        sum.add(number(&value.value)?, value.timestamp);
    }
    if sum.items == 0 { Err(LoadFault::Nothing("the metric has no value at present".to_owned())) } else { Ok(sum) }
}

fn add_uses(uses: &PodUses, resource: &str) -> Result<Sum, LoadFault> {
    let mut sum = Sum::default();
    for pod in &uses.items {
        let mut used = 0.0;
        for container in &pod.containers {
            let usage = container.usage.get(resource);
            used += number(usage.ok_or_else(|| LoadFault::Malformed(format!("{resource} is not in it")))?)?;
        }
        sum.add(used, pod.timestamp);
    }
    if sum.items == 0 { Err(LoadFault::Nothing("no pod of the workload has metrics".to_owned())) } else { Ok(sum) }
}

impl Sum {
    fn add(&mut self, value: f64, at: Option<Timestamp>) {
        self.value += value;
        self.items += 1;
        self.oldest = match (self.oldest, at) {
            (Some(oldest), Some(at)) => Some(oldest.min(at)),
            (oldest, at) => oldest.or(at),
        };
    }
}

/// Pods without a value are not guessed.
fn covered(sum: &Sum, replicas: usize) -> Result<(), LoadFault> {
    if share(sum.items, replicas) < LEAST_COVERAGE {
        return Err(LoadFault::Partial { answered: sum.items, expected: replicas, first: String::new() });
    }
    Ok(())
}

/// `part / whole`; 1 where there is nothing to cover.
pub(super) fn share(part: usize, whole: usize) -> f64 {
    let float = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    if whole == 0 { 1.0 } else { float(part) / float(whole) }
}

/// A quantity in thousandths, as an autoscaler reads it.
fn number(text: &str) -> Result<f64, LoadFault> {
    let CpuMillis(millis) = CpuMillis::parse(text).map_err(|error| LoadFault::Malformed(error.to_string()))?;
    Ok(kube_sci_cluster::objects::float(millis) / 1_000.0)
}

fn selector(selector: Option<&LabelSelector>) -> Result<String, LoadFault> {
    let Some(selector) = selector else { return Ok(String::new()) };
    let parsed: Result<Selector, _> = selector.clone().try_into();
    parsed.map(|selector| selector.to_string()).map_err(|error| LoadFault::Malformed(error.to_string()))
}

/// A query without what is empty.
fn query(parameters: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, value) in parameters.iter().filter(|(_, value)| !value.is_empty()) {
        text.push(if text.is_empty() { '?' } else { '&' });
        text.push_str(name);
        text.push('=');
        text.push_str(&segment(value));
    }
    text
}

/// Percent-encoded, so that no name leaves its place in an address.
pub(super) fn segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            for nibble in [byte >> 4, byte & 15] {
                encoded.extend(char::from_digit(u32::from(nibble), 16).map(|digit| digit.to_ascii_uppercase()));
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn values(json: serde_json::Value) -> Values {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn items_of_both_versions_are_added_up_and_the_oldest_tells_the_time() {
        let read = values(json!({ "items": [
            { "metricName": "m", "value": "1500m", "timestamp": "2026-01-31T12:00:00Z", "window": 60 },
            { "metric": { "name": "m" }, "value": "2k", "timestamp": "2026-01-31T11:59:00Z", "windowSeconds": null },
        ] }));
        let sum = add(&read).unwrap();
        assert!((sum.value - 2_001.5).abs() < 1e-9);
        assert_eq!(sum.oldest, Some("2026-01-31T11:59:00Z".parse().unwrap()));
    }

    #[test]
    fn no_item_is_no_zero() {
        assert!(matches!(add(&values(json!({ "items": [] }))), Err(LoadFault::Nothing(_))));
        assert!(matches!(add_uses(&PodUses { items: vec![] }, "cpu"), Err(LoadFault::Nothing(_))));
        assert!(matches!(add(&values(json!({ "items": [{ "value": "-1" }] }))), Err(LoadFault::Malformed(_))));
    }

    #[test]
    fn uses_of_containers_are_added_up() {
        let uses: PodUses = serde_json::from_value(json!({ "items": [
            { "containers": [{ "usage": { "cpu": "250m", "memory": "1Gi" } }, { "usage": { "cpu": "1500000n" } }] },
            { "containers": [{ "usage": { "cpu": "1" } }] },
        ] }))
        .unwrap();
        assert!((add_uses(&uses, "cpu").unwrap().value - 1.252).abs() < 1e-9);
        assert!(matches!(add_uses(&uses, "memory"), Err(LoadFault::Malformed(_))));
    }

    #[test]
    fn too_few_pods_are_no_load() {
        let of = |items| covered(&Sum { items, ..Sum::default() }, 10);
        assert!(of(8).is_ok() && of(12).is_ok());
        assert!(matches!(of(7), Err(LoadFault::Partial { answered: 7, expected: 10, .. })));
    }

    #[test]
    fn names_stay_in_their_place() {
        assert_eq!(segment("../x?a=b/%"), "..%2Fx%3Fa%3Db%2F%25");
        assert_eq!(query(&[("a", ""), ("b", "x in (y,z)")]), "?b=x%20in%20%28y%2Cz%29");
    }
}
