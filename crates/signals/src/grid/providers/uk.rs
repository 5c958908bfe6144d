//! The Carbon Intensity API of Great Britain (NESO), national and by region.
//!
//! Facts: carbonintensity.org.uk API v2; `PyPI` `carbon-intensity-uk` 1.0.1. Half-hours; times without seconds; `actual`
//! is null for the future and is revised for about a day; regions have forecasts only. Direct factors: never ranked
//! with the life-cycle values of others.

use std::{borrow::Cow, time::Duration};

use jiff::Timestamp;
use sci_core::intensity::{Quality, Scope, Signal, SignalKind, Zone};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Auth, PlannedRequest, Provider, ProviderError, Purpose, UkCarbonIntensityConfig, ZoneRequest,
    points::{Point, Points},
    text::{encode, floor, in_utc, instant, json, row},
};
use crate::grid::Answer;

const NAME: &str = "uk-carbon-intensity";
/// The zone of the national values.
const COUNTRY: &str = "GB";
const SIGNAL: Signal = Signal { kind: SignalKind::Average, scope: Scope::Direct };
const HALF_HOUR_SECONDS: i64 = 1_800;
/// The API refuses ranges of more than fourteen days.
const MAX_RANGE: Duration = Duration::from_hours(13 * 24);
/// Lists within lists that are followed: country, region, its periods.
const MAX_DEPTH: u32 = 4;

/// The Carbon Intensity API of Great Britain.
#[derive(Debug, Clone, Default)]
pub struct UkCarbonIntensity {}

/// Where in the country.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    National,
    /// One of the numbered regions.
    Region(u32),
    /// Outward code: what stands before the blank of a postcode.
    Postcode(String),
}

/// A period, or something that holds periods.
#[derive(Deserialize)]
struct Item<'a> {
    #[serde(default)]
    regionid: Option<u32>,
    #[serde(borrow, default)]
    postcode: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    from: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    to: Option<Cow<'a, str>>,
    #[serde(default)]
    intensity: Option<Intensity>,
}

#[derive(Deserialize)]
struct Intensity {
    #[serde(default)]
    forecast: Option<f64>,
    #[serde(default)]
    actual: Option<f64>,
}

/// An answer on its way to points.
struct Reading<'q> {
    place: Place,
    zone: &'q Zone,
    points: Points,
    position: u64,
}

impl UkCarbonIntensity {
    /// As configured.
    pub fn new(_config: &UkCarbonIntensityConfig) -> Self {
        Self {}
    }
}

impl Place {
    /// By the configured name: a number, a postcode, or none for the whole country.
    fn of(zone: &ZoneRequest) -> Option<Self> {
        let Some(id) = zone.id.as_deref().map(str::trim).filter(|id| !id.eq_ignore_ascii_case(COUNTRY)) else {
            return (zone.zone.as_str() == COUNTRY || zone.id.is_some()).then_some(Self::National);
        };
        if let Ok(number) = id.parse() {
            return Some(Self::Region(number));
        }
        let outward = outward_code(id);
        let plain = (2..=4).contains(&outward.len()) && outward.bytes().all(|byte| byte.is_ascii_alphanumeric());
        plain.then_some(Self::Postcode(outward))
    }

    /// Path of a question; `range` is a stretch of time, nothing for now.
    fn path(&self, range: &str) -> String {
        let place = match self {
            Self::National => return format!("/intensity{range}"),
            Self::Region(number) => format!("regionid/{number}"),
            Self::Postcode(outward) => format!("postcode/{}", encode(outward)),
        };
        if range.is_empty() { format!("/regional/{place}") } else { format!("/regional/intensity{range}/{place}") }
    }
}

