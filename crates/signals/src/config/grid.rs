//! `grid`: where carbon intensity comes from.

mod sources;

use std::{path::PathBuf, time::Duration};

use schemars::JsonSchema;
use sci_core::{
    forecast::MAX_HOURS,
    intensity::{Freshness, Quality, Scope, Signal, SignalKind},
};
use serde::{Deserialize, Serialize};

pub use self::sources::GridSourceConfig;
pub(crate) use self::sources::GridSourceKind;
use super::{ConfigError, TextDuration, value, zone};

/// Looking at files more often only costs.
const MIN_POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Where carbon intensity comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct GridConfig {
    /// The one kind of intensity that is used. Values of another kind are never compared with it.
    pub signal: SignalConfig,
    /// Files with intensities, strongest first.
    pub files: Vec<FileSourceConfig>,
    /// Further sources, strongest first. Files come before them.
    pub sources: Vec<GridSourceConfig>,
    /// Zones that sources are asked for even where no node stands in them.
    pub zones: Vec<String>,
    /// A value counts in full until it is this old, from the end of its slot.
    pub fresh_for: TextDuration,
    /// A value this old is not used any more; between the two its weight falls evenly.
    pub stale_after: TextDuration,
    /// Forecasts of our own.
    pub forecast: ForecastConfig,
    /// File that keeps what forecasts learn from over restarts. Unset: it is learned again.
    pub history_file: Option<PathBuf>,
    /// Use the usual value of the month and hour where nothing better is known: out of the zone's own past of four
    /// weeks or more, else out of an embedded table, for the signal average and lifecycle.
    pub typical_fallback: bool,
    /// Use the embedded annual average of the zone where nothing better is known. Only for the signal
    /// average and lifecycle, which is what the annual values are.
    pub annual_fallback: bool,
    /// How often files are looked at.
    pub poll_interval: TextDuration,
}

/// Forecasts of our own: learned per zone from measured and estimated values, with bounds, scored by the carbon that
/// following them would have saved. A provider's forecast is used instead where it does better.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ForecastConfig {
    /// Whether they are made.
    pub enabled: bool,
    /// Hours ahead, 1 to 168.
    pub horizon_hours: usize,
}

/// A kind of intensity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SignalConfig {
    /// Average of all generation, or of the plant that answers to a change of load.
    pub kind: SignalKindConfig,
    /// With the making of fuel and plant (lifecycle), or what leaves the stack (direct).
    pub scope: ScopeConfig,
}

/// Average or marginal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SignalKindConfig {
    /// Of all generation.
    #[default]
    Average,
    /// Of the generation that follows a change of load.
    Marginal,
}

/// Lifecycle or direct.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ScopeConfig {
    /// With fuel supply, construction and decommissioning.
    #[default]
    Lifecycle,
    /// Combustion only.
    Direct,
}

/// How well a value is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum QualityConfig {
    /// Metered.
    Measured,
    /// Estimated by the publisher.
    #[default]
    Estimated,
    /// From a model of ours.
    Modelled,
    /// A forecast.
    Forecast,
    /// Typical for the hour.
    Typical,
}

/// One file with intensities: CSV or JSON, watched and reloaded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FileSourceConfig {
    /// Path of the file; the ending .json means JSON, anything else CSV.
    pub path: PathBuf,
    /// Zone of files that have no zone column.
    #[serde(default)]
    pub zone: Option<String>,
    /// Kind and scope of files that do not say. The default is what `grid.signal` asks for.
    #[serde(default)]
    pub signal: Option<SignalConfig>,
    /// Quality of files that do not say.
    #[serde(default)]
    pub quality: QualityConfig,
}

impl Default for GridConfig {
    fn default() -> Self {
        Self {
            signal: SignalConfig::default(),
            files: Vec::new(),
            sources: Vec::new(),
            zones: Vec::new(),
            fresh_for: TextDuration::from_secs(3_600),
            stale_after: TextDuration::from_secs(6 * 3_600),
            forecast: ForecastConfig::default(),
            history_file: None,
            typical_fallback: true,
            annual_fallback: true,
            poll_interval: TextDuration::from_secs(1),
        }
    }
}

impl Default for ForecastConfig {
    fn default() -> Self {
        Self { enabled: true, horizon_hours: 72 }
    }
}

impl GridConfig {
    /// The signal in the model's type.
    pub fn signal(&self) -> Signal {
        self.signal.into()
    }

    /// The ageing rule in the model's type.
    pub fn freshness(&self) -> Freshness {
        Freshness { fresh_for: self.fresh_for.get(), stale_after: self.stale_after.get() }
    }

    /// Checks what the types alone cannot.
    ///
    /// # Errors
    /// [`ConfigError`] with the path of the field.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.stale_after < self.fresh_for {
            return Err(value("grid.staleAfter", "make it at least as long as grid.freshFor"));
        }
        if self.poll_interval.get() < MIN_POLL_INTERVAL {
            return Err(value("grid.pollInterval", "make it 100ms or longer"));
        }
        if !(1..=MAX_HOURS).contains(&self.forecast.horizon_hours) {
            return Err(value("grid.forecast.horizonHours", format!("make it 1 to {MAX_HOURS}")));
        }
        for (index, name) in self.zones.iter().enumerate() {
            zone(&format!("grid.zones[{index}]"), name)?;
        }
        for (index, file) in self.files.iter().enumerate() {
            file.validate(&format!("grid.files[{index}]"))?;
        }
        for (index, source) in self.sources.iter().enumerate() {
            let field = format!("grid.sources[{index}]");
            if self.sources.iter().take(index).any(|earlier| earlier.name == source.name) {
                return Err(value(&format!("{field}.name"), "give every source a name of its own"));
            }
            source.validate(&field)?;
        }
        Ok(())
    }

    /// Sources of the configuration: files and others.
    pub fn source_count(&self) -> usize {
        self.files.len() + self.sources.len()
    }
}

impl FileSourceConfig {
    fn validate(&self, field: &str) -> Result<(), ConfigError> {
        self.zone.as_ref().map_or(Ok(()), |name| zone(&format!("{field}.zone"), name))
    }
}

impl From<SignalConfig> for Signal {
    fn from(SignalConfig { kind, scope }: SignalConfig) -> Self {
        let kind = match kind {
            SignalKindConfig::Average => SignalKind::Average,
            SignalKindConfig::Marginal => SignalKind::Marginal,
        };
        let scope = match scope {
            ScopeConfig::Lifecycle => Scope::Lifecycle,
            ScopeConfig::Direct => Scope::Direct,
        };
        Self { kind, scope }
    }
}

impl From<QualityConfig> for Quality {
    fn from(quality: QualityConfig) -> Self {
        match quality {
            QualityConfig::Measured => Self::Measured,
            QualityConfig::Estimated => Self::Estimated,
            QualityConfig::Modelled => Self::Modelled,
            QualityConfig::Forecast => Self::Forecast,
            QualityConfig::Typical => Self::Typical,
        }
    }
}
