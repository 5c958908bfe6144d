//! The `ConfigMap` of Azure's carbon-intensity-exporter: a forecast of one location for a day, every five minutes.
//!
//! Facts: Azure/kubernetes-carbon-intensity-exporter@046cf41d `pkg/exporter/configmap.go`. The map is immutable:
//! each refresh deletes it and makes another, so that it is missing for a moment. Its times are printed by Go, not by
//! RFC 3339.

use std::{borrow::Cow, time::Duration};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use sci_core::intensity::{Quality, Signal};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    AzureConfigMapConfig, ProviderError, Purpose, ZoneRequest,
    error::quoted,
    points::{Point, Points},
    text::{instant, json, row},
};
use crate::grid::Answer;

/// Source of every series.
pub const NAME: &str = "azure-config-map";

/// A map that is missing for no longer than this is only being replaced: what it said stays in force.
pub const REPLACEMENT_GAP: Duration = Duration::from_mins(5);

#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    location: Cow<'a, str>,
    #[serde(borrow)]
    timestamp: Cow<'a, str>,
    /// In minutes.
    duration: u64,
    #[serde(default)]
    value: Option<f64>,
}

/// Reads the map as Kubernetes gives it. Its one location is held against the names of `zones`.
///
/// # Errors
/// [`ProviderError::NoData`] where it holds no records, [`ProviderError::OtherZone`] where no zone goes by the name
/// of its location, others where nothing of it can be used.
pub fn read(
    map: &ConfigMap,
    config: &AzureConfigMapConfig,
    zones: &[ZoneRequest],
    now: Timestamp,
) -> Result<Answer, ProviderError> {
    let records = map.binary_data.as_ref().and_then(|data| data.get("data")).ok_or(ProviderError::NoData)?;
    let rows: Vec<&RawValue> = json(&records.0)?;
    let mut points = Points::new(NAME, Purpose::Forecast, now);
    check(map, rows.len(), &mut points);
    let signal = Signal::from(config.signal);
    let mut elsewhere = None;
    for (position, raw) in (1..).zip(rows) {
        let record: Row<'_> = match row(raw) {
            Ok(record) => record,
            Err(problem) => {
                points.refuse(position, problem);
                continue;
            }
        };
        let Some(zone) = zones.iter().find(|zone| zone.id() == record.location) else {
            elsewhere.get_or_insert_with(|| quoted(record.location.as_bytes()));
            points.refuse(position, "its location is no zone's: name it under zoneIds");
            continue;
        };
        match point(&record) {
            Ok((start, duration, value)) => points.push(Point {
                position,
                zone: zone.zone.clone(),
                signal,
                quality: Quality::Forecast,
                start,
                duration: Some(duration),
                value,
            }),
            Err(problem) => points.refuse(position, problem),
        }
    }
    let asked = || zones.iter().map(ZoneRequest::id).collect::<Vec<_>>().join(", ");
    match (points.finish(), elsewhere) {
        (Err(ProviderError::Absurd { .. }), Some(answered)) => {
            Err(ProviderError::OtherZone { asked: asked(), answered })
        }
        (answer, _) => answer,
    }
}

/// When the exporter wrote the map; `None` where it does not say or cannot be read.
pub fn heartbeat(map: &ConfigMap) -> Option<Timestamp> {
    go_time(map.data.as_ref()?.get("lastHeartbeatTime")?)
}

fn point(record: &Row<'_>) -> Result<(Timestamp, Duration, f64), String> {
    let value = record.value.ok_or("the value is null: the publisher does not know it")?;
    let seconds = record.duration.checked_mul(60).ok_or("its duration is absurd")?;
    Ok((instant(&record.timestamp)?, Duration::from_secs(seconds), value))
}

/// Reports what the map says about itself.
fn check(map: &ConfigMap, rows: usize, points: &mut Points) {
    let Some(data) = &map.data else { return };
    if let Some(records) = data.get("numOfRecords").filter(|records| records.parse() != Ok(rows)) {
        points.flag(1, format!("it holds {rows} records and speaks of {}", quoted(records.as_bytes())));
    }
    if let Some(message) = data.get("message").filter(|message| !message.is_empty()) {
        points.flag(1, format!("the exporter says: {}", quoted(message.as_bytes())));
    }
    if heartbeat(map).is_none() {
        points.flag(1, "its heartbeat cannot be read");
    }
}

/// `2023-03-30 23:57:26.041158869 +0000 UTC m=+10.861427049`: what Go's `time.String` prints. The last part is the
/// clock of the process, the name of the zone says nothing that the offset does not.
fn go_time(text: &str) -> Option<Timestamp> {
    let mut parts = text.split_ascii_whitespace();
    let (date, time, offset) = (parts.next()?, parts.next()?, parts.next()?);
    let (hours, minutes) = offset.split_at_checked(3)?;
    format!("{date}T{time}{hours}:{minutes}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_printed_by_go_are_read() {
        for (text, expected) in [
            ("2023-03-30 23:57:26.041158869 +0000 UTC m=+10.861427049", Some("2023-03-30T23:57:26.041158869Z")),
            ("2023-03-31 00:00:00 +0000 UTC", Some("2023-03-31T00:00:00Z")),
            ("2023-03-31 05:30:00 +0530 IST", Some("2023-03-31T00:00:00Z")),
            ("2023-03-31T00:00:00Z", None),
            ("2023-03-31 00:00:00 ÄÖÜ UTC", None),
            ("", None),
        ] {
            assert_eq!(go_time(text), expected.map(|text| text.parse().unwrap()), "{text}");
        }
    }
}
