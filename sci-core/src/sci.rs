//! Software Carbon Intensity: what a piece of software emits per unit of what it does.
//!
//! After the SCI specification v1.1.0 (Green Software Foundation, `SPEC.md` of `Green-Software-Foundation/sci`):
//!
//! ```text
//! SCI = ((E * I) + M) per R
//! ```
//!
//! | symbol | meaning | unit | here |
//! | --- | --- | --- | --- |
//! | `E` | energy of the reserved hardware | kWh | [`Joules`], from [`energy`], [`counter`], [`attribution`], [`sharing`] |
//! | `I` | location-based carbon intensity | gCO2e/kWh | [`GramsPerKwh`], see [`intensity`](crate::intensity) |
//! | `O` | operational carbon, `E * I` | gCO2e | [`operational`] |
//! | `M` | embodied carbon of the reserved hardware | gCO2e | [`EmbodiedCarbon::charge`] |
//! | `R` | functional unit | count | [`FunctionalUnit`] |
//!
//! [`Sci`] keeps `O`, `M` and `R` apart, since only the parts tell what to improve.

pub mod attribution;
pub mod counter;
mod embodied;
pub mod energy;
pub mod sharing;

use std::sync::Arc;

use serde::Serialize;

pub use self::embodied::{EmbodiedCarbon, PartEmissions, ServerParts};
use crate::{
    intensity::Signal,
    quantity::{GramsCo2e, GramsPerKwh, Joules, Pue},
};

/// Why there is no carbon figure.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SciError {
    /// A functional unit has a name.
    #[error("name the functional unit, for example \"request\"")]
    UnnamedUnit,
    /// The count is negative, NaN or infinite.
    #[error("the count of {unit:?} must be zero or a positive finite number, got {count}")]
    InvalidCount {
        /// Name of the unit.
        unit: Arc<str>,
        /// What was given.
        count: f64,
    },
    /// Components are summed per the same R only.
    #[error("cannot sum {left} with {right}, measure all components per the same functional unit")]
    UnlikeUnits {
        /// Unit of the first component.
        left: FunctionalUnit,
        /// Unit of the one that differs.
        right: FunctionalUnit,
    },
    /// Components are summed over the same kind of intensity only.
    #[error("cannot sum carbon from {left} with carbon from {right} intensity, use one signal throughout")]
    UnlikeSignals {
        /// Signal of the first component.
        left: Signal,
        /// Signal of the one that differs.
        right: Signal,
    },
    /// A sum without components.
    #[error("a sum needs at least one component")]
    NoComponents,
    /// Hardware without a life has no rate of embodied carbon.
    #[error("the expected lifetime must be more than zero")]
    NoLifetime,
}

/// The R of the equation: what is counted, and how often it happened in the window that the carbon belongs to.
///
/// A count of zero is valid (a service without a request in the window): it has carbon, but no score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FunctionalUnit {
    unit: Arc<str>,
    count: f64,
}

impl FunctionalUnit {
    /// `count` times `unit`, for example 1500 times `"request"`.
    ///
    /// # Errors
    /// [`SciError::UnnamedUnit`] for a blank name, [`SciError::InvalidCount`] for a negative or not finite count.
    pub fn new(unit: &str, count: f64) -> Result<Self, SciError> {
        let name = unit.trim();
        if name.is_empty() {
            return Err(SciError::UnnamedUnit);
        }
        let unit = name.into();
        if !count.is_finite() || count < 0.0 {
            return Err(SciError::InvalidCount { unit, count });
        }
        Ok(Self { unit, count })
    }

    /// What is counted.
    pub fn unit(&self) -> &str {
        &self.unit
    }

    /// How often it happened.
    pub fn count(&self) -> f64 {
        self.count
    }

    /// `amount` per single unit; `None` where nothing was counted.
    fn share_of(&self, amount: GramsCo2e) -> Option<GramsCo2e> {
        (self.count > 0.0).then(|| GramsCo2e::clamped(amount.get() / self.count))
    }
}

impl std::fmt::Display for FunctionalUnit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} x {}", self.count, self.unit)
    }
}

/// Operational carbon of energy that `machines` used, with the overhead of their site:
///
/// ```text
/// O = E * PUE * I          E in kWh, I in gCO2e/kWh, O in gCO2e
/// ```
///
/// SCI specification v1.1.0, "Operational emissions"; PUE is what its "Energy" section asks to take into account.
/// For energy that was measured at the site's meter use [`Pue::IDEAL`].
///
/// ```
/// use sci_core::{quantity::{GramsPerKwh, Joules, Pue}, sci::operational};
///
/// let carbon = operational(Joules::from_kwh(0.5)?, Pue::new(1.2)?, GramsPerKwh::new(400.0)?);
/// assert!((carbon.get() - 240.0).abs() < 1e-9);
/// # Ok::<(), sci_core::quantity::QuantityError>(())
/// ```
pub fn operational(machines: Joules, pue: Pue, intensity: GramsPerKwh) -> GramsCo2e {
    machines * pue * intensity
}

