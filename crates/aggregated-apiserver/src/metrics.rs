//! Figures of the server itself.

use std::{borrow::Cow, time::Duration};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, histogram::Histogram},
    registry::{Metric, Registry},
};

/// What a metric is called and what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricSpec {
    /// Name, with its unit as suffix and without `_total`, which encoders append to counters.
    pub name: &'static str,
    /// Label keys.
    pub labels: &'static [&'static str],
    /// One sentence without its full stop, which encoders append.
    pub help: &'static str,
}

/// Takes metrics over, whatever kind of registry is behind it.
pub trait MetricSink {
    /// Takes one metric.
    fn register<M: Metric + Clone>(&mut self, spec: MetricSpec, metric: M);
}

/// Metrics of a server. Clones share the same figures.
#[derive(Clone, Debug)]
pub struct ServerMetrics {
    freshness: Family<GroupLabel, Histogram>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct GroupLabel {
    group: Cow<'static, str>,
}

impl Default for ServerMetrics {
    fn default() -> Self {
        Self { freshness: Family::new_with_constructor(|| Histogram::new([1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0])) }
    }
}

impl ServerMetrics {
    /// Hands every metric to a registry.
    pub fn register(&self, sink: &mut impl MetricSink) {
        sink.register(
            MetricSpec {
                name: "metrics_apiserver_metric_freshness_seconds",
                labels: &["group"],
                help: "Age of metric values when they were served, by API group",
            },
            self.freshness.clone(),
        );
    }

    /// Records how old a value was when it was served; the name of the histogram is what custom metrics API servers
    /// share.
    pub fn observe_freshness(&self, group: impl Into<Cow<'static, str>>, age: Duration) {
        self.freshness.get_or_create(&GroupLabel { group: group.into() }).observe(age.as_secs_f64());
    }
}

impl MetricSink for Registry {
    fn register<M: Metric + Clone>(&mut self, spec: MetricSpec, metric: M) {
        Registry::register(self, spec.name, spec.help, metric);
    }
}
