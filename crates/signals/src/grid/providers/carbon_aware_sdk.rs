//! The `WebAPI` of the Green Software Foundation's Carbon Aware SDK.
//!
//! Facts: carbon-aware-sdk@e6de58da, v1.7. It stands before another source and does not say which, so that the
//! configuration says what its values mean. Three of its habits are undone here: an unknown value is rated **-1**, and
//! would be the best of all; the time of a value is when it was updated, not of its slot; forecasts are rolling means
//! of a window, so that neighbours overlap.

use std::{borrow::Cow, time::Duration};

use jiff::Timestamp;
use sci_core::intensity::{Quality, Signal};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Auth, CarbonAwareSdkConfig, PlannedRequest, Provider, ProviderError, Purpose, ZoneRequest,
    points::{Point, Points},
    text::{encode, floor, in_utc, instant, json, row},
};
use crate::grid::Answer;

const NAME: &str = "carbon-aware-sdk";
const FIVE_MINUTES: i64 = 300;
/// Values of the last hours; the newest one is not there at once.
const RECENT: Duration = Duration::from_hours(3);
const MAX_SLOT_MINUTES: u64 = 24 * 60;

/// A Carbon Aware SDK `WebAPI`: signal as configured.
#[derive(Debug, Clone)]
pub struct CarbonAwareSdk {
    signal: Signal,
}

#[derive(Deserialize)]
struct Emissions<'a> {
    #[serde(borrow)]
    time: Cow<'a, str>,
    #[serde(default)]
    rating: Option<f64>,
    /// Of the slot; newer versions say it.
    #[serde(borrow, default)]
    duration: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Forecast<'a> {
    #[serde(borrow)]
    location: Cow<'a, str>,
    #[serde(default)]
    window_size: Option<u64>,
    #[serde(borrow, default, rename = "forecastData")]
    values: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct ForecastPoint<'a> {
    #[serde(borrow)]
    timestamp: Cow<'a, str>,
    /// In minutes.
    duration: u64,
    #[serde(default)]
    value: Option<f64>,
}

impl CarbonAwareSdk {
    /// As configured.
    pub fn new(config: &CarbonAwareSdkConfig) -> Self {
        Self { signal: config.signal.into() }
    }

    /// The name of a location: as configured, else that of the cloud region.
    fn location(zone: &ZoneRequest) -> Option<&str> {
        zone.id.as_deref().or_else(|| zone.region.as_ref().map(|region| &*region.name))
    }

    fn latest(zone: &ZoneRequest, now: Timestamp) -> Option<PlannedRequest> {
        let end = floor(now, FIVE_MINUTES);
        let text = |instant| in_utc(instant, "%Y-%m-%dT%H:%M:%SZ").replace(':', "%3A");
        let (from, to, location) = (text(end.checked_sub(RECENT).ok()?), text(end), encode(Self::location(zone)?));
        let path = format!("/emissions/bylocation?location={location}&time={from}&toTime={to}");
        Some(Self::request(zone, Purpose::Latest, path, 5))
    }

    /// Without a window size the windows are single values of the source.
    fn forecast(zone: &ZoneRequest) -> Option<PlannedRequest> {
        let path = format!("/emissions/forecasts/current?location={}", encode(Self::location(zone)?));
        zone.forecast.then(|| Self::request(zone, Purpose::Forecast, path, 60))
    }

    fn request(zone: &ZoneRequest, purpose: Purpose, path_and_query: String, minutes: u64) -> PlannedRequest {
        PlannedRequest {
            key: zone.key(purpose),
            zones: vec![zone.clone()],
            purpose,
            path_and_query,
            auth: Auth::None,
            min_interval: Duration::from_mins(minutes),
        }
    }

