//! Answers as clients of `k8s.io/metrics` read them.

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use aggregated_apiserver::selector::{LabelSelector, Operator};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector as SelectorObject, LabelSelectorRequirement};
use serde::{Serialize, Serializer};

use super::quantity::Quantity;

/// Labels of a series; few, and most of them constant.
pub type MetricLabels<'a> = Vec<(&'static str, Cow<'a, str>)>;

/// One value with where and when it is from.
#[derive(Debug, Clone, PartialEq)]
pub struct Value<'a> {
    /// The number.
    pub quantity: Quantity,
    /// When it was true: the sample's own time.
    pub at: Timestamp,
    /// The stretch of time before or after `at` that it speaks of.
    pub window: Option<Duration>,
    /// What further tells it apart.
    pub labels: MetricLabels<'a>,
}

impl Value<'_> {
    /// Whether a selector on the labels of the series picks it.
    pub fn matches(&self, selector: &LabelSelector) -> bool {
        let label = |key: &str| self.labels.iter().find(|(known, _)| *known == key).map(|(_, value)| &**value);
        selector.matches(label)
    }
}

/// The object that a value describes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribedObject<'a> {
    /// Kind.
    pub kind: &'a str,
    /// Namespace; none for nodes and namespaces.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub namespace: &'a str,
    /// Name.
    pub name: &'a str,
    /// Group and version, `v1` for core kinds.
    pub api_version: &'a str,
}

/// Version of `custom.metrics.k8s.io`: the items differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CustomVersion {
    /// Flat items.
    V1Beta1,
    /// Name and selector of the metric in an object of their own.
    V1Beta2,
}

impl CustomVersion {
    /// Both, the preferred one first.
    pub const ALL: [Self; 2] = [Self::V1Beta2, Self::V1Beta1];

    /// As in paths.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1Beta1 => "v1beta1",
            Self::V1Beta2 => "v1beta2",
        }
    }

    /// The version of a path.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.as_str() == text)
    }

    const fn api_version(self) -> &'static str {
        match self {
            Self::V1Beta1 => "custom.metrics.k8s.io/v1beta1",
            Self::V1Beta2 => "custom.metrics.k8s.io/v1beta2",
        }
    }
}

/// One item of a custom metric.
#[derive(Debug, Clone, PartialEq)]
pub struct CustomItem<'a> {
    /// What it describes.
    pub object: DescribedObject<'a>,
    /// The value.
    pub value: Value<'a>,
}

/// An answer of `custom.metrics.k8s.io`, ready to be serialised.
pub fn custom_list<'a>(
    version: CustomVersion,
    metric: &'a str,
    selector: Option<&'a SelectorObject>,
    items: &'a [CustomItem<'a>],
) -> impl Serialize + 'a {
    let items: Vec<CustomValue<'a>> = items
        .iter()
        .map(|CustomItem { object, value }| {
            let (timestamp, window, value) = (Seconds(value.at), value.window.map(|w| w.as_secs()), value.quantity);
            match version {
                CustomVersion::V1Beta1 => CustomValue::V1Beta1 {
                    described_object: object,
                    metric_name: metric,
                    timestamp,
                    window,
                    value,
                    selector,
                },
                CustomVersion::V1Beta2 => CustomValue::V1Beta2 {
                    described_object: object,
                    metric: Identifier { name: metric, selector },
                    timestamp,
                    window_seconds: window,
                    value,
                },
            }
        })
        .collect();
    List { kind: "MetricValueList", api_version: version.api_version(), metadata: Empty {}, items }
}

/// An answer of `external.metrics.k8s.io`, ready to be serialised.
pub fn external_list<'a>(metric: &'a str, values: &'a [Value<'a>]) -> impl Serialize + 'a {
    let items: Vec<ExternalValue<'a>> = values
        .iter()
        .map(|value| ExternalValue {
            metric_name: metric,
            metric_labels: value.labels.iter().map(|(key, label)| (*key, &**label)).collect(),
            timestamp: Seconds(value.at),
            window: value.window.map(|window| window.as_secs()),
            value: value.quantity,
        })
        .collect();
    List { kind: "ExternalMetricValueList", api_version: "external.metrics.k8s.io/v1beta1", metadata: Empty {}, items }
}

