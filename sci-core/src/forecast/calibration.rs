//! Bounds that hold the truth as often as they say.

use serde::Serialize;

use super::BOUNDS_LEVEL;
use crate::quantity::GramsPerKwh;

/// Share of the truth that may fall out on each side.
const TAIL: f64 = (1.0 - BOUNDS_LEVEL) / 2.0;
/// Least step of a bound, relative to the usual error. Smaller follows slower, larger trembles.
const LEAST_STEP: f64 = 0.025;
/// The usual error forgets with this rate.
const LEAST_GAIN: f64 = 0.01;
/// Errors that it takes before bounds are more than a guess.
const ENOUGH: u32 = 72;
/// Where nothing is known the truth may be half as much or half as much again.
const GUESS: f64 = 0.5;

/// Hours ahead that have bounds of their own, then steps of three hours up to three days.
const HOURLY_CELLS: usize = 24;
const STEP_HOURS: usize = 3;
const CELLS: usize = HOURLY_CELLS + (Calibration::MAX_LEAD - HOURLY_CELLS) / STEP_HOURS;

/// A range that should hold the truth in nine of ten hours, in gCO2e/kWh.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bounds {
    /// Not above the value it was asked for.
    pub lower: GramsPerKwh,
    /// Not below the value it was asked for.
    pub upper: GramsPerKwh,
    /// Whether it comes from enough errors of the past.
    pub calibrated: bool,
}

/// Running 5 % and 95 % quantiles of the errors of one method, per hours ahead.
///
/// Each bound is a distance from the forecast value that moves with every error `e = actual - predicted`:
///
/// ```text
/// upper += step x (e > upper ? 0.95 : -0.05)
/// lower -= step x (e < lower ? 0.95 : -0.05)
/// step   = usual |e| x max(0.025, 1 / sqrt(n))
/// ```
///
/// This is quantile tracking by the pinball loss (Angelopoulos, Candès and Tibshirani, "Conformal PID Control for
/// Time Series Prediction", 2023): each side misses 5 % in the long run whatever the errors look like, also when
/// the method is biased or its publisher claims other bounds.
///
/// ```
/// use sci_core::{forecast::Calibration, quantity::GramsPerKwh};
///
/// let value = GramsPerKwh::new(200.0)?;
/// let mut calibration = Calibration::default();
/// assert!(!calibration.bounds(1, value).calibrated);
/// for n in 0..4_000 {
///     // Off by -50 to +49, each as often.
///     calibration.observe(1, value, GramsPerKwh::new(150.0 + f64::from(n * 37 % 100))?);
/// }
/// let bounds = calibration.bounds(1, value);
/// assert!((bounds.lower.get() - 155.0).abs() < 5.0 && (bounds.upper.get() - 245.0).abs() < 5.0);
/// # Ok::<(), sci_core::quantity::QuantityError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    cells: Box<[Cell; CELLS]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Cell {
    /// Distance of the lower bound, usually negative.
    lower: f64,
    upper: f64,
    usual_error: f64,
    seen: u32,
}

impl Default for Calibration {
    fn default() -> Self {
        Self { cells: Box::new([Cell::default(); CELLS]) }
    }
}

impl Calibration {
    /// Leads beyond, in hours, take the bounds of this one.
    pub const MAX_LEAD: usize = 72;

    /// Learns from one forecast that came to its hour, `lead` hours after the last value it knew. The first hour
    /// ahead is 1.
    pub fn observe(&mut self, lead: usize, predicted: GramsPerKwh, actual: GramsPerKwh) {
        if let Some(cell) = self.cells.get_mut(cell_of(lead)) {
            cell.observe(actual.get() - predicted.get());
        }
    }

    /// The bounds of a forecast value `lead` hours after the last value it knew.
    pub fn bounds(&self, lead: usize, predicted: GramsPerKwh) -> Bounds {
        let value = predicted.get();
        let cell = self.cells.get(cell_of(lead)).copied().unwrap_or_default();
        let calibrated = cell.seen >= ENOUGH;
        let (lower, upper) = if calibrated {
            (cell.lower, cell.upper)
        } else {
            (cell.lower.min(-GUESS * value), cell.upper.max(GUESS * value))
        };
        Bounds {
            lower: GramsPerKwh::clamped(value + lower.min(0.0)),
            upper: GramsPerKwh::clamped(value + upper.max(0.0)),
            calibrated,
        }
    }
}

impl Cell {
    fn observe(&mut self, error: f64) {
        self.seen = self.seen.saturating_add(1);
        let seen = f64::from(self.seen);
        if self.seen == 1 {
            (self.lower, self.upper) = (-2.0 * error.abs(), 2.0 * error.abs());
        }
        self.usual_error += (1.0 / seen).max(LEAST_GAIN) * (error.abs() - self.usual_error);
        let step = self.usual_error * (1.0 / seen.sqrt()).max(LEAST_STEP);
        self.upper += step * if error > self.upper { 1.0 - TAIL } else { -TAIL };
        self.lower -= step * if error < self.lower { 1.0 - TAIL } else { -TAIL };
    }
}

fn cell_of(lead: usize) -> usize {
    let lead = lead.clamp(1, Calibration::MAX_LEAD);
    if lead <= HOURLY_CELLS { lead - 1 } else { HOURLY_CELLS + (lead - HOURLY_CELLS - 1) / STEP_HOURS }
}
