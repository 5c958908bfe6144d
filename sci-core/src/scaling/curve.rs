//! From carbon intensity to the factor on the load.

use std::{fmt, time::Duration};

use serde::Serialize;

use super::{CurveError, GreenFactor, Rank, Thresholds, Tolerance, TooLittleHistory, history::Past};
use crate::quantity::{GramsPerKwh, Share};

/// Steps that one curve may have.
pub const MAX_STEPS: usize = 32;

/// A factor that never rises with the intensity.
///
/// ```
/// use sci_core::{quantity::GramsPerKwh, scaling::{Curve, GreenFactor}};
///
/// let grams = |value| GramsPerKwh::new(value).unwrap();
/// let curve = Curve::linear(grams(200.0), grams(500.0), GreenFactor::new(0.7)?)?;
/// // A third of the way.
/// assert!((curve.at(grams(300.0), None)?.factor.get() - 0.9).abs() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Curve(Shape);

#[derive(Debug, Clone, PartialEq)]
enum Shape {
    Steps(Vec<Step>),
    Linear { from: GramsPerKwh, to: GramsPerKwh, min_factor: GreenFactor },
    Quantile { from: Share, to: Share, min_factor: GreenFactor, window: Duration },
}

/// From this intensity on, this factor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Where the step begins.
    pub at_or_above: GramsPerKwh,
    /// Its factor.
    pub factor: GreenFactor,
}

/// What a curve says to an intensity, and where on the curve that is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CurvePoint {
    /// The factor.
    pub factor: GreenFactor,
    /// The place.
    pub place: Place,
}

/// A place on a curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", tag = "curve")]
#[non_exhaustive]
pub enum Place {
    /// Steps: the one that holds; `None` below the first.
    #[serde(rename_all = "camelCase")]
    Step {
        /// Where it begins, in gCO2e/kWh.
        at_or_above_grams_per_kwh: Option<GramsPerKwh>,
    },
    /// Linear: how far between its ends.
    Linear {
        /// 0 at the clean end, 1 at the dirty one.
        progress: Share,
    },
    /// Quantile: where the intensity stands in the zone's own past.
    Quantile {
        /// The rank.
        #[serde(flatten)]
        rank: Rank,
        /// 0 at the clean end, 1 at the dirty one.
        progress: Share,
    },
}

/// What is allowed and does not do what it seems to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", tag = "warning")]
#[non_exhaustive]
pub enum CurveWarning {
    /// Between these two factors an autoscaler at rest moves nothing.
    #[serde(rename_all = "camelCase")]
    WithinTolerance {
        /// The cleaner one.
        upper: GreenFactor,
        /// The dirtier one.
        lower: GreenFactor,
        /// Of the autoscaler.
        tolerance: Tolerance,
    },
    /// The guard is reached before the curve's least factor.
    #[serde(rename_all = "camelCase")]
    BelowFloor {
        /// Of the curve.
        factor: GreenFactor,
        /// T/S.
        floor: GreenFactor,
    },
    /// The factor is 1 for every intensity.
    NeverThrottles,
}

impl fmt::Display for CurveWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WithinTolerance { upper, lower, tolerance } => write!(
                f,
                "between the factors {upper} and {lower} the autoscaler changes nothing, its tolerance is {}",
                tolerance.get()
            ),
            Self::BelowFloor { factor, floor } => {
                write!(f, "factor {factor} is never reached, the guard holds it at {:.3}", floor.get())
            }
            Self::NeverThrottles => f.write_str("the curve never throttles"),
        }
    }
}

impl Curve {
    /// Steps; below the first one the factor is 1.
    ///
    /// # Errors
    /// [`CurveError`] for no or too many steps, beginnings that do not rise, and factors that do.
    pub fn steps(steps: Vec<Step>) -> Result<Self, CurveError> {
        if steps.is_empty() || steps.len() > MAX_STEPS {
            return Err(CurveError::StepCount { count: steps.len() });
        }
        for (one, next) in steps.iter().zip(steps.iter().skip(1)) {
            if next.at_or_above <= one.at_or_above {
                return Err(CurveError::Unordered { at_or_above: next.at_or_above });
            }
            if next.factor > one.factor {
                return Err(CurveError::Rises { at_or_above: next.at_or_above, factor: next.factor });
            }
        }
        Ok(Self(Shape::Steps(steps)))
    }

    /// A straight line from 1 at `from` to `min_factor` at `to`, level on both sides.
    ///
    /// ```text
    /// phi(I) = 1 - (1 - min) * clamp((I - from) / (to - from), 0, 1)
    /// ```
    ///
    /// # Errors
    /// [`CurveError::NoSlope`] where `to` is not above `from`.
    pub fn linear(from: GramsPerKwh, to: GramsPerKwh, min_factor: GreenFactor) -> Result<Self, CurveError> {
        if to <= from {
            return Err(CurveError::NoSlope { from: from.get(), to: to.get() });
        }
        Ok(Self(Shape::Linear { from, to, min_factor }))
    }

