//! From a request to an answer.

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::script::{Question, Said, Sample, Script};
use crate::aggregation::GroupVersion;

const CUSTOM: &str = "custom.metrics.k8s.io";
const EXTERNAL: &str = "external.metrics.k8s.io";
const RESOURCE: &str = "metrics.k8s.io";
const USAGE_VERSION: &str = "v1beta1";
/// Starts the label selector of the pods of a deployment.
const APP: &str = "app=";

/// Everything that is served.
pub(super) fn groups() -> impl Iterator<Item = GroupVersion> {
    GroupVersion::of_metrics().into_iter().chain([usage()])
}

/// The use of pods.
pub(super) fn usage() -> GroupVersion {
    GroupVersion::new(RESOURCE, USAGE_VERSION, 100)
}

pub(super) fn answer<B>(script: &mut Script, request: &Request<B>) -> Response<Full<Bytes>> {
    let uri = request.uri();
    let path: Vec<&str> = uri.path().trim_matches('/').split('/').collect();
    let accepted = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match path.as_slice() {
        // It is read from below instead.
        ["apis"] if accepted.contains("g=apidiscovery.k8s.io") => refusal(406, "only the older discovery is served"),
        ["apis"] => respond(StatusCode::OK, &group_list()),
        ["apis", group, version] => match resources(group, version) {
            Some(resources) => respond(StatusCode::OK, &resources),
            None => refusal(404, "no such version"),
        },
        ["apis", group, version, rest @ ..] => metric(script, group, version, rest, uri.query().unwrap_or_default()),
        _other => refusal(404, "not served"),
    }
}

fn group_list() -> Value {
    let mut groups: Vec<Value> = Vec::new();
    for group in [CUSTOM, EXTERNAL, RESOURCE] {
        let versions = groups_of(group);
        groups.push(json!({ "name": group, "versions": versions, "preferredVersion": versions.first() }));
    }
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })
}

fn groups_of(group: &str) -> Vec<Value> {
    let own = groups().filter(|version| version.group == group);
    own.map(|own| json!({ "groupVersion": format!("{group}/{}", own.version), "version": own.version })).collect()
}

fn resources(group: &str, version: &str) -> Option<Value> {
    groups().find(|own| own.group == group && own.version == version)?;
    let resource = |name: &str, kind: &str, verbs: &[&str]| json!({ "name": name, "singularName": "", "namespaced": true, "kind": kind, "verbs": verbs });
    let served = match group {
        CUSTOM => resource("pods/scripted", "MetricValueList", &["get"]),
        EXTERNAL => resource("scripted", "ExternalMetricValueList", &["get"]),
        _usage => resource("pods", "PodMetrics", &["get", "list"]),
    };
    let group_version = format!("{group}/{version}");
    Some(json!({ "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": [served] }))
}

fn metric(script: &mut Script, group: &str, version: &str, rest: &[&str], query: &str) -> Response<Full<Bytes>> {
    let owned = |text: &&str| (*text).to_owned();
    let question = match (group, rest) {
        (CUSTOM, ["namespaces", namespace, "pods", "*" | "%2A", metric]) => {
            Question::Pods { namespace: owned(namespace), metric: owned(metric) }
        }
        (CUSTOM, ["namespaces", namespace, resource, name, metric]) => Question::Object {
            namespace: owned(namespace),
            resource: owned(resource),
            name: owned(name),
            metric: owned(metric),
        },
        (EXTERNAL, ["namespaces", namespace, metric]) => {
            Question::External { namespace: owned(namespace), metric: owned(metric) }
        }
        (RESOURCE, ["namespaces", namespace, "pods"]) => {
            Question::Usage { namespace: owned(namespace), app: app_of(query) }
        }
        _other => return refusal(404, "no such metric"),
    };
    match script.ask(question.clone(), Timestamp::now()) {
        Said::Refusal(status, message) => refusal(status, &message),
        Said::Samples(samples) => respond(StatusCode::OK, &list(group, version, &question, &samples)),
    }
}

/// The value of the label `app` in a query's `labelSelector`.
fn app_of(query: &str) -> String {
    let decoded = query.replace("%3D", "=").replace("%3d", "=").replace("%2C", ",").replace("%2c", ",");
    let selector = decoded.split('&').find_map(|pair| pair.strip_prefix("labelSelector="));
    let requirements = selector.unwrap_or_default().split(',');
    requirements.into_iter().find_map(|requirement| requirement.strip_prefix(APP)).unwrap_or_default().to_owned()
}

fn list(group: &str, version: &str, question: &Question, samples: &[Sample]) -> Value {
    let items = samples.iter().map(|sample| item(version, question, sample));
    let items: Vec<Value> = items.collect();
    let kind = match question {
        Question::External { .. } => "ExternalMetricValueList",
        Question::Usage { .. } => "PodMetricsList",
        Question::Object { .. } | Question::Pods { .. } => "MetricValueList",
    };
    json!({ "kind": kind, "apiVersion": format!("{group}/{version}"), "metadata": {}, "items": items })
}

