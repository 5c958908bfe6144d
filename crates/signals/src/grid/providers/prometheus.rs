//! Instant queries to the Prometheus HTTP API, and any query of one's own as a source.

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use jiff::{Timestamp, Unit};
use sci_core::intensity::{Quality, Signal};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Auth, PlannedRequest, PrometheusQueryConfig, Provider, ProviderError, Purpose, ZoneRequest,
    error::quoted,
    points::{Point, Points},
    text::{encode, json, row},
};
use crate::grid::Answer;

const NAME: &str = "prometheus";

/// A query to a Prometheus: unit, signal and quality as configured.
#[derive(Debug, Clone)]
pub struct PrometheusQuery {
    config: PrometheusQueryConfig,
}

/// One sample of an instant vector.
#[derive(Debug)]
pub(super) struct Sample<'a> {
    pub(super) labels: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    pub(super) at: Timestamp,
    pub(super) value: f64,
}

/// What a query yields.
#[derive(Debug)]
pub(super) struct Vector<'a> {
    /// Broken samples keep their place.
    pub(super) samples: Vec<Result<Sample<'a>, String>>,
    /// Of a partial answer, mostly.
    pub(super) warnings: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow, default)]
    data: Option<Data<'a>>,
    #[serde(borrow, default)]
    warnings: Vec<Cow<'a, str>>,
    /// What `VictoriaMetrics` says in place of a warning.
    #[serde(default)]
    is_partial: Option<bool>,
    #[serde(borrow, default)]
    error: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    #[serde(borrow)]
    result_type: Cow<'a, str>,
    #[serde(borrow)]
    result: &'a RawValue,
}

#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    metric: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    #[serde(borrow)]
    value: (f64, Cow<'a, str>),
}

impl PrometheusQuery {
    /// As configured.
    pub fn new(config: &PrometheusQueryConfig) -> Self {
        Self { config: config.clone() }
    }
}

impl Provider for PrometheusQuery {
    fn name(&self) -> &'static str {
        NAME
    }

    fn plan(&self, zones: &[ZoneRequest], _now: Timestamp) -> Vec<PlannedRequest> {
        let path_and_query = query_path(&self.config.query);
        everything(zones, path_and_query, Duration::from_mins(1)).into_iter().collect()
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
        let Vector { samples, warnings } = vector(status, body)?;
        let mut points = Points::new(NAME, request.purpose, now);
        for warning in warnings {
            points.flag(1, format!("the server warns: {warning}"));
        }
        let config = &self.config;
        for (position, sample) in (1..).zip(samples) {
            let named = sample.and_then(|sample| {
                let name = sample.labels.get(config.zone_label.as_str());
                let name = name.ok_or_else(|| format!("it has no label {}", config.zone_label))?.to_string();
                Ok((sample, name))
            });
            match named {
                Ok((sample, name)) => {
                    // Zones that nobody wants are left out without a word.
                    let Some(zone) = request.zones.iter().find(|zone| zone.id() == name) else { continue };
                    points.push(Point {
                        position,
                        zone: zone.zone.clone(),
                        signal: Signal::from(config.signal),
                        quality: Quality::from(config.quality),
                        start: sample.at,
                        duration: Some(config.slot.get()),
                        value: sample.value * config.unit.grams_per_kwh(),
                    });
                }
                Err(problem) => points.refuse(position, problem),
            }
        }
        points.finish()
    }
}

/// Path of an instant query.
pub(super) fn query_path(query: &str) -> String {
    format!("/api/v1/query?query={}", encode(query))
}

/// One question for all zones together.
pub(super) fn everything(
    zones: &[ZoneRequest],
    path_and_query: String,
    min_interval: Duration,
) -> Option<PlannedRequest> {
    (!zones.is_empty()).then(|| PlannedRequest {
        key: Purpose::Latest.as_str().into(),
        zones: zones.to_vec(),
        purpose: Purpose::Latest,
        path_and_query,
        auth: Auth::None,
        min_interval,
    })
}

/// The instant vector in an answer.
pub(super) fn vector(status: u16, body: &[u8]) -> Result<Vector<'_>, ProviderError> {
    match ProviderError::of_status(status, body) {
        // A proxy before a Prometheus knows no plans.
        Some(ProviderError::NotInPlan) => return Err(ProviderError::Unauthorized),
        Some(error) => return Err(error),
        None => {}
    }
    let Body { status: word, data, warnings, is_partial, error } = json(body)?;
    let data = data.filter(|_| word == "success").ok_or_else(|| ProviderError::Rejected {
        status,
        said: quoted(error.as_deref().unwrap_or("the query failed").as_bytes()),
    })?;
    if data.result_type != "vector" {
        return Err(ProviderError::malformed("the query yields no instant vector"));
    }
    let rows: Vec<&RawValue> = json(data.result.get().as_bytes())?;
    let partial = is_partial.filter(|&partial| partial).map(|_| "the answer is partial (isPartial)".to_owned());
    let warnings = warnings.iter().map(|warning| quoted(warning.as_bytes())).chain(partial).collect();
    Ok(Vector { samples: rows.into_iter().map(sample).collect(), warnings })
}

fn sample(raw: &RawValue) -> Result<Sample<'_>, String> {
    let Row { metric, value: (seconds, value) } = row(raw)?;
    let at = jiff::SignedDuration::try_from_secs_f64(seconds).ok();
    let at = at.and_then(|since| Timestamp::UNIX_EPOCH.checked_add(since).ok());
    // Prometheus counts milliseconds, which no float holds exactly.
    let at = at.and_then(|at| at.round(Unit::Millisecond).ok()).ok_or("its time is absurd")?;
    let value = value.parse().map_err(|_| "the value is no number")?;
    Ok(Sample { labels: metric, at, value })
}
