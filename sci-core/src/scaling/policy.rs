//! What a policy asks for, in numbers that were checked.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Carbon, Curve, GreenFactor, NoCarbon, Thresholds, Windows, number::whole};
use crate::{
    intensity::Quality,
    quantity::{GramsPerKwh, Share},
};

/// All that decides over one workload, but for what changes with time.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Target and guard.
    pub thresholds: Thresholds,
    /// From intensity to factor.
    pub curve: Curve,
    /// How fast the factor may move.
    pub damping: Damping,
    /// When the factor is 1 whatever the intensity.
    pub never_throttle: Windows,
    /// Whether the factor is served.
    pub mode: Mode,
    /// Whom a budget throttles first.
    pub criticality: Criticality,
    /// A load older than this is none.
    pub load_stale_after: Duration,
    /// Which intensities to act on.
    pub trust: CarbonTrust,
}

/// Whether a policy acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The factor is served.
    #[default]
    Enforce,
    /// All is computed, 1 is served.
    Shadow,
}

/// How much a workload minds being throttled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum Criticality {
    /// Throttled first.
    BestEffort,
    /// In between.
    #[default]
    Standard,
    /// Throttled last.
    Critical,
}

impl Criticality {
    /// All of them, in the order in which they are throttled.
    pub const ALL: [Self; 3] = [Self::BestEffort, Self::Standard, Self::Critical];

    /// As in the API and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BestEffort => "BestEffort",
            Self::Standard => "Standard",
            Self::Critical => "Critical",
        }
    }
}

/// Limits on how fast carbon moves the factor. None of them delays a way back to 1 that safety asks for: intensity
/// unknown, a window that begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Damping {
    /// The level is kept while an intensity this near would give it, in gCO2e/kWh to both sides. Steps thus go down
    /// at their edge plus the band and up at their edge less the band.
    pub band: GramsPerKwh,
    /// A level is kept at least this long, whatever the intensity does.
    pub min_dwell: Duration,
    /// Levels are 1, 1 - quantum, 1 - 2 quanta and so on: a factor in between is raised to the next one. 0 for none.
    pub quantum: Share,
    /// From one level to another in steps.
    pub max_step: Option<MaxStep>,
}

/// A slope in steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MaxStep {
    /// The factor moves by no more than this at once, up or down. 0 counts as 1.
    pub step: Share,
    /// And not again before this time has passed.
    pub every: Duration,
}

impl Damping {
    /// The factor follows the curve at once.
    pub const NONE: Self =
        Self { band: GramsPerKwh::MIN, min_dwell: Duration::ZERO, quantum: Share::NONE, max_step: None };

    /// Up to the next level.
    pub(super) fn quantised(&self, factor: GreenFactor) -> GreenFactor {
        let quantum = self.quantum.get();
        if quantum <= 0.0 {
            return factor;
        }
        // The epsilon keeps a factor that is a level, rounding aside, where it is.
        let levels = ((1.0 - factor.get()) / quantum + 1e-9).floor();
        GreenFactor::or_one(1.0 - levels * quantum).max(factor)
    }
}

impl Default for Damping {
    /// 10 gCO2e/kWh, ten minutes, levels of 0.05, no steps.
    fn default() -> Self {
        Self {
            band: GramsPerKwh::clamped(10.0),
            min_dwell: Duration::from_mins(10),
            quantum: Share::clamped(0.05),
            max_step: None,
        }
    }
}

/// Intensities worse than this count as unknown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CarbonTrust {
    /// The oldest.
    pub max_age: Duration,
    /// The least confidence; 0 confidence is never enough.
    pub min_confidence: Share,
    /// The worst quality.
    pub worst_quality: Quality,
}

impl Default for CarbonTrust {
    /// Two hours; any confidence but none; at worst a usual value for the hour: a mean of the year would throttle for
    /// ever.
    fn default() -> Self {
        Self { max_age: Duration::from_hours(2), min_confidence: Share::NONE, worst_quality: Quality::Typical }
    }
}

impl CarbonTrust {
    /// The intensity, where it may be acted on.
    ///
    /// # Errors
    /// [`NoCarbon`] says what is wrong with it.
    pub fn check(&self, carbon: Carbon) -> Result<Carbon, NoCarbon> {
        if carbon.age > self.max_age {
            return Err(NoCarbon::Stale { age: carbon.age, max_age: self.max_age });
        }
        if carbon.quality > self.worst_quality {
            return Err(NoCarbon::PoorQuality { quality: carbon.quality });
        }
        if carbon.confidence <= Share::NONE || carbon.confidence < self.min_confidence {
            return Err(NoCarbon::LowConfidence { confidence_percent: percent(carbon.confidence) });
        }
        Ok(carbon)
    }
}

fn percent(share: Share) -> u64 {
    whole(share.get() * 100.0)
}
