//! Electricity Maps. The newest value is of the hour that runs, and estimated.

use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Answer, Play, text};
use crate::grid_api::world::{Curve, floor, shifted, steps};

const HOUR: Duration = Duration::from_hours(1);
/// Without `horizonHours`.
const HORIZON_HOURS: i64 = 24;

pub(super) fn answer(play: &Play<'_>) -> Answer {
    let place = [play.parameter("zone"), play.parameter("dataCenterRegion")];
    let place = place.into_iter().find(|place| !place.is_empty()).unwrap_or_default();
    let Some(curve) = play.curve(place) else {
        let message = format!("No recent data for zone \"{place}\"");
        return Answer::json(StatusCode::NOT_FOUND, &json!({ "status": "error", "message": message }));
    };
    let hour = floor(play.now(), HOUR);
    let value = |at| value(play, place, curve, at, at == hour);
    let list = |from, to| steps(from, to, HOUR).map(value).collect::<Vec<_>>();
    let body = match play.question.path.rsplit('/').next().unwrap_or_default() {
        "latest" => value(hour),
        "history" => {
            let values = list(shifted(hour, -23), shifted(hour, 1));
            json!({ "zone": place, "history": values, "temporalGranularity": "hourly" })
        }
        "past-range" => {
            let values = list(play.instant("start", shifted(hour, -24)), play.instant("end", hour));
            json!({ "zone": place, "data": values, "temporalGranularity": "hourly" })
        }
        "forecast" => {
            let hours = play.parameter("horizonHours").parse().unwrap_or(HORIZON_HOURS);
            let points = steps(hour, shifted(hour, hours + 1), HOUR).map(|at| {
                json!({ "carbonIntensity": play.number(curve, at, 1.0), "datetime": text(at, "%Y-%m-%dT%H:%M:%S.000Z") })
            });
            let points: Vec<Value> = points.collect();
            json!({ "zone": place, "updatedAt": text(hour, "%Y-%m-%dT%H:%M:%S.000Z"), "forecast": points })
        }
        _ => return Answer::json(StatusCode::NOT_FOUND, &json!({ "error": "no such endpoint" })),
    };
    Answer::json(StatusCode::OK, &body)
}

fn value(play: &Play<'_>, place: &str, curve: Curve, at: Timestamp, estimated: bool) -> Value {
    let scope = Some(play.parameter("emissionFactorType")).filter(|scope| !scope.is_empty()).unwrap_or("lifecycle");
    let time = text(at, "%Y-%m-%dT%H:%M:%S.000Z");
    json!({
        "zone": place,
        "carbonIntensity": play.number(curve, at, 1.0),
        "datetime": time,
        "updatedAt": time,
        "createdAt": time,
        "emissionFactorType": scope,
        "isEstimated": estimated,
        "estimationMethod": estimated.then_some("TIME_SLICER_AVERAGE"),
        "temporalGranularity": "hourly",
    })
}
