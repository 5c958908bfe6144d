//! What Electricity Maps answers.

use std::{borrow::Cow, time::Duration};

use jiff::Timestamp;
use sci_core::intensity::Quality;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{ElectricityMaps, NAME};
use crate::grid::{
    Answer,
    providers::{
        ProviderError, Purpose, UnitConfig, ZoneRequest,
        points::{Point, Points},
        text::{floor, instant, json, row},
    },
};

const HOUR_SECONDS: i64 = 3_600;

/// What was asked.
pub(super) struct Question<'a> {
    pub(super) provider: &'a ElectricityMaps,
    pub(super) asked: &'a ZoneRequest,
    pub(super) purpose: Purpose,
    pub(super) now: Timestamp,
}

/// Every shape at once: one value, or a list of them under one of three names, or the two numbers made for Home
/// Assistant.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(borrow, default)]
    zone: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    country_code: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    temporal_granularity: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    unit: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    units: Option<Units<'a>>,
    #[serde(borrow, default)]
    history: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    forecast: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Units<'a> {
    #[serde(borrow, default)]
    carbon_intensity: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Value<'a> {
    #[serde(borrow, default)]
    zone: Option<Cow<'a, str>>,
    #[serde(default)]
    carbon_intensity: Option<f64>,
    #[serde(borrow, default)]
    datetime: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    emission_factor_type: Option<Cow<'a, str>>,
    #[serde(default)]
    is_estimated: Option<bool>,
    #[serde(borrow, default)]
    temporal_granularity: Option<Cow<'a, str>>,
}

/// The two bodies of a refusal: `{error}` and `{status, message}`.
#[derive(Deserialize)]
struct Refusal<'a> {
    #[serde(borrow, default)]
    error: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    message: Option<Cow<'a, str>>,
}

/// What a status other than success means. 401 is sent for a wrong token and for a zone or question that the plan
/// leaves out; only the text tells them apart.
pub(super) fn refusal(status: u16, body: &[u8]) -> Option<ProviderError> {
    let error = ProviderError::of_status(status, body)?;
    let text: Refusal<'_> = serde_json::from_slice(body).unwrap_or(Refusal { error: None, message: None });
    let text = text.error.or(text.message).unwrap_or_default().to_ascii_lowercase();
    let outside_plan = ["plan", "access", "zone", "endpoint", "subscription"].iter().any(|word| text.contains(word));
    Some(match error {
        ProviderError::Unauthorized if outside_plan && !text.contains("token") => ProviderError::NotInPlan,
        other => other,
    })
}

pub(super) fn read(question: &Question<'_>, bytes: &[u8]) -> Result<Answer, ProviderError> {
    let body: Body<'_> = json(bytes)?;
    let unit = body.unit.as_deref().or_else(|| body.units.as_ref()?.carbon_intensity.as_deref());
    if unit.is_some_and(|unit| UnitConfig::named(unit) != Some(UnitConfig::GramsPerKwh)) {
        return Err(ProviderError::malformed("its unit is not gCO2eq/kWh"));
    }
    let mut points = Points::new(NAME, question.purpose, question.now);
    if let Some(zone) = body.zone.as_deref().or(body.country_code.as_deref())
        && let Some(note) = question.provider.agrees(question.asked, zone)?
    {
        points.flag(1, note);
    }
    let granularity = body.temporal_granularity.as_deref();
    let rows = body.history.or(body.forecast);
    let rows = match (rows, body.data) {
        (Some(rows), _) => rows,
        (None, Some(data)) if data.get().starts_with('[') => json(data.get().as_bytes())?,
        (None, Some(data)) => return home_assistant(question, points, data),
        (None, None) => vec![json(bytes)?],
    };
    for (position, raw) in (1..).zip(rows) {
        match row(raw).and_then(|value| point(question, position, &value, granularity)) {
            Ok(point) => points.push(point),
            Err(problem) => points.refuse(position, problem),
        }
    }
    points.finish()
}

fn point(
    question: &Question<'_>,
    position: u64,
    value: &Value<'_>,
    granularity: Option<&str>,
) -> Result<Point, String> {
    let signal = question.provider.signal();
    if let Some(zone) = &value.zone {
        question.provider.agrees(question.asked, zone).map_err(|error| error.to_string())?;
    }
    if value.emission_factor_type.as_deref().is_some_and(|scope| scope != signal.scope.as_str()) {
        return Err(format!("its emission factors are not {}", signal.scope.as_str()));
    }
    let grams = value.carbon_intensity.ok_or("the value is null: the publisher does not know it")?;
    let start = instant(value.datetime.as_deref().ok_or("it has no datetime")?)?;
    let quality = match (question.purpose, value.is_estimated) {
        (Purpose::Forecast, _) => Quality::Forecast,
        (_, Some(false)) => Quality::Measured,
        (_, Some(true) | None) => Quality::Estimated,
    };
    Ok(Point {
        position,
        zone: question.asked.zone.clone(),
        signal,
        quality,
        start,
        duration: step(value.temporal_granularity.as_deref().or(granularity))?,
        value: grams,
    })
}

/// Length of a slot; `None` where the API leaves it to the next value, which is an hour away.
fn step(granularity: Option<&str>) -> Result<Option<Duration>, String> {
    match granularity {
        None => Ok(None),
        Some("5_minutes") => Ok(Some(Duration::from_mins(5))),
        Some("15_minutes") => Ok(Some(Duration::from_mins(15))),
        Some("hourly") => Ok(Some(Duration::from_hours(1))),
        Some("daily") => Ok(Some(Duration::from_hours(24))),
        Some(_) => Err("its granularity is longer than a day or unknown".to_owned()),
    }
}

/// The present hour, without a time of its own.
fn home_assistant(question: &Question<'_>, mut points: Points, data: &RawValue) -> Result<Answer, ProviderError> {
    let value: Value<'_> = json(data.get().as_bytes())?;
    if let Some(grams) = value.carbon_intensity {
        points.push(Point {
            position: 1,
            zone: question.asked.zone.clone(),
            signal: question.provider.signal(),
            quality: Quality::Estimated,
            start: floor(question.now, HOUR_SECONDS),
            duration: Some(Duration::from_hours(1)),
            value: grams,
        });
    }
    points.finish()
}
