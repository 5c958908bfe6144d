//! The configuration of the model: the same for every program, so that all of them show the same numbers.
//!
//! An empty document works. Text that cannot be meant is refused when the document is read; values that only make
//! sense together are checked by [`ModelConfig::validate`].

mod nodes;
mod selector;
#[cfg(test)]
mod tests;

use kube_sci_signals::config::{number, value};
use schemars::JsonSchema;
use sci_core::node::EmbodiedWeight;
use serde::{Deserialize, Serialize};

pub use kube_sci_signals::config::{ConfigError, EnergyConfig, GridConfig, TextDuration};

pub use self::{
    nodes::{HardwareClassConfig, HardwareRule, NodesConfig, PowerPoint, ZoneRule},
    selector::{LabelExpression, LabelOperator, LabelSelector},
};
use crate::objects::{CpuMillis, DefaultRequests, MemoryBytes};

/// Everything that the numbers depend on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ModelConfig {
    /// Where carbon intensity comes from.
    pub grid: GridConfig,
    /// Where measured energy comes from.
    pub energy: EnergyConfig,
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
        self.energy.validate()?;
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
