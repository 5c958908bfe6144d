//! What a policy decides, and why.

use std::{fmt, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    CurvePoint, GovernorState, GreenFactor, IntensityHistory, Load, LoadError, LoadSample, Thresholds, Tightening,
    TooLittleHistory, number,
};
use crate::{
    intensity::Quality,
    quantity::{GramsPerKwh, Share},
};

/// What is known at one instant.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// The instant.
    pub now: Timestamp,
    /// The load, or why there is none.
    pub load: Result<LoadSample, LoadError>,
    /// The intensity where the workload runs, or why there is none.
    pub carbon: Result<Carbon, NoCarbon>,
    /// The zone's past; only quantile curves look at it.
    pub history: Option<&'a IntensityHistory>,
    /// What the namespace's budget asks for.
    pub tightening: Tightening,
}

/// An intensity and how far to trust it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Carbon {
    /// The intensity.
    #[serde(rename = "gramsPerKwh")]
    pub intensity: GramsPerKwh,
    /// How it came to be.
    pub quality: Quality,
    /// 0 to 1, falls with age.
    pub confidence: Share,
    /// How far it is from speaking of now.
    #[serde(skip)]
    pub age: Duration,
}

/// Why there is no intensity to act on. The factor is 1 then: an ordinary autoscaler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoCarbon {
    /// Nobody said.
    #[error("no carbon intensity is known")]
    Missing,
    /// True once, not any more.
    #[error("the carbon intensity is {} s old, more than {} s are too old", age.as_secs(), max_age.as_secs())]
    Stale {
        /// How old it is.
        age: Duration,
        /// How old it may be.
        max_age: Duration,
    },
    /// No better than a guess.
    #[error("{quality} carbon intensities do not say what it is now")]
    PoorQuality {
        /// How it came to be.
        quality: Quality,
    },
    /// Its source or age leaves too much doubt.
    #[error("the confidence in the carbon intensity is {confidence_percent} %, too low to act on")]
    LowConfidence {
        /// In percent.
        confidence_percent: u64,
    },
    /// A quantile curve with nothing to compare with.
    #[error(transparent)]
    TooLittleHistory(#[from] TooLittleHistory),
}

impl NoCarbon {
    /// As in metrics and conditions.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Stale { .. } => "stale",
            Self::PoorQuality { .. } => "poor_quality",
            Self::LowConfidence { .. } => "low_confidence",
            Self::TooLittleHistory(_) => "too_little_history",
        }
    }
}

/// What had the last word on a factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum ClampReason {
    /// The curve itself.
    None,
    /// The namespace's budget made it smaller.
    Budget,
    /// It was raised to a level.
    Quantum,
    /// It was raised to T/S.
    GuardFloor,
    /// The intensity is near the one that gives the level of before.
    Hysteresis,
    /// The level of before is too young to leave.
    Dwell,
    /// The factor is on its way to the level.
    MaxStep,
    /// The intensity is unknown, stale or not to be trusted.
    CarbonUnknown,
    /// Now is a time at which nothing may be throttled.
    NeverThrottle,
    /// The policy computes only.
    Shadow,
}

impl ClampReason {
    /// All of them, in the order in which they are applied.
    pub const ALL: [Self; 10] = [
        Self::None,
        Self::Budget,
        Self::Quantum,
        Self::GuardFloor,
        Self::Hysteresis,
        Self::Dwell,
        Self::MaxStep,
        Self::CarbonUnknown,
        Self::NeverThrottle,
        Self::Shadow,
    ];

    /// As in metrics, status and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Budget => "budget",
            Self::Quantum => "quantum",
            Self::GuardFloor => "guardFloor",
            Self::Hysteresis => "hysteresis",
            Self::Dwell => "dwell",
            Self::MaxStep => "maxStep",
            Self::CarbonUnknown => "carbonUnknown",
            Self::NeverThrottle => "neverThrottle",
            Self::Shadow => "shadow",
        }
    }
}

impl fmt::Display for ClampReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A clamp that changed the factor.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stage {
    /// Which one.
    pub by: ClampReason,
    /// The factor after it.
    pub factor: GreenFactor,
}

/// What a policy does with a workload, coarse enough for one event per change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// The intensity asks for nothing: the factor is 1.
    Full,
    /// The factor is below 1.
    Throttled,
    /// The intensity is not known: the factor is 1.
    CarbonUnknown,
    /// A time at which nothing may be throttled: the factor is 1.
    NeverThrottle,
}

impl Phase {
    /// As in metrics, status and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Throttled => "throttled",
            Self::CarbonUnknown => "carbonUnknown",
            Self::NeverThrottle => "neverThrottle",
        }
    }
}

/// What to serve, and how it came to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// When it was made.
    pub at: Timestamp,
    /// The intensity that was acted on, or why none was.
    pub carbon: Result<Carbon, NoCarbon>,
    /// What the curve says, where there is an intensity.
    pub raw: Option<CurvePoint>,
    /// The clamps that changed it, in order, each with the factor after it.
    pub stages: Vec<Stage>,
    /// T/S.
    pub floor: GreenFactor,
    /// The factor after all clamps but shadow; never below [`floor`](Self::floor).
    pub computed: GreenFactor,
    /// The factor that is served: `computed`, or 1 in shadow.
    pub effective: GreenFactor,
    /// The clamp that had the last word.
    pub clamp: ClampReason,
    /// What the workload is in for.
    pub phase: Phase,
    /// What it was before, where that is known and differs.
    pub left: Option<Phase>,
    /// Which of the policy's windows holds now.
    pub window: Option<usize>,
    /// Load and replicas, or why there is no load to serve.
    pub demand: Result<Demand, LoadError>,
    /// To go on from after a restart.
    pub state: GovernorState,
}

/// Load before and after the factor.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Demand {
    /// L.
    pub load: Load,
    /// `L * effective`: what is served.
    pub adjusted: Load,
    /// What follows for an autoscaler.
    #[serde(flatten)]
    pub replicas: Replicas,
}

/// Replicas that an autoscaler without limits of its own comes to rest at, its tolerance aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Replicas {
    /// Without this policy: `ceil(L / T)`.
    pub plain: u32,
    /// With the computed factor, in shadow too: `ceil(L * computed / T)`.
    pub green: u32,
    /// By the guard alone: `ceil(L / S)`.
    pub floor: u32,
}

impl Replicas {
    /// For a load under a factor: `floor <= green <= plain` wherever the factor is not below T/S.
    pub fn of(load: Load, factor: GreenFactor, thresholds: &Thresholds) -> Self {
        let per = |load: f64, replica: f64| number::replicas(load / replica);
        let (target, guard) = (thresholds.target().get(), thresholds.guard().get());
        let (plain, floor) = (per(load.get(), target), per(load.get(), guard));
        Self { plain, green: per((load * factor).get(), target).clamp(floor, plain.max(floor)), floor }
    }

    /// Replicas that the policy saves.
    pub fn saved(self) -> u32 {
        self.plain.saturating_sub(self.green)
    }
}
