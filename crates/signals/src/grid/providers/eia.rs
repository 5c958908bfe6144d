//! The open data API of the U.S. Energy Information Administration: generation by fuel of every balancing authority.
//!
//! Facts: eia.gov/opendata, `APIv2`. Hourly rows, of which an answer holds 5,000 at most **without saying that it is
//! cut**; numbers come as text; a stamp names the **end** of its hour. The key is a part of the address.
//!
//! Intensity is computed here, see [`mix`](super::mix).

use std::{borrow::Cow, collections::BTreeSet, time::Duration};

use jiff::{Timestamp, civil, tz::TimeZone};
use sci_core::intensity::{Quality, Signal};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Auth, CallLimit, EiaConfig, PlannedRequest, Provider, ProviderError, Purpose, ZoneRequest,
    mix::{Generation, Plant},
    points::{Point, Points},
    text::{encode, floor, in_utc, json, row},
};
use crate::grid::Answer;

const NAME: &str = "eia";
const AUTH: Auth = Auth::Query { name: "api_key" };
const LIMITS: [CallLimit; 2] = [
    CallLimit { calls: 5, per: Duration::from_secs(1), ban: Duration::ZERO },
    CallLimit { calls: 9_000, per: Duration::from_hours(1), ban: Duration::ZERO },
];
const HOUR: Duration = Duration::from_hours(1);
const HOUR_SECONDS: i64 = 3_600;
/// Balancing authorities report up to a day late.
const RECENT: Duration = Duration::from_hours(36);
/// Rows of one answer, at most.
const PAGE_ROWS: usize = 5_000;
/// With some fifteen fuels this stays below the rows of one answer.
const MAX_RANGE: Duration = Duration::from_hours(13 * 24);
const UNIT: &str = "megawatthours";

/// The open data API of the EIA: average life-cycle intensity by production.
#[derive(Debug, Clone, Default)]
pub struct Eia {}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    response: Response<'a>,
}

#[derive(Deserialize)]
struct Response<'a> {
    #[serde(borrow, default)]
    total: Option<Number<'a>>,
    #[serde(borrow)]
    data: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Row<'a> {
    #[serde(borrow)]
    period: Cow<'a, str>,
    #[serde(borrow)]
    respondent: Cow<'a, str>,
    #[serde(borrow)]
    fueltype: Cow<'a, str>,
    #[serde(borrow, default)]
    value: Option<Number<'a>>,
    #[serde(borrow, default)]
    value_units: Option<Cow<'a, str>>,
}

/// A number, or one as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number<'a> {
    Number(f64),
    #[serde(borrow)]
    Text(Cow<'a, str>),
}

impl Eia {
    /// As configured.
    pub fn new(_config: &EiaConfig) -> Self {
        Self {}
    }

    /// The code of the balancing authority: as configured, else the last part of the zone's name, which Electricity
    /// Maps takes from the EIA (`US-MIDA-PJM`).
    fn respondent(zone: &ZoneRequest) -> Option<&str> {
        let plain = |code: &&str| !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if let Some(code) = zone.id.as_deref() {
            return Some(code).filter(plain);
        }
        let mut parts = zone.zone.as_str().split('-');
        let (country, _area, code) = (parts.next()?, parts.next()?, parts.next()?);
        Some(code).filter(plain).filter(|_| country == "US" && parts.next().is_none())
    }

    fn request(zone: &ZoneRequest, purpose: Purpose, (start, end): (Timestamp, Timestamp)) -> Option<PlannedRequest> {
        let respondent = encode(Self::respondent(zone)?);
        let time = |instant| in_utc(instant, "%Y-%m-%dT%H");
        let (start, end) = (time(start), time(end));
        let minutes = if purpose == Purpose::Backfill { 7 * 24 * 60 } else { 30 };
        Some(PlannedRequest {
            key: zone.key(purpose),
            zones: vec![zone.clone()],
            purpose,
            path_and_query: format!(
                "/v2/electricity/rto/fuel-type-data/data/?frequency=hourly&data%5B0%5D=value\
                 &facets%5Brespondent%5D%5B0%5D={respondent}&start={start}&end={end}\
                 &sort%5B0%5D%5Bcolumn%5D=period&sort%5B0%5D%5Bdirection%5D=desc&offset=0&length={PAGE_ROWS}"
            ),
            auth: AUTH,
            min_interval: Duration::from_mins(minutes),
        })
    }

    fn backfill(zone: &ZoneRequest, now: Timestamp) -> Vec<PlannedRequest> {
        zone.backfill(now, MAX_RANGE, |range| Self::request(zone, Purpose::Backfill, range))
    }
}

