//! Writes families whose values are read at scrape time.

use std::fmt;

use kube_sci_server::metrics::Spec;
use prometheus_client::{
    encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};

/// Writes one series of a family.
pub type Series<'s> = dyn FnMut(&[(&'static str, &str)], f64) -> fmt::Result + 's;

/// Writes a family of gauges.
pub fn gauge(
    encoder: &mut DescriptorEncoder,
    spec: &Spec,
    write: impl FnOnce(&mut Series<'_>) -> fmt::Result,
) -> fmt::Result {
    family(encoder, spec, MetricType::Gauge, write, |value, encoder| ConstGauge::new(value).encode(encoder))
}

/// Writes a family of counters.
pub fn counter(
    encoder: &mut DescriptorEncoder,
    spec: &Spec,
    write: impl FnOnce(&mut Series<'_>) -> fmt::Result,
) -> fmt::Result {
    family(encoder, spec, MetricType::Counter, write, |value, encoder| ConstCounter::new(value).encode(encoder))
}

fn family(
    encoder: &mut DescriptorEncoder,
    spec: &Spec,
    kind: MetricType,
    write: impl FnOnce(&mut Series<'_>) -> fmt::Result,
    encode: impl Fn(f64, MetricEncoder<'_>) -> fmt::Result,
) -> fmt::Result {
    let help = format!("{}.", spec.help);
    let mut metric = encoder.encode_descriptor(spec.name, &help, spec.unit.as_ref(), kind)?;
    write(&mut |labels, value| encode(value, metric.encode_family(&labels)?))
}

/// 1 where it holds.
pub fn flag(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

/// A number of things in memory.
pub fn count(items: usize) -> f64 {
    u32::try_from(items).map_or(f64::INFINITY, f64::from)
}

/// A number of events since start.
#[allow(clippy::cast_precision_loss)] // counts beyond 2^53 are centuries away
pub fn float(events: u64) -> f64 {
    events as f64
}
