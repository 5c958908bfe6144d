//! `WattTime` version 3.
//!
//! Facts: docs.watttime.org; `PyPI` `watttime` 1.4.0. Values are pounds of CO2 per megawatt-hour at points five minutes
//! apart, direct emissions only. User name and password buy a token for thirty minutes.

use std::{borrow::Cow, time::Duration};

use jiff::Timestamp;
use sci_core::intensity::{Quality, Scope, Signal, SignalKind};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Auth, CallLimit, PlannedRequest, Provider, ProviderError, Purpose, SessionToken, UnitConfig, WattTimeConfig,
    WattTimeSignal, ZoneRequest,
    points::{Point, Points},
    text::{encode, floor, in_utc, instant, json, row},
};
use crate::grid::Answer;

const NAME: &str = "watttime";
/// The publisher's thirty minutes, less a margin for clocks and slow answers.
const SESSION: Duration = Duration::from_mins(28);
const POINT_SECONDS: i64 = 300;
/// The last points, some of which were not there the time before.
const RECENT: Duration = Duration::from_hours(2);
/// Longest range of one question.
const MAX_RANGE: Duration = Duration::from_hours(30 * 24);
/// As far as the API forecasts.
const HORIZON_HOURS: u32 = 72;
/// Longer tokens are no tokens.
const MAX_TOKEN_BYTES: usize = 8_192;
/// Points a day or more apart are no signal for placing work.
const MAX_POINT_SECONDS: u64 = 86_400;
const LIMITS: [CallLimit; 1] = [CallLimit { calls: 3_000, per: Duration::from_mins(5), ban: Duration::ZERO }];
const LOGIN_LIMITS: [CallLimit; 1] = [CallLimit { calls: 100, per: Duration::from_mins(5), ban: Duration::ZERO }];

/// `WattTime`: marginal (or average) direct emissions of a balancing area. Zones are named in the configuration.
#[derive(Debug, Clone)]
pub struct WattTime {
    signal_type: WattTimeSignal,
}

#[derive(Deserialize)]
struct Login {
    token: String,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    data: Vec<&'a RawValue>,
    #[serde(borrow)]
    meta: Meta<'a>,
}

#[derive(Deserialize)]
struct Meta<'a> {
    data_point_period_seconds: u64,
    #[serde(borrow)]
    region: Cow<'a, str>,
    #[serde(borrow)]
    signal_type: Cow<'a, str>,
    #[serde(borrow)]
    units: Cow<'a, str>,
    #[serde(borrow, default)]
    warnings: Vec<&'a RawValue>,
}

/// A value, or a whole forecast as it was made at some time.
#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow, default)]
    point_time: Option<Cow<'a, str>>,
    #[serde(default)]
    value: Option<f64>,
    #[serde(borrow, default)]
    forecast: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
struct Warning<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<Cow<'a, str>>,
}

impl WattTime {
    /// As configured.
    pub fn new(config: &WattTimeConfig) -> Self {
        Self { signal_type: config.signal_type }
    }

    const fn signal_type(&self) -> &'static str {
        match self.signal_type {
            WattTimeSignal::Co2Moer => "co2_moer",
            WattTimeSignal::Co2Aoer => "co2_aoer",
        }
    }

    const fn signal(&self) -> Signal {
        let kind = match self.signal_type {
            WattTimeSignal::Co2Moer => SignalKind::Marginal,
            WattTimeSignal::Co2Aoer => SignalKind::Average,
        };
        Signal { kind, scope: Scope::Direct }
    }

    fn request(&self, zone: &ZoneRequest, purpose: Purpose, rest: &str) -> PlannedRequest {
        let (endpoint, minutes) = match purpose {
            Purpose::Forecast => ("forecast", 60),
            Purpose::Backfill => ("historical", 7 * 24 * 60),
            Purpose::Latest | Purpose::History | Purpose::Login => ("historical", 5),
        };
        let (region, signal_type) = (encode(zone.id()), self.signal_type());
        PlannedRequest {
            key: zone.key(purpose),
            zones: vec![zone.clone()],
            purpose,
            path_and_query: format!("/v3/{endpoint}?region={region}&signal_type={signal_type}{rest}"),
            auth: Auth::Session,
            min_interval: Duration::from_mins(minutes),
        }
    }

    fn between(&self, zone: &ZoneRequest, purpose: Purpose, (start, end): (Timestamp, Timestamp)) -> PlannedRequest {
        let text = |instant| in_utc(instant, "%Y-%m-%dT%H:%MZ").replace(':', "%3A");
        self.request(zone, purpose, &format!("&start={}&end={}", text(start), text(end)))
    }

    fn backfill(&self, zone: &ZoneRequest, now: Timestamp) -> Vec<PlannedRequest> {
        zone.backfill(now, MAX_RANGE, |range| Some(self.between(zone, Purpose::Backfill, range)))
    }

    /// Refuses answers to other questions, and other units.
    fn check(&self, meta: &Meta<'_>, asked: &ZoneRequest) -> Result<Duration, ProviderError> {
        if meta.region != asked.id() {
            return Err(ProviderError::other_zone(&asked.zone, &meta.region));
        }
        if meta.signal_type != self.signal_type() {
            return Err(ProviderError::malformed(format!("its signal is not {}", self.signal_type())));
        }
        if UnitConfig::named(&meta.units) != Some(UnitConfig::PoundsPerMwh) {
            return Err(ProviderError::malformed("its unit is not lbs_co2_per_mwh"));
        }
        if !(1..=MAX_POINT_SECONDS).contains(&meta.data_point_period_seconds) {
            return Err(ProviderError::malformed("its points are no time or more than a day apart"));
        }
        Ok(Duration::from_secs(meta.data_point_period_seconds))
    }
}

