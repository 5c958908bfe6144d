//! Programs that users run themselves: Carbon Aware SDK, grid-intensity-exporter, Prometheus.

use std::fmt::Write;
use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use super::{Answer, Play, text};
use crate::grid_api::world::{floor, shifted, steps};

const STEP: Duration = Duration::from_mins(5);
const METRIC: &str = "grid_intensity_carbon_average";
const UNITS: &str = "gCO2e per kWh";
/// What the SDK writes where its source knows nothing.
const UNKNOWN: f64 = -1.0;

/// Emissions and forecasts of one location.
pub(super) fn carbon_aware_sdk(play: &Play<'_>) -> Answer {
    let location = play.parameter("location");
    let Some(curve) = play.curve(location) else {
        let body = json!({ "title": "ArgumentException", "status": 400, "detail": "Unknown location" });
        return Answer::json(StatusCode::BAD_REQUEST, &body);
    };
    let now = floor(play.now(), STEP);
    let value = |at| play.number(curve, at, 1.0).unwrap_or(UNKNOWN);
    if play.question.path.starts_with("/emissions/forecasts/") {
        let points = steps(now, shifted(now, 24), STEP).map(|at| {
            let time = text(at, "%Y-%m-%dT%H:%M:%S+00:00");
            json!({ "location": location, "timestamp": time, "duration": 5, "value": value(at) })
        });
        let points: Vec<Value> = points.collect();
        let body = json!([{ "location": location, "windowSize": 5, "forecastData": points }]);
        return Answer::json(StatusCode::OK, &body);
    }
    let (from, to) = (play.instant("time", shifted(now, -1)), play.instant("toTime", now));
    let rows = steps(from, to, STEP)
        .map(|at| json!({ "location": location, "time": text(at, "%Y-%m-%dT%H:%M:%S+00:00"), "rating": value(at) }));
    Answer::json(StatusCode::OK, &json!(rows.collect::<Vec<_>>()))
}

/// Page of the exporter: one gauge per zone, which it calls location.
pub(super) fn page(play: &Play<'_>) -> Answer {
    let mut page = format!("# HELP {METRIC} Average carbon intensity for the electricity grid in this region.\n");
    // Writing into a String cannot fail.
    let _ = writeln!(page, "# TYPE {METRIC} gauge");
    for (zone, &curve) in play.world.zones() {
        let Some(value) = play.number(curve, play.now(), 1.0) else { continue };
        let _ = writeln!(
            page,
            "{METRIC}{{is_estimated=\"true\",location=\"{zone}\",node=\"worker-1\",provider=\"ElectricityMap\",\
             region=\"eu-west-1\",units=\"{UNITS}\"}} {value}"
        );
    }
    Answer::new(StatusCode::OK, "text/plain; version=0.0.4", page.into())
}

/// An instant query: the exporter's gauges, or for any other query one sample per zone.
pub(super) fn query(play: &Play<'_>) -> Answer {
    let of_exporter = play.parameter("query").contains("grid_intensity_carbon");
    let seconds = play.now().as_second();
    let samples = play.world.zones().filter_map(|(zone, &curve)| {
        let value = play.number(curve, play.now(), 1.0)?.to_string();
        let metric = if of_exporter {
            json!({ "__name__": METRIC, "is_estimated": "true", "location": zone, "provider": "ElectricityMap", "units": UNITS })
        } else {
            json!({ "zone": zone })
        };
        Some(json!({ "metric": metric, "value": [seconds, value] }))
    });
    let samples: Vec<Value> = samples.collect();
    let data = json!({ "resultType": "vector", "result": samples });
    Answer::json(StatusCode::OK, &json!({ "status": "success", "data": data }))
}
