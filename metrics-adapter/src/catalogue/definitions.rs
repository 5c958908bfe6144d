//! Schemas of the answers, for `kubectl explain` and for clients that generate code.

use aggregated_apiserver::Definition;
use serde_json::{Value, json};

use super::{CUSTOM, EXTERNAL, EXTERNAL_VERSION};
use crate::serve::body::CustomVersion;

/// Schemas of the kinds served.
pub fn definitions() -> Vec<Definition> {
    let mut all: Vec<Definition> = CustomVersion::ALL.into_iter().map(custom).collect();
    let item = object(json!({
        "metricName": text("Name of the metric."),
        "metricLabels": { "type": "object", "additionalProperties": { "type": "string" },
            "description": "What tells the series apart: zone, provider, region, link, quality." },
        "timestamp": time(),
        "window": window(),
        "value": quantity(),
    }));
    all.push(list("io.k8s.metrics.external_metrics", EXTERNAL, EXTERNAL_VERSION, "ExternalMetricValueList", &item));
    all
}

fn custom(version: CustomVersion) -> Definition {
    let mut fields = json!({
        "describedObject": object(json!({
            "kind": text("Kind of the object."),
            "namespace": text("Its namespace; none for nodes and namespaces."),
            "name": text("Its name."),
            "apiVersion": text("Its group and version."),
        })),
        "timestamp": time(),
        "value": quantity(),
    });
    let selector = json!({ "type": "object", "description": "The selector that was asked with." });
    let further = match version {
        CustomVersion::V1Beta1 => {
            json!({ "metricName": text("Name of the metric."), "selector": selector, "window": window() })
        }
        CustomVersion::V1Beta2 => json!({
            "metric": object(json!({ "name": text("Name of the metric."), "selector": selector })),
            "windowSeconds": window(),
        }),
    };
    if let (Value::Object(fields), Value::Object(further)) = (&mut fields, further) {
        fields.extend(further);
    }
    list("io.k8s.metrics.custom_metrics", CUSTOM, version.as_str(), "MetricValueList", &object(fields))
}

fn list(prefix: &str, group: &str, version: &str, kind: &str, item: &Value) -> Definition {
    let mut schema = object(json!({
        "apiVersion": text("Group and version of this list."),
        "kind": text("Kind of this list."),
        "metadata": { "type": "object" },
        "items": { "type": "array", "items": item, "description": "The values." },
    }));
    if let Value::Object(schema) = &mut schema {
        schema.insert("description".to_owned(), json!("Values of one metric."));
        schema.insert("required".to_owned(), json!(["items"]));
    }
    Definition {
        name: format!("{prefix}.{version}.{kind}"),
        group: group.to_owned(),
        version: version.to_owned(),
        kind: kind.to_owned(),
        schema,
    }
}

fn object(properties: Value) -> Value {
    let mut object = serde_json::Map::new();
    object.insert("type".to_owned(), json!("object"));
    object.insert("properties".to_owned(), properties);
    Value::Object(object)
}

fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

fn time() -> Value {
    json!({ "type": "string", "format": "date-time", "description": "When the value was so." })
}

fn window() -> Value {
    json!({ "type": "integer", "format": "int64", "description": "Seconds that the value speaks of." })
}

fn quantity() -> Value {
    json!({ "type": "string", "description": "The value, as a Kubernetes quantity." })
}
