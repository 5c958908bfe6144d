//! Errors and savings of one contender on one trace.

use sci_core::{
    forecast::{Forecast, best_hour},
    quantity::GramsPerKwh,
};

/// Hours that are forecast, and in which jobs start and end.
pub const HOURS: usize = 24;
/// Lengths of the jobs.
const JOB_HOURS: [usize; 2] = [1, 4];

/// Sums over many forecasts of 24 hours.
#[derive(Debug, Clone, Copy, Default)]
pub struct Score {
    forecasts: f64,
    percent: f64,
    percent_first: f64,
    error: f64,
    saved: [f64; 2],
    possible: [f64; 2],
}

impl Score {
    /// Adds one forecast and what came.
    pub fn add(&mut self, predicted: &[GramsPerKwh], actual: &[GramsPerKwh]) {
        let errors = || predicted.iter().zip(actual).map(|(predicted, actual)| (predicted.get() - actual.get()).abs());
        let percents = || errors().zip(actual).map(|(error, actual)| 100.0 * error / actual.get());
        self.forecasts += 1.0;
        self.error += errors().sum::<f64>() / hours(HOURS);
        self.percent += percents().sum::<f64>() / hours(HOURS);
        self.percent_first += percents().next().unwrap_or(0.0);
        for ((saved, possible), job) in self.saved.iter_mut().zip(&mut self.possible).zip(JOB_HOURS) {
            let mean = |start: usize| actual.iter().skip(start).take(job).map(|v| v.get()).sum::<f64>() / hours(job);
            *saved += mean(0) - mean(best_hour(predicted, job));
            *possible += mean(0) - mean(best_hour(actual, job));
        }
    }

    /// Mean absolute percentage error over all hours ahead.
    pub fn percent(&self) -> f64 {
        self.percent / self.forecasts
    }

    /// The same of the first hour ahead.
    pub fn percent_first(&self) -> f64 {
        self.percent_first / self.forecasts
    }

    /// Mean absolute error in gCO2e/kWh.
    pub fn error(&self) -> f64 {
        self.error / self.forecasts
    }

    /// Saving by following the forecast over saving by perfect knowledge, in percent, of jobs of 1 h and 4 h.
    pub fn captured(&self) -> [f64; 2] {
        let [saved_1, saved_4] = self.saved;
        let [possible_1, possible_4] = self.possible;
        [100.0 * saved_1 / possible_1, 100.0 * saved_4 / possible_4]
    }
}

/// How often the truth lay within the bounds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Coverage {
    hours: f64,
    held: f64,
    width: f64,
}

impl Coverage {
    /// Adds one forecast and what came.
    pub fn add(&mut self, forecast: &Forecast, actual: &[GramsPerKwh]) {
        for (point, actual) in forecast.points.iter().zip(actual) {
            self.hours += 1.0;
            self.held += f64::from(u8::from((point.lower..=point.upper).contains(actual)));
            self.width += point.upper.get() - point.lower.get();
        }
    }

    /// In percent.
    pub fn percent(&self) -> f64 {
        100.0 * self.held / self.hours
    }

    /// Mean distance of the bounds in gCO2e/kWh.
    pub fn width(&self) -> f64 {
        self.width / self.hours
    }
}

/// Mean of some numbers.
pub fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    sum / count
}

/// Median of some numbers, of the two middle ones their mean.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    let upper = values.len() / 2;
    let lower = values.len().saturating_sub(1) / 2;
    let at = |position: usize| values.get(position).copied().unwrap_or(f64::NAN);
    f64::midpoint(at(lower), at(upper))
}

fn hours(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(low_at: usize) -> Vec<GramsPerKwh> {
        (0..HOURS).map(|hour| GramsPerKwh::new(if hour == low_at { 100.0 } else { 200.0 }).unwrap()).collect()
    }

    #[test]
    fn a_wrong_hour_captures_nothing_and_the_right_one_all() {
        let mut score = Score::default();
        score.add(&day(5), &day(12));
        // Off by 100 g in two of 24 hours: half of the value at one, all of it at the other.
        assert!((score.error() - 200.0 / 24.0).abs() < 1e-9);
        assert!((score.percent() - 150.0 / 24.0).abs() < 1e-9);
        assert!(score.percent_first().abs() < 1e-9);
        let [one_hour, four_hours] = score.captured();
        assert!(one_hour.abs() < 1e-9 && four_hours.abs() < 1e-9);

        let mut score = Score::default();
        score.add(&day(12), &day(12));
        let [one_hour, four_hours] = score.captured();
        assert!((one_hour - 100.0).abs() < 1e-9 && (four_hours - 100.0).abs() < 1e-9);
    }

    #[test]
    fn the_median_of_an_even_count_lies_between() {
        assert!((median([4.0, 1.0, 2.0, 10.0].into_iter()) - 3.0).abs() < 1e-9);
        assert!((median([4.0, 1.0, 10.0].into_iter()) - 4.0).abs() < 1e-9);
    }
}
