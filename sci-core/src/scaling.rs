//! Green HPA: how many replicas a load needs when carbon counts, and why.
//!
//! An ordinary `HorizontalPodAutoscaler` divides a load L by a target T per replica. Here the load is multiplied with
//! a factor first that falls as the grid gets dirtier, but never so far that a replica carries more than the guard S:
//!
//! ```text
//! phi_eff  = max(phi(I), T/S)
//! adjusted = L * phi_eff
//! replicas = ceil(adjusted / T)          between ceil(L/S) and ceil(L/T)
//! ```
//!
//! | item | holds |
//! | --- | --- |
//! | [`Load`], [`LoadSample`], [`GreenFactor`] | checked numbers |
//! | [`Thresholds`] | T, S and the factor's floor T/S |
//! | [`Curve`] | phi: steps, a line, or a line over the zone's own past ([`IntensityHistory`]) |
//! | [`Windows`] | times at which nothing may be throttled |
//! | [`Policy`], [`Governor`], [`Decision`] | all of it together, damped, with every reason |
//! | [`budget`] | a month's grams: how much harder to throttle |
//! | [`batch`] | work with a deadline: how fast to go now |
//! | [`hpa`] | the `HorizontalPodAutoscaler` itself, as pure functions |
//! | [`replay`] | what a policy would have done with loads and intensities of the past |
//! | [`savings`] | what fewer replicas save, and how sure that is |
//!
//! ```
//! use std::time::Duration;
//! use sci_core::{
//!     intensity::Quality,
//!     quantity::{GramsPerKwh, Share},
//!     scaling::{
//!         Carbon, CarbonTrust, Criticality, Curve, Damping, Governor, GreenFactor, Inputs, LoadPerReplica, LoadSample,
//!         Mode, Policy, Step, Thresholds, Tightening, Tolerance, Windows,
//!     },
//! };
//!
//! let policy = Policy {
//!     thresholds: Thresholds::with_guard(
//!         LoadPerReplica::new(100.0)?,
//!         LoadPerReplica::new(125.0)?,
//!         Tolerance::CLUSTER_DEFAULT,
//!     )?,
//!     curve: Curve::steps(vec![Step { at_or_above: GramsPerKwh::new(400.0)?, factor: GreenFactor::new(0.7)? }])?,
//!     damping: Damping::NONE,
//!     never_throttle: Windows::default(),
//!     mode: Mode::Enforce,
//!     criticality: Criticality::Standard,
//!     load_stale_after: Duration::from_mins(2),
//!     trust: CarbonTrust::default(),
//! };
//! let now = "2026-01-01T12:00:00Z".parse()?;
//! let carbon = Carbon {
//!     intensity: GramsPerKwh::new(450.0)?,
//!     quality: Quality::Measured,
//!     confidence: Share::ALL,
//!     age: Duration::ZERO,
//! };
//! let decision = Governor::new().decide(&policy, &Inputs {
//!     now,
//!     load: Ok(LoadSample { value: 1_000.0, at: now }),
//!     carbon: Ok(carbon),
//!     history: None,
//!     tightening: Tightening::NONE,
//! });
//! // The curve asks for 0.7, the guard allows 100/125.
//! assert_eq!(decision.effective.get(), 0.8);
//! let demand = decision.demand?;
//! assert_eq!(demand.adjusted.get(), 800.0);
//! assert_eq!((demand.replicas.plain, demand.replicas.green, demand.replicas.floor), (10, 8, 8));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod batch;
pub mod budget;
mod curve;
mod decision;
mod governor;
mod history;
pub mod hpa;
mod number;
mod policy;
pub mod replay;
pub mod savings;
mod thresholds;
mod unit;
mod windows;

use std::time::Duration;

use serde::Serialize;

pub use self::{
    budget::Tightening,
    curve::{Curve, CurvePoint, CurveWarning, MAX_STEPS, Place, Step},
    decision::{Carbon, ClampReason, Decision, Demand, Inputs, NoCarbon, Phase, Replicas, Stage},
    governor::{Governor, GovernorState},
    history::{IntensityHistory, Past, Rank},
    policy::{CarbonTrust, Criticality, Damping, MaxStep, Mode, Policy},
    thresholds::Thresholds,
    unit::{GreenFactor, LOAD_LIMIT, Load, LoadError, LoadPerReplica, LoadSample, Tolerance},
    windows::{Window, Windows},
};
use crate::quantity::GramsPerKwh;

/// Why a number or a combination of numbers makes no policy.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ScalingError {
    /// A factor out of range.
    #[error("a green factor must be above 0 and at most 1, got {value}")]
    Factor {
        /// What was given.
        value: f64,
    },
    /// A target that no replica can have.
    #[error("a load per replica must be at least 0.001 and below 9e15, got {value}")]
    LoadPerReplica {
        /// What was given.
        value: f64,
    },
    /// A tolerance that no autoscaler can have.
    #[error("a tolerance must be between 0 and 1, got {value}")]
    Tolerance {
        /// What was given.
        value: f64,
    },
    /// Nothing could ever be throttled.
    #[error("the guard must be above the target, got guard {guard} for target {target}")]
    GuardNotAboveTarget {
        /// T.
        target: f64,
        /// S.
        guard: f64,
    },
    /// An autoscaler cannot tell target and guard apart.
    #[error(
        "guard {guard} is within the autoscaler's tolerance of {tolerance} of target {target}, it must be above {}",
        target * (1.0 + tolerance)
    )]
    GuardWithinTolerance {
        /// T.
        target: f64,
        /// S.
        guard: f64,
        /// Of the autoscaler.
        tolerance: f64,
    },
    /// A window that never comes.
    #[error("a window needs at least one day of the week")]
    NoDays,
}

/// Why points make no curve.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CurveError {
    /// None, or more than [`MAX_STEPS`].
    #[error("a curve needs 1 to {MAX_STEPS} steps, got {count}")]
    StepCount {
        /// How many were given.
        count: usize,
    },
    /// Two steps in the wrong order, or at the same place.
    #[error("steps must begin at rising intensities, the one at {at_or_above} does not")]
    Unordered {
        /// Where the later one begins.
        at_or_above: GramsPerKwh,
    },
    /// Dirtier and less throttled.
    #[error("factors must not rise with the intensity, the one at {at_or_above} rises to {factor}")]
    Rises {
        /// Where it does.
        at_or_above: GramsPerKwh,
        /// What it rises to.
        factor: GreenFactor,
    },
    /// A line needs two ends.
    #[error("the dirty end must be above the clean end, got {to} for {from}")]
    NoSlope {
        /// Clean end.
        from: f64,
        /// Dirty end.
        to: f64,
    },
    /// A window too short to rank anything in.
    #[error(
        "a quantile curve needs a window of at least {} hours, got {}",
        IntensityHistory::LEAST.as_secs() / 3600,
        window.as_secs() / 3600
    )]
    ShortWindow {
        /// What was given.
        window: Duration,
    },
}

/// Why an intensity cannot be ranked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{hours} hours of the zone's past are known, {} are needed", IntensityHistory::LEAST.as_secs() / 3600)]
pub struct TooLittleHistory {
    /// How many are known.
    pub hours: usize,
}

#[cfg(test)]
mod tests;
