//! Hours on a regular grid.

use std::time::Duration;

use jiff::{Timestamp, tz::Offset};

const SECONDS: i64 = 3_600;
const HOURS_PER_DAY: i64 = 24;

/// A whole hour of UTC.
///
/// ```
/// use jiff::Timestamp;
/// use sci_core::forecast::Hour;
///
/// let hour = Hour::containing("2026-01-03T12:59:59Z".parse()?);
/// assert_eq!(hour.start(), "2026-01-03T12:00:00Z".parse::<Timestamp>()?);
/// assert_eq!(hour.plus(13).since(hour), 13);
/// assert!(hour.is_weekend() && !hour.plus(48).is_weekend());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hour(i64);

impl Hour {
    /// How long it is.
    pub const LENGTH: Duration = Duration::from_hours(1);

    /// The hour that holds `instant`.
    pub fn containing(instant: Timestamp) -> Self {
        let floor = instant.as_second() - i64::from(instant.subsec_nanosecond() < 0);
        Self(floor.div_euclid(SECONDS))
    }

    /// When it begins. At the rim of what a [`Timestamp`] can say, that rim.
    pub fn start(self) -> Timestamp {
        let rim = if self.0 < 0 { Timestamp::MIN } else { Timestamp::MAX };
        self.0.checked_mul(SECONDS).and_then(|second| Timestamp::from_second(second).ok()).unwrap_or(rim)
    }

    /// The first instant after it.
    pub fn end(self) -> Timestamp {
        self.plus(1).start()
    }

    /// The hour that many later; earlier where `hours` is negative.
    #[must_use]
    pub fn plus(self, hours: i64) -> Self {
        Self(self.0.saturating_add(hours))
    }

    /// Hours from `earlier` to this one.
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// 0 to 23, in UTC.
    pub fn of_day(self) -> u8 {
        u8::try_from(self.0.rem_euclid(HOURS_PER_DAY)).unwrap_or(0)
    }

    /// Whether it is Saturday or Sunday in UTC.
    pub fn is_weekend(self) -> bool {
        // The epoch was a Thursday: day 2 was a Saturday, day 3 a Sunday.
        matches!(self.0.div_euclid(HOURS_PER_DAY).rem_euclid(7), 2 | 3)
    }

    /// The latest hour before `limit` with this one's hour of the day.
    pub(super) fn latest_alike_before(self, limit: Self) -> Self {
        let last = limit.plus(-1);
        last.plus(-last.since(self).rem_euclid(HOURS_PER_DAY))
    }

    /// 0 to 11, in UTC.
    pub(super) fn month_index(self) -> usize {
        usize::try_from(Offset::UTC.to_datetime(self.start()).month() - 1).unwrap_or(0)
    }
}
