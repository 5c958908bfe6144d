//! Sources of loads against servers that answer, and servers that do not.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{Request, Response};
use jiff::Timestamp;
use kube::{Client, client::Body};
use kube_sci_metrics_adapter::{
    load::{LoadClients, LoadFault, LoadReport, Pollers},
    policy::{GreenScalingPolicySpec, Plan},
    table::PolicyKey,
};
use kube_sci_signals::config::HttpConfig;
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::timeout};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{method, path, query_param},
};

/// An API server that answers `GET` by path and query; whatever it does not know is not found.
#[derive(Clone, Default)]
struct Api(Arc<Mutex<BTreeMap<String, Value>>>);

impl Api {
    fn put(&self, path: &str, answer: Value) {
        self.0.lock().unwrap().insert(path.to_owned(), answer);
    }

    fn client(&self) -> Client {
        let api = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let known = api.0.lock().unwrap().get(&request.uri().to_string()).cloned();
            let missing = json!({
                "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404,
                "message": "the server could not find the requested resource"
            });
            let (status, body) = known.map_or((404, missing), |answer| (200, answer));
            let answer = Response::builder().status(status).body(Body::from(body.to_string().into_bytes())).unwrap();
            async move { Ok::<_, std::convert::Infallible>(answer) }
        });
        Client::new(service, "default")
    }
}

struct Asked {
    pollers: Pollers,
    reports: mpsc::Receiver<LoadReport>,
}

impl Asked {
    fn new(api: &Api, prometheus: &[(&str, HttpConfig)], load: Value) -> Self {
        kube_sci_server::config::install_crypto_provider();
        let services = prometheus.iter().map(|(name, config)| ((*name).to_owned(), config.clone())).collect();
        let clients = LoadClients::new(api.client(), &services, None).unwrap();
        let (mut pollers, reports) = Pollers::new(clients, Arc::new(Timestamp::now));
        let mut load = load;
        load["period"] = json!("1s");
        let spec: GreenScalingPolicySpec = serde_json::from_value(json!({
            "targetRef": { "name": "web" }, "load": load, "targetPerReplica": 100, "sloGuardPerReplica": 125,
            "curve": { "linear": { "from": 100, "to": 500, "minFactor": 0.7 } },
        }))
        .unwrap();
        let plan = Plan::new(&spec).unwrap();
        pollers.start(&PolicyKey::new("shop", "web"), 7, &spec, &plan.load);
        Self { pollers, reports }
    }

    async fn report(&mut self) -> LoadReport {
        let report = timeout(Duration::from_mins(1), self.reports.recv()).await;
        report.expect("no report in time").expect("the poller is there")
    }

    async fn value(&mut self) -> f64 {
        self.report().await.result.unwrap().sample.value
    }

    async fn fault(&mut self) -> LoadFault {
        self.report().await.result.unwrap_err()
    }
}

fn prometheus(query: &str) -> Value {
    json!({ "prometheus": { "query": query } })
}

fn scale(replicas: u32) -> Value {
    json!({
        "apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": { "name": "web", "namespace": "shop" },
        "spec": { "replicas": replicas }, "status": { "replicas": replicas, "selector": "app=web" },
    })
}

const SCALE: &str = "/apis/apps/v1/namespaces/shop/deployments/web/scale";

#[tokio::test]
async fn prometheus_is_asked_with_the_query_of_the_policy() {
    let server = MockServer::start().await;
    let answer = json!({ "status": "success", "data": { "resultType": "vector", "result": [
        { "metric": {}, "value": [Timestamp::now().as_second(), "812.5"] } ] } });
    Mock::given(method("GET"))
        .and(path("/api/v1/query"))
        .and(query_param("query", "sum(rate(requests_total{app=\"web\"}[2m]))"))
        .respond_with(ResponseTemplate::new(200).set_body_json(answer))
        .mount(&server)
        .await;
    let query = prometheus("sum(rate(requests_total{app=\"web\"}[2m]))");
    let mut asked = Asked::new(&Api::default(), &[("default", HttpConfig::new(server.uri()))], query);
    let report = asked.report().await;
    assert_eq!((report.revision, &*report.key.name), (7, "web"));
    let reading = report.result.unwrap();
    assert!((reading.sample.value - 812.5).abs() < 1e-9);
    assert_eq!(&*reading.source, "prometheus/default");
}

#[tokio::test]
async fn a_prometheus_that_is_gone_or_unknown_is_a_fault() {
    let gone = HttpConfig::new("http://127.0.0.1:1");
    assert_eq!(Asked::new(&Api::default(), &[("default", gone)], prometheus("up")).fault().await.kind(), "unreachable");
    let fault = Asked::new(&Api::default(), &[], prometheus("up")).fault().await;
    assert_eq!(fault.to_string(), "no Prometheus is configured as \"default\"");
}