impl Provider for UkCarbonIntensity {
    fn name(&self) -> &'static str {
        NAME
    }

    fn plan(&self, zones: &[ZoneRequest], now: Timestamp) -> Vec<PlannedRequest> {
        let time = |instant| in_utc(instant, "%Y-%m-%dT%H:%MZ").replace(':', "%3A");
        let from = time(floor(now, HALF_HOUR_SECONDS));
        let places = || zones.iter().filter_map(|zone| Some((zone, Place::of(zone)?)));
        let latest = places().map(|(zone, place)| request(zone, Purpose::Latest, place.path(""), 15));
        let history = format!("/{from}/pt24h");
        let history = places().map(|(zone, place)| request(zone, Purpose::History, place.path(&history), 60));
        let forecast = format!("/{from}/fw48h");
        let forecast = places()
            .filter(|(zone, _)| zone.forecast)
            .map(|(zone, place)| request(zone, Purpose::Forecast, place.path(&forecast), 30));
        let backfill = places().flat_map(|(zone, place)| {
            zone.backfill(now, MAX_RANGE, |(start, end)| {
                let path = place.path(&format!("/{}/{}", time(start), time(end)));
                Some(request(zone, Purpose::Backfill, path, 7 * 24 * 60))
            })
        });
        latest.chain(history).chain(forecast).chain(backfill).collect()
    }

    fn serves(&self, zone: &ZoneRequest) -> bool {
        Place::of(zone).is_some()
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
        let asked = request.zones.first().ok_or(ProviderError::NoData)?;
        let place = Place::of(asked).ok_or(ProviderError::NoData)?;
        let points = Points::new(NAME, request.purpose, now);
        let mut reading = Reading { place, zone: &asked.zone, points, position: 0 };
        let whole: &RawValue = json(body)?;
        let outer: Item<'_> = json(whole.get().as_bytes())?;
        // A full postcode is answered with null, and so is a region that does not exist.
        let data = outer.data.ok_or(ProviderError::NoData)?;
        reading.walk(data, MAX_DEPTH);
        reading.points.finish()
    }
}

impl Reading<'_> {
    /// Follows lists and regions down to periods.
    fn walk(&mut self, raw: &RawValue, depth: u32) {
        if depth == 0 {
            return self.refuse("lists are nested too deep");
        }
        if raw.get().starts_with('[') {
            return match row::<Vec<&RawValue>>(raw) {
                Ok(items) => items.into_iter().for_each(|item| self.walk(item, depth - 1)),
                Err(problem) => self.refuse(problem),
            };
        }
        match row::<Item<'_>>(raw) {
            Ok(item) if self.is_elsewhere(&item) => self.refuse("the region is not the one asked for"),
            Ok(Item { data: Some(data), .. }) => self.walk(data, depth - 1),
            Ok(item) => {
                self.position += 1;
                match self.point(&item) {
                    Ok(point) => self.points.push(point),
                    Err(problem) => self.points.refuse(self.position, problem),
                }
            }
            Err(problem) => self.refuse(problem),
        }
    }

    fn refuse(&mut self, problem: impl std::fmt::Display) {
        self.position += 1;
        self.points.refuse(self.position, problem);
    }

    fn is_elsewhere(&self, item: &Item<'_>) -> bool {
        match &self.place {
            Place::National => item.regionid.is_some(),
            Place::Region(asked) => item.regionid.is_some_and(|regionid| regionid != *asked),
            Place::Postcode(asked) => {
                item.postcode.as_deref().is_some_and(|postcode| !outward_code(postcode).eq_ignore_ascii_case(asked))
            }
        }
    }

    fn point(&self, item: &Item<'_>) -> Result<Point, String> {
        let start = instant(item.from.as_deref().ok_or("it has no time")?)?;
        let end = instant(item.to.as_deref().ok_or("it has no end")?)?;
        let duration = end.duration_since(start).try_into().map_err(|_| "it ends before it begins")?;
        let intensity = item.intensity.as_ref().ok_or("it has no intensity")?;
        let (value, quality) = match (intensity.actual, intensity.forecast) {
            (Some(actual), _) => (actual, Quality::Measured),
            (None, Some(forecast)) => (forecast, Quality::Forecast),
            (None, None) => return Err("the value is null: the publisher does not know it".to_owned()),
        };
        let zone = self.zone.clone();
        Ok(Point { position: self.position, zone, signal: SIGNAL, quality, start, duration: Some(duration), value })
    }
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

/// What stands before the blank of a postcode, or before its last three characters where the blank was left out.
fn outward_code(postcode: &str) -> String {
    let postcode = postcode.trim();
    let outward = match postcode.split_once(char::is_whitespace) {
        Some((outward, _)) => outward,
        None if postcode.len() > 4 => postcode.get(..postcode.len() - 3).unwrap_or(postcode),
        None => postcode,
    };
    outward.to_ascii_uppercase()
}
