//! Logs and export with the process-wide subscriber. It can be installed only once, so this is one test with an
//! in-process collector.

use kube_sci_server::{
    config::{self, OtlpConfig, TelemetryConfig},
    http::Shared,
    telemetry,
};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers};

use crate::support::{Running, client, in_time, loopback, routes, shared};

/// Whether a protobuf message holds a string; strings are stored as they are.
fn holds(body: &[u8], text: &str) -> bool {
    body.windows(text.len()).any(|window| window == text.as_bytes())
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
    let running = Running::start_with(&loopback(), Shared { telemetry: telemetry.clone(), ..shared() }, routes);

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
}
