//! `grid.sources[]`: APIs that know intensities.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use schemars::JsonSchema;
use sci_core::{intensity::Zone, region};
use serde::{Deserialize, Serialize};

use super::FileSourceConfig;
use crate::{
    config::{BasicAuthConfig, ConfigError, HttpConfig, TextDuration, value, zone},
    grid::providers::{
        AzureConfigMapConfig, CarbonAwareSdkConfig, EiaConfig, ElectricityMapsConfig, EntsoEConfig,
        GridIntensityExporterConfig, PrometheusQueryConfig, UkCarbonIntensityConfig, WattTimeConfig,
    },
};

/// A source is given up for one round after this; a call must be over before.
const MAX_TIMEOUT: Duration = Duration::from_secs(25);

/// One source: exactly one of the parts that name an API, a file or a `ConfigMap`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GridSourceConfig {
    /// Its name in metrics, logs and `/v1/quality`.
    pub name: String,
    /// How the API is reached. Unset: at its public address.
    #[serde(default)]
    pub http: Option<HttpConfig>,
    /// File with the token or key of the API. It is sent where the API wants it.
    #[serde(default)]
    pub token_file: Option<PathBuf>,
    /// User name and password, for an API that wants them.
    #[serde(default)]
    pub basic_auth: Option<BasicAuthConfig>,
    /// Only these zones. Empty: every zone that a node stands in, and those of `grid.zones`.
    #[serde(default)]
    pub only_zones: Vec<String>,
    /// The API's own names of zones, where they differ: a region, code, postcode or label value.
    #[serde(default)]
    pub zone_ids: BTreeMap<String, String>,
    /// Most calls in any hour, for all zones together. Unset: what the publisher allows.
    #[serde(default)]
    pub calls_per_hour: Option<u32>,
    /// No question is asked more often than this; most are asked less often, as the API publishes.
    #[serde(default = "no_period")]
    pub period: TextDuration,
    /// Ask for forecasts too, and for some weeks of the past that a forecast can learn from.
    #[serde(default = "yes")]
    pub forecast: bool,
    /// Electricity Maps.
    #[serde(default)]
    pub electricity_maps: Option<ElectricityMapsConfig>,
    /// WattTime.
    #[serde(default)]
    pub watt_time: Option<WattTimeConfig>,
    /// Carbon Intensity API of Great Britain.
    #[serde(default)]
    pub uk_carbon_intensity: Option<UkCarbonIntensityConfig>,
    /// Transparency platform of ENTSO-E.
    #[serde(default)]
    pub entso_e: Option<EntsoEConfig>,
    /// U.S. Energy Information Administration.
    #[serde(default)]
    pub eia: Option<EiaConfig>,
    /// A Carbon Aware SDK `WebAPI`.
    #[serde(default)]
    pub carbon_aware_sdk: Option<CarbonAwareSdkConfig>,
    /// The exporter of grid-intensity-go, its page or a Prometheus that scrapes it.
    #[serde(default)]
    pub grid_intensity_exporter: Option<GridIntensityExporterConfig>,
    /// Any query to a Prometheus.
    #[serde(default)]
    pub prometheus: Option<PrometheusQueryConfig>,
    /// The `ConfigMap` of Azure's carbon-intensity-exporter.
    #[serde(default)]
    pub azure_config_map: Option<AzureConfigMapConfig>,
    /// A file, as under `grid.files`, but at this place in the order.
    #[serde(default)]
    pub file: Option<FileSourceConfig>,
}

