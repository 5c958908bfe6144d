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
    grid::{FileSourceConfig, GridConfig, QualityConfig, ScopeConfig, SignalConfig, SignalKindConfig},
    http::{BasicAuthConfig, HttpConfig},
};
