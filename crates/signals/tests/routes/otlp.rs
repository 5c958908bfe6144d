//! Points pushed with a real client.

use std::net::TcpListener;

use jiff::Timestamp;
use kube_sci_signals::energy::{EnergySource, Exporter, otlp};
use opentelemetry_proto::tonic::{
    collector::metrics::v1::{ExportMetricsServiceRequest, metrics_service_client::MetricsServiceClient},
    common::v1::{AnyValue, KeyValue, any_value},
    metrics::v1::{
        AggregationTemporality, Gauge, Histogram, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum as SumOf,
        metric, number_data_point,
    },
    resource::v1::Resource,
};

use super::{Sum, assert_near, at, config, directory, float, no_client, source, start};

type Client = MetricsServiceClient<tonic::transport::Channel>;

/// A source that listens, and a client that is connected to it.
async fn pushed(nodes: &[&str], max_points: usize) -> (Box<dyn EnergySource>, Client) {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let otlp = format!("{{ address: \"{address}\", maxPoints: {max_points} }}");
    let config = config(&format!("{{ name: pushed, period: 15s, exporters: [alumet, kepler], otlp: {otlp} }}"));
    let mut source = source(&config, &no_client(), &directory(nodes));
    source.poll(start()).await.unwrap();
    (source, Client::connect(format!("http://{address}")).await.unwrap())
}

fn text(key: &str, value: &str) -> KeyValue {
    let value = AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) };
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}

fn point(value: f64, at: Timestamp, attributes: &[(&str, &str)]) -> NumberDataPoint {
    NumberDataPoint {
        attributes: attributes.iter().map(|(key, value)| text(key, value)).collect(),
        time_unix_nano: u64::try_from(at.as_nanosecond()).unwrap(),
        value: Some(number_data_point::Value::AsDouble(value)),
        ..NumberDataPoint::default()
    }
}

fn rapl(domain: &str, joules: f64, at: Timestamp) -> NumberDataPoint {
    point(joules, at, &[("domain", domain), ("resource_kind", "local_machine"), ("resource_consumer_kind", "")])
}

fn gauge(name: &str, data_points: Vec<NumberDataPoint>) -> Metric {
    Metric { name: name.to_owned(), data: Some(metric::Data::Gauge(Gauge { data_points })), ..Metric::default() }
}

fn request(resource: &[(&str, &str)], metrics: Vec<Metric>) -> ExportMetricsServiceRequest {
    let attributes = resource.iter().map(|(key, value)| text(key, value)).collect();
    let resource = Some(Resource { attributes, ..Resource::default() });
    let scope_metrics = vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }];
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics { resource, scope_metrics, ..ResourceMetrics::default() }],
    }
}

/// Joules of a second: bursts that a page read every 15 s never shows.
fn burst(second: u64) -> f64 {
    if second % 15 == 7 { 700.0 } else { 100.0 }
}

#[tokio::test]
async fn no_delta_is_lost_that_a_page_would_lose() {
    let (mut source, mut client) = pushed(&["node-a"], 10_000).await;
    let uid =
        [("uid", "1-2-3"), ("name", "web-0"), ("namespace", "shop"), ("node", "node-a"), ("domain", "package_total")];
    let mut sum = Sum::default();
    for round in 1..=20 {
        let seconds = (round - 1) * 15 + 1..=round * 15;
        let nodes = seconds.clone().map(|second| distinct(rapl("package_total", burst(second), at(second)), second));
        let pods = seconds.map(|second| distinct(point(burst(second) / 4.0, at(second), &uid), second));
        let metrics = vec![
            gauge("rapl_consumed_energy_alumet", nodes.collect()),
            gauge("attributed_rapl_energy_alumet", pods.collect()),
        ];
        let resource = [("service.name", "alumet-otlp-grpc"), ("k8s.node.name", "node-a")];
        let answer = client.export(request(&resource, metrics)).await.unwrap().into_inner();
        assert_eq!(answer.partial_success, None);
        sum.add(source.poll(at(round * 15)).await.unwrap());
    }
    sum.add(source.poll(at(400)).await.unwrap());
    let (joules, covered) = sum.joules("node-a");
    assert!(covered >= 180.0, "{covered}");
    // 14 seconds of 100 J and one of 700 J. The last values of the pages would say 100 W.
    assert_near(joules / covered, 140.0, 3.0);
    assert_near(sum.pod_joules("web-0") / covered, 35.0, 1.0);
    assert!(!sum.windows("node-a").iter().any(|window| window.sampled));
}

/// What is measured differs in its last digits.
fn distinct(mut point: NumberDataPoint, second: u64) -> NumberDataPoint {
    if let Some(number_data_point::Value::AsDouble(joules)) = &mut point.value {
        *joules += 1e-9 * float(second);
    }
    point
}

