//! Every metric of the adapter's own. What the picture is made of is in `kube_sci_report`.

pub mod apis;
pub mod engine;
pub mod policies;
pub mod writing;

use aggregated_apiserver::metrics::{MetricSink, MetricSpec};
use kube_sci_server::metrics::{MetricsRegistry, Spec};
use prometheus_client::registry::Metric;

/// Takes the metrics of the aggregated API server into the registry of the program.
#[derive(Debug)]
pub struct Sink<'r>(pub &'r MetricsRegistry);

impl MetricSink for Sink<'_> {
    fn register<M: Metric + Clone>(&mut self, spec: MetricSpec, metric: M) {
        let MetricSpec { name, labels, help } = spec;
        self.0.register(Spec { name, unit: None, labels, help }, metric);
    }
}
