//! Metrics that are read from the state itself at scrape time.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use jiff::Timestamp;
use kube_sci_cluster::assess::Model;
use kube_sci_report::{
    encode::{count, counter, float, gauge},
    snapshot,
};
use kube_sci_server::metrics::{MetricsRegistry, Spec, Unit};
use prometheus_client::{collector::Collector, encoding::DescriptorEncoder, metrics::MetricType};

/// When the scheduler last called. Before its first call: when this was made.
#[derive(Debug, Clone)]
pub struct LastCall(Arc<AtomicI64>);

impl LastCall {
    /// Counts from `now`.
    pub fn new(now: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(now.as_millisecond())))
    }

    /// The scheduler called at `now`.
    pub fn set(&self, now: Timestamp) {
        self.0.fetch_max(now.as_millisecond(), Ordering::Relaxed);
    }

    /// Seconds from the last call to `now`.
    pub fn idle_seconds(&self, now: Timestamp) -> f64 {
        let last = Timestamp::from_millisecond(self.0.load(Ordering::Relaxed)).unwrap_or(now);
        now.duration_since(last).as_secs_f64().max(0.0)
    }
}

/// Registers the figures of the snapshot, of what is assumed beside it, and the time since the last call.
pub fn register(registry: &MetricsRegistry, model: &Model, last_call: LastCall) {
    snapshot::register(registry, model, Timestamp::now);
    let specs = [(ASSUMED, MetricType::Gauge), (IDLE, MetricType::Gauge), (UNASSUMED, MetricType::Counter)];
    registry.register_collector(Box::new(State { model: model.clone(), last_call }), specs);
}

#[derive(Debug)]
struct State {
    model: Model,
    last_call: LastCall,
}

const ASSUMED: Spec =
    Spec { name: "kube_sci_assumptions_held", unit: None, labels: &[], help: "Decided pods not yet seen on a node" };
const UNASSUMED: Spec = Spec {
    name: "kube_sci_assumptions_refused",
    unit: None,
    labels: &[],
    help: "Decided pods that were not assumed on any node: too many equal nodes, or too many pods",
};
const IDLE: Spec = Spec {
    name: "kube_sci_extender_idle",
    unit: Some(Unit::Seconds),
    labels: &[],
    help: "Time since the scheduler last called, or since start",
};

impl Collector for State {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let assumptions = &self.model.assumptions;
        gauge(&mut encoder, &ASSUMED, |series| series(&[], count(assumptions.load().len())))?;
        gauge(&mut encoder, &IDLE, |series| series(&[], self.last_call.idle_seconds(Timestamp::now())))?;
        counter(&mut encoder, &UNASSUMED, |series| series(&[], float(assumptions.refused())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idleness_counts_from_the_last_call_and_never_backwards() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let last_call = LastCall::new(at(100));
        assert!((last_call.idle_seconds(at(130)) - 30.0).abs() < 1e-9);
        last_call.set(at(120));
        last_call.set(at(110));
        assert!((last_call.idle_seconds(at(130)) - 10.0).abs() < 1e-9);
        assert!(last_call.idle_seconds(at(90)).abs() < 1e-9);
    }
}