/// Carbon of one piece of software over one window, per functional unit.
///
/// ```
/// use sci_core::{
///     intensity::Signal,
///     quantity::GramsCo2e,
///     sci::{FunctionalUnit, Sci},
/// };
///
/// let requests = FunctionalUnit::new("request", 200.0)?;
/// let sci = Sci::new(GramsCo2e::new(30.0)?, GramsCo2e::new(10.0)?, requests, Signal::default());
/// assert_eq!(sci.score().map(GramsCo2e::get), Some(0.2));
///
/// let idle = FunctionalUnit::new("request", 0.0)?;
/// let sci = Sci::new(GramsCo2e::new(30.0)?, GramsCo2e::new(10.0)?, idle, Signal::default());
/// assert_eq!(sci.score(), None);
/// assert_eq!(sci.total().get(), 40.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sci {
    #[serde(rename = "operationalGrams")]
    operational: GramsCo2e,
    #[serde(rename = "embodiedGrams")]
    embodied: GramsCo2e,
    functional_unit: FunctionalUnit,
    signal: Signal,
}

impl Sci {
    /// From [`operational`] and [`EmbodiedCarbon::charge`]. The signal is that of the intensity behind the
    /// operational part; the specification wants it disclosed.
    pub fn new(operational: GramsCo2e, embodied: GramsCo2e, functional_unit: FunctionalUnit, signal: Signal) -> Self {
        Self { operational, embodied, functional_unit, signal }
    }

    /// O, in gCO2e.
    pub fn operational(&self) -> GramsCo2e {
        self.operational
    }

    /// M, in gCO2e.
    pub fn embodied(&self) -> GramsCo2e {
        self.embodied
    }

    /// R.
    pub fn functional_unit(&self) -> &FunctionalUnit {
        &self.functional_unit
    }

    /// What kind of intensity the operational part was computed with.
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// `C = O + M`, in gCO2e.
    pub fn total(&self) -> GramsCo2e {
        self.operational + self.embodied
    }

    /// The SCI score `C / R`, in gCO2e per single unit; `None` where R is zero, since a rate per nothing is
    /// undefined.
    pub fn score(&self) -> Option<GramsCo2e> {
        self.functional_unit.share_of(self.total())
    }

    /// Energy's part of the score, in gCO2e per single unit; `None` where R is zero.
    pub fn operational_score(&self) -> Option<GramsCo2e> {
        self.functional_unit.share_of(self.operational)
    }

    /// The hardware's part of the score, in gCO2e per single unit; `None` where R is zero.
    pub fn embodied_score(&self) -> Option<GramsCo2e> {
        self.functional_unit.share_of(self.embodied)
    }

    /// The SCI of a system from those of its components: carbon adds up, R stays.
    ///
    /// ```text
    /// SCI = sum(C_i) / R       the same R for every component i
    /// ```
    ///
    /// SCI specification v1.1.0: component scores may be summed only with a common functional unit. Common means
    /// both the unit and its count: 100 requests at the front and 300 queries at the back are not, and neither are
    /// 300 requests somewhere else.
    ///
    /// # Errors
    /// [`SciError::NoComponents`], [`SciError::UnlikeUnits`], [`SciError::UnlikeSignals`].
    ///
    /// ```
    /// use sci_core::{intensity::Signal, quantity::GramsCo2e, sci::{FunctionalUnit, Sci}};
    ///
    /// let part = |grams, unit: &str| {
    ///     let unit = FunctionalUnit::new(unit, 100.0)?;
    ///     Ok::<_, Box<dyn std::error::Error>>(Sci::new(GramsCo2e::new(grams)?, GramsCo2e::ZERO, unit, Signal::default()))
    /// };
    /// let (front, back, queue) = (part(3.0, "request")?, part(2.0, "request")?, part(1.0, "message")?);
    /// assert_eq!(Sci::sum([&front, &back])?.score(), Some(GramsCo2e::new(0.05)?));
    /// assert!(Sci::sum([&front, &queue]).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn sum<'a>(components: impl IntoIterator<Item = &'a Self>) -> Result<Self, SciError> {
        let mut components = components.into_iter();
        let mut total = components.next().ok_or(SciError::NoComponents)?.clone();
        for component in components {
            if component.functional_unit != total.functional_unit {
                return Err(SciError::UnlikeUnits {
                    left: total.functional_unit,
                    right: component.functional_unit.clone(),
                });
            }
            if component.signal != total.signal {
                return Err(SciError::UnlikeSignals { left: total.signal, right: component.signal });
            }
            total.operational = total.operational + component.operational;
            total.embodied = total.embodied + component.embodied;
        }
        Ok(total)
    }
}

#[cfg(test)]
mod tests;
