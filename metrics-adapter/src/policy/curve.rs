//! The curve as users write it.

use kube_sci_signals::config::TextDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits::MAX_STEPS;

/// How much of the load counts at which carbon intensity: exactly one of `steps`, `linear` and `quantile`. A factor of
/// 1 scales as the plain load would; a factor of 0.8 asks for a fifth fewer replicas, as far as the guard lets it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "[has(self.steps), has(self.linear), has(self.quantile)].filter(given, given).size() == 1",
    "message": "give exactly one of steps, linear and quantile",
}]))]
pub struct CurveSpec {
    /// One factor per band of intensity; below the first step the factor is 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = MAX_STEPS), extend("x-kubernetes-list-type" = "atomic", "x-kubernetes-validations" = [
        {
            "rule": "self.map(step, step.atOrAbove).isSorted() && self.all(a, self.exists_one(b, b.atOrAbove == a.atOrAbove))",
            "message": "sort steps by atOrAbove, each with another value",
        },
        { "rule": "self.map(step, -step.factor).isSorted()", "message": "let factors fall as intensity rises" },
    ]))]
    pub steps: Option<Vec<StepSpec>>,
    /// A straight line between two intensities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linear: Option<LinearSpec>,
    /// A straight line between two quantiles of the zone's own past, so that one policy fits every grid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantile: Option<QuantileSpec>,
}

/// One step of a curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepSpec {
    /// From this intensity on, in gCO2e/kWh.
    #[schemars(range(min = 0, max = 5000))]
    pub at_or_above: f64,
    /// Share of the load that counts, above 0 and at most 1.
    #[schemars(range(max = 1), extend("minimum" = 0, "exclusiveMinimum" = true))]
    pub factor: f64,
}

/// A straight line from 1 down to `minFactor`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{ "rule": "self.from < self.to", "message": "make from less than to" }]))]
pub struct LinearSpec {
    /// Up to this intensity the factor is 1, in gCO2e/kWh.
    #[schemars(range(min = 0, max = 5000))]
    pub from: f64,
    /// From this intensity on the factor is `minFactor`, in gCO2e/kWh.
    #[schemars(range(min = 0, max = 5000))]
    pub to: f64,
    /// The smallest factor, above 0 and at most 1.
    #[schemars(range(max = 1), extend("minimum" = 0, "exclusiveMinimum" = true))]
    pub min_factor: f64,
}

/// As [`LinearSpec`], between two quantiles of what the zone's intensity was.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{ "rule": "self.from < self.to", "message": "make from less than to" }]))]
pub struct QuantileSpec {
    /// Up to this quantile the factor is 1, 0 to 1.
    #[schemars(range(min = 0, max = 1))]
    pub from: f64,
    /// From this quantile on the factor is `minFactor`, 0 to 1.
    #[schemars(range(min = 0, max = 1))]
    pub to: f64,
    /// The smallest factor, above 0 and at most 1.
    #[schemars(range(max = 1), extend("minimum" = 0, "exclusiveMinimum" = true))]
    pub min_factor: f64,
    /// How far the past reaches back, at most 35 days.
    #[serde(default = "default_window")]
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "self >= duration('24h') && self <= duration('840h')",
        "message": "make the window 24h to 840h",
    }]))]
    pub window: TextDuration,
}

const fn default_window() -> TextDuration {
    TextDuration::from_secs(14 * 24 * 3_600)
}
