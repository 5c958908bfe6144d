//! Latencies and their quantiles.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Latencies in nanoseconds, up to a minute, to three digits.
#[derive(Debug, Clone)]
pub struct Samples(Histogram<u64>);

impl Samples {
    /// No sample yet.
    ///
    /// # Errors
    /// Never for these bounds; the histogram library checks them.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self(Histogram::new_with_bounds(1, 60_000_000_000, 3)?))
    }

    /// Adds one; longer than a minute counts as a minute.
    pub fn record(&mut self, latency: Duration) {
        self.0.saturating_record(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Adds those of another.
    ///
    /// # Errors
    /// Never for two of this kind; the histogram library checks it.
    pub fn add(&mut self, other: &Self) -> anyhow::Result<()> {
        Ok(self.0.add(&other.0)?)
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The latency that the given share of samples does not exceed, in milliseconds.
    #[allow(clippy::cast_precision_loss)] // nanoseconds below 2^53
    pub fn quantile_milliseconds(&self, quantile: f64) -> f64 {
        self.0.value_at_quantile(quantile) as f64 / 1e6
    }
}

/// The middle value; of the upper two where their number is even. Zero for none.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_come_in_milliseconds() {
        let mut samples = Samples::new().unwrap();
        for milliseconds in 1..=100 {
            samples.record(Duration::from_millis(milliseconds));
        }
        assert!((samples.quantile_milliseconds(0.5) - 50.0).abs() < 0.2);
        assert!((samples.quantile_milliseconds(0.99) - 99.0).abs() < 0.2);
    }

    #[test]
    fn samples_of_two_are_as_those_of_one() {
        let (mut one, mut other) = (Samples::new().unwrap(), Samples::new().unwrap());
        one.record(Duration::from_millis(1));
        other.record(Duration::from_millis(9));
        one.add(&other).unwrap();
        assert_eq!(one.count(), 2);
        assert!((one.quantile_milliseconds(1.0) - 9.0).abs() < 0.1);
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median(&mut [3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!(median(&mut []).abs() < f64::EPSILON);
    }
}
