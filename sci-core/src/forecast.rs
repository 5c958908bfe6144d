//! Forecast of a zone's carbon intensity: pure, hourly, with bounds that learn and a score that chooses.
//!
//! | type | holds |
//! | --- | --- |
//! | [`Forecaster`] | all state of one zone: feed it what was measured, ask it what comes |
//! | [`Forecast`] | values with bounds for hours ahead, and why not by a better method |
//! | [`HourlyHistory`] | hourly means of the past, with holes, at most 35 days; [`Hour`] is its grid |
//! | [`AnchoredProfile`], [`persistence`], [`Climatology`] | the methods of our own |
//! | [`Calibration`] | bounds out of recent errors, per hour ahead |
//! | [`Scoreboard`] | carbon saved by following each method, and the choice that follows |
//! | [`Placement`] | the best start of a job within a forecast |
//!
//! ```
//! use std::time::Duration;
//! use jiff::Timestamp;
//! use sci_core::{
//!     forecast::{Forecaster, Method},
//!     intensity::{Quality, Series, Signal, Slot, Zone},
//!     quantity::GramsPerKwh,
//! };
//!
//! let midnight: Timestamp = "2026-01-01T00:00:00Z".parse()?;
//! let hour = Duration::from_hours(1);
//! // Five days that are clean from 10 to 14 o'clock.
//! let slots = (0..120)
//!     .map(|n| {
//!         let value = GramsPerKwh::new(if (10..14).contains(&(n % 24)) { 100.0 } else { 300.0 })?;
//!         Ok(Slot { start: midnight + n * hour, duration: hour, value })
//!     })
//!     .collect::<Result<Vec<_>, sci_core::quantity::QuantityError>>()?;
//! let measured = Series::new(Zone::new("DE")?, Signal::default(), Quality::Measured, "example", slots)?;
//!
//! let now = midnight + 120 * hour;
//! let mut forecaster = Forecaster::new(Zone::new("DE")?, Signal::default());
//! forecaster.observe(&measured, now)?;
//! let forecast = forecaster.forecast(now, 24)?;
//! assert_eq!(forecast.method, Method::AnchoredProfile);
//!
//! let placement = forecast.best_start(Duration::from_hours(4), now, now + 24 * hour)?;
//! assert_eq!(placement.start, now + 10 * hour);
//! assert_eq!(placement.saving().get(), 200.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod backlog;
mod calibration;
mod climatology;
mod forecaster;
mod history;
mod hour;
mod per_method;
mod placement;
mod profile;
mod scoreboard;

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::{
    calibration::{Bounds, Calibration},
    climatology::Climatology,
    forecaster::Forecaster,
    history::HourlyHistory,
    hour::Hour,
    placement::{Placement, best_hour},
    profile::{AnchoredProfile, persistence},
    scoreboard::{Score, Scoreboard},
};
use crate::{
    intensity::{IntensityError, Quality, Series, Signal, Slot, Zone},
    quantity::GramsPerKwh,
};

/// Share of the truth that bounds aim to hold.
pub const BOUNDS_LEVEL: f64 = 0.9;

/// Longest forecast in hours; longer ones are cut.
pub const MAX_HOURS: usize = 168;

/// How a value was forecast, in the order of preference before anything is scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Method {
    /// Someone else's forecast, and a method of our own for the hours it leaves out.
    Provider,
    /// Usual value of the hour of the day, moved by what the last hour was off. See [`AnchoredProfile`](struct@AnchoredProfile).
    AnchoredProfile,
    /// The value of a day ago.
    Persistence,
    /// The usual value of the month and hour, from outside.
    Climatology,
}

impl Method {
    /// All of them, preferred ones first.
    pub const ALL: [Self; 4] = [Self::Provider, Self::AnchoredProfile, Self::Persistence, Self::Climatology];

    /// As in metrics and configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::AnchoredProfile => "anchoredProfile",
            Self::Persistence => "persistence",
            Self::Climatology => "climatology",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a method has nothing to say, or is not listened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "camelCase", tag = "reason")]
