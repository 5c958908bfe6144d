//! Watts of a node over its utilisation.

use crate::quantity::{Utilization, Watts};

/// Intervals between the points of a curve.
const STEPS: usize = 10;

/// Why a set of points makes no curve.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PowerError {
    /// Nothing is known of one end.
    #[error("a power curve needs a point at utilisation {utilization}, add one")]
    EndMissing {
        /// The end: 0 or 1.
        utilization: f64,
    },
    /// Points out of order, or two at one place.
    #[error("utilisation must rise from point to point, got {after} after {before}")]
    NotRising {
        /// Utilisation of a point.
        before: f64,
        /// Utilisation of the next one.
        after: f64,
    },
    /// More work that draws less: a measuring error, and an invitation to fill a node without end.
    #[error("watts must not fall with utilisation, got {after} W after {before} W")]
    Falling {
        /// Watts of a point.
        before: f64,
        /// Watts of the next one.
        after: f64,
    },
}

/// Watts of a node when idle and at 10, 20 .. 100 % of its hardware threads, linear in between, never falling.
///
/// ```
/// use sci_core::{power::PowerCurve, quantity::{Utilization, Watts}};
///
/// let curve = PowerCurve::linear(Watts::new(100.0)?, Watts::new(300.0)?)?;
/// assert!((curve.at(Utilization::new(0.25)?).get() - 150.0).abs() < 1e-9);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct PowerCurve {
    points: [Watts; STEPS + 1],
}

impl PowerCurve {
    /// A straight line.
    ///
    /// ```text
    /// P(u) = idle + (full - idle) * u
    /// ```
    ///
    /// # Errors
    /// [`PowerError::Falling`] where `full` is below `idle`.
    pub fn linear(idle: Watts, full: Watts) -> Result<Self, PowerError> {
        if full < idle {
            return Err(PowerError::Falling { before: idle.get(), after: full.get() });
        }
        Ok(Self::between(idle, full))
    }

    /// The line from the smaller to the larger value.
    pub(super) fn between(one: Watts, other: Watts) -> Self {
        let (idle, full) = (one.get().min(other.get()), one.get().max(other.get()));
        Self { points: grid().map(|u| Watts::clamped(idle + (full - idle) * u)) }
    }

    /// Watts at 0, 10, 20 .. 100 %; a point below the one before it is lifted to it.
    pub(super) fn rising(points: [f64; STEPS + 1]) -> Self {
        let mut highest = 0.0_f64;
        Self {
            points: points.map(|watts| {
                highest = highest.max(watts);
                Watts::clamped(highest)
            }),
        }
    }