fn item(version: &str, question: &Question, sample: &Sample) -> Value {
    let at = seconds(sample.at);
    let value = format!("{}m", sample.single());
    match question {
        Question::External { metric, .. } => {
            json!({ "metricName": metric, "metricLabels": {}, "timestamp": at, "window": sample.window_seconds, "value": value })
        }
        Question::Usage { namespace, app } => {
            let usage = sample.milli.iter().map(|(resource, milli)| (resource.clone(), json!(format!("{milli}m"))));
            let usage: serde_json::Map<String, Value> = usage.collect();
            json!({
                "metadata": { "name": sample.pod, "namespace": namespace, "labels": { "app": app } },
                "timestamp": at,
                "window": format!("{}s", sample.window_seconds),
                "containers": [{ "name": "main", "usage": usage }],
            })
        }
        Question::Object { namespace, name, metric, .. } => {
            described(version, "Object", namespace, name, metric, sample)
        }
        Question::Pods { namespace, metric } => described(version, "Pod", namespace, &sample.pod, metric, sample),
    }
}

/// The two versions differ in how they name the metric and the window.
fn described(version: &str, kind: &str, namespace: &str, name: &str, metric: &str, sample: &Sample) -> Value {
    let mut item = json!({
        "describedObject": { "kind": kind, "namespace": namespace, "name": name, "apiVersion": "v1" },
        "timestamp": seconds(sample.at),
        "value": format!("{}m", sample.single()),
    });
    let (identifier, window) = if version == "v1beta1" {
        (("metricName", json!(metric)), "window")
    } else {
        (("metric", json!({ "name": metric, "selector": null })), "windowSeconds")
    };
    if let Some(item) = item.as_object_mut() {
        item.insert(identifier.0.to_owned(), identifier.1);
        item.insert(window.to_owned(), json!(sample.window_seconds));
    }
    item
}

/// As Kubernetes writes instants.
fn seconds(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn refusal(status: u16, message: &str) -> Response<Full<Bytes>> {
    let code = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let reason = match code {
        StatusCode::NOT_FOUND => "NotFound",
        StatusCode::NOT_ACCEPTABLE => "NotAcceptable",
        _other => "InternalError",
    };
    let body = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
        "reason": reason, "code": status });
    respond(code, &body)
}

fn respond(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(script: &mut Script, path: &str) -> StatusCode {
        answer(script, &Request::get(path).body(()).unwrap()).status()
    }

    #[test]
    fn what_is_scripted_is_answered_and_all_else_is_refused() {
        let mut script = Script::default();
        let question = Question::Object {
            namespace: "shop".to_owned(),
            resource: "deployments.apps".to_owned(),
            name: "web".to_owned(),
            metric: "load".to_owned(),
        };
        let path = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/deployments.apps/web/load";
        assert_eq!(asked(&mut script, path), StatusCode::NOT_FOUND);
        script.set(question.clone(), Said::Samples(vec![Sample::of(1_500)]));
        assert_eq!(asked(&mut script, path), StatusCode::OK);
        script.set(question.clone(), Said::Refusal(503, "down".to_owned()));
        assert_eq!(asked(&mut script, path), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(script.asked(&question).len(), 3);
        assert_eq!(asked(&mut script, "/apis/custom.metrics.k8s.io/v1beta2"), StatusCode::OK);
        assert_eq!(asked(&mut script, "/apis/custom.metrics.k8s.io/v3"), StatusCode::NOT_FOUND);
        assert_eq!(asked(&mut script, "/openapi/v2"), StatusCode::NOT_FOUND);
    }

    #[test]
    fn bodies_have_the_shapes_of_each_group_and_version() {
        let sample = Sample::of(1_500).taken(Timestamp::UNIX_EPOCH, 30);
        let pods = Question::Pods { namespace: "shop".to_owned(), metric: "rps".to_owned() };
        let older = list(CUSTOM, "v1beta1", &pods, &[Sample { pod: "a".to_owned(), ..sample.clone() }]);
        assert_eq!(older["items"][0]["metricName"], "rps");
        assert_eq!(older["items"][0]["window"], 30);
        assert_eq!(older["items"][0]["value"], "1500m");
        assert_eq!(older["items"][0]["timestamp"], "1970-01-01T00:00:00Z");
        let newer = list(CUSTOM, "v1beta2", &pods, std::slice::from_ref(&sample));
        assert_eq!(newer["items"][0]["metric"]["name"], "rps");
        assert_eq!(newer["items"][0]["windowSeconds"], 30);
        let usage = Question::Usage { namespace: "shop".to_owned(), app: "web".to_owned() };
        let used = list(RESOURCE, "v1beta1", &usage, &[Sample::usage("a", "cpu", 250).taken(sample.at, 15)]);
        assert_eq!(used["items"][0]["containers"][0]["usage"]["cpu"], "250m");
        assert_eq!(used["items"][0]["window"], "15s");
    }

    #[test]
    fn the_app_of_a_selector_is_found_however_it_is_escaped() {
        assert_eq!(app_of("labelSelector=app%3Dweb"), "web");
        assert_eq!(app_of("limit=500&labelSelector=tier%3Da%2Capp%3Dweb-2&resourceVersion=0"), "web-2");
        assert_eq!(app_of(""), "");
    }
}
