//! Times at which nothing may be throttled.

use jiff::{
    Timestamp,
    civil::{Time, Weekday},
    tz::TimeZone,
};

use super::ScalingError;

/// A daily or weekly time in a place. The clock on the wall there decides: a window from 02:00 to 03:00 is absent on
/// the night that skips that hour and lasts two hours on the night that repeats it.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    days: Vec<Weekday>,
    from: Time,
    to: Time,
    time_zone: TimeZone,
}

impl Window {
    /// From `from` up to but not including `to` on each of `days`. Where `to` is not later than `from` the window
    /// ends on the next day: one from 22:00 to 06:00 on Fridays covers early Saturday, one from 00:00 to 00:00 the
    /// whole day.
    ///
    /// # Errors
    /// [`ScalingError::NoDays`] without a day.
    pub fn new(
        days: impl IntoIterator<Item = Weekday>,
        from: Time,
        to: Time,
        time_zone: TimeZone,
    ) -> Result<Self, ScalingError> {
        let mut days: Vec<_> = days.into_iter().collect();
        days.sort_unstable_by_key(|day| day.to_monday_zero_offset());
        days.dedup();
        if days.is_empty() {
            return Err(ScalingError::NoDays);
        }
        Ok(Self { days, from, to, time_zone })
    }

    /// Whether `now` lies within.
    pub fn contains(&self, now: Timestamp) -> bool {
        let local = self.time_zone.to_datetime(now);
        let (today, time) = (local.date().weekday(), local.time());
        let on = |day| self.days.contains(&day);
        if self.from < self.to {
            return on(today) && self.from <= time && time < self.to;
        }
        (on(today) && self.from <= time) || (on(today.previous()) && time < self.to)
    }
}

/// Any number of windows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Windows(Vec<Window>);

impl Windows {
    /// The first window that holds `now`, by its place in the list.
    pub fn active(&self, now: Timestamp) -> Option<usize> {
        self.0.iter().position(|window| window.contains(now))
    }
}

impl From<Vec<Window>> for Windows {
    fn from(windows: Vec<Window>) -> Self {
        Self(windows)
    }
}
