//! Forecasts out of a zone's own past.

use super::{Unfit, history::HourlyHistory, hour::Hour};
use crate::quantity::{GramsPerKwh, Share};

/// A zone that was silent for longer is not forecast from its past.
const STALE_DAYS: u8 = 7;
/// A profile of fewer days is worse than yesterday.
const LEAST_DAYS: u8 = 3;
/// How far a forecast may leave the range of the past, relative to its ends.
const BEYOND_RANGE: f64 = 0.2;

/// The usual value of the hour of the day, moved by what the last known hour was off:
///
/// ```text
/// value(t)   = profile(t) + (last - profile(t_last)) x hour_decay^(t - t_last)
/// profile(t) = sum(w_d x value(t - d days)) / sum(w_d)      d = 1..days, each day that is known
/// w_d        = day_decay^d x (1, or other_days where one of the two is a weekend day and the other is not)
/// ```
///
/// in gCO2e/kWh, kept within a fifth of the range of the past. `profile(t_last)` is taken from the days before it.
///
/// The note behind the project's first figures used a flat week and a decay of 0.93 ([`Self::week`]). The defaults
/// were fitted on other years and zones than the ones the benchmark reports on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AnchoredProfile {
    /// Days that make up the profile.
    pub days: u8,
    /// Weight of a day over that of the day after it.
    pub day_decay: Share,
    /// Weight of weekend days for working days, and the other way round.
    pub other_days: Share,
    /// What is left of the last deviation one hour later.
    pub hour_decay: Share,
}

impl Default for AnchoredProfile {
    fn default() -> Self {
        Self {
            days: 28,
            day_decay: Share::clamped(0.88),
            other_days: Share::clamped(0.5),
            hour_decay: Share::clamped(0.96),
        }
    }
}

impl AnchoredProfile {
    /// The plain mean of seven days with the given decay of the last deviation; without one where it is zero.
    pub const fn week(hour_decay: Share) -> Self {
        Self { days: 7, day_decay: Share::ALL, other_days: Share::ALL, hour_decay }
    }

    /// Values from `first` on, one per hour. Beyond a day the profile repeats.
    ///
    /// # Errors
    /// [`Unfit::Stale`] where nothing is known of the week before `first`, [`Unfit::FewDays`] where an hour of the
    /// day was seen on fewer than three days.
    pub fn predict(&self, history: &HourlyHistory, first: Hour, hours: usize) -> Result<Vec<GramsPerKwh>, Unfit> {
        let (last_hour, last) = recent(history, first)?;
        let (_, usual) = self.profile(history, last_hour, last_hour);
        let deviation = usual.map_or(0.0, |usual| last.get() - usual);
        let gap = i32::try_from(first.since(last_hour)).unwrap_or(i32::MAX);
        let hour_decay = self.hour_decay.get();
        let mut left = deviation * hour_decay.powi(gap);
        let (low, high) = limits(history);

        let mut values = Vec::with_capacity(hours);
        for ahead in (0_i64..).take(hours) {
            let target = first.plus(ahead);
            let (known_days, usual) = self.profile(history, target, first);
            let usual = usual.filter(|_| known_days >= LEAST_DAYS).ok_or(Unfit::FewDays {
                hour_of_day: target.of_day(),
                known_days,
                needed_days: LEAST_DAYS,
            })?;
            values.push(GramsPerKwh::clamped((usual + left).clamp(low, high)));
            left *= hour_decay;
        }
        Ok(values)
    }

    /// Weighted mean of the days before `limit` at the hour of the day of `target`, and how many of them are known.
    fn profile(&self, history: &HourlyHistory, target: Hour, limit: Hour) -> (u8, Option<f64>) {
        let latest = target.latest_alike_before(limit);
        let weekend = target.is_weekend();
        let (mut sum, mut weights, mut known) = (0.0, 0.0, 0);
        let mut day_weight = 1.0;
        for day in 0..self.days {
            let hour = latest.plus(-24 * i64::from(day));
            if let Some(value) = history.get(hour) {
                let weight = if hour.is_weekend() == weekend { day_weight } else { day_weight * self.other_days.get() };
                sum += weight * value.get();
                weights += weight;
                known += u8::from(weight > 0.0);
            }
            day_weight *= self.day_decay.get();
        }
        (known, (weights > 0.0).then(|| sum / weights))
    }
}

/// The value of one day before, or of as many days before as it takes to find one, up to a week.
///
/// # Errors
/// [`Unfit::Stale`] and [`Unfit::FewDays`], as [`AnchoredProfile::predict`].
pub fn persistence(history: &HourlyHistory, first: Hour, hours: usize) -> Result<Vec<GramsPerKwh>, Unfit> {
    recent(history, first)?;
    (0_i64..)
        .take(hours)
        .map(|ahead| {
            let target = first.plus(ahead);
            let latest = target.latest_alike_before(first);
            (0..STALE_DAYS).find_map(|day| history.get(latest.plus(-24 * i64::from(day)))).ok_or(Unfit::FewDays {
                hour_of_day: target.of_day(),
                known_days: 0,
                needed_days: 1,
            })
        })
        .collect()
}

/// The last hour known before the forecast, if it is recent enough.
fn recent(history: &HourlyHistory, first: Hour) -> Result<(Hour, GramsPerKwh), Unfit> {
    let oldest = first.plus(-24 * i64::from(STALE_DAYS));
    history.last_before(first).filter(|(hour, _)| *hour >= oldest).ok_or(Unfit::Stale { days: STALE_DAYS })
}

fn limits(history: &HourlyHistory) -> (f64, f64) {
    let (low, high) = history.range().unwrap_or((GramsPerKwh::MIN, GramsPerKwh::MAX));
    (low.get() * (1.0 - BEYOND_RANGE), high.get() * (1.0 + BEYOND_RANGE))
}