    /// The curve times a factor; as it is for a factor that is negative or no number.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        if factor >= 0.0 {
            return Self { points: self.points.map(|watts| Watts::clamped(watts.get() * factor)) };
        }
        self.clone()
    }

    /// Linear interpolation of measured points: at least one at 0 and one at 1, in order of utilisation. Kept at
    /// the eleven points only, so what lies between two tens of a percent is rounded off.
    ///
    /// ```
    /// use sci_core::{power::PowerCurve, quantity::{Utilization, Watts}};
    ///
    /// let point = |u, w| Ok::<_, sci_core::quantity::QuantityError>((Utilization::new(u)?, Watts::new(w)?));
    /// let curve = PowerCurve::from_points(&[point(0.0, 4.1)?, point(0.1, 6.7)?, point(0.5, 11.8)?, point(1.0, 16.3)?])?;
    /// // 6.7 + (11.8 - 6.7) * 20 / 40
    /// assert!((curve.at(Utilization::new(0.3)?).get() - 9.25).abs() < 1e-9);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`PowerError`] where an end is missing, utilisation does not rise or watts fall.
    pub fn from_points(points: &[(Utilization, Watts)]) -> Result<Self, PowerError> {
        let ends = [(points.first(), Utilization::IDLE), (points.last(), Utilization::FULL)];
        for (end, expected) in ends {
            if end.is_none_or(|(u, _)| *u != expected) {
                return Err(PowerError::EndMissing { utilization: expected.get() });
            }
        }
        for pair in points.windows(2) {
            if let [(u0, w0), (u1, w1)] = pair {
                if u1 <= u0 {
                    return Err(PowerError::NotRising { before: u0.get(), after: u1.get() });
                }
                if w1 < w0 {
                    return Err(PowerError::Falling { before: w0.get(), after: w1.get() });
                }
            }
        }
        Ok(Self { points: grid().map(|u| interpolate(points, u)) })
    }

    /// Watts at 0, 10, 20 .. 100 %.
    pub fn points(&self) -> &[Watts; 11] {
        &self.points
    }

    /// Watts of a node that runs nothing.
    pub fn idle(&self) -> Watts {
        let [idle, ..] = self.points;
        idle
    }

    /// Watts of a node with all threads busy.
    pub fn full(&self) -> Watts {
        let [.., full] = self.points;
        full
    }

    /// Watts at a utilisation, linear between the points.
    pub fn at(&self, utilization: Utilization) -> Watts {
        let position = utilization.get() * 10.0;
        let mut below = 0.0;
        for pair in self.points.windows(2) {
            if let [w0, w1] = pair
                && position <= below + 1.0
            {
                return Watts::clamped(w0.get() + (w1.get() - w0.get()) * (position - below));
            }
            below += 1.0;
        }
        self.full()
    }

    /// Watts added by `added` more load, as a share of the node's hardware threads, on top of a utilisation.
    ///
    /// ```text
    /// dP = P(min(u + du, 1)) - P(u) + s * max(u + du - 1, 0)
    /// s  = max over all tenths of (P(x + 0.1) - P(x)) / 0.1
    /// ```
    ///
    /// Load beyond the last thread draws no more power, it makes the work take longer. It is charged at `s` all the
    /// same, so that a crowded node never looks free. Never negative; a negative or undefined `added` adds nothing.
    ///
    /// ```
    /// use sci_core::{power::PowerCurve, quantity::{Utilization, Watts}};
    ///
    /// let curve = PowerCurve::linear(Watts::new(100.0)?, Watts::new(300.0)?)?;
    /// assert!((curve.marginal(Utilization::new(0.4)?, 0.1).get() - 20.0).abs() < 1e-9);
    /// assert!((curve.marginal(Utilization::FULL, 0.1).get() - 20.0).abs() < 1e-9);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn marginal(&self, utilization: Utilization, added: f64) -> Watts {
        // `max` also turns NaN into nothing.
        let target = utilization.get() + added.max(0.0);
        let within = self.at(Utilization::clamped(target)).saturating_sub(self.at(utilization));
        within + Watts::clamped(self.overload_slope() * (target - 1.0).max(0.0))
    }

    /// Watts per whole node of load beyond the last thread: the steepest tenth of the curve, so that no state of a
    /// node with room costs more than a crowded one.
    fn overload_slope(&self) -> f64 {
        let rises = self.points.windows(2).map(|pair| match pair {
            [below, above] => above.get() - below.get(),
            _ => 0.0,
        });
        rises.fold(0.0, f64::max) * 10.0
    }
}

/// The eleven utilisations.
fn grid() -> [f64; STEPS + 1] {
    [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
}

/// On the checked points: the segment that holds `at`.
fn interpolate(points: &[(Utilization, Watts)], at: f64) -> Watts {
    for pair in points.windows(2) {
        if let [(u0, w0), (u1, w1)] = pair
            && at <= u1.get()
        {
            let part = (at - u0.get()) / (u1.get() - u0.get());
            return Watts::clamped(w0.get() + (w1.get() - w0.get()) * part);
        }
    }
    points.last().map_or(Watts::ZERO, |(_, watts)| *watts)
}