#[tokio::test]
async fn a_prometheus_that_hangs_is_given_up() {
    let server = MockServer::start().await;
    let slow = ResponseTemplate::new(200).set_delay(Duration::from_secs(30));
    Mock::given(method("GET")).respond_with(slow).mount(&server).await;
    let config: HttpConfig = serde_json::from_value(json!({ "url": server.uri(), "timeout": "200ms" })).unwrap();
    assert!(matches!(
        Asked::new(&Api::default(), &[("default", config)], prometheus("up")).fault().await,
        LoadFault::Timeout(_)
    ));
}

#[tokio::test]
async fn faults_and_answers_follow_each_other() {
    let server = MockServer::start().await;
    let error = json!({ "status": "error", "errorType": "execution", "error": "query timed out" });
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(503).set_body_json(error))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    let answer = json!({ "status": "success", "data": { "resultType": "scalar", "result": [1, "NaN"] } });
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(200).set_body_json(answer))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    let answer = json!({ "status": "success", "data": { "resultType": "scalar", "result": [1, "5"] } });
    Mock::given(method("GET")).respond_with(ResponseTemplate::new(200).set_body_json(answer)).mount(&server).await;
    let mut asked = Asked::new(&Api::default(), &[("default", HttpConfig::new(server.uri()))], prometheus("up"));
    assert_eq!(asked.fault().await.to_string(), "execution: query timed out");
    assert_eq!(asked.fault().await.kind(), "not_finite");
    assert!((asked.value().await - 5.0).abs() < 1e-9);
    asked.pollers.stop(&PolicyKey::new("shop", "web"));
    assert!(asked.pollers.is_empty());
}

#[tokio::test]
async fn cpu_of_the_pods_is_added_up() {
    let api = Api::default();
    api.put(SCALE, scale(2));
    let pods = "/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods?labelSelector=app%3Dweb";
    let pod = |cpu: &str| {
        json!({
            "metadata": { "name": "p" }, "timestamp": "2026-01-31T12:00:00Z", "window": "15s",
            "containers": [{ "name": "c", "usage": { "cpu": cpu, "memory": "1Gi" } }],
        })
    };
    api.put(pods, json!({ "items": [pod("1500m"), pod("250000000n")] }));
    let load = json!({ "metric": { "type": "Resource", "name": "cpu" } });
    let mut asked = Asked::new(&api, &[], load.clone());
    let reading = asked.report().await.result.unwrap();
    assert!((reading.sample.value - 1.75).abs() < 1e-9);
    assert_eq!(reading.sample.at.to_string(), "2026-01-31T12:00:00Z", "as old as the metrics are");
    api.put(pods, json!({ "items": [pod("1500m")] }));
    assert!(matches!(asked.fault().await, LoadFault::Partial { answered: 1, expected: 2, .. }));
}

#[tokio::test]
async fn metrics_of_pods_and_objects_come_from_the_version_that_is_there() {
    let api = Api::default();
    api.put(SCALE, scale(1));
    let item = json!({ "value": "1500m", "timestamp": "2026-01-31T12:00:00Z" });
    let path = "/apis/custom.metrics.k8s.io/v1beta1/namespaces/shop/pods/*/rps\
                ?labelSelector=app%3Dweb&metricLabelSelector=verb%3DGET";
    api.put(path, json!({ "items": [item] }));
    let load = json!({ "metric": { "type": "Pods", "name": "rps", "selector": { "matchLabels": { "verb": "GET" } } } });
    assert!((Asked::new(&api, &[], load).value().await - 1.5).abs() < 1e-9);

    let path = "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/deployments.apps/front/rps";
    api.put(path, json!({ "items": [item] }));
    let object = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "front" });
    let load = json!({ "metric": { "type": "Object", "name": "rps", "describedObject": object } });
    assert!((Asked::new(&api, &[], load.clone()).value().await - 1.5).abs() < 1e-9);
    api.put(path, json!({ "items": [item, item] }));
    assert_eq!(Asked::new(&api, &[], load).fault().await, LoadFault::Ambiguous(2));
}

#[tokio::test]
async fn external_metrics_are_added_up_and_their_absence_is_no_zero() {
    let api = Api::default();
    let load = json!({ "metric": { "type": "External", "name": "queue_length" } });
    let refused = Asked::new(&api, &[], load.clone()).fault().await;
    assert_eq!(refused.to_string(), "the server could not find the requested resource");
    let path = "/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/queue_length";
    api.put(path, json!({ "items": [] }));
    assert_eq!(Asked::new(&api, &[], load.clone()).fault().await.kind(), "nothing");
    api.put(path, json!({ "items": [{ "value": "3" }, { "value": "4k" }] }));
    assert!((Asked::new(&api, &[], load).value().await - 4_003.0).abs() < 1e-9);
}

#[tokio::test]
async fn a_target_that_does_not_exist_is_named() {
    let load = json!({ "metric": { "type": "Pods", "name": "rps" } });
    let fault = Asked::new(&Api::default(), &[], load).fault().await;
    assert!(matches!(&fault, LoadFault::Target(text) if text.starts_with("Deployment web cannot be read")), "{fault}");
}

