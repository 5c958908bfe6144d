//! Intensity of the grid zones that nodes stand in.

use std::fmt;

use jiff::Timestamp;
use kube_sci_cluster::snapshot::Snapshot;
use kube_sci_server::metrics::Spec;
use prometheus_client::{encoding::DescriptorEncoder, metrics::MetricType};
use sci_core::intensity::Freshness;

use super::gauge;

const INTENSITY: Spec = Spec {
    name: "kube_sci_zone_intensity_grams_per_kwh",
    unit: None,
    labels: &["zone"],
    help: "Carbon intensity of a grid zone now, in gCO2e/kWh",
};
const LINK: Spec = Spec {
    name: "kube_sci_zone_source",
    unit: None,
    labels: &["zone", "source", "link", "quality"],
    help: "1 for the source, the link of the chain and the quality that answer for a grid zone now",
};
const CONFIDENCE: Spec = Spec {
    name: "kube_sci_zone_confidence",
    unit: None,
    labels: &["zone"],
    help: "How far the intensity of a grid zone may move a score: 1 fresh, 0 not at all",
};

pub(super) fn specs() -> impl Iterator<Item = (Spec, MetricType)> {
    [INTENSITY, LINK, CONFIDENCE].into_iter().map(|spec| (spec, MetricType::Gauge))
}

pub(super) fn encode(
    encoder: &mut DescriptorEncoder,
    snapshot: &Snapshot,
    freshness: &Freshness,
    now: Timestamp,
) -> fmt::Result {
    let known: Vec<_> = snapshot
        .inhabited_zones()
        .filter_map(|zone| zone.at(now, freshness).ok().map(|value| (zone.zone.to_string(), value)))
        .collect();
    gauge(encoder, &INTENSITY, |series| {
        known.iter().try_for_each(|(zone, value)| series(&[("zone", zone)], value.reading.value.get()))
    })?;
    gauge(encoder, &LINK, |series| {
        known.iter().try_for_each(|(zone, value)| {
            let reading = value.reading;
            let labels =
                [("zone", &**zone), ("source", &*reading.source), ("link", value.link.as_str()), ("quality", reading.quality.as_str())];
            series(&labels, 1.0)
        })
    })?;
    gauge(encoder, &CONFIDENCE, |series| {
        known.iter().try_for_each(|(zone, value)| series(&[("zone", zone)], value.confidence.get()))
    })
}
