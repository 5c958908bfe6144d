//! Where measured energy and carbon intensity come from, as configured. The same for every program.

mod duration;
mod energy;
mod error;
mod grid;
mod http;

pub use self::{
    duration::{DurationError, TextDuration},
    energy::{EnergyConfig, EnergySourceConfig, ExporterConfig, OtlpConfig, PrometheusConfig, ScrapeConfig},
    error::{ConfigError, number, value, zone},
    grid::{
        FileSourceConfig, ForecastConfig, GridConfig, GridSourceConfig, QualityConfig, ScopeConfig, SignalConfig,
        SignalKindConfig,
    },
    http::{BasicAuthConfig, HttpConfig},
};
pub(crate) use self::{grid::GridSourceKind, http::header};
