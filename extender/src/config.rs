//! The extender's one YAML document.

use std::error::Error;

use kube_sci_cluster::config::{
    ConfigError, EnergyConfig, GridConfig, ModelConfig, NodesConfig, OptOutConfig, ScoreConfig,
};
use kube_sci_server::{
    cli::ProgramConfig,
    config::{ListenConfig, TelemetryConfig},
};
use schemars::JsonSchema;
use sci_core::{
    intensity::Zone,
    quantity::{GramsPerHour, GramsPerKwh},
};
use serde::{Deserialize, Serialize};

/// Configuration of the extender. Every key has a default; without a file it listens on loopback and knows the
/// annual intensities of all cloud regions.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ExtenderConfig {
    /// `enforce` steers the scheduler. `shadow` computes and records the same, and answers as if it had no opinion.
    pub mode: Mode,
    /// Where the scheduler finds the extender.
    pub server: ListenConfig,
    /// Logs, traces and pushed metrics.
    pub telemetry: TelemetryConfig,
    /// Where carbon intensities come from, and how long they are believed.
    pub grid: GridConfig,
    /// Where measured energy comes from. Without sources every node is modelled.
    pub energy: EnergyConfig,
    /// Grid zones, hardware and site overhead of nodes that do not say it themselves.
    pub nodes: NodesConfig,
    /// How footprints become scores.
    pub score: ScoreConfig,
    /// Who gets neutral answers.
    pub opt_out: OptOutConfig,
    /// Limits that refuse nodes. A pod's own annotation replaces the limit given here.
    pub filter: FilterConfig,
    /// How much is remembered for explanations.
    pub decisions: DecisionsConfig,
    /// Events on pods.
    pub events: EventsConfig,
}

/// Whether answers steer the scheduler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// Answers hold scores and rejections.
    #[default]
    Enforce,
    /// Answers are neutral; metrics and explanations show what would have been said.
    Shadow,
}

impl Mode {
    /// As in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Shadow => "shadow",
        }
    }
}

/// Limits for pods that set none themselves. They work only where the scheduler's configuration names the verb
/// `filter`. Missing or stale data never refuses a node.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct FilterConfig {
    /// Refuse nodes in grid zones above this intensity, in gCO2e/kWh. Absent: no limit.
    #[schemars(with = "Option<f64>")]
    pub max_intensity_grams_per_kwh: Option<GramsPerKwh>,
    /// Refuse nodes where the pod would cost more than this, in gCO2e per hour. Absent: no limit.
    #[schemars(with = "Option<f64>")]
    pub max_grams_per_hour: Option<GramsPerHour>,
    /// Refuse nodes outside these grid zones; a zone stands for its sub-zones too. Empty: no limit.
    #[schemars(with = "Vec<String>")]
    pub allowed_zones: Vec<Zone>,
    /// Namespaces whose pods get these limits. Empty: all namespaces. Annotations work everywhere.
    pub namespaces: Vec<String>,
}

/// How much is remembered for explanations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DecisionsConfig {
    /// Candidate nodes kept over all decisions; 50 bytes each. A decision is cut to its ten best nodes once its pod
    /// is bound, the oldest decisions leave first.
    pub max_candidates: usize,
}

impl Default for DecisionsConfig {
    fn default() -> Self {
        Self { max_candidates: 100_000 }
    }
}

/// Events on pods. They need the permission to create `events.events.k8s.io`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct EventsConfig {
    /// Write an Event on each pod after it was bound: where to, its footprint there, its rank among the candidates.
    pub enabled: bool,
    /// Most events per second; more are dropped and counted.
    pub max_per_second: u32,
}

impl Default for EventsConfig {
    fn default() -> Self {
        Self { enabled: false, max_per_second: 10 }
    }
}

impl ExtenderConfig {
    /// The part that builds the snapshot, the same for every program.
    pub fn model(&self) -> ModelConfig {
        ModelConfig {
            grid: self.grid.clone(),
            energy: self.energy.clone(),
            nodes: self.nodes.clone(),
            score: self.score.clone(),
            opt_out: self.opt_out.clone(),
        }
    }

    /// Checks what the types alone cannot.
    ///
    /// # Errors
    /// [`ConfigError`] with the path of the field.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.model().validate()?;
        if self.events.max_per_second == 0 {
            let problem = "make it 1 or more, or set events.enabled: false".to_owned();
            return Err(ConfigError::Value { field: "events.maxPerSecond".to_owned(), problem });
        }
        Ok(())
    }
}

impl ProgramConfig for ExtenderConfig {
    fn server(&self) -> &ListenConfig {
        &self.server
    }

    fn telemetry(&self) -> &TelemetryConfig {
        &self.telemetry
    }

    fn validate(&self) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(Self::validate(self)?)
    }
}

#[cfg(test)]
mod tests {
    use kube_sci_server::config::parse_yaml;

    use super::*;

    #[test]
    fn no_document_is_every_default() {
        let read: ExtenderConfig = parse_yaml("config.yaml", "").unwrap();
        assert_eq!(read, ExtenderConfig::default());
        assert!(read.server.address.ip().is_loopback());
        assert_eq!(read.mode, Mode::Enforce);
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_place() {
        let error =
            parse_yaml::<ExtenderConfig>("config.yaml", "mode: shadow\nfilter:\n  maxIntensity: 3\n").unwrap_err();
        let text = error.to_string();
        assert!(text.contains("line 3, column 3") && text.contains("maxIntensity"), "{text}");
    }

    #[test]
    fn a_limit_outside_its_range_is_refused() {
        let error = parse_yaml::<ExtenderConfig>("c", "filter:\n  maxIntensityGramsPerKwh: -1\n").unwrap_err();
        assert!(error.to_string().contains("GramsPerKwh must be between 0 and 5000"), "{error}");
    }
}
