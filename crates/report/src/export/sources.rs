//! How sources of intensities fare.

use std::fmt;

use kube_sci_server::metrics::Spec;
use kube_sci_signals::grid::{BreakerState, StatusHandle};
use prometheus_client::{encoding::DescriptorEncoder, metrics::MetricType};

use crate::encode::{counter, flag, float, gauge};

const CALLS: Spec =
    Spec { name: "kube_sci_grid_source_calls", unit: None, labels: &["source"], help: "Calls of a grid API" };
const CALLS_LEFT: Spec = Spec {
    name: "kube_sci_grid_source_calls_left",
    unit: None,
    labels: &["source"],
    help: "Calls of a grid API that its quota allows now",
};
const FAILURES: Spec = Spec {
    name: "kube_sci_grid_source_failures",
    unit: None,
    labels: &["source", "reason"],
    help: "Failures of a source of intensities; /v1/quality has the last one in words",
};
const REFUSED: Spec = Spec {
    name: "kube_sci_grid_source_refused_values",
    unit: None,
    labels: &["source"],
    help: "Values of a source of intensities that cannot be meant and were left out",
};
const BREAKER: Spec = Spec {
    name: "kube_sci_grid_source_breaker",
    unit: None,
    labels: &["source", "state"],
    help: "1 for the present state of a grid API's circuit breaker: closed, open or half-open",
};

pub(super) fn specs() -> impl Iterator<Item = (Spec, MetricType)> {
    let counters = [CALLS, FAILURES, REFUSED].map(|spec| (spec, MetricType::Counter));
    counters.into_iter().chain([CALLS_LEFT, BREAKER].map(|spec| (spec, MetricType::Gauge)))
}

pub(super) fn encode(encoder: &mut DescriptorEncoder, sources: &[StatusHandle]) -> fmt::Result {
    let sources: Vec<_> = sources.iter().map(StatusHandle::load).collect();
    counter(encoder, &CALLS, |series| {
        sources.iter().try_for_each(|source| series(&[("source", &*source.name)], float(source.calls.made)))
    })?;
    gauge(encoder, &CALLS_LEFT, |series| {
        let limited = sources.iter().filter_map(|source| Some((source, source.calls.left?)));
        limited.into_iter().try_for_each(|(source, left)| series(&[("source", &*source.name)], f64::from(left)))
    })?;
    counter(encoder, &FAILURES, |series| {
        sources.iter().try_for_each(|source| {
            source.failures.iter().try_for_each(|(reason, failures)| {
                series(&[("source", &*source.name), ("reason", reason)], float(*failures))
            })
        })
    })?;
    counter(encoder, &REFUSED, |series| {
        sources.iter().try_for_each(|source| series(&[("source", &*source.name)], float(source.refused_values)))
    })?;
    gauge(encoder, &BREAKER, |series| {
        sources.iter().try_for_each(|source| {
            BreakerState::ALL.into_iter().try_for_each(|state| {
                let labels = [("source", &*source.name), ("state", state.as_str())];
                series(&labels, flag(source.breaker == state))
            })
        })
    })
}