impl Number<'_> {
    fn get(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.trim().parse().ok(),
        }
    }
}

impl Provider for Eia {
    fn name(&self) -> &'static str {
        NAME
    }

    fn plan(&self, zones: &[ZoneRequest], now: Timestamp) -> Vec<PlannedRequest> {
        let end = floor(now, HOUR_SECONDS);
        let start = end.checked_sub(RECENT).unwrap_or(end);
        let history = zones.iter().filter_map(|zone| Self::request(zone, Purpose::History, (start, end)));
        history.chain(zones.iter().flat_map(|zone| Self::backfill(zone, now))).collect()
    }

    fn serves(&self, zone: &ZoneRequest) -> bool {
        Self::respondent(zone).is_some()
    }

    fn limits(&self) -> &'static [CallLimit] {
        &LIMITS
    }

    fn read(
        &self,
        request: &PlannedRequest,
        status: u16,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Answer, ProviderError> {
        let asked = request.zones.first().ok_or(ProviderError::NoData)?;
        let respondent = Self::respondent(asked).ok_or(ProviderError::NoData)?;
        match ProviderError::of_status(status, body) {
            // A missing or wrong key is answered with 403; there are no plans.
            Some(ProviderError::NotInPlan) => return Err(ProviderError::Unauthorized),
            Some(error) => return Err(error),
            None => {}
        }
        let Response { total, data } = json::<Body<'_>>(body)?.response;
        let mut points = Points::new(NAME, request.purpose, now);
        let mut generation = Generation::default();
        let mut oldest = None;
        let mut given = BTreeSet::new();
        for (position, raw) in (1..).zip(&data) {
            let added = row::<Row<'_>>(raw).and_then(|row| {
                let start = start_of(&row.period)?;
                if !given.insert((start, row.fueltype.to_string())) {
                    return Err("the hour and fuel are given twice".to_owned());
                }
                oldest = oldest.into_iter().chain([start]).min();
                add(&row, respondent, start, &mut generation)
            });
            if let Err(problem) = added {
                points.refuse(position, problem);
            }
        }
        let total = total.and_then(|total| total.get());
        let rows = u32::try_from(data.len()).map_or(f64::MAX, f64::from);
        let cut = total.is_some_and(|total| total > rows).then_some(oldest).flatten();
        if cut.is_some() {
            points.flag(1, "the answer is cut: its oldest hour is left out");
        }
        for (position, cell) in (1..).zip(generation.cells()) {
            match cell.mix.and_then(|mix| mix.intensity()) {
                _ if cut == Some(cell.start) => points.refuse(position, "the hour may not be complete"),
                Ok(value) => points.push(Point {
                    position,
                    zone: asked.zone.clone(),
                    signal: Signal::default(),
                    quality: Quality::Measured,
                    start: cell.start,
                    duration: Some(cell.duration),
                    value,
                }),
                Err(problem) => points.refuse(position, problem),
            }
        }
        points.finish()
    }
}

fn add(row: &Row<'_>, respondent: &str, start: Timestamp, generation: &mut Generation) -> Result<(), String> {
    if row.respondent != respondent {
        return Err("the balancing authority is not the one asked for".to_owned());
    }
    if row.value_units.as_deref().is_some_and(|unit| unit != UNIT) {
        return Err("its unit is not megawatthours".to_owned());
    }
    let value = row.value.as_ref().ok_or("the value is null: the publisher does not know it")?;
    let megawatts = value.get().filter(|value| value.is_finite()).ok_or("the value is no number")?;
    match Plant::of_eia(&row.fueltype) {
        Plant::Of(fuel) => generation.add(fuel, &row.fueltype, start, HOUR, megawatts),
        Plant::Storage => {}
        Plant::Unknown => return Err("its fuel is not known".to_owned()),
    }
    Ok(())
}

/// The begin of the hour that ends at a stamp such as `2026-01-31T14`, in UTC.
fn start_of(period: &str) -> Result<Timestamp, String> {
    let wrong = || "the period is not of the form 2026-01-31T14".to_owned();
    let (date, hour) = period.split_once('T').ok_or_else(wrong)?;
    let date: civil::Date = date.parse().map_err(|_| wrong())?;
    let hour: i8 = hour.parse().ok().filter(|hour| (0..24).contains(hour)).ok_or_else(wrong)?;
    let end = date.at(hour, 0, 0, 0).to_zoned(TimeZone::UTC).map_err(|_| wrong())?.timestamp();
    end.checked_sub(HOUR).map_err(|_| wrong())
}