    /// A straight line over the [rank](super::IntensityHistory::rank) of the intensity among those of the last
    /// `window` of its zone, 0 the cleanest and 1 the dirtiest.
    ///
    /// # Errors
    /// [`CurveError::NoSlope`] where `to` is not above `from`, [`CurveError::ShortWindow`] where the window cannot
    /// hold the history that a rank takes.
    pub fn quantile(from: Share, to: Share, min_factor: GreenFactor, window: Duration) -> Result<Self, CurveError> {
        if to <= from {
            return Err(CurveError::NoSlope { from: from.get(), to: to.get() });
        }
        if window < super::IntensityHistory::LEAST {
            return Err(CurveError::ShortWindow { window });
        }
        Ok(Self(Shape::Quantile { from, to, min_factor, window }))
    }

    /// The factor for an intensity. Only quantile curves look at the past.
    ///
    /// # Errors
    /// [`TooLittleHistory`] where a quantile curve cannot rank the intensity. The factor is 1 then.
    pub fn at(&self, intensity: GramsPerKwh, past: Option<Past<'_>>) -> Result<CurvePoint, TooLittleHistory> {
        Ok(match &self.0 {
            Shape::Steps(steps) => {
                let begun = steps.partition_point(|step| step.at_or_above <= intensity);
                let step = begun.checked_sub(1).and_then(|index| steps.get(index));
                CurvePoint {
                    factor: step.map_or(GreenFactor::ONE, |step| step.factor),
                    place: Place::Step { at_or_above_grams_per_kwh: step.map(|step| step.at_or_above) },
                }
            }
            Shape::Linear { from, to, min_factor } => {
                let progress = progress(intensity.get(), from.get(), to.get());
                CurvePoint { factor: line(progress, *min_factor), place: Place::Linear { progress } }
            }
            Shape::Quantile { from, to, min_factor, window } => {
                let rank = past.ok_or(TooLittleHistory { hours: 0 })?.rank(intensity, *window)?;
                let progress = progress(rank.share.get(), from.get(), to.get());
                CurvePoint { factor: line(progress, *min_factor), place: Place::Quantile { rank, progress } }
            }
        })
    }

    /// The least factor there is.
    pub fn min_factor(&self) -> GreenFactor {
        match &self.0 {
            Shape::Steps(steps) => steps.last().map_or(GreenFactor::ONE, |step| step.factor),
            Shape::Linear { min_factor, .. } | Shape::Quantile { min_factor, .. } => *min_factor,
        }
    }

    /// Whether the factor depends on the zone's past.
    pub fn needs_history(&self) -> bool {
        matches!(self.0, Shape::Quantile { .. })
    }

    /// What a user should know about the curve before trusting it.
    pub fn warnings(&self, thresholds: &Thresholds, tolerance: Tolerance) -> Vec<CurveWarning> {
        let floor = thresholds.floor_factor();
        let mut warnings: Vec<_> =
            self.levels().filter_map(|(upper, lower)| within_tolerance(upper, lower, tolerance)).collect();
        if !self.min_factor().throttles() {
            warnings.push(CurveWarning::NeverThrottles);
        } else if self.min_factor() < floor {
            warnings.push(CurveWarning::BelowFloor { factor: self.min_factor(), floor });
        }
        warnings
    }

    /// Neighbouring factors, of lines their ends.
    fn levels(&self) -> impl Iterator<Item = (GreenFactor, GreenFactor)> {
        let levels: Vec<_> = match &self.0 {
            Shape::Steps(steps) => steps.iter().map(|step| step.factor).collect(),
            Shape::Linear { min_factor, .. } | Shape::Quantile { min_factor, .. } => vec![*min_factor],
        };
        let uppers: Vec<_> = std::iter::once(GreenFactor::ONE).chain(levels.iter().copied()).collect();
        uppers.into_iter().zip(levels)
    }
}

fn within_tolerance(upper: GreenFactor, lower: GreenFactor, tolerance: Tolerance) -> Option<CurveWarning> {
    // The autoscaler sees the ratio of the two as ratio of load to target.
    let change = 1.0 - lower.get() / upper.get();
    (lower.throttles() && change <= tolerance.get() + 1e-9).then_some(CurveWarning::WithinTolerance {
        upper,
        lower,
        tolerance,
    })
}

fn progress(value: f64, from: f64, to: f64) -> Share {
    Share::clamped((value - from) / (to - from))
}

fn line(progress: Share, min_factor: GreenFactor) -> GreenFactor {
    GreenFactor::or_one(1.0 - (1.0 - min_factor.get()) * progress.get()).max(min_factor)
}
