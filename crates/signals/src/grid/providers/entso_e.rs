//! The transparency platform of ENTSO-E: generation by kind of plant in Europe.
//!
//! Facts: the platform's guide to its web API; `PyPI` `entsoe-py` 0.8.1. `A75` is generation as it was, `A69` the
//! day-ahead forecast of wind and sun. No data is an acknowledgement with reason 999, under status 200 or 400. Large
//! answers are ZIP archives. One call too many per minute is punished with ten minutes of silence.
//!
//! Intensity is computed here, see [`mix`](super::mix); the forecast too, from the last week's generation, which is
//! remembered between answers: there is none before a week is known.

mod area;
mod document;
mod forecast;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use sci_core::intensity::{Quality, Signal};

use self::{
    document::{Document, TimeSeries},
    forecast::Memory,
};
use super::{
    Auth, CallLimit, EntsoEConfig, PlannedRequest, Provider, ProviderError, Purpose, ZoneRequest,
    mix::{Cell, Generation, Plant},
    points::{Point, Points},
    text::{floor, in_utc},
};
use crate::grid::Answer;

const NAME: &str = "entso-e";
const AUTH: Auth = Auth::Query { name: "securityToken" };
const LIMITS: [CallLimit; 1] = [CallLimit { calls: 400, per: Duration::from_mins(1), ban: Duration::from_mins(10) }];
const QUARTER_SECONDS: i64 = 900;
const DAY: Duration = Duration::from_hours(24);
/// What a forecast has to know of the past.
const WEEK_AND_A_DAY: Duration = Duration::from_hours(8 * 24);
/// Longest range of one question; the platform would take a year.
const MAX_RANGE: Duration = Duration::from_hours(60 * 24);
/// As far ahead as forecasts of wind and sun are asked for.
const AHEAD: Duration = Duration::from_hours(48);
/// Megawatts, as the platform writes them.
const MEGAWATTS: &str = "MAW";
/// Points that repeat the last value are left out.
const CURVE_WITH_REPEATS: &str = "A03";
const NO_DATA: &str = "999";

/// The transparency platform of ENTSO-E: average life-cycle intensity by production.
#[derive(Debug, Default)]
pub struct EntsoE {
    /// By area.
    memory: Mutex<BTreeMap<Arc<str>, Memory>>,
}

impl EntsoE {
    /// As configured. Nothing is known of any area yet.
    pub fn new(_config: &EntsoEConfig) -> Self {
        Self::default()
    }

    /// The area of a zone: the configured code, else by the zone's name.
    fn area(zone: &ZoneRequest) -> Option<&str> {
        match zone.id.as_deref() {
            Some(code) if area::is_code(code) => Some(code),
            Some(name) => area::of_zone(name),
            None => area::of_zone(zone.zone.as_str()),
        }
    }

    fn memory(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Memory>> {
        // Each entry is whole at any time, so that a thread that died while holding the lock left nothing broken.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn request(zone: &ZoneRequest, purpose: Purpose, (start, end): (Timestamp, Timestamp)) -> Option<PlannedRequest> {
        let (document, process, minutes) = match purpose {
            Purpose::Forecast => ("A69", "A01", 60),
            Purpose::Backfill => ("A75", "A16", 7 * 24 * 60),
            Purpose::Latest | Purpose::History | Purpose::Login => ("A75", "A16", 15),
        };
        let area = Self::area(zone)?;
        let time = |instant| in_utc(instant, "%Y%m%d%H%M");
        let (start, end) = (time(start), time(end));
        Some(PlannedRequest {
            key: zone.key(purpose),
            zones: vec![zone.clone()],
            purpose,
            path_and_query: format!(
                "/api?documentType={document}&processType={process}&in_Domain={area}&periodStart={start}&periodEnd={end}"
            ),
            auth: AUTH,
            min_interval: Duration::from_mins(minutes),
        })
    }

    fn history(zone: &ZoneRequest, now: Timestamp) -> Option<PlannedRequest> {
        let end = floor(now, QUARTER_SECONDS);
        Self::request(zone, Purpose::History, (end.checked_sub(DAY).ok()?, end))
    }

    fn backfill(zone: &ZoneRequest, now: Timestamp) -> Vec<PlannedRequest> {
        let for_forecast = zone.forecast.then(|| now.checked_sub(WEEK_AND_A_DAY).ok()).flatten();
        let since = [zone.since, for_forecast].into_iter().flatten().min();
        let reaching = ZoneRequest { since, ..zone.clone() };
        reaching.backfill(now, MAX_RANGE, |range| Self::request(zone, Purpose::Backfill, range))
    }

    fn forecast(&self, zone: &ZoneRequest, now: Timestamp) -> Option<PlannedRequest> {
        let ready = Self::area(zone).and_then(|area| Some(self.memory().get(area)?.is_ready()));
        let start = floor(now, 4 * QUARTER_SECONDS);
        let wanted = zone.forecast && ready == Some(true);
        if wanted { Self::request(zone, Purpose::Forecast, (start, start.checked_add(AHEAD).ok()?)) } else { None }
    }
}

impl Provider for EntsoE {
    fn name(&self) -> &'static str {
        NAME
    }

