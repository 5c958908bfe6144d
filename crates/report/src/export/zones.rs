//! Intensity of the grid zones that nodes stand in.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use kube_sci_cluster::snapshot::Snapshot;
use kube_sci_server::metrics::Spec;
use kube_sci_signals::grid::{ChainLink, ZoneState};
use prometheus_client::{encoding::DescriptorEncoder, metrics::MetricType};
use sci_core::{forecast::Point, intensity::Freshness};

use crate::encode::{Series, gauge};

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
    help: "1 for the source, the link of the chain and the quality that answer for a grid zone now; link `missing` \
           where nothing does",
};
const CONFIDENCE: Spec = Spec {
    name: "kube_sci_zone_confidence",
    unit: None,
    labels: &["zone"],
    help: "How far the intensity of a grid zone may move a score: 1 fresh, 0 not at all",
};

const FORECAST: Spec = Spec {
    name: "kube_sci_zone_forecast_grams_per_kwh",
    unit: None,
    labels: &["zone", "horizon", "bound"],
    help: "Forecast intensity of a grid zone some hours from now, with the bounds that hold the truth nine times of ten",
};

/// Source and quality of a zone without a value.
const NONE: &str = "none";
/// Hours ahead that are exported.
const HORIZONS: [(&str, i64); 4] = [("1h", 1), ("4h", 4), ("12h", 12), ("24h", 24)];

pub(super) fn specs() -> impl Iterator<Item = (Spec, MetricType)> {
    [INTENSITY, LINK, CONFIDENCE, FORECAST].into_iter().map(|spec| (spec, MetricType::Gauge))
}

pub(super) fn encode(
    encoder: &mut DescriptorEncoder,
    snapshot: &Snapshot,
    freshness: &Freshness,
    now: Timestamp,
) -> fmt::Result {
    let zones: Vec<_> =
        snapshot.inhabited_zones().map(|zone| (zone.zone.to_string(), zone.at(now, freshness).ok())).collect();
    let known = || zones.iter().filter_map(|(zone, value)| Some((zone.as_str(), value.as_ref()?)));
    gauge(encoder, &INTENSITY, |series| {
        known().try_for_each(|(zone, value)| series(&[("zone", zone)], value.reading.value.get()))
    })?;
    gauge(encoder, &LINK, |series| {
        zones.iter().try_for_each(|(zone, value)| {
            let (source, link, quality) = match value {
                Some(value) => (&*value.reading.source, value.link, value.reading.quality.as_str()),
                None => (NONE, ChainLink::Missing, NONE),
            };
            series(&[("zone", zone), ("source", source), ("link", link.as_str()), ("quality", quality)], 1.0)
        })
    })?;
    gauge(encoder, &CONFIDENCE, |series| {
        known().try_for_each(|(zone, value)| series(&[("zone", zone)], value.confidence.get()))
    })?;
    gauge(encoder, &FORECAST, |series| snapshot.inhabited_zones().try_for_each(|zone| forecast(zone, now, series)))
}

fn forecast(zone: &ZoneState, now: Timestamp, series: &mut Series<'_>) -> fmt::Result {
    let Some(forecast) = &zone.forecast else { return Ok(()) };
    let name = zone.zone.to_string();
    for (horizon, hours) in HORIZONS {
        let at = now + SignedDuration::from_hours(hours);
        let covers = |point: &&Point| point.start <= at && at < point.start + SignedDuration::from_hours(1);
        let Some(point) = forecast.forecast.points.iter().find(covers) else { continue };
        for (bound, value) in [("value", point.value), ("lower", point.lower), ("upper", point.upper)] {
            series(&[("zone", &*name), ("horizon", horizon), ("bound", bound)], value.get())?;
        }
    }
    Ok(())
}
