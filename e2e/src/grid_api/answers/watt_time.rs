//! `WattTime`: pounds per megawatt-hour, every five minutes.

use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Answer, Play, text};
use crate::grid_api::api::SESSION;
use crate::grid_api::world::{floor, shifted, steps};

const STEP: Duration = Duration::from_mins(5);
/// Pounds per megawatt-hour in one gram per kilowatt-hour.
const POUNDS: f64 = 1.0 / 0.453_592_37;

pub(super) fn answer(play: &Play<'_>) -> Answer {
    if play.question.is_login() {
        return Answer::json(StatusCode::OK, &json!({ "token": SESSION }));
    }
    let region = play.parameter("region");
    let Some(curve) = play.curve(region) else {
        let body = json!({ "error": "Invalid region", "message": format!("no region {region}") });
        return Answer::json(StatusCode::NOT_FOUND, &body);
    };
    let now = floor(play.now(), STEP);
    let (from, to) = if play.question.path.ends_with("/forecast") {
        (now, shifted(now, play.parameter("horizon_hours").parse().unwrap_or(24)))
    } else {
        let until: Timestamp = play.instant("end", now);
        (play.instant("start", shifted(now, -2)), until.min(play.now()))
    };
    let points = steps(from, to, STEP).map(
        |at| json!({ "point_time": text(at, "%Y-%m-%dT%H:%M:%S+00:00"), "value": play.number(curve, at, POUNDS) }),
    );
    let points: Vec<Value> = points.collect();
    let meta = json!({
        "data_point_period_seconds": STEP.as_secs(),
        "region": region,
        "warnings": [],
        "signal_type": play.parameter("signal_type"),
        "model": { "date": "2023-03-01" },
        "units": "lbs_co2_per_mwh",
        "generated_at_period_seconds": STEP.as_secs(),
        "generated_at": text(now, "%Y-%m-%dT%H:%M:%S+00:00"),
    });
    Answer::json(StatusCode::OK, &json!({ "data": points, "meta": meta }))
}