#[tokio::test]
async fn points_without_a_node_are_refused_with_their_host() {
    let (mut source, mut client) = pushed(&["node-a"], 100).await;
    let metrics = || vec![gauge("rapl_consumed_energy_alumet", vec![rapl("package_total", 100.0, at(1))])];
    client.export(request(&[("host.name", "elsewhere")], metrics())).await.unwrap();
    client.export(request(&[("service.name", "alumet-otlp-grpc")], metrics())).await.unwrap();
    client.export(request(&[("host.name", "node-a")], metrics())).await.unwrap();
    let answer = source.poll(at(2)).await.unwrap();
    let refused: Vec<_> = answer.refused.iter().map(|refused| (&*refused.node, refused.refusal.as_str())).collect();
    assert_eq!(refused, [("(unnamed)", "unknown-node"), ("elsewhere", "unknown-node")]);
    assert_eq!(answer.counts.parsed, 3);
}

#[tokio::test]
async fn too_many_points_leave_a_gap_that_says_so() {
    let (mut source, mut client) = pushed(&["node-a"], 10).await;
    let mut sum = Sum::default();
    for round in 0..30 {
        let seconds = round * 15 + 1..=round * 15 + 15;
        let points = seconds.map(|second| distinct(rapl("package_total", 100.0, at(second)), second));
        let metrics = vec![gauge("rapl_consumed_energy_alumet", points.collect())];
        client.export(request(&[("k8s.node.name", "node-a")], metrics)).await.unwrap();
        let answer = source.poll(at(round * 15 + 15)).await.unwrap();
        let partial = answer.partial.clone().unwrap();
        assert!(partial.starts_with("5 points came faster than they could be kept"), "{partial}");
        sum.add(answer);
    }
    assert!(sum.gaps().iter().any(|gap| gap.reason.as_str() == "overflow"), "{:?}", sum.gaps());
    assert!(sum.windows("node-a").is_empty(), "two thirds of the time are no window");
}

#[tokio::test]
async fn what_cannot_be_energy_is_rejected_or_skipped() {
    let (mut source, mut client) = pushed(&["node-a"], 100).await;
    let sum = |name: &str, temporality: AggregationTemporality| {
        let data_points = vec![rapl("package_total", 1.0, at(1))];
        let sum = SumOf { data_points, aggregation_temporality: temporality.into(), is_monotonic: true };
        Metric { name: name.to_owned(), data: Some(metric::Data::Sum(sum)), ..Metric::default() }
    };
    let mut timeless = rapl("package_total", 1.0, at(1));
    timeless.time_unix_nano = 0;
    let mut unrecorded = rapl("package_total", 1.0, at(1));
    unrecorded.flags = 1;
    let histogram = metric::Data::Histogram(Histogram::default());
    let name = "rapl_consumed_energy_alumet";
    let metrics = vec![
        sum(name, AggregationTemporality::Cumulative),
        sum(name, AggregationTemporality::Delta),
        sum("kepler_node_cpu_joules_total", AggregationTemporality::Delta),
        gauge(name, vec![timeless, unrecorded]),
        gauge("kernel_context_switches_alumet", vec![rapl("", 1.0, at(1))]),
        Metric { name: name.to_owned(), data: Some(histogram), ..Metric::default() },
    ];
    let answer = client.export(request(&[("k8s.node.name", "node-a")], metrics)).await.unwrap().into_inner();
    assert_eq!(answer.partial_success.unwrap().rejected_data_points, 3);
    let counts = source.poll(at(2)).await.unwrap().counts;
    assert_eq!((counts.parsed, counts.skipped, counts.malformed), (1, 2, 3));
}

#[tokio::test]
async fn a_port_in_use_is_an_error_that_names_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let config = config(&format!("{{ name: pushed, otlp: {{ address: \"{address}\" }} }}"));
    let mut source = source(&config, &no_client(), &directory(&["node-a"]));
    let error = source.poll(start()).await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot listen on {address}: ")), "{error}");
    drop(taken);
    assert!(source.poll(at(1)).await.is_ok(), "it is tried again");
}

#[test]
fn a_request_can_be_read_without_a_port() {
    let node = [("k8s.node.name", "node-a")];
    let (at, histogram) = (at(1), metric::Data::Histogram(Histogram::default()));
    let other = Metric { name: "rapl_consumed_energy_alumet".to_owned(), data: Some(histogram), ..Metric::default() };
    let unread = gauge("kernel_context_switches_alumet", vec![rapl("package_total", 7.0, at)]);
    let energy = |joules| gauge("rapl_consumed_energy_alumet", vec![rapl("package_total", joules, at)]);
    let request = request(&node, vec![energy(110.0), unread, other]);
    let names = directory(&["node-a", "node-b"]);
    let pushed = otlp::read(request, &Exporter::ALL, &names.load(), at);
    assert_eq!((pushed.counts.parsed, pushed.counts.skipped, pushed.counts.malformed), (1, 1, 0));
    let (name, page) = &pushed.pages[0];
    assert_eq!((pushed.pages.len(), &**name, page.reading_count()), (1, "node-a", 1));

    let nowhere = self::request(&[], vec![energy(110.0)]);
    let pushed = otlp::read(nowhere, &Exporter::ALL, &names.load(), at);
    assert_eq!((pushed.pages.len(), pushed.unplaced.len()), (0, 1));
}
