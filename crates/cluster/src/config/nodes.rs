//! `nodes`: what is known about nodes beyond their labels.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use sci_core::{
    power::{self, PowerCurve},
    quantity::{GramsCo2e, Pue, RelativePerformance, Utilization, Watts},
};
use serde::{Deserialize, Serialize};

use super::LabelSelector;
use kube_sci_signals::config::{ConfigError, number, value, zone};

/// What is known about nodes beyond their labels.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct NodesConfig {
    /// Grid zone by node labels, for on-premises and edge; the first rule that matches is used.
    pub zone_rules: Vec<ZoneRule>,
    /// Hardware that no table knows, by name.
    pub hardware_classes: BTreeMap<String, HardwareClassConfig>,
    /// Hardware class by node labels; the first rule that matches is used.
    pub hardware_rules: Vec<HardwareRule>,
    /// PUE of nodes that belong to no cloud provider. Unset: the documented default for on-premises sites.
    pub default_pue: Option<f64>,
}

/// A grid zone for the nodes that a selector selects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ZoneRule {
    /// Which nodes.
    pub selector: LabelSelector,
    /// Their grid zone.
    pub zone: String,
    /// PUE of their site.
    #[serde(default)]
    pub pue: Option<f64>,
}

/// A hardware class for the nodes that a selector selects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HardwareRule {
    /// Which nodes.
    pub selector: LabelSelector,
    /// A name from `hardwareClasses`, or a SPECpower family.
    pub class: String,
}

/// One class of machines, whole machines as the node sees them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HardwareClassConfig {
    /// Power at rest, in watts.
    pub idle_watts: f64,
    /// Power under full load, in watts.
    pub full_watts: f64,
    /// Measured points between them, if there are any; else the curve is a straight line.
    #[serde(default)]
    pub points: Vec<PowerPoint>,
    /// Embodied carbon of the machine in kgCO2e.
    pub embodied_kilograms: f64,
    /// Expected service life in years.
    #[serde(default = "default_lifetime_years")]
    pub lifetime_years: f64,
    /// Work per hardware thread, Cascade Lake = 1.
    #[serde(default = "default_relative_performance")]
    pub relative_performance: f64,
}

/// One point of a power curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PowerPoint {
    /// Busy share of the machine, above 0 and below 1.
    pub utilization: f64,
    /// Power there, in watts.
    pub watts: f64,
}

impl NodesConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        for (index, rule) in self.zone_rules.iter().enumerate() {
            let field = format!("nodes.zoneRules[{index}]");
            selector(&field, &rule.selector)?;
            zone(&format!("{field}.zone"), &rule.zone)?;
            rule.pue.map(|pue| number(&format!("{field}.pue"), pue, Pue::new)).transpose()?;
        }
        for (name, class) in &self.hardware_classes {
            class.check(&format!("nodes.hardwareClasses.{name}"))?;
        }
        for (index, rule) in self.hardware_rules.iter().enumerate() {
            let field = format!("nodes.hardwareRules[{index}]");
            selector(&field, &rule.selector)?;
            if !self.hardware_classes.contains_key(&rule.class) && !is_family(&rule.class) {
                let problem = format!("define {:?} in nodes.hardwareClasses or name a SPECpower family", rule.class);
                return Err(value(&format!("{field}.class"), problem));
            }
        }
        self.default_pue.map(|pue| number("nodes.defaultPue", pue, Pue::new)).transpose()?;
        Ok(())
    }
}

impl HardwareClassConfig {
    /// The power curve.
    pub fn curve(&self) -> Result<PowerCurve, ConfigError> {
        self.checked_curve("hardware class")
    }

    fn checked_curve(&self, field: &str) -> Result<PowerCurve, ConfigError> {
        let idle = number(&format!("{field}.idleWatts"), self.idle_watts, Watts::new)?;
        let full = number(&format!("{field}.fullWatts"), self.full_watts, Watts::new)?;
        let curve_error = |problem| ConfigError::Curve { field: field.to_owned(), problem };
        if self.points.is_empty() {
            return PowerCurve::linear(idle, full).map_err(curve_error);
        }
        let mut points = vec![(Utilization::IDLE, idle)];
        for (index, point) in self.points.iter().enumerate() {
            let field = format!("{field}.points[{index}]");
            points.push((
                number(&format!("{field}.utilization"), point.utilization, Utilization::new)?,
                number(&format!("{field}.watts"), point.watts, Watts::new)?,
            ));
        }
        points.push((Utilization::FULL, full));
        PowerCurve::from_points(&points).map_err(curve_error)
    }

    fn check(&self, field: &str) -> Result<(), ConfigError> {
        self.checked_curve(field)?;
        number(&format!("{field}.embodiedKilograms"), self.embodied_kilograms, GramsCo2e::new)?;
        number(&format!("{field}.relativePerformance"), self.relative_performance, RelativePerformance::new)?;
        if !(0.5..=50.0).contains(&self.lifetime_years) {
            return Err(value(&format!("{field}.lifetimeYears"), "make it 0.5 to 50 years"));
        }
        Ok(())
    }
}

const fn default_lifetime_years() -> f64 {
    4.0
}

const fn default_relative_performance() -> f64 {
    1.0
}

fn selector(field: &str, selector: &LabelSelector) -> Result<(), ConfigError> {
    selector.problem().map_or(Ok(()), |problem| Err(value(&format!("{field}.selector"), problem)))
}

/// Whether the embedded SPECpower table knows the name.
fn is_family(name: &str) -> bool {
    power::family_names().any(|family| family.eq_ignore_ascii_case(name))
}
