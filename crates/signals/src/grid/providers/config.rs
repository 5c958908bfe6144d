//! What each provider wants to know beside address, token and zones. Parts of `grid.sources[]`: exactly one of them
//! is set.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, QualityConfig, ScopeConfig, SignalConfig, TextDuration, value};

/// Electricity Maps. The token goes into the header `auth-token`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ElectricityMapsConfig {
    /// First part of every path. What `v4` answers was never recorded: it is asked for like `v3`, and read leniently.
    pub api: ElectricityMapsApi,
    /// Emission factors: with the making of fuel and plant (lifecycle), or what leaves the stack (direct).
    pub scope: ScopeConfig,
    /// Let Electricity Maps place cloud regions in zones, instead of naming the zone of the catalogue. Where the two
    /// differ, the answer holds for the catalogue's zone and the difference is reported.
    pub place_regions: bool,
}

/// Version of the Electricity Maps API.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ElectricityMapsApi {
    /// `/v3`
    #[default]
    V3,
    /// `/v4`
    V4,
}

/// WattTime version 3. User name and password buy a token for half an hour.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct WattTimeConfig {
    /// What is asked for. Both are direct emissions of CO2.
    pub signal_type: WattTimeSignal,
}

/// A signal of WattTime.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WattTimeSignal {
    /// Marginal.
    #[default]
    Co2Moer,
    /// Average.
    Co2Aoer,
}

/// The Carbon Intensity API of Great Britain. Open; needs no token.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct UkCarbonIntensityConfig {}

/// The transparency platform of ENTSO-E. The token is a part of the address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct EntsoEConfig {}

/// The open data API of the U.S. Energy Information Administration. The key is a part of the address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct EiaConfig {}

/// A Carbon Aware SDK `WebAPI` of one's own. Open; its source decides what the values mean, so that must be said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CarbonAwareSdkConfig {
    /// What its source yields: marginal and direct for `WattTime`, average and lifecycle for Electricity Maps.
    pub signal: SignalConfig,
}

/// The exporter of grid-intensity-go. Its label `provider` says what the values mean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct GridIntensityExporterConfig {
    /// Where its metrics are read.
    pub route: ExporterRoute,
    /// Path of its page.
    pub path: String,
    /// What values of a provider mean that is not known by its name. Without it they are refused.
    pub signal: Option<SignalConfig>,
}

/// Where metrics are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ExporterRoute {
    /// The exporter's own page.
    #[default]
    Page,
    /// A Prometheus that scrapes it.
    Prometheus,
}

/// Any query to a Prometheus that yields one sample per zone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PrometheusQueryConfig {
    /// `PromQL`; asked as an instant query.
    pub query: String,
    /// Label that names the zone.
    #[serde(default = "default_zone_label")]
    pub zone_label: String,
    /// Unit of the values.
    #[serde(default)]
    pub unit: UnitConfig,
    /// What the values mean.
    #[serde(default)]
    pub signal: SignalConfig,
    /// How the values came to be.
    #[serde(default)]
    pub quality: QualityConfig,
    /// How long a sample holds.
    #[serde(default = "default_slot")]
    pub slot: TextDuration,
}

/// The `ConfigMap` of Azure's carbon-intensity-exporter. It holds one location.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AzureConfigMapConfig {
    /// Its namespace.
    #[serde(default = "default_namespace")]
    pub namespace: String,
    /// Its name.
    #[serde(default = "default_name")]
    pub name: String,
    /// What its source yields: marginal and direct for `WattTime`, average and lifecycle for Electricity Maps.
    pub signal: SignalConfig,
}

/// Unit of an intensity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum UnitConfig {
    /// Grams per kilowatt-hour.
    #[default]
    #[serde(rename = "g/kWh")]
    GramsPerKwh,
    /// Kilograms per kilowatt-hour.
    #[serde(rename = "kg/kWh")]
    KilogramsPerKwh,
    /// Kilograms per megawatt-hour.
    #[serde(rename = "kg/MWh")]
    KilogramsPerMwh,
    /// Tonnes per megawatt-hour.
    #[serde(rename = "t/MWh")]
    TonnesPerMwh,
    /// Pounds per megawatt-hour.
    #[serde(rename = "lb/MWh")]
    PoundsPerMwh,
}

impl Default for GridIntensityExporterConfig {
    fn default() -> Self {
        Self { route: ExporterRoute::default(), path: "/metrics".to_owned(), signal: None }
    }
}

impl GridIntensityExporterConfig {
    /// Checks what the types alone cannot; `field` is the path of this part.
    ///
    /// # Errors
    /// [`ConfigError`] with the path of the field.
    pub fn validate(&self, field: &str) -> Result<(), ConfigError> {
        if self.path.starts_with('/') { Ok(()) } else { Err(value(&format!("{field}.path"), "begin it with /")) }
    }
}

impl PrometheusQueryConfig {
    /// Checks what the types alone cannot; `field` is the path of this part.
    ///
    /// # Errors
    /// [`ConfigError`] with the path of the field.
    pub fn validate(&self, field: &str) -> Result<(), ConfigError> {
        if self.query.trim().is_empty() || self.zone_label.is_empty() {
            return Err(value(field, "write a query and the label that names the zone"));
        }
        if self.slot.get() < Duration::from_secs(1) {
            return Err(value(&format!("{field}.slot"), "make it 1s or longer"));
        }
        Ok(())
    }
}

fn default_zone_label() -> String {
    "zone".to_owned()
}

const fn default_slot() -> TextDuration {
    TextDuration::from_secs(3_600)
}

fn default_namespace() -> String {
    "kube-system".to_owned()
}

fn default_name() -> String {
    "carbonintensity".to_owned()
}
