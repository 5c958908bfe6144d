//! The objects of a case, and what its metrics are called.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::Pod;
use sci_core::scaling::hpa::{Behavior, MetricSpec, PolicyType, ResourceTarget, Rules, SelectPolicy, Target};
use serde_json::{Value, json};

use super::{Case, Extra};
use crate::scripted_metrics::Question;

/// Objects that Object metrics are about. They need not exist, their kind must.
const OBJECT: (&str, &str, &str) = ("v1", "ConfigMap", "configmaps");
/// The simulated node that all pods run on.
pub(super) const NODE: &str = "hpa-recorder";
const APP: &str = "app";

/// What the controller asks for a metric of a case.
pub(super) fn question(namespace: &str, case: &Case, place: usize) -> Option<Question> {
    let namespace = namespace.to_owned();
    let metric = metric_name(case, place);
    Some(match case.spec.metrics.get(place)? {
        MetricSpec::Object { .. } => {
            Question::Object { namespace, resource: OBJECT.2.to_owned(), name: case.name.clone(), metric }
        }
        MetricSpec::External { .. } => Question::External { namespace, metric },
        MetricSpec::Pods { .. } => Question::Pods { namespace, metric },
        MetricSpec::Resource { .. } | MetricSpec::ContainerResource { .. } => {
            Question::Usage { namespace, app: case.name.clone() }
        }
    })
}

/// The resource that a metric is about, where it is one.
pub(super) fn resource(metric: &MetricSpec) -> Option<&str> {
    match metric {
        MetricSpec::Resource { name, .. } | MetricSpec::ContainerResource { name, .. } => Some(name),
        MetricSpec::Object { .. } | MetricSpec::External { .. } | MetricSpec::Pods { .. } => None,
    }
}

pub(super) fn deployment(case: &Case) -> serde_json::Result<Deployment> {
    let labels = json!({ APP: case.name });
    serde_json::from_value(json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": case.name },
        "spec": {
            "replicas": case.replicas,
            "selector": { "matchLabels": labels },
            "template": { "metadata": { "labels": labels }, "spec": pod_spec(case, Some(NODE)) },
        },
    }))
}

/// A pod beside those of the deployment. It belongs to somebody else, so that no controller takes it in.
pub(super) fn extra(case: &Case, place: usize, kind: Extra, owner_uid: &str) -> serde_json::Result<Pod> {
    let node = (kind != Extra::Pending).then_some(NODE);
    let owner = json!({ "apiVersion": "v1", "kind": OBJECT.1, "name": NODE, "uid": owner_uid, "controller": true });
    serde_json::from_value(json!({
        "apiVersion": "v1",
        "kind": "Pod",
        // Sorted behind the pods of the deployment.
        "metadata": { "name": format!("{}-x{place}", case.name), "labels": { APP: case.name }, "ownerReferences": [owner] },
        "spec": pod_spec(case, node),
    }))
}

pub(super) fn autoscaler(case: &Case) -> serde_json::Result<HorizontalPodAutoscaler> {
    let metrics = case.spec.metrics.iter().enumerate();
    let metrics: Vec<Value> = metrics.map(|(place, metric)| metric_spec(case, place, metric)).collect();
    let mut object = json!({
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": { "name": case.name },
        "spec": {
            "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": case.name },
            "minReplicas": case.spec.min_replicas,
            "maxReplicas": case.spec.max_replicas,
            "metrics": metrics,
        },
    });
    if let (Some(own), Some(spec)) = (&case.spec.behavior, object.get_mut("spec").and_then(Value::as_object_mut)) {
        spec.insert("behavior".to_owned(), behavior(own));
    }
    serde_json::from_value(object)
}

fn pod_spec(case: &Case, node: Option<&str>) -> Value {
    let requests = case.request_milli.map(|milli| json!({ "cpu": quantity(milli), "memory": quantity(milli) }));
    json!({
        "nodeName": node,
        "terminationGracePeriodSeconds": 0,
        "containers": [{ "name": "main", "image": "example.invalid/work", "resources": { "requests": requests } }],
    })
}

fn metric_spec(case: &Case, place: usize, metric: &MetricSpec) -> Value {
    let identifier = json!({ "name": metric_name(case, place) });
    match metric {
        MetricSpec::Object { target } => {
            let about = json!({ "apiVersion": OBJECT.0, "kind": OBJECT.1, "name": case.name });
            json!({ "type": "Object", "object": { "describedObject": about, "metric": identifier, "target": amount(*target) } })
        }
        MetricSpec::External { target } => {
            json!({ "type": "External", "external": { "metric": identifier, "target": amount(*target) } })
        }
        MetricSpec::Pods { average_value_milli } => {
            let target = amount(Target::AverageValueMilli(*average_value_milli));
            json!({ "type": "Pods", "pods": { "metric": identifier, "target": target } })
        }
        MetricSpec::Resource { name, target } => {
            json!({ "type": "Resource", "resource": { "name": name, "target": share(*target) } })
        }
        MetricSpec::ContainerResource { name, target } => {
            let own = json!({ "name": name, "container": "main", "target": share(*target) });
            json!({ "type": "ContainerResource", "containerResource": own })
        }
    }
}

fn metric_name(case: &Case, place: usize) -> String {
    format!("{}-m{place}", case.name)
}

fn amount(target: Target) -> Value {
    match target {
        Target::ValueMilli(milli) => json!({ "type": "Value", "value": quantity(milli) }),
        Target::AverageValueMilli(milli) => json!({ "type": "AverageValue", "averageValue": quantity(milli) }),
    }
}

fn share(target: ResourceTarget) -> Value {
    match target {
        ResourceTarget::AverageUtilization(percent) => json!({ "type": "Utilization", "averageUtilization": percent }),
        ResourceTarget::AverageValueMilli(milli) => amount(Target::AverageValueMilli(milli)),
    }
}

fn behavior(behavior: &Behavior) -> Value {
    json!({ "scaleUp": rules(&behavior.scale_up), "scaleDown": rules(&behavior.scale_down) })
}

fn rules(rules: &Rules) -> Value {
    let policies = rules.policies.as_ref().map(|policies| {
        let policy = |policy: &sci_core::scaling::hpa::ChangePolicy| {
            let kind = match policy.kind {
                PolicyType::Pods => "Pods",
                PolicyType::Percent => "Percent",
            };
            json!({ "type": kind, "value": policy.value, "periodSeconds": policy.period_seconds })
        };
        policies.iter().map(policy).collect::<Vec<_>>()
    });
    let select = rules.select_policy.map(|select| match select {
        SelectPolicy::Max => "Max",
        SelectPolicy::Min => "Min",
        SelectPolicy::Disabled => "Disabled",
    });
    json!({
        "stabilizationWindowSeconds": rules.stabilization_window_seconds,
        "selectPolicy": select,
        "policies": policies,
        "tolerance": rules.tolerance.map(|tolerance| tolerance.to_string()),
    })
}

fn quantity(milli: i64) -> String {
    format!("{milli}m")
}