impl Provider for WattTime {
    fn name(&self) -> &'static str {
        NAME
    }

    fn plan(&self, zones: &[ZoneRequest], now: Timestamp) -> Vec<PlannedRequest> {
        let known = || zones.iter().filter(|zone| self.serves(zone));
        let end = floor(now, POINT_SECONDS);
        let start = end.checked_sub(RECENT).unwrap_or(end);
        let latest = known().map(|zone| self.between(zone, Purpose::Latest, (start, end)));
        let horizon = format!("&horizon_hours={HORIZON_HOURS}");
        let forecast = known().filter(|zone| zone.forecast);
        let forecast = forecast.map(|zone| self.request(zone, Purpose::Forecast, &horizon));
        latest.chain(forecast).chain(known().flat_map(|zone| self.backfill(zone, now))).collect()
    }

    fn serves(&self, zone: &ZoneRequest) -> bool {
        zone.id.is_some()
    }

    fn limits(&self) -> &'static [CallLimit] {
        &LIMITS
    }

    fn login_limits(&self) -> &'static [CallLimit] {
        &LOGIN_LIMITS
    }

    fn login(&self) -> Option<PlannedRequest> {
        Some(PlannedRequest {
            key: Purpose::Login.as_str().into(),
            zones: Vec::new(),
            purpose: Purpose::Login,
            path_and_query: "/login".to_owned(),
            auth: Auth::Basic,
            min_interval: Duration::ZERO,
        })
    }

    fn read_login(&self, status: u16, body: &[u8], now: Timestamp) -> Result<SessionToken, ProviderError> {
        match ProviderError::of_status(status, body) {
            // Wrong names and passwords are answered either way.
            Some(ProviderError::Unauthorized | ProviderError::NotInPlan) => return Err(ProviderError::Unauthorized),
            Some(error) => return Err(error),
            None => {}
        }
        let Login { token } = json(body)?;
        if token.is_empty() || token.len() > MAX_TOKEN_BYTES || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ProviderError::malformed("its token is none"));
        }
        Ok(SessionToken::new(token, now.checked_add(SESSION).unwrap_or(now)))
    }

    fn read(
        &self,
        request: &PlannedRequest,
        status: u16,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Answer, ProviderError> {
        let asked = request.zones.first().ok_or(ProviderError::NoData)?;
        if let Some(error) = ProviderError::of_status(status, body) {
            return Err(error);
        }
        let Body { mut data, meta } = json(body)?;
        let duration = self.check(&meta, asked)?;
        let mut points = Points::new(NAME, request.purpose, now);
        for (position, raw) in (1..).zip(&meta.warnings) {
            let kind = row::<Warning<'_>>(raw).ok().and_then(|warning| warning.kind);
            let kind = super::error::quoted(kind.as_deref().unwrap_or("of no type").as_bytes());
            points.flag(position, format!("the publisher warns: {kind}"));
        }
        // Of several forecasts made one after another only the last speaks of the present.
        let last: Option<Row<'_>> = data.last().and_then(|raw| row(raw).ok());
        if let Some(forecast) = last.and_then(|row| row.forecast) {
            data = forecast;
        }
        let quality = if request.purpose == Purpose::Forecast { Quality::Forecast } else { Quality::Modelled };
        for (position, raw) in (1..).zip(data) {
            let point = row::<Row<'_>>(raw).and_then(|row| {
                let start = instant(row.point_time.as_deref().ok_or("it has no point_time")?)?;
                let pounds = row.value.ok_or("the value is null: the publisher does not know it")?;
                let value = pounds * UnitConfig::PoundsPerMwh.grams_per_kwh();
                let (zone, signal) = (asked.zone.clone(), self.signal());
                Ok(Point { position, zone, signal, quality, start, duration: Some(duration), value })
            });
            match point {
                Ok(point) => points.push(point),
                Err(problem) => points.refuse(position, problem),
            }
        }
        points.finish()
    }
}
