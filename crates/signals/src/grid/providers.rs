//! Grid intensity APIs, without I/O: which questions to ask, and what an answer says.
//!
//! | provider | answers | signal |
//! | --- | --- | --- |
//! | [`ElectricityMaps`] | latest, history, forecast | average; lifecycle or direct as asked |
//! | [`WattTime`] | history, forecast | marginal (`co2_moer`) or average (`co2_aoer`), direct |
//! | [`UkCarbonIntensity`] | latest, history, forecast | average direct |
//! | [`EntsoE`] | history from generation, forecast from that of wind and sun | average lifecycle |
//! | [`Eia`] | history from generation | average lifecycle |
//! | [`CarbonAwareSdk`] | latest, forecast | as configured: the API does not say |
//! | [`GridIntensityExporter`] | latest | by the label `provider` |
//! | [`PrometheusQuery`] | latest | as configured |
//! | [`azure_config_map`] | forecast | as configured |
//!
//! A [`Provider`] is asked what to ask for ([`Provider::plan`]), somebody else asks it over HTTP, and the bytes come
//! back to [`Provider::read`]. The fetcher thus has one place for tokens, quotas, retries and entity tags:
//!
//! - Questions with equal [`PlannedRequest::path_and_query`] are one question. It holds no secret: the token is
//!   added where [`PlannedRequest::auth`] says.
//! - A question is due again [`PlannedRequest::min_interval`] after its last good answer, never earlier.
//! - An [`Answer`] speaks for its question only: it replaces what the last answer to the same
//!   [`PlannedRequest::key`] said, and no other.
//! - [`Auth::Session`] means: ask [`Provider::login`] first, keep the [`SessionToken`] until it expires, and ask for
//!   another one once where an answer is [`ProviderError::Unauthorized`].
//! - [`ProviderError::retry`] says what to do after a failure.
//!
//! Each provider is made from a part of `grid.sources[]` that belongs to it: `ElectricityMaps::new(&config)` from
//! [`ElectricityMapsConfig`], and so on. Address, credentials, the zones' names at the provider ([`ZoneRequest::id`])
//! and quotas are common to all and live beside that part.
//!
//! Every value passes [`sanity`]: outside the range of an intensity, dated where it cannot be, a thousand times off
//! or far from the zone's annual mean, it is left out, counted and named.

mod auth;
mod carbon_aware_sdk;
mod config;
mod countries;
mod eia;
mod electricity_maps;
mod entso_e;
mod error;
mod exporter;
mod mix;
mod points;
mod prometheus;
mod request;
pub mod sanity;
mod text;
mod uk;
mod unit;
mod watt_time;

pub mod azure_config_map;

use std::fmt::Debug;

use jiff::Timestamp;

pub use self::{
    auth::{Auth, SessionToken},
    carbon_aware_sdk::CarbonAwareSdk,
    config::{
        AzureConfigMapConfig, CarbonAwareSdkConfig, EiaConfig, ElectricityMapsApi, ElectricityMapsConfig, EntsoEConfig,
        ExporterRoute, GridIntensityExporterConfig, PrometheusQueryConfig, UkCarbonIntensityConfig, UnitConfig,
        WattTimeConfig, WattTimeSignal,
    },
    eia::Eia,
    electricity_maps::ElectricityMaps,
    entso_e::EntsoE,
    error::{ProviderError, Retry},
    exporter::GridIntensityExporter,
    prometheus::PrometheusQuery,
    request::{CallLimit, CloudRegion, PlannedRequest, Purpose, ZoneRequest},
    uk::UkCarbonIntensity,
    watt_time::WattTime,
};
use super::Answer;

/// A grid API, without I/O: which questions to ask, what an answer says.
pub trait Provider: Debug + Send + Sync {
    /// Short name for logs, metrics and explanations; also the source of every series.
    fn name(&self) -> &'static str;

    /// The questions for the zones that are wanted, most urgent first. Zones that the provider does not know yield
    /// none, and [`serves`](Self::serves) says so. Cheap and repeatable: it is called before every round.
    fn plan(&self, zones: &[ZoneRequest], now: Timestamp) -> Vec<PlannedRequest>;

    /// Whether the provider can be asked for a zone.
    fn serves(&self, zone: &ZoneRequest) -> bool;

    /// What the publisher allows, strictest first; empty where it does not say.
    fn limits(&self) -> &'static [CallLimit] {
        &[]
    }

    /// What the publisher allows of logins alone.
    fn login_limits(&self) -> &'static [CallLimit] {
        &[]
    }

    /// How to get a session token; `None` where the configured token is sent with every question.
    fn login(&self) -> Option<PlannedRequest> {
        None
    }

    /// The session token in the answer to [`login`](Self::login).
    ///
    /// # Errors
    /// [`ProviderError`]; also where the provider knows no sessions.
    fn read_login(&self, status: u16, _body: &[u8], _now: Timestamp) -> Result<SessionToken, ProviderError> {
        Err(ProviderError::Rejected { status, said: "this provider has no login".to_owned() })
    }

    /// What an answer says. Called for every status but 304.
    ///
    /// # Errors
    /// [`ProviderError`]: nothing of the answer can be used. An answer of which a part can be used is `Ok`, with the
    /// rest counted in [`Answer::refused_rows`].
    fn read(&self, request: &PlannedRequest, status: u16, body: &[u8], now: Timestamp)
    -> Result<Answer, ProviderError>;
}
