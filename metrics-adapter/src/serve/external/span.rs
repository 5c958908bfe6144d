//! The least and the greatest intensity of a zone, to come or in its past.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube_sci_signals::grid::ZoneState;
use sci_core::{
    forecast::{Hour, Point},
    quantity::GramsPerKwh,
    scaling::IntensityHistory,
};

use crate::serve::values::{Absent, View};

/// How far ahead they are looked for.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);
/// How far back, where nothing is forecast: working days and weekends differ.
const BACK: Duration = Duration::from_hours(7 * 24);
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// Two ends, and where they are from.
#[derive(Debug, PartialEq)]
pub(super) struct Span {
    pub least: GramsPerKwh,
    pub greatest: GramsPerKwh,
    /// `forecast` or `history`.
    pub basis: &'static str,
    /// The instant that it speaks of, and for how long.
    pub at: (Timestamp, Duration),
}

impl Span {
    /// Of the next 24 hours.
    pub(super) fn ahead(view: &View<'_>, state: &ZoneState) -> Result<Self, Absent> {
        let missing = || Absent::Cause(format!("there is no forecast for zone {}", state.zone));
        let forecast = &state.forecast.as_ref().ok_or_else(missing)?.forecast;
        let end = view.now.checked_add(AHEAD).unwrap_or(view.now);
        let ahead =
            |point: &&Point| point.start.checked_add(HOUR).is_ok_and(|over| over > view.now) && point.start < end;
        let values = || forecast.points.iter().filter(ahead).map(|point| point.value);
        let order = |a: &GramsPerKwh, b: &GramsPerKwh| a.get().total_cmp(&b.get());
        let (least, greatest) = values().min_by(order).zip(values().max_by(order)).ok_or_else(missing)?;
        Ok(Self { least, greatest, basis: "forecast", at: (forecast.issued_at, AHEAD.unsigned_abs()) })
    }

    /// Of the next 24 hours, or where nothing is forecast, of the last seven days: what quantile curves are compared
    /// with too. The value is then as old as the reading that is compared.
    pub(super) fn ahead_or_past(
        view: &View<'_>,
        state: &ZoneState,
        reading: (GramsPerKwh, Timestamp, Duration),
    ) -> Result<Self, Absent> {
        Self::ahead(view, state).or_else(|absent| {
            Self::past(view.learned.of(&state.zone), view.now, reading)
                .map_err(|few| Absent::Cause(format!("{absent}, and {few}")))
        })
    }

    fn past(
        hours: &[(Hour, GramsPerKwh)],
        now: Timestamp,
        (value, start, duration): (GramsPerKwh, Timestamp, Duration),
    ) -> Result<Self, sci_core::scaling::TooLittleHistory> {
        // Years may be known, and this is asked for in requests.
        let oldest = now.checked_sub(BACK).unwrap_or(Timestamp::MIN);
        let from = hours.partition_point(|(hour, _)| hour.start() < oldest);
        let mut history = IntensityHistory::new();
        for &(hour, value) in hours.iter().skip(from) {
            history.set(hour, value);
        }
        // Two days at least, as for a curve.
        history.rank(value, BACK, now)?;
        let (least, greatest) = history.range(BACK, now).unwrap_or((value, value));
        Ok(Self { least, greatest, basis: "history", at: (start, duration) })
    }

    /// 0 for the least, 1 for the greatest, the present one among them; in the middle where there is no difference.
    pub(super) fn relative(&self, now: GramsPerKwh) -> f64 {
        let least = self.least.get().min(now.get());
        let span = self.greatest.get().max(now.get()) - least;
        if span > 0.0 { (now.get() - least) / span } else { 0.5 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grams(value: f64) -> GramsPerKwh {
        GramsPerKwh::new(value).unwrap()
    }

    fn noon() -> Timestamp {
        "2026-03-10T12:00:00Z".parse().unwrap()
    }

    /// The value of every hour before noon, from `count` hours ago on.
    fn hours(count: i64, value: impl Fn(i64) -> f64) -> Vec<(Hour, GramsPerKwh)> {
        let now = Hour::containing(noon());
        (1..=count).rev().map(|ago| (now.plus(-ago), grams(value(ago)))).collect()
    }

    fn past(hours: &[(Hour, GramsPerKwh)], value: f64) -> Result<Span, sci_core::scaling::TooLittleHistory> {
        Span::past(hours, noon(), (grams(value), noon(), Duration::from_hours(1)))
    }

    #[test]
    fn without_a_forecast_the_last_seven_days_count() {
        let learned = hours(30 * 24, |ago| match ago {
            ago if ago > 7 * 24 => 900.0,
            ago if ago % 24 < 12 => 100.0,
            _ => 300.0,
        });
        let span = past(&learned, 150.0).unwrap();
        assert_eq!((span.least, span.greatest, span.basis), (grams(100.0), grams(300.0), "history"));
        assert!((span.relative(grams(150.0)) - 0.25).abs() < 1e-12);
        // The present is one of them.
        assert!((span.relative(grams(400.0)) - 1.0).abs() < 1e-12);
        assert!(span.relative(grams(50.0)).abs() < 1e-12);
    }

    #[test]
    fn less_than_two_days_are_no_past() {
        assert!(past(&hours(47, |_| 100.0), 150.0).is_err());
        assert!(past(&hours(48, |_| 100.0), 150.0).is_ok());
        // Old hours do not help.
        let old: Vec<_> = hours(30 * 24, |_| 100.0).into_iter().take(22 * 24).collect();
        assert!(past(&old, 150.0).is_err());
    }

    #[test]
    fn a_zone_that_never_changes_is_in_the_middle() {
        let span = past(&hours(100, |_| 20.0), 20.0).unwrap();
        assert!((span.relative(grams(20.0)) - 0.5).abs() < 1e-12);
    }
}
