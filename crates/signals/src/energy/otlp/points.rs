//! Export requests to points, with attributes as the labels that exporters' readers know.

use std::{borrow::Cow, sync::Arc};

use jiff::Timestamp;
use opentelemetry_proto::tonic::{
    collector::metrics::v1::{
        ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
        metrics_service_server::MetricsService,
    },
    common::v1::{KeyValue, any_value},
    metrics::v1::{
        AggregationTemporality, DataPointFlags, Metric, NumberDataPoint, ResourceMetrics, metric, number_data_point,
    },
};
use tonic::{Request, Response, Status, async_trait};

use super::buffer::{Inbox, Series};
use crate::energy::{SampleCounts, readers, window::Exporter};

/// Attributes of one point, with those of its resource.
const MAX_LABELS: usize = 128;
/// Text of one point, in bytes.
const MAX_TEXT: usize = 16 << 10;
const INSTANCE: &str = "instance";
/// Where no attribute names the node, these may name its host.
const HOSTS: [&str; 2] = ["host_name", "service_instance_id"];

type Label = (Cow<'static, str>, Cow<'static, str>);

/// Takes what is pushed.
#[derive(Debug)]
pub(super) struct Receiver {
    inbox: Inbox,
    exporters: Arc<[Exporter]>,
}

/// Points of one request.
#[derive(Debug, Default)]
pub(super) struct Points {
    pub(super) points: Vec<(Series, f64, Timestamp)>,
    pub(super) counts: SampleCounts,
}

impl Receiver {
    pub(super) const fn new(inbox: Inbox, exporters: Arc<[Exporter]>) -> Self {
        Self { inbox, exporters }
    }
}

#[async_trait]
impl MetricsService for Receiver {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let Points { points, counts } = Points::of(request.into_inner(), &self.exporters);
        let rejected = counts.malformed + self.inbox.push(points, counts);
        let partial_success = (rejected > 0).then(|| ExportMetricsPartialSuccess {
            rejected_data_points: i64::try_from(rejected).unwrap_or(i64::MAX),
            error_message: "points without time or value, of the wrong temporality, or beyond the limits".to_owned(),
        });
        Ok(Response::new(ExportMetricsServiceResponse { partial_success }))
    }
}

impl Points {
    pub(super) fn of(request: ExportMetricsServiceRequest, exporters: &[Exporter]) -> Self {
        let mut points = Self::default();
        for metrics in request.resource_metrics {
            points.take(metrics, exporters);
        }
        points
    }

    fn take(&mut self, metrics: ResourceMetrics, exporters: &[Exporter]) {
        let resource = labels(metrics.resource.map(|resource| resource.attributes).unwrap_or_default());
        for metric in metrics.scope_metrics.into_iter().flat_map(|scope| scope.metrics) {
            self.take_metric(metric, &resource, exporters);
        }
    }

    fn take_metric(&mut self, metric: Metric, resource: &[Label], exporters: &[Exporter]) {
        let (points, temporality) = match metric.data {
            Some(metric::Data::Gauge(gauge)) => (gauge.data_points, None),
            Some(metric::Data::Sum(sum)) => {
                let temporality = sum.aggregation_temporality();
                (sum.data_points, Some(temporality))
            }
            // Histograms and summaries hold no energy.
            Some(_) | None => (Vec::new(), None),
        };
        let count = u64::try_from(points.len()).unwrap_or(u64::MAX);
        let name = label_name(metric.name);
        if !readers::wanted(exporters, &name) {
            self.counts.skipped += count;
            return;
        }
        // ALUMET's values are of one interval, those of the others are since a start.
        let deltas = readers::wanted(&[Exporter::Alumet], &name);
        if temporality.is_some_and(|said| (said == AggregationTemporality::Delta) != deltas) {
            self.counts.malformed += count;
            return;
        }
        for point in points {
            self.take_point(&name, point, resource);
        }
    }

    fn take_point(&mut self, name: &str, point: NumberDataPoint, resource: &[Label]) {
        if point.flags & DataPointFlags::NoRecordedValueMask as u32 != 0 {
            self.counts.skipped += 1;
            return;
        }
        match read(name, point, resource) {
            Some(point) => {
                self.counts.parsed += 1;
                self.points.push(point);
            }
            None => self.counts.malformed += 1,
        }
    }
}

/// `None` where it has no value, no time, or too much text.
fn read(name: &str, point: NumberDataPoint, resource: &[Label]) -> Option<(Series, f64, Timestamp)> {
    let value = match point.value? {
        number_data_point::Value::AsDouble(value) => value,
        #[expect(clippy::cast_precision_loss, reason = "joules beyond 2^53 are refused later")]
        number_data_point::Value::AsInt(value) => value as f64,
    };
    let at = Some(point.time_unix_nano).filter(|nanos| *nanos > 0)?;
    let at = Timestamp::from_nanosecond(i128::from(at)).ok()?;
    let mut all = labels(point.attributes);
    // The point knows better than its resource.
    let of_resource = resource.iter().filter(|(name, _)| !all.iter().any(|(known, _)| known == name)).cloned();
    all.extend(of_resource.collect::<Vec<_>>());
    name_host(&mut all);
    let text: usize = all.iter().map(|(name, value)| name.len() + value.len()).sum();
    let fits = all.len() <= MAX_LABELS && text + name.len() <= MAX_TEXT;
    fits.then(|| (Series { name: name.to_owned(), labels: all }, value, at))
}

fn name_host(labels: &mut Vec<Label>) {
    let value = |wanted: &str| labels.iter().find(|(name, value)| name == wanted && !value.is_empty());
    if value(INSTANCE).is_none()
        && let Some((_, host)) = HOSTS.into_iter().find_map(value).cloned()
    {
        labels.retain(|(name, _)| name != INSTANCE);
        labels.push((INSTANCE.into(), host));
    }
}

/// Sorted by name; of attributes that become the same name, the first.
fn labels(attributes: Vec<KeyValue>) -> Vec<Label> {
    let label = |KeyValue { key, value, .. }: KeyValue| {
        let value = match value?.value? {
            any_value::Value::StringValue(text) => text,
            any_value::Value::BoolValue(said) => said.to_string(),
            any_value::Value::IntValue(number) => number.to_string(),
            any_value::Value::DoubleValue(number) => number.to_string(),
            _ => return None,
        };
        Some((label_name(key).into(), value.into()))
    };
    let mut labels: Vec<Label> = attributes.into_iter().filter_map(label).collect();
    labels.sort_by(|(one, _), (other, _)| one.cmp(other));
    labels.dedup_by(|(later, _), (earlier, _)| later == earlier);
    labels
}

/// As in Prometheus: `k8s.node.name` is `k8s_node_name`.
fn label_name(name: String) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    if name.chars().all(plain) { name } else { name.replace(|letter| !plain(letter), "_") }
}
