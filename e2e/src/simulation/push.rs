//! ALUMET's points pushed by OTLP over gRPC.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use tokio::task::JoinHandle;
use tonic::transport::{Channel, Endpoint};

use super::agent::AlumetPoint;
use super::clock::SimulationClock;
use super::server::Agents;

/// Pushing failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PushError {
    #[error("connect to {endpoint}")]
    Connect { endpoint: String, source: tonic::transport::Error },
    #[error("push points")]
    Push(#[source] Box<tonic::Status>),
}

/// Pushes the points of all ALUMET agents of a simulation, one request for each node, until dropped.
#[derive(Debug)]
pub struct AlumetPusher {
    task: JoinHandle<()>,
}

impl AlumetPusher {
    /// Pushes every so often to an endpoint such as `http://127.0.0.1:4317`. A push that fails is lost, as with the real
    /// agent.
    pub fn start(agents: Arc<Agents>, endpoint: &str, every: Duration) -> Result<Self, PushError> {
        let failed = |source| PushError::Connect { endpoint: endpoint.to_owned(), source };
        let channel = Endpoint::from_shared(endpoint.to_owned()).map_err(failed)?.connect_lazy();
        Ok(Self { task: tokio::spawn(push_forever(agents, channel, every)) })
    }
}

impl Drop for AlumetPusher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn push_forever(agents: Arc<Agents>, channel: Channel, every: Duration) {
    let mut ticks = tokio::time::interval(every);
    let mut pushed = agents.clock().elapsed();
    loop {
        ticks.tick().await;
        let now = agents.clock().elapsed();
        for (node, points) in agents.points(pushed, now) {
            drop(push(channel.clone(), export_request(&agents.clock(), Some(&node), points)).await);
        }
        pushed = now;
    }
}

/// Pushes one request.
pub async fn push(channel: Channel, request: ExportMetricsServiceRequest) -> Result<(), PushError> {
    let mut client = MetricsServiceClient::new(channel);
    client.export(request).await.map(drop).map_err(|status| PushError::Push(Box::new(status)))
}

/// Points of one agent as one request. The agent itself names no host: `node` is what a collector adds.
pub fn export_request(
    clock: &SimulationClock,
    node: Option<&str>,
    points: Vec<AlumetPoint>,
) -> ExportMetricsServiceRequest {
    let mut metrics: Vec<Metric> = Vec::new();
    for point in points {
        let (name, unit) = (point.name.clone(), point.unit.to_owned());
        let point = data_point(clock, &point);
        let known = metrics.iter_mut().find(|metric| metric.name == name).and_then(|metric| metric.data.as_mut());
        if let Some(metric::Data::Gauge(gauge)) = known {
            gauge.data_points.push(point);
        } else {
            let data = Some(metric::Data::Gauge(Gauge { data_points: vec![point] }));
            metrics.push(Metric { name, unit, data, ..Metric::default() });
        }
    }
    let mut attributes = vec![text("service.name", "alumet-otlp-grpc")];
    attributes.extend(node.map(|node| text("k8s.node.name", node)));
    let resource = Some(Resource { attributes, ..Resource::default() });
    let scope_metrics = vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }];
    let resource_metrics = vec![ResourceMetrics { resource, scope_metrics, ..ResourceMetrics::default() }];
    ExportMetricsServiceRequest { resource_metrics }
}

fn data_point(clock: &SimulationClock, point: &AlumetPoint) -> NumberDataPoint {
    NumberDataPoint {
        attributes: point.attributes.iter().map(|(key, value)| text(key, value)).collect(),
        time_unix_nano: u64::try_from(shown_time(clock, point).as_nanosecond()).unwrap_or_default(),
        value: Some(number_data_point::Value::AsDouble(point.value)),
        ..NumberDataPoint::default()
    }
}

/// When the agent's own clock says that it was.
fn shown_time(clock: &SimulationClock, point: &AlumetPoint) -> Timestamp {
    let skew = SignedDuration::try_from_secs_f64(point.skew_seconds).unwrap_or_default();
    let at = clock.timestamp(point.at);
    at.checked_add(skew).unwrap_or(at)
}

fn text(key: &str, value: &str) -> KeyValue {
    let value = AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) };
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}