    fn plan(&self, zones: &[ZoneRequest], now: Timestamp) -> Vec<PlannedRequest> {
        let history = zones.iter().filter_map(|zone| Self::history(zone, now));
        let backfill = zones.iter().flat_map(|zone| Self::backfill(zone, now));
        history.chain(backfill).chain(zones.iter().filter_map(|zone| self.forecast(zone, now))).collect()
    }

    fn serves(&self, zone: &ZoneRequest) -> bool {
        Self::area(zone).is_some()
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
        let area = Self::area(asked).ok_or(ProviderError::NoData)?;
        let refused = ProviderError::of_status(status, body);
        if let Some(error) = refused.clone().filter(|_| status != 400) {
            return Err(error);
        }
        let document = document::read(body).map_err(|error| refused.clone().unwrap_or(error))?;
        if let Some(reason) = document.reason.as_ref().filter(|_| document.series.is_empty()) {
            return Err(acknowledged(status, reason));
        }
        if let Some(error) = refused {
            return Err(error);
        }
        let mut points = Points::new(NAME, request.purpose, now);
        let cells = generation(&document, area, &mut points)?.cells();
        if request.purpose == Purpose::Forecast {
            let memory = self.memory();
            let memory = memory.get(area).ok_or(ProviderError::NoData)?;
            fill(points, asked, Quality::Forecast, &cells, |cell| {
                let weather =
                    cell.mix.as_ref().map_err(|_| "the forecast of wind and sun is not complete".to_owned())?;
                memory.forecast(cell.start, cell.duration, weather)
            })
        } else {
            self.memory().entry(area.into()).or_default().learn(&cells);
            fill(points, asked, Quality::Measured, &cells, |cell| cell.mix.as_ref().map_err(Clone::clone)?.intensity())
        }
    }
}

/// Values of all slots.
fn fill(
    mut points: Points,
    asked: &ZoneRequest,
    quality: Quality,
    cells: &[Cell],
    value: impl Fn(&Cell) -> Result<f64, String>,
) -> Result<Answer, ProviderError> {
    for (position, cell) in (1..).zip(cells) {
        match value(cell) {
            Ok(value) => points.push(Point {
                position,
                zone: asked.zone.clone(),
                signal: Signal::default(),
                quality,
                start: cell.start,
                duration: Some(cell.duration),
                value,
            }),
            Err(problem) => points.refuse(position, problem),
        }
    }
    points.finish()
}

/// What an acknowledgement says: mostly that there is nothing.
fn acknowledged(status: u16, reason: &document::Reason) -> ProviderError {
    if reason.code == NO_DATA && reason.text.starts_with("No matching data") {
        return ProviderError::NoData;
    }
    ProviderError::Rejected {
        status,
        said: super::error::quoted(format!("{}: {}", reason.code, reason.text).as_bytes()),
    }
}

/// All series that generate.
fn generation(document: &Document, area: &str, points: &mut Points) -> Result<Generation, ProviderError> {
    let mut generation = Generation::default();
    for (position, series) in (1..).zip(&document.series) {
        if let Some(elsewhere) = series.into.as_deref().or(series.out_of.as_deref()).filter(|other| *other != area) {
            return Err(ProviderError::OtherZone {
                asked: area.to_owned(),
                answered: super::error::quoted(elsewhere.as_bytes()),
            });
        }
        match add(series, &mut generation) {
            Ok(0) => {}
            Ok(broken) => points.refuse(position, format!("{broken} points have no position or quantity")),
            Err(problem) => points.refuse(position, problem),
        }
    }
    Ok(generation)
}

/// Adds one series; how many of its points are broken.
fn add(series: &TimeSeries, generation: &mut Generation) -> Result<usize, String> {
    let fuel = match Plant::of_psr_type(&series.psr_type) {
        // Power taken out of the grid, by pumps or the plant itself, is no generation.
        Plant::Of(_) if series.into.is_none() && series.out_of.is_some() => return Ok(0),
        Plant::Of(fuel) => fuel,
        Plant::Storage => return Ok(0),
        Plant::Unknown => return Err("its kind of plant is not known".to_owned()),
    };
    if series.unit != MEGAWATTS {
        return Err("its unit is not MW".to_owned());
    }
    let mut broken = 0;
    for period in &series.periods {
        broken += period.broken;
        for step in period.steps(series.curve == CURVE_WITH_REPEATS)? {
            generation.add(fuel, &series.psr_type, step.start, step.duration, step.megawatts);
        }
    }
    Ok(broken)
}
