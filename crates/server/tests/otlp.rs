//! Logs and export with the process-wide subscriber. It can be installed only once, so this is one test with an
//! in-process collector.

use kube_sci_server::{
    config::{self, OtlpConfig, TelemetryConfig},
    http::Shared,
    metrics::{MetricsRegistry, Spec, Unit},
    telemetry,
};
use prometheus_client::metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers};

use crate::support::{Running, client, in_time, loopback, routes, shared};

/// Whether a protobuf message holds a string; strings are stored as they are.
fn holds(body: &[u8], text: &str) -> bool {
    body.windows(text.len()).any(|window| window == text.as_bytes())
}

/// A field of a protobuf message that holds up to 127 bytes.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, u8::try_from(content.len()).unwrap()], content].concat()
}

/// The end of an OTLP data point as protobuf writes it: field 4 is the value as a double, field 7 an attribute, which
/// is a key and a value that is a string.
fn data_point(value: f64, attribute: Option<(&str, &str)>) -> Vec<u8> {
    let attribute = attribute
        .map(|(key, text)| field(7, &[field(1, key.as_bytes()), field(2, &field(1, text.as_bytes()))].concat()));
    [vec![4 << 3 | 1], value.to_le_bytes().to_vec(), attribute.unwrap_or_default()].concat()
}

/// Whether the push holds a metric with this name, unit and data point. Name and unit are fields 1 and 3 of the metric,
/// with the description between them; its data follow.
fn holds_metric(push: &[u8], name: &str, unit: Option<&str>, point: &[u8]) -> bool {
    let unit = unit.map(|unit| field(3, unit.as_bytes())).unwrap_or_default();
    let head = [field(1, name.as_bytes()), field(2, b"A figure."), unit].concat();
    let Some(start) = push.windows(head.len()).position(|window| window == head) else { return false };
    // Up to the next metric with this description.
    let data = &push[start + head.len()..];
    let end = data.windows(9).position(|window| window == b"A figure.").unwrap_or(data.len());
    data[..end].windows(point.len()).any(|window| window == point)
}

/// A registry with a metric of each type.
fn filled_registry() -> MetricsRegistry {
    let registry = MetricsRegistry::new("otlp-test", "1.2.3");
    let spec = |name, unit| Spec { name, unit, labels: &[], help: "A figure" };
    let refused = Family::<Vec<(&str, &str)>, Counter>::default();
    refused.get_or_create(&vec![("reason", "too \"dirty\"\n")]).inc_by(41);
    let memory = Gauge::<i64>::default();
    memory.set(1234);
    let wait = Histogram::new([0.1]);
    wait.observe(0.25);
    wait.observe(0.5);
    registry.register(spec("t_refused", None), refused);
    registry.register(spec("t_memory", Some(Unit::Bytes)), memory);
    registry.register(spec("t_wait", Some(Unit::Seconds)), wait);
    registry
}

async fn bodies(collector: &MockServer, path: &str) -> Vec<Vec<u8>> {
    let requests = collector.received_requests().await.unwrap();
    requests.into_iter().filter(|request| request.url.path() == path).map(|request| request.body).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_and_metrics_of_requests_arrive_and_the_level_changes_over_http() {
    config::install_crypto_provider();
    let collector = MockServer::start().await;
    Mock::given(matchers::method("POST")).respond_with(ResponseTemplate::new(200)).mount(&collector).await;
    let otlp = OtlpConfig { sample_ratio: 1.0, ..OtlpConfig::new(collector.uri()) };
    let config = TelemetryConfig { otlp: Some(otlp), ..TelemetryConfig::default() };
    let telemetry = telemetry::init(&config, "otlp-test").unwrap();
    let reporting = Shared { registry: filled_registry(), telemetry: telemetry.clone(), ..shared() };
    let running = Running::start_with(&loopback(), reporting, routes);

    let trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
    let traceparent = format!("00-{trace_id}-00f067aa0ba902b7-01");
    client().get(running.url("/items/7")).header("traceparent", traceparent).send().await.unwrap();

    let level = || async { client().get(running.url("/log-level")).send().await.unwrap().text().await.unwrap() };
    assert_eq!(level().await, "info");
    let change = |to: &'static str| client().put(running.url("/log-level")).body(to).send();
    assert_eq!(change("warn,kube=info").await.unwrap().status(), 200);
    assert_eq!(level().await, "kube=info,warn");
    assert_eq!(change("loud=louder").await.unwrap().status(), 400);
    assert_eq!(level().await, "kube=info,warn");

    in_time("flush", telemetry.shutdown()).await.unwrap();
    let spans = bodies(&collector, "/v1/traces").await.concat();
    assert!(holds(&spans, "GET /items/{id}") && holds(&spans, "otlp-test"), "no span of the request");
    let parent: Vec<u8> = (0..16).map(|i| u8::from_str_radix(&trace_id[2 * i..2 * i + 2], 16).unwrap()).collect();
    assert!(spans.windows(16).any(|window| window == parent), "the caller's trace was not continued");
    let figures = bodies(&collector, "/v1/metrics").await.concat();
    assert!(holds(&figures, "http.server.request.duration") && holds(&figures, "/items/{id}"), "no request metric");

    let refused = data_point(41.0, Some(("reason", "too \"dirty\"\n")));
    assert!(holds_metric(&figures, "t_refused", None, &refused), "no counter");
    assert!(holds_metric(&figures, "t_memory_bytes", Some("By"), &data_point(1234.0, None)), "no gauge");
    assert!(holds_metric(&figures, "t_wait_seconds_count", None, &data_point(2.0, None)), "no count of a histogram");
    assert!(holds_metric(&figures, "t_wait_seconds_sum", Some("s"), &data_point(0.75, None)), "no sum of a histogram");
    assert!(holds(&figures, "kube_sci_http_requests_in_flight"), "no metric of the listener");
}