/// Pods whose pages are all on this machine, at one port.
fn pods(names: &[&str], started: &str) -> Value {
    let pod = |name: &&str| {
        json!({
            "metadata": { "name": name, "uid": name },
            "status": {
                "phase": "Running", "podIP": "127.0.0.1", "conditions": [{ "type": "Ready", "status": "True" }],
                "containerStatuses": [{ "state": { "running": { "startedAt": started } } }],
            },
        })
    };
    json!({ "items": names.iter().map(pod).collect::<Vec<_>>() })
}

const PODS: &str = "/api/v1/namespaces/shop/pods?labelSelector=app%3Dweb&resourceVersion=0";

fn page(count: f64) -> ResponseTemplate {
    let text = format!(
        "# TYPE requests counter\nrequests_total{{code=\"200\"}} {count}\nrequests_total{{code=\"500\"}} 7\nother_total 9\n# EOF\n"
    );
    ResponseTemplate::new(200).set_body_raw(text, "application/openmetrics-text; version=1.0.0")
}

#[tokio::test]
async fn pages_of_pods_become_a_rate() {
    let server = MockServer::start().await;
    let (api, port) = (Api::default(), server.address().port());
    api.put(SCALE, scale(1));
    api.put(PODS, pods(&["a"], "2026-01-01T00:00:00Z"));
    Mock::given(path("/metrics")).respond_with(page(1_000.0)).up_to_n_times(1).mount(&server).await;
    Mock::given(path("/metrics")).respond_with(page(1_500.0)).mount(&server).await;
    let load = json!({ "pods": { "port": port, "metric": "requests_total", "matchLabels": { "code": "200" } } });
    let mut asked = Asked::new(&api, &[], load);
    assert_eq!(asked.fault().await, LoadFault::FirstReading);
    // 500 in half a second or more, on a machine that may be busy.
    let rate = asked.value().await;
    assert!(rate > 5.0 && rate < 1_050.0, "{rate}");
}

#[tokio::test]
async fn a_page_that_is_none_and_a_pod_that_is_gone_are_told() {
    let server = MockServer::start().await;
    let (api, port) = (Api::default(), server.address().port());
    api.put(SCALE, scale(1));
    api.put(PODS, pods(&["a"], "2026-01-01T00:00:00Z"));
    Mock::given(path("/metrics"))
        .respond_with(ResponseTemplate::new(200).set_body_string("<html>\n"))
        .mount(&server)
        .await;
    let load = json!({ "pods": { "port": port, "metric": "requests_total" } });
    let mut asked = Asked::new(&api, &[], load);
    let fault = asked.fault().await.to_string();
    assert!(fault.contains("0 of 1 pods answer") && fault.contains("no metrics page"), "{fault}");
    api.put(PODS, pods(&[], ""));
    assert_eq!(asked.fault().await.to_string(), "the workload has no ready pods");
}

#[tokio::test]
async fn gauges_of_pods_are_added_up() {
    let server = MockServer::start().await;
    let (api, port) = (Api::default(), server.address().port());
    api.put(SCALE, scale(2));
    api.put(PODS, pods(&["a", "b"], "2026-01-01T00:00:00Z"));
    Mock::given(path("/stats")).respond_with(page(40.0)).mount(&server).await;
    let load =
        json!({ "queue": { "pods": { "port": port, "path": "/stats", "metric": "requests_total", "kind": "value" } } });
    assert!((Asked::new(&api, &[], load).value().await - 94.0).abs() < 1e-9, "2 x (40 + 7)");
}

#[tokio::test]
async fn samples_that_say_that_they_are_old_are_no_load() {
    let server = MockServer::start().await;
    let (api, port) = (Api::default(), server.address().port());
    api.put(SCALE, scale(1));
    api.put(PODS, pods(&["a"], "2026-01-01T00:00:00Z"));
    let aged = |seconds: u64| {
        let at = (Timestamp::now() - Duration::from_secs(seconds)).as_millisecond();
        ResponseTemplate::new(200).set_body_raw(format!("queue_length 40 {at}\n"), "text/plain; version=0.0.4")
    };
    Mock::given(path("/metrics")).respond_with(aged(20)).up_to_n_times(1).mount(&server).await;
    Mock::given(path("/metrics")).respond_with(aged(600)).mount(&server).await;
    let load = json!({
        "queue": { "pods": { "port": port, "metric": "queue_length", "kind": "value" } }, "staleAfter": "1m",
    });
    let mut asked = Asked::new(&api, &[], load);
    let fresh = asked.report().await;
    let age = fresh.asked_at.duration_since(fresh.result.unwrap().sample.at).as_secs();
    assert!((15..=21).contains(&age), "{age} s");
    let fault = asked.fault().await.to_string();
    assert!(fault.contains("0 of 1 pods answer") && fault.contains("s old, more than 60 s are too old"), "{fault}");
}