/// A selector as an object, to be told back. Comparisons of numbers have no such form and are left out.
pub fn selector_object(selector: &LabelSelector) -> SelectorObject {
    let mut match_labels = BTreeMap::new();
    let mut match_expressions = Vec::new();
    for requirement in &selector.requirements {
        let operator = match (requirement.operator, requirement.values.as_slice()) {
            (Operator::In, [value]) => {
                match_labels.insert(requirement.key.clone(), value.clone());
                continue;
            }
            (Operator::In, _) => "In",
            (Operator::NotIn, _) => "NotIn",
            (Operator::Exists, _) => "Exists",
            (Operator::DoesNotExist, _) => "DoesNotExist",
            (Operator::GreaterThan | Operator::LessThan, _) => continue,
        };
        match_expressions.push(LabelSelectorRequirement {
            key: requirement.key.clone(),
            operator: operator.to_owned(),
            values: (!requirement.values.is_empty()).then(|| requirement.values.clone()),
        });
    }
    SelectorObject {
        match_labels: (!match_labels.is_empty()).then_some(match_labels),
        match_expressions: (!match_expressions.is_empty()).then_some(match_expressions),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct List<T> {
    kind: &'static str,
    api_version: &'static str,
    metadata: Empty,
    items: Vec<T>,
}

#[derive(Serialize)]
struct Empty {}

#[derive(Serialize)]
#[serde(untagged)]
enum CustomValue<'a> {
    #[serde(rename_all = "camelCase")]
    V1Beta1 {
        described_object: &'a DescribedObject<'a>,
        metric_name: &'a str,
        timestamp: Seconds,
        #[serde(skip_serializing_if = "Option::is_none")]
        window: Option<u64>,
        value: Quantity,
        selector: Option<&'a SelectorObject>,
    },
    #[serde(rename_all = "camelCase")]
    V1Beta2 {
        described_object: &'a DescribedObject<'a>,
        metric: Identifier<'a>,
        timestamp: Seconds,
        #[serde(skip_serializing_if = "Option::is_none")]
        window_seconds: Option<u64>,
        value: Quantity,
    },
}

#[derive(Serialize)]
struct Identifier<'a> {
    name: &'a str,
    selector: Option<&'a SelectorObject>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExternalValue<'a> {
    metric_name: &'a str,
    metric_labels: BTreeMap<&'a str, &'a str>,
    timestamp: Seconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<u64>,
    value: Quantity,
}

/// RFC 3339 in UTC, whole seconds.
struct Seconds(Timestamp);

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let whole = Timestamp::from_second(self.0.as_second()).unwrap_or(self.0);
        serializer.collect_str(&whole)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn item() -> CustomItem<'static> {
        CustomItem {
            object: DescribedObject { kind: "Pod", namespace: "shop", name: "web-1", api_version: "v1" },
            value: Value {
                quantity: Quantity::new(1.5).unwrap(),
                at: "2026-01-01T00:00:00.9Z".parse().unwrap(),
                window: Some(Duration::from_mins(1)),
                labels: vec![("zone", "DE".into())],
            },
        }
    }

    #[test]
    fn the_two_versions_differ_in_their_items() {
        let items = [item()];
        let object = json!({ "kind": "Pod", "namespace": "shop", "name": "web-1", "apiVersion": "v1" });
        let newer = json!(custom_list(CustomVersion::V1Beta2, "m", None, &items));
        assert_eq!(
            newer,
            json!({
                "kind": "MetricValueList", "apiVersion": "custom.metrics.k8s.io/v1beta2", "metadata": {},
                "items": [{
                    "describedObject": object, "metric": { "name": "m", "selector": null },
                    "timestamp": "2026-01-01T00:00:00Z", "windowSeconds": 60, "value": "1500m"
                }]
            })
        );
        let older = json!(custom_list(CustomVersion::V1Beta1, "m", None, &items));
        assert_eq!(
            older,
            json!({
                "kind": "MetricValueList", "apiVersion": "custom.metrics.k8s.io/v1beta1", "metadata": {},
                "items": [{
                    "describedObject": object, "metricName": "m", "selector": null,
                    "timestamp": "2026-01-01T00:00:00Z", "window": 60, "value": "1500m"
                }]
            })
        );
    }

    #[test]
    fn external_items_have_their_labels() {
        let values = [item().value];
        assert_eq!(
            json!(external_list("grid_carbon_intensity", &values)),
            json!({
                "kind": "ExternalMetricValueList", "apiVersion": "external.metrics.k8s.io/v1beta1", "metadata": {},
                "items": [{
                    "metricName": "grid_carbon_intensity", "metricLabels": { "zone": "DE" },
                    "timestamp": "2026-01-01T00:00:00Z", "window": 60, "value": "1500m"
                }]
            })
        );
    }

    #[test]
    fn values_are_picked_by_their_labels() {
        let value = item().value;
        let requirement = |key: &str, operator, values: &[&str]| LabelSelector {
            requirements: vec![aggregated_apiserver::selector::Requirement {
                key: key.to_owned(),
                operator,
                values: values.iter().map(ToString::to_string).collect(),
            }],
        };
        assert!(value.matches(&requirement("zone", Operator::In, &["DE", "FR"])));
        assert!(!value.matches(&requirement("zone", Operator::NotIn, &["DE"])));
        assert!(!value.matches(&requirement("link", Operator::Exists, &[])));
    }
}
