//! Where a job fits best into a forecast.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::{Forecast, ForecastError, Hour, Point};
use crate::quantity::GramsPerKwh;

/// The start that a forecast advises for a job, and what it is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// When to start.
    pub start: Timestamp,
    /// Mean intensity over the job when started then.
    #[serde(rename = "gramsPerKwh")]
    pub mean: GramsPerKwh,
    /// Mean intensity over the job when started as early as possible.
    #[serde(rename = "earliestGramsPerKwh")]
    pub mean_at_earliest: GramsPerKwh,
}

impl Placement {
    /// What waiting saves per kWh.
    pub fn saving(&self) -> GramsPerKwh {
        GramsPerKwh::clamped(self.mean_at_earliest.get() - self.mean.get())
    }
}

impl Forecast {
    /// The best start of a job of this length that begins at or after `earliest` and is over by `finish_by`. Of
    /// equals the earliest wins. Draws are steady: the job's carbon is the mean intensity over its run.
    ///
    /// A mean over a piecewise constant forecast is least where the job begins or ends with an hour, so those and
    /// the rims of the window are all there is to try. A window that reaches beyond the forecast is cut to it.
    ///
    /// # Errors
    /// [`ForecastError::NoLength`], and [`ForecastError::NoPlace`] where the window, as far as it is forecast, is
    /// shorter than the job.
    pub fn best_start(
        &self,
        length: Duration,
        earliest: Timestamp,
        finish_by: Timestamp,
    ) -> Result<Placement, ForecastError> {
        if length.is_zero() {
            return Err(ForecastError::NoLength);
        }
        let no_place = ForecastError::NoPlace { earliest, finish_by };
        let ends = |point: &Point| point.start.checked_add(Hour::LENGTH).unwrap_or(Timestamp::MAX);
        let (Some(first), Some(last)) = (self.points.first(), self.points.last()) else { return Err(no_place) };
        let from = earliest.max(first.start);
        let Ok(latest) = finish_by.min(ends(last)).checked_sub(length) else { return Err(no_place) };
        if latest < from {
            return Err(no_place);
        }
        let starts = self.points.iter().map(|point| point.start);
        let finishes = self.points.iter().filter_map(|point| ends(point).checked_sub(length).ok());
        let mut candidates: Vec<_> =
            starts.chain(finishes).filter(|start| (from..=latest).contains(start)).chain([from, latest]).collect();
        candidates.sort_unstable();
        candidates.dedup();

        let mean_at_earliest = self.mean(from, length);
        let mut best = Placement { start: from, mean: mean_at_earliest, mean_at_earliest };
        for start in candidates {
            let mean = self.mean(start, length);
            // What differs by rounding only is equal.
            if mean.get() < best.mean.get() - 1e-9 {
                best = Placement { start, mean, ..best };
            }
        }
        Ok(best)
    }

    /// Time-weighted mean over a job that lies within the points.
    fn mean(&self, start: Timestamp, length: Duration) -> GramsPerKwh {
        let (mut weighted, mut seconds) = (0.0, 0.0);
        let end = start.checked_add(length).unwrap_or(Timestamp::MAX);
        let first = self.points.partition_point(|point| Hour::containing(point.start).end() <= start);
        for point in self.points.iter().skip(first).take_while(|point| point.start < end) {
            let overlap = Hour::containing(point.start).end().min(end).duration_since(point.start.max(start));
            weighted += point.value.get() * overlap.as_secs_f64();
            seconds += overlap.as_secs_f64();
        }
        GramsPerKwh::clamped(weighted / seconds)
    }
}

/// The hour to start a job of whole hours in, so that its sum is least and it ends within `values`. Of equals the
/// earliest wins. Zero where the job does not fit.
pub fn best_hour(values: &[GramsPerKwh], job_hours: usize) -> usize {
    let sums = values.windows(job_hours.max(1)).map(|window| window.iter().map(|value| value.get()).sum::<f64>());
    let mut best = (0, f64::INFINITY);
    for (start, sum) in sums.enumerate() {
        if sum < best.1 {
            best = (start, sum);
        }
    }
    best.0
}
