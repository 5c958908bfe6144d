//! One value of one zone for one slot of time.

use std::{cmp::Ordering, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{IntensityError, Quality, Signal, Zone, seconds};
use crate::quantity::GramsPerKwh;

/// One carbon intensity of one grid zone, valid from [`start`](Self::start) up to but not including
/// [`end`](Self::end).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reading {
    /// Grams of CO2 equivalent per kilowatt-hour.
    #[serde(rename = "gramsPerKwh")]
    pub value: GramsPerKwh,
    /// What the value means.
    pub signal: Signal,
    /// Where it holds.
    pub zone: Zone,
    /// Since when it holds.
    pub start: Timestamp,
    /// For how long it holds.
    #[serde(rename = "durationSeconds", with = "seconds")]
    pub duration: Duration,
    /// How it came to be.
    pub quality: Quality,
    /// Who said it.
    pub source: Arc<str>,
}

impl Reading {
    /// The first instant the value does not hold any more.
    pub fn end(&self) -> Timestamp {
        end_of(self.start, self.duration)
    }

    /// Whether the value holds at `now`.
    pub fn covers(&self, now: Timestamp) -> bool {
        self.start <= now && now < self.end()
    }

    /// Whether the value begins to hold only after `now`.
    pub fn is_future(&self, now: Timestamp) -> bool {
        self.start > now
    }

    /// How far the value is from speaking of `now`.
    ///
    /// ```text
    /// age = 0              while the slot covers now
    ///     = now - end      after it
    ///     = start - now    before it
    /// ```
    ///
    /// A reading **dated in the future** is thus as old as the time until its slot begins. A clock that is some
    /// seconds ahead does no harm, while a value for tomorrow is as stale for today as one of yesterday. Whoever
    /// wants to count such readings asks [`is_future`](Self::is_future).
    ///
    /// ```
    /// use std::time::Duration;
    /// use sci_core::{intensity::{Quality, Reading, Signal, Zone}, quantity::GramsPerKwh};
    ///
    /// let reading = Reading {
    ///     value: GramsPerKwh::new(250.0)?,
    ///     signal: Signal::default(),
    ///     zone: Zone::new("FR")?,
    ///     start: "2026-01-01T12:00:00Z".parse()?,
    ///     duration: Duration::from_hours(1),
    ///     quality: Quality::Measured,
    ///     source: "example".into(),
    /// };
    /// assert_eq!(reading.age("2026-01-01T12:59:59Z".parse()?), Duration::ZERO);
    /// assert_eq!(reading.age("2026-01-01T13:10:00Z".parse()?), Duration::from_mins(10));
    /// assert_eq!(reading.age("2026-01-01T11:50:00Z".parse()?), Duration::from_mins(10));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn age(&self, now: Timestamp) -> Duration {
        if self.is_future(now) { between(now, self.start) } else { between(self.end(), now) }
    }

    /// Orders by value, cleanest first. Zone, time, quality and source do not matter.
    ///
    /// # Errors
    /// [`IntensityError::UnlikeSignals`] where the two do not mean the same.
    pub fn try_cmp(&self, other: &Self) -> Result<Ordering, IntensityError> {
        if self.signal != other.signal {
            return Err(IntensityError::UnlikeSignals { left: self.signal, right: other.signal });
        }
        Ok(self.value.get().total_cmp(&other.value.get()))
    }
}

/// `start + duration`, or the last instant there is.
pub(super) fn end_of(start: Timestamp, duration: Duration) -> Timestamp {
    start.checked_add(duration).unwrap_or(Timestamp::MAX)
}

/// From `earlier` to `later`; zero where they come in the other order.
pub(super) fn between(earlier: Timestamp, later: Timestamp) -> Duration {
    later.duration_since(earlier).try_into().unwrap_or(Duration::ZERO)
}