/// What a source is, and what follows from that.
#[derive(Debug, Clone, Copy)]
pub(crate) enum GridSourceKind<'c> {
    ElectricityMaps(&'c ElectricityMapsConfig),
    WattTime(&'c WattTimeConfig),
    UkCarbonIntensity(&'c UkCarbonIntensityConfig),
    EntsoE(&'c EntsoEConfig),
    Eia(&'c EiaConfig),
    CarbonAwareSdk(&'c CarbonAwareSdkConfig),
    GridIntensityExporter(&'c GridIntensityExporterConfig),
    Prometheus(&'c PrometheusQueryConfig),
    AzureConfigMap(&'c AzureConfigMapConfig),
    File(&'c FileSourceConfig),
}

impl GridSourceKind<'_> {
    /// As in the configuration.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::ElectricityMaps(_) => "electricityMaps",
            Self::WattTime(_) => "wattTime",
            Self::UkCarbonIntensity(_) => "ukCarbonIntensity",
            Self::EntsoE(_) => "entsoE",
            Self::Eia(_) => "eia",
            Self::CarbonAwareSdk(_) => "carbonAwareSdk",
            Self::GridIntensityExporter(_) => "gridIntensityExporter",
            Self::Prometheus(_) => "prometheus",
            Self::AzureConfigMap(_) => "azureConfigMap",
            Self::File(_) => "file",
        }
    }

    /// Where everybody reaches it, if it is a public one.
    const fn public_address(self) -> Option<&'static str> {
        match self {
            Self::ElectricityMaps(_) => Some("https://api.electricitymaps.com"),
            Self::WattTime(_) => Some("https://api.watttime.org"),
            Self::UkCarbonIntensity(_) => Some("https://api.carbonintensity.org.uk"),
            Self::EntsoE(_) => Some("https://web-api.tp.entsoe.eu"),
            Self::Eia(_) => Some("https://api.eia.gov"),
            _ => None,
        }
    }

    /// Whether the API has a place of its own for a token, and does not answer without.
    pub(crate) const fn needs_token(self) -> bool {
        matches!(self, Self::ElectricityMaps(_) | Self::EntsoE(_) | Self::Eia(_))
    }

    const fn is_api(self) -> bool {
        !matches!(self, Self::AzureConfigMap(_) | Self::File(_))
    }
}

impl GridSourceConfig {
    /// What it is; `None` unless exactly one part is set.
    pub(crate) fn kind(&self) -> Option<GridSourceKind<'_>> {
        let kinds = [
            self.electricity_maps.as_ref().map(GridSourceKind::ElectricityMaps),
            self.watt_time.as_ref().map(GridSourceKind::WattTime),
            self.uk_carbon_intensity.as_ref().map(GridSourceKind::UkCarbonIntensity),
            self.entso_e.as_ref().map(GridSourceKind::EntsoE),
            self.eia.as_ref().map(GridSourceKind::Eia),
            self.carbon_aware_sdk.as_ref().map(GridSourceKind::CarbonAwareSdk),
            self.grid_intensity_exporter.as_ref().map(GridSourceKind::GridIntensityExporter),
            self.prometheus.as_ref().map(GridSourceKind::Prometheus),
            self.azure_config_map.as_ref().map(GridSourceKind::AzureConfigMap),
            self.file.as_ref().map(GridSourceKind::File),
        ];
        let mut set = kinds.into_iter().flatten();
        let first = set.next()?;
        set.next().is_none().then_some(first)
    }

    /// How the API is reached, with address and secrets put where they belong; `None` for what is no API.
    pub(crate) fn service(&self) -> Option<HttpConfig> {
        let kind = self.kind().filter(|kind| kind.is_api())?;
        let mut http = self.http.clone().or_else(|| kind.public_address().map(HttpConfig::new))?;
        if let Some(basic) = &self.basic_auth {
            http.basic_auth = Some(basic.clone());
        }
        if let Some(token) = self.token_file.as_ref().filter(|_| !kind.needs_token()) {
            http.bearer_token_file = Some(token.clone());
        }
        Some(http)
    }

    pub(super) fn validate(&self, field: &str) -> Result<(), ConfigError> {
        let kind = self.kind().ok_or_else(|| {
            value(
                field,
                "set exactly one of electricityMaps, wattTime, ukCarbonIntensity, entsoE, eia, carbonAwareSdk, \
                 gridIntensityExporter, prometheus, azureConfigMap and file",
            )
        })?;
        if self.name.is_empty() {
            return Err(value(&format!("{field}.name"), "give it a name"));
        }
        if kind.is_api() {
            self.validate_api(field, kind)?;
        } else if self.http.is_some() || self.token_file.is_some() || self.basic_auth.is_some() {
            return Err(value(field, "leave out http, tokenFile and basicAuth: this source is no API"));
        }
        for (index, name) in self.only_zones.iter().enumerate() {
            zone(&format!("{field}.onlyZones[{index}]"), name)?;
        }
        for (name, id) in &self.zone_ids {
            zone(&format!("{field}.zoneIds"), name)?;
            if id.is_empty() {
                return Err(value(&format!("{field}.zoneIds.{name}"), "write the API's name of the zone"));
            }
        }
        match kind {
            GridSourceKind::GridIntensityExporter(exporter) => {
                exporter.validate(&format!("{field}.gridIntensityExporter"))
            }
            GridSourceKind::Prometheus(query) => query.validate(&format!("{field}.prometheus")),
            GridSourceKind::File(file) => file.validate(&format!("{field}.file")),
            _ => Ok(()),
        }
    }

    fn validate_api(&self, field: &str, kind: GridSourceKind<'_>) -> Result<(), ConfigError> {
        let Some(http) = self.service() else {
            return Err(value(&format!("{field}.http"), "say where the API is reached"));
        };
        http.validate(&format!("{field}.http"))?;
        if http.timeout.get() > MAX_TIMEOUT {
            return Err(value(&format!("{field}.http.timeout"), "make it 25s or shorter"));
        }
        if kind.needs_token() && self.token_file.is_none() {
            return Err(value(&format!("{field}.tokenFile"), "name the file with the token: the API wants one"));
        }
        if matches!(kind, GridSourceKind::WattTime(_)) && http.basic_auth.is_none() {
            return Err(value(&format!("{field}.basicAuth"), "give user name and password: the API wants them"));
        }
        if self.calls_per_hour == Some(0) {
            return Err(value(&format!("{field}.callsPerHour"), "make it 1 or more, or leave out the source"));
        }
        Ok(())
    }

    /// Zones that it is limited to, by today's names.
    pub(crate) fn only(&self) -> Vec<Zone> {
        self.only_zones.iter().filter_map(|name| today(name)).collect()
    }

    /// The API's own names of zones, by today's names of ours.
    pub(crate) fn ids(&self) -> Vec<(Zone, Arc<str>)> {
        self.zone_ids.iter().filter_map(|(name, id)| Some((today(name)?, id.as_str().into()))).collect()
    }
}

fn today(name: &str) -> Option<Zone> {
    Zone::new(name).ok().map(|zone| region::catalogue().canonical(&zone))
}

const fn no_period() -> TextDuration {
    TextDuration::from_secs(0)
}

const fn yes() -> bool {
    true
}
