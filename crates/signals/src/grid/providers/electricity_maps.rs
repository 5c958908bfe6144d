//! Electricity Maps, `/v3` and `/v4`.
//!
//! Facts: official Python SDK `electricitymaps` 0.0.1; Home Assistant's `aioelectricitymaps` 1.1.1. No answer of `/v4`
//! was ever seen, so that the reader takes the list of values under any of `history`, `data` and `forecast`.
//!
//! The newest value is often for an hour that is not over, and estimated. Without a zone the API silently answers for
//! the place of the caller, so that every question forbids it.

mod answer;

use std::{fmt::Write, time::Duration};

use jiff::Timestamp;
use sci_core::{
    intensity::{Scope, Signal, SignalKind, Zone},
    region,
};

use super::{
    Auth, ElectricityMapsApi, ElectricityMapsConfig, PlannedRequest, Provider, ProviderError, Purpose, ZoneRequest,
    text::{encode, in_utc},
};
use crate::{config::ScopeConfig, grid::Answer};

const NAME: &str = "electricity-maps";
const AUTH: Auth = Auth::Header { name: "auth-token" };
/// Most hours that a question may span, at hourly steps.
const MAX_RANGE: Duration = Duration::from_hours(10 * 24);
/// As far as the API forecasts.
const HORIZON_HOURS: u32 = 72;

/// Electricity Maps: average intensity by consumption, flows between zones traced.
#[derive(Debug, Clone)]
pub struct ElectricityMaps {
    config: ElectricityMapsConfig,
}

impl ElectricityMaps {
    /// As configured.
    pub fn new(config: &ElectricityMapsConfig) -> Self {
        Self { config: config.clone() }
    }

    fn signal(&self) -> Signal {
        let scope = match self.config.scope {
            ScopeConfig::Lifecycle => Scope::Lifecycle,
            ScopeConfig::Direct => Scope::Direct,
        };
        Signal { kind: SignalKind::Average, scope }
    }

    /// Which place, and that no other may be answered for.
    fn place(&self, zone: &ZoneRequest) -> String {
        match zone.region.as_ref().filter(|_| self.places(zone)) {
            Some(place) => {
                format!("dataCenterProvider={}&dataCenterRegion={}", place.provider.as_str(), encode(&place.name))
            }
            None => format!("zone={}", encode(zone.id())),
        }
    }

    /// Whether the provider itself is asked for the zone of a region.
    fn places(&self, zone: &ZoneRequest) -> bool {
        self.config.place_regions && zone.id.is_none() && zone.region.is_some()
    }

    fn request(&self, zone: &ZoneRequest, purpose: Purpose, rest: &str) -> PlannedRequest {
        let (endpoint, minutes) = match purpose {
            Purpose::History => ("history", 60),
            Purpose::Backfill => ("past-range", 7 * 24 * 60),
            Purpose::Forecast => ("forecast", 60),
            Purpose::Latest | Purpose::Login => ("latest", 10),
        };
        let version = match self.config.api {
            ElectricityMapsApi::V3 => "v3",
            ElectricityMapsApi::V4 => "v4",
        };
        let mut path_and_query = format!("/{version}/carbon-intensity/{endpoint}?{}", self.place(zone));
        // Writing into a String cannot fail.
        let scope = self.signal().scope.as_str();
        let _ = write!(path_and_query, "&disableCallerLookup=true&emissionFactorType={scope}{rest}");
        PlannedRequest {
            key: zone.key(purpose),
            zones: vec![zone.clone()],
            purpose,
            path_and_query,
            auth: AUTH,
            min_interval: Duration::from_mins(minutes),
        }
    }

    /// Values older than those that `history` brings, where they are wanted.
    fn backfill(&self, zone: &ZoneRequest, now: Timestamp) -> Vec<PlannedRequest> {
        let text = |instant| in_utc(instant, "%Y-%m-%dT%H:%M:%SZ").replace(':', "%3A");
        zone.backfill(now, MAX_RANGE, |(start, end)| {
            let rest = format!("&start={}&end={}&temporalGranularity=hourly", text(start), text(end));
            Some(self.request(zone, Purpose::Backfill, &rest))
        })
    }

    /// Whether an answer for `answered` is one for the zone asked for; a note where only the provider thinks so.
    fn agrees(&self, asked: &ZoneRequest, answered: &str) -> Result<Option<String>, ProviderError> {
        let catalogue = region::catalogue();
        let today = |zone: &Zone| catalogue.canonical(zone);
        let zone = Zone::new(answered).map_err(|_| ProviderError::other_zone(&asked.zone, answered))?;
        if answered == asked.id() || today(&zone) == today(&asked.zone) {
            return Ok(None);
        }
        match asked.region.as_ref().filter(|_| self.places(asked)) {
            Some(place) => Ok(Some(format!(
                "the provider places {} {} in zone {zone}, the catalogue in {}",
                place.provider, place.name, asked.zone
            ))),
            None => Err(ProviderError::other_zone(&asked.zone, answered)),
        }
    }
}

impl Provider for ElectricityMaps {
    fn name(&self) -> &'static str {
        NAME
    }

    fn plan(&self, zones: &[ZoneRequest], now: Timestamp) -> Vec<PlannedRequest> {
        let latest = zones.iter().map(|zone| self.request(zone, Purpose::Latest, ""));
        let history = zones.iter().map(|zone| self.request(zone, Purpose::History, ""));
        let horizon = format!("&horizonHours={HORIZON_HOURS}");
        let forecast = zones.iter().filter(|zone| zone.forecast);
        let forecast = forecast.map(|zone| self.request(zone, Purpose::Forecast, &horizon));
        let backfill = zones.iter().flat_map(|zone| self.backfill(zone, now));
        latest.chain(history).chain(forecast).chain(backfill).collect()
    }

    fn serves(&self, _zone: &ZoneRequest) -> bool {
        true
    }

    fn read(
        &self,
        request: &PlannedRequest,
        status: u16,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Answer, ProviderError> {
        let asked = request.zones.first().ok_or(ProviderError::NoData)?;
        if let Some(error) = answer::refusal(status, body) {
            return Err(error);
        }
        answer::read(&answer::Question { provider: self, asked, purpose: request.purpose, now }, body)
    }
}