#[non_exhaustive]
pub enum Unfit {
    /// An hour of the day was seen too seldom.
    #[error("{hour_of_day}:00 UTC was seen on {known_days} of the last days, {needed_days} are needed")]
    #[serde(rename_all = "camelCase")]
    FewDays {
        /// Which hour, in UTC.
        hour_of_day: u8,
        /// On how many days it was seen.
        known_days: u8,
        /// How many it takes.
        needed_days: u8,
    },
    /// Nothing was seen lately.
    #[error("no hour of the last {days} days was seen")]
    Stale {
        /// How far back it looked.
        days: u8,
    },
    /// Nobody gave a table.
    #[error("no table of usual values was given for the zone")]
    NoTable,
    /// Nobody gave a forecast.
    #[error("no provider gave a forecast for these hours")]
    NoProvider,
    /// Another method saved more carbon lately, or was off by far less.
    #[error("{by} did better lately")]
    Outscored {
        /// Which one.
        by: Method,
    },
}

/// A preferred method that did not make the forecast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Declined {
    /// Which one.
    pub method: Method,
    /// Why not.
    #[serde(flatten)]
    pub why: Unfit,
}

impl fmt::Display for Declined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.method, self.why)
    }
}

/// One hour of a forecast, in gCO2e/kWh: `lower <= value <= upper`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Point {
    /// When the hour begins.
    pub start: Timestamp,
    /// What is expected.
    #[serde(rename = "gramsPerKwh")]
    pub value: GramsPerKwh,
    /// The truth is below it in one of twenty hours.
    #[serde(rename = "lowerGramsPerKwh")]
    pub lower: GramsPerKwh,
    /// The truth is above it in one of twenty hours.
    #[serde(rename = "upperGramsPerKwh")]
    pub upper: GramsPerKwh,
    /// How this hour was forecast.
    pub method: Method,
}

/// Hours ahead without a hole; the first is the one that holds [`issued_at`](Self::issued_at).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Forecast {
    /// Where it holds.
    pub zone: Zone,
    /// What the values mean.
    pub signal: Signal,
    /// When it was made.
    pub issued_at: Timestamp,
    /// The method that was chosen; hours that it left out carry their own.
    pub method: Method,
    /// Preferred methods that were not used.
    pub declined: Vec<Declined>,
    /// Whether all bounds come from enough errors of the past. Before that they are wide guesses.
    pub calibrated: bool,
    /// By start, one per hour, at least one.
    pub points: Vec<Point>,
}

impl Forecast {
    /// The expected values as a series of quality [`Quality::Forecast`], with the method as source.
    ///
    /// # Errors
    /// [`IntensityError`] where the points are none or out of order; those of a [`Forecaster`] never are.
    pub fn series(&self) -> Result<Series, IntensityError> {
        let slots = self
            .points
            .iter()
            .map(|point| Slot { start: point.start, duration: Hour::LENGTH, value: point.value })
            .collect();
        let source = format!("forecast/{}", self.method);
        Series::new(self.zone.clone(), self.signal, Quality::Forecast, source, slots)
    }
}

/// Why there is no forecast, or none to place a job in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ForecastError {
    /// Values of another zone, or that mean something else.
    #[error("expected {expected_signal} intensity of {expected_zone}, got {signal} intensity of {zone}")]
    Unlike {
        /// Zone of the forecaster.
        expected_zone: Zone,
        /// Signal of the forecaster.
        expected_signal: Signal,
        /// Zone given.
        zone: Zone,
        /// Signal given.
        signal: Signal,
    },
    /// A guess would be learned as if it had happened.
    #[error("{quality} values do not say what happened, observe measured, estimated or modelled ones")]
    NotObserved {
        /// What was given.
        quality: Quality,
    },
    /// No method has anything to say.
    #[error("no method can forecast ({}), give it history or a table of usual values", list(.declined))]
    NoMethod {
        /// What each lacks.
        declined: Vec<Declined>,
    },
    /// A job that takes no time.
    #[error("a job needs a length above zero")]
    NoLength,
    /// The job is longer than its window, or the forecast ends before the window offers a place.
    #[error("the forecast holds no place for the job between {earliest} and {finish_by}")]
    NoPlace {
        /// Start of the window.
        earliest: Timestamp,
        /// End of the window.
        finish_by: Timestamp,
    },
}

fn list(declined: &[Declined]) -> String {
    declined.iter().map(Declined::to_string).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests;
