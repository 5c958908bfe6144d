//! The configuration of the model: the same for every program, so that all of them show the same numbers.
//!
//! An empty document works. Text that cannot be meant is refused when the document is read; values that only make
//! sense together are checked by [`ModelConfig::validate`].

mod duration;
mod grid;
mod nodes;
mod selector;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use sci_core::{intensity::Zone, node::EmbodiedWeight, power::PowerError, quantity::QuantityError};
use serde::{Deserialize, Serialize};

pub use self::{
    duration::{DurationError, TextDuration},
    grid::{FileSourceConfig, GridConfig, QualityConfig, ScopeConfig, SignalConfig, SignalKindConfig},
    nodes::{HardwareClassConfig, HardwareRule, NodesConfig, PowerPoint, ZoneRule},
    selector::{LabelExpression, LabelOperator, LabelSelector},
};
use crate::objects::{CpuMillis, DefaultRequests, MemoryBytes};

/// Why a configuration cannot work, with the place.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A number outside its range.
    #[error("{field}: {problem}")]
    Number {
        /// Path of the field.
        field: String,
        /// What is wrong.
        problem: QuantityError,
    },
    /// Points that make no power curve.
    #[error("{field}: {problem}")]
    Curve {
        /// Path of the field.
        field: String,
        /// What is wrong.
        problem: PowerError,
    },
    /// Anything else.
    #[error("{field}: {problem}")]
    Value {
        /// Path of the field.
        field: String,
        /// What to do.
        problem: String,
    },
}

/// Everything that the numbers depend on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ModelConfig {
    /// Where carbon intensity comes from.
    pub grid: GridConfig,
    /// What is known about nodes beyond their labels.
    pub nodes: NodesConfig,
    /// How a pod on a node becomes a number.
    pub score: ScoreConfig,
    /// Who gets neutral answers.
    pub opt_out: OptOutConfig,
}

/// How a pod on a node becomes a number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ScoreConfig {
    /// Share of the hardware's embodied carbon that a decision is charged with, 0 to 10. 1 is the SCI equation in
    /// full; 0 counts energy only.
    pub embodied_weight: f64,
    /// What a pod that asks for no CPU is taken to need.
    pub default_cpu_request: CpuMillis,
    /// What a pod that asks for no memory is taken to need.
    pub default_memory_request: MemoryBytes,
    /// How long a decided pod that was not seen on any node yet counts on the nodes it was decided for.
    pub assume_for: TextDuration,
}

/// Who gets neutral answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct OptOutConfig {
    /// Namespaces by name, besides those that carry the opt-out label or annotation.
    pub namespaces: Vec<String>,
}

impl Default for ScoreConfig {
    fn default() -> Self {
        Self {
            embodied_weight: EmbodiedWeight::default().get(),
            default_cpu_request: CpuMillis(100),
            default_memory_request: MemoryBytes(128 << 20),
            assume_for: TextDuration::from_secs(60),
        }
    }
}

impl ModelConfig {
    /// Checks what the types alone cannot.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.grid.validate()?;
        self.nodes.validate()?;
        self.score.validate()
    }
}

impl ScoreConfig {
    /// The knob in the model's type; out of range, its default.
    pub fn embodied_weight(&self) -> EmbodiedWeight {
        EmbodiedWeight::new(self.embodied_weight).unwrap_or_default()
    }

    /// What pods without requests are taken to need.
    pub fn default_requests(&self) -> DefaultRequests {
        DefaultRequests { cpu: self.default_cpu_request, memory: self.default_memory_request }
    }

    fn validate(&self) -> Result<(), ConfigError> {
        number("score.embodiedWeight", self.embodied_weight, EmbodiedWeight::new)?;
        if self.default_cpu_request.0 == 0 {
            return Err(value("score.defaultCpuRequest", "make it more than zero"));
        }
        Ok(())
    }
}

fn value(field: &str, problem: impl Into<String>) -> ConfigError {
    ConfigError::Value { field: field.to_owned(), problem: problem.into() }
}

fn number<T>(field: &str, number: f64, check: impl FnOnce(f64) -> Result<T, QuantityError>) -> Result<T, ConfigError> {
    check(number).map_err(|problem| ConfigError::Number { field: field.to_owned(), problem })
}

fn zone(field: &str, name: &str) -> Result<(), ConfigError> {
    Zone::new(name).map(drop).map_err(|problem| value(field, problem.to_string()))
}
