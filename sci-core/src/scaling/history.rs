//! What a zone's intensity usually is, to compare one with.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::{TooLittleHistory, number::float};
use crate::{
    forecast::{Hour, HourlyHistory},
    intensity::Series,
    quantity::{GramsPerKwh, Share},
};

/// Hourly means of one zone, at most 35 days of them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct IntensityHistory(HourlyHistory);

/// Where an intensity stands among others.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rank {
    /// 0: below all of them, 1: above all of them.
    #[serde(rename = "rank")]
    pub share: Share,
    /// How many hours it was compared with.
    pub hours: usize,
}

/// A history as seen from one instant.
#[derive(Debug, Clone, Copy)]
pub struct Past<'a> {
    /// The zone's hours.
    pub history: &'a IntensityHistory,
    /// Hours that begin later do not count.
    pub now: Timestamp,
}

impl IntensityHistory {
    /// The least that ranks anything: every hour of the day twice.
    pub const LEAST: Duration = Duration::from_hours(48);

    /// Nothing known.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets or replaces one hour.
    pub fn set(&mut self, hour: Hour, value: GramsPerKwh) {
        self.0.set(hour, value);
    }

    /// Takes over the hours of a series that are over at `now`, see [`HourlyHistory::record`].
    pub fn record(&mut self, series: &Series, now: Timestamp) {
        self.0.record(series, now);
    }

    /// Takes over what another history knows. Where both know an hour, the other one's value is kept.
    pub fn merge(&mut self, other: &Self) {
        for (hour, value) in other.0.hours() {
            self.0.set(hour, value);
        }
    }

    /// How many hours are known.
    pub fn known(&self) -> usize {
        self.0.known()
    }

    /// Smallest and largest hour of the last `window` before `now`; `None` where none is known.
    pub fn range(&self, window: Duration, now: Timestamp) -> Option<(GramsPerKwh, GramsPerKwh)> {
        self.within(window, now).fold(None, |range, value| {
            let (low, high) = range.unwrap_or((value, value));
            Some((if value < low { value } else { low }, if value > high { value } else { high }))
        })
    }

    /// The mid-rank of a value among the hours of the last `window` before `now`:
    ///
    /// ```text
    /// rank = (hours below + hours equal / 2) / hours
    /// ```
    ///
    /// Ties count half, so a zone that never changes ranks 0.5 and not at an end.
    ///
    /// # Errors
    /// [`TooLittleHistory`] for fewer than 48 hours.
    pub fn rank(&self, value: GramsPerKwh, window: Duration, now: Timestamp) -> Result<Rank, TooLittleHistory> {
        let (mut below, mut equal, mut hours) = (0, 0, 0_usize);
        for known in self.within(window, now) {
            hours += 1;
            below += usize::from(known < value);
            equal += usize::from(known == value);
        }
        if Hour::LENGTH.saturating_mul(u32::try_from(hours).unwrap_or(u32::MAX)) < Self::LEAST {
            return Err(TooLittleHistory { hours });
        }
        Ok(Rank { share: Share::clamped((float(below) + float(equal) / 2.0) / float(hours)), hours })
    }

    fn within(&self, window: Duration, now: Timestamp) -> impl Iterator<Item = GramsPerKwh> {
        let oldest = now.checked_sub(window).unwrap_or(Timestamp::MIN);
        self.0.hours().filter(move |(hour, _)| hour.start() >= oldest && hour.start() <= now).map(|(_, value)| value)
    }
}

impl Past<'_> {
    pub(super) fn rank(&self, value: GramsPerKwh, window: Duration) -> Result<Rank, TooLittleHistory> {
        self.history.rank(value, window, self.now)
    }
}
