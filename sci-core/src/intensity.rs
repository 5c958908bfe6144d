//! Carbon intensity of electricity: what a number says, for which grid zone, for how long, and how far to trust it.
//!
//! | type | holds |
//! | --- | --- |
//! | [`Zone`] | the name of a grid zone, such as `DE` or `US-CAL-CISO` |
//! | [`Signal`] | what kind of number it is: average or marginal, lifecycle or direct |
//! | [`Quality`] | how the number came to be |
//! | [`Reading`] | one value with all of the above, its slot of time and its source |
//! | [`Series`] | many values of one zone, signal, quality and source |
//! | [`Freshness`] | how an ageing reading loses confidence |
//!
//! The SCI specification v1.1.0 allows average and marginal intensities but asks that the choice be stated and
//! kept. So every reading carries its [`Signal`], and readings of unlike signals refuse to be compared.
//!
//! ```
//! use std::time::Duration;
//! use jiff::Timestamp;
//! use sci_core::{
//!     intensity::{Quality, Series, Signal, Slot, Zone},
//!     quantity::GramsPerKwh,
//! };
//!
//! let midnight: Timestamp = "2026-01-01T00:00:00Z".parse()?;
//! let hour = Duration::from_hours(1);
//! let slots = vec![
//!     Slot { start: midnight, duration: hour, value: GramsPerKwh::new(100.0)? },
//!     Slot { start: midnight + hour, duration: hour, value: GramsPerKwh::new(300.0)? },
//! ];
//! let series = Series::new(Zone::new("DE")?, Signal::default(), Quality::Measured, "example", slots)?;
//!
//! // Half an hour of the first slot, the whole second one: (0.5 * 100 + 1 * 300) / 1.5.
//! let mean = series.mean(midnight + hour / 2, midnight + 2 * hour)?;
//! assert!((mean.value.get() - 700.0 / 3.0).abs() < 1e-9);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod reading;
mod seconds;
mod series;
mod zone;

use std::{fmt, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::{
    reading::Reading,
    series::{Series, Slot, WindowMean},
    zone::{Zone, ZoneError},
};
use crate::quantity::Share;

/// Whether a value speaks of all power plants or of those that answer one more unit of demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignalKind {
    /// Emissions of all generation over all energy.
    #[default]
    Average,
    /// Emissions of the next unit of energy.
    Marginal,
}

impl SignalKind {
    /// As in metrics and configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Average => "average",
            Self::Marginal => "marginal",
        }
    }
}

/// Which emissions of a power plant are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// With building the plant and providing its fuel.
    #[default]
    Lifecycle,
    /// Only what leaves the stack.
    Direct,
}

impl Scope {
    /// As in metrics and configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lifecycle => "lifecycle",
            Self::Direct => "direct",
        }
    }
}

/// What an intensity value means. Values of unlike signals cannot be compared, averaged or added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signal {
    /// Average or marginal.
    pub kind: SignalKind,
    /// Lifecycle or direct.
    pub scope: Scope,
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.as_str(), self.scope.as_str())
    }
}

/// How a value came to be, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Quality {
    /// From metered generation.
    Measured,
    /// From metered generation with gaps filled in by its publisher.
    Estimated,
    /// From a model of the grid.
    Modelled,
    /// Said in advance.
    Forecast,
    /// A usual value for the hour of the day and season.
    Typical,
    /// The mean of a year.
    Annual,
    /// Assumed where nothing is known of the zone.
    Default,
}

impl Quality {
    /// As in metrics and configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Estimated => "estimated",
            Self::Modelled => "modelled",
            Self::Forecast => "forecast",
            Self::Typical => "typical",
            Self::Annual => "annual",
            Self::Default => "default",
        }
    }
}

impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How confidence in a reading falls with its [age](Reading::age).
///
/// ```text
/// confidence = 1                                        age <= fresh_for
///            = (stale_after - age) / (stale_after - fresh_for)
///            = 0                                        age >= stale_after
/// ```
///
/// Where `stale_after` is not later than `fresh_for` there is no slope: confidence drops at `fresh_for`.
///
/// ```
/// use std::time::Duration;
/// use sci_core::intensity::Freshness;
///
/// let freshness = Freshness { fresh_for: Duration::from_hours(1), stale_after: Duration::from_hours(3) };
/// assert_eq!(freshness.confidence(Duration::from_hours(1)).get(), 1.0);
/// assert_eq!(freshness.confidence(Duration::from_hours(2)).get(), 0.5);
/// assert_eq!(freshness.confidence(Duration::from_hours(3)).get(), 0.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// Full confidence up to this age.
    pub fresh_for: Duration,
    /// No confidence from this age on.
    pub stale_after: Duration,
}

impl Freshness {
    /// Confidence in a reading of this age, 0 to 1.
    pub fn confidence(&self, age: Duration) -> Share {
        if age <= self.fresh_for {
            return Share::ALL;
        }
        let left = self.stale_after.saturating_sub(age);
        let slope = self.stale_after.saturating_sub(self.fresh_for);
        Share::of(left.as_secs_f64(), slope.as_secs_f64()).unwrap_or(Share::NONE)
    }
}

/// Why an intensity could not be built, compared or averaged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IntensityError {
    /// Average against marginal, or lifecycle against direct.
    #[error("cannot compare {left} with {right} intensity, use one signal throughout")]
    UnlikeSignals {
        /// Signal of the one.
        left: Signal,
        /// Signal of the other.
        right: Signal,
    },
    /// A series needs a slot.
    #[error("a series needs at least one slot")]
    NoSlots,
    /// A slot that covers no time.
    #[error("the slot at {start} covers no time, give it a duration")]
    EmptySlot {
        /// Where it stands.
        start: Timestamp,
    },
    /// Two slots speak of the same time.
    #[error("the slot at {start} begins before the one ahead of it ends, cut or remove one")]
    Overlap {
        /// The later one.
        start: Timestamp,
    },
    /// A window that covers no time.
    #[error("the window from {from} to {to} covers no time")]
    EmptyWindow {
        /// Its start.
        from: Timestamp,
        /// Its end.
        to: Timestamp,
    },
    /// The series says nothing about any part of the window.
    #[error("no slot falls into the window from {from} to {to}")]
    NotCovered {
        /// Its start.
        from: Timestamp,
        /// Its end.
        to: Timestamp,
    },
}

#[cfg(test)]
mod tests;