    fn emissions(&self, asked: &ZoneRequest, rows: Vec<&RawValue>, points: &mut Points) {
        for (position, raw) in (1..).zip(rows) {
            let point = row::<Emissions<'_>>(raw).and_then(|row| {
                let value = known(row.rating)?;
                let start = instant(&row.time)?;
                Ok(self.point(asked, position, Quality::Estimated, start, row.duration.and_then(|d| clock(&d)), value))
            });
            match point {
                Ok(point) => points.push(point),
                Err(problem) => points.refuse(position, problem),
            }
        }
    }

    fn forecasts(&self, asked: &ZoneRequest, rows: &[&RawValue], points: &mut Points) -> Result<(), ProviderError> {
        let mut position = 0;
        for raw in rows {
            let forecast: Forecast<'_> = json(raw.get().as_bytes())?;
            if !Self::location(asked).is_some_and(|asked| asked.eq_ignore_ascii_case(&forecast.location)) {
                return Err(ProviderError::other_zone(&asked.zone, &forecast.location));
            }
            let values: Vec<Result<ForecastPoint<'_>, String>> =
                forecast.values.into_iter().map(row::<ForecastPoint<'_>>).collect();
            let starts: Vec<Option<Timestamp>> =
                values.iter().map(|value| instant(&value.as_ref().ok()?.timestamp).ok()).collect();
            let mut rolling = false;
            for (index, value) in values.into_iter().enumerate() {
                position += 1;
                let next = starts.get(index + 1).copied().flatten();
                match value.and_then(|value| self.forecast_point(asked, position, &value, next)) {
                    Ok((point, cut)) => {
                        rolling |= cut;
                        points.push(point);
                    }
                    Err(problem) => points.refuse(position, problem),
                }
            }
            if rolling {
                let window = forecast.window_size.unwrap_or_default();
                points.flag(1, format!("values are rolling means of {window} minutes, cut to where the next begins"));
            }
        }
        Ok(())
    }

    /// A value and whether its window reaches over the next one.
    fn forecast_point(
        &self,
        asked: &ZoneRequest,
        position: u64,
        value: &ForecastPoint<'_>,
        next: Option<Timestamp>,
    ) -> Result<(Point, bool), String> {
        let grams = known(value.value)?;
        let start = instant(&value.timestamp)?;
        if !(1..=MAX_SLOT_MINUTES).contains(&value.duration) {
            return Err("its duration is no time or more than a day".to_owned());
        }
        let window = Duration::from_mins(value.duration);
        let gap =
            next.and_then(|next| Duration::try_from(next.duration_since(start)).ok()).filter(|gap| !gap.is_zero());
        let duration = gap.map_or(window, |gap| gap.min(window));
        Ok((self.point(asked, position, Quality::Forecast, start, Some(duration), grams), duration < window))
    }

    fn point(
        &self,
        asked: &ZoneRequest,
        position: u64,
        quality: Quality,
        start: Timestamp,
        duration: Option<Duration>,
        value: f64,
    ) -> Point {
        Point { position, zone: asked.zone.clone(), signal: self.signal, quality, start, duration, value }
    }
}

impl Provider for CarbonAwareSdk {
    fn name(&self) -> &'static str {
        NAME
    }

    fn plan(&self, zones: &[ZoneRequest], now: Timestamp) -> Vec<PlannedRequest> {
        let latest = zones.iter().filter_map(|zone| Self::latest(zone, now));
        latest.chain(zones.iter().filter_map(Self::forecast)).collect()
    }

    fn serves(&self, zone: &ZoneRequest) -> bool {
        Self::location(zone).is_some()
    }

    fn read(
        &self,
        request: &PlannedRequest,
        status: u16,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Answer, ProviderError> {
        if let Some(error) = ProviderError::of_status(status, body) {
            return Err(error);
        }
        if body.is_empty() {
            return Err(ProviderError::NoData);
        }
        let asked = request.zones.first().ok_or(ProviderError::NoData)?;
        let rows: Vec<&RawValue> = json(body)?;
        let mut points = Points::new(NAME, request.purpose, now);
        if request.purpose == Purpose::Forecast {
            self.forecasts(asked, &rows, &mut points)?;
        } else {
            self.emissions(asked, rows, &mut points);
        }
        points.finish()
    }
}

/// The SDK writes -1, sometimes 0, where its source knows nothing.
fn known(value: Option<f64>) -> Result<f64, String> {
    let value = value.ok_or("the value is null: the publisher does not know it")?;
    if value <= 0.0 {
        return Err("the SDK writes -1 or 0 where its source knows nothing".to_owned());
    }
    Ok(value)
}

/// `01:00:00`, as .NET prints a length of time.
fn clock(text: &str) -> Option<Duration> {
    let mut parts = text.splitn(3, ':').map(str::parse::<u64>);
    let (hours, minutes, seconds) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    let minutes = hours.checked_mul(60)?.checked_add(minutes)?;
    Some(Duration::from_secs(minutes.checked_mul(60)?.checked_add(seconds)?))
}
