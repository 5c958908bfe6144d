//! Carbon Intensity API of Great Britain: half-hours, times without seconds, no actual value for the future.

use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Answer, Play, text};
use crate::grid_api::world::{Curve, floor, shifted, steps};

const STEP: Duration = Duration::from_mins(30);
const TIME: &str = "%Y-%m-%dT%H:%MZ";
const COUNTRY: &str = "GB";

pub(super) fn answer(play: &Play<'_>) -> Answer {
    let parts: Vec<&str> = play.question.path.split('/').filter(|part| !part.is_empty()).collect();
    let (range, place) = match parts.as_slice() {
        ["intensity", range @ ..] => (range, None),
        ["regional", "intensity", from, to, kind, name] => (&[*from, *to][..], Some((*kind, *name))),
        ["regional", kind, name] => (&[][..], Some((*kind, *name))),
        _ => return refused(),
    };
    let Some((from, to)) = stretch(play.now(), range) else { return refused() };
    let Some(curve) = play.curve(place.map_or(COUNTRY, |(_, name)| name)) else {
        return Answer::json(StatusCode::OK, &json!({ "data": null }));
    };
    let periods: Vec<Value> = steps(from, to, STEP).map(|at| period(play, curve, at, place.is_none())).collect();
    let data = match place {
        None => json!(periods),
        Some((kind, name)) => region(kind, name, &periods),
    };
    Answer::json(StatusCode::OK, &json!({ "data": data }))
}

fn region(kind: &str, name: &str, periods: &[Value]) -> Value {
    let regionid = name.parse().unwrap_or(12_u32);
    // Null for a region that was asked for by its number.
    let postcode = Some(name).filter(|_| kind == "postcode");
    json!([{ "regionid": regionid, "shortname": name, "postcode": postcode, "data": periods }])
}

fn period(play: &Play<'_>, curve: Curve, at: Timestamp, national: bool) -> Value {
    let value = play.number(curve, at, 1.0);
    let end = at.checked_add(STEP).unwrap_or(at);
    let actual = value.filter(|_| end <= play.now());
    let intensity = if national {
        json!({ "forecast": value, "actual": actual, "index": "moderate" })
    } else {
        json!({ "forecast": value, "index": "moderate" })
    };
    json!({ "from": text(at, TIME), "to": text(end, TIME), "intensity": intensity })
}

/// From and to of a path; the half-hour of now without.
fn stretch(now: Timestamp, range: &[&str]) -> Option<(Timestamp, Timestamp)> {
    let instant = |text: &str| text.replace("%3A", ":").parse::<Timestamp>().ok();
    let after = |from: Timestamp| from.checked_add(STEP).ok();
    match range {
        [] => Some((floor(now, STEP), after(floor(now, STEP))?)),
        [from, "fw48h"] => Some((instant(from)?, shifted(instant(from)?, 48))),
        [from, "fw24h"] => Some((instant(from)?, shifted(instant(from)?, 24))),
        [from, "pt24h"] => Some((shifted(instant(from)?, -24), instant(from)?)),
        [from, to] => Some((instant(from)?, instant(to)?)),
        _ => None,
    }
}

fn refused() -> Answer {
    let message = "Please enter a valid start datetime in ISO8601 format YYYY-MM-DDThh:mmZ";
    let error = json!({ "code": "400 Bad Request", "message": message });
    Answer::json(StatusCode::BAD_REQUEST, &json!({ "error": error }))
}
